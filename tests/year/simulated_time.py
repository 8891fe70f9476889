"""One clock for everybody: Python's, the ledger's (SQLite) and m3ter's move together, a day at a time."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import time_machine
from sqlalchemy import Engine, event

from m3ter_sandbox.testing import SandboxServer

_JULIAN_EPOCH = 2440587.5
_UTC = timezone.utc


class SimulatedTime:
    """The simulated clock.

    :param start: aware; the first moment.
    :param m3ter: whose own clock moves along.
    """

    def __init__(self, start: datetime, m3ter: SandboxServer) -> None:
        self._m3ter = m3ter
        self._ahead = (start - datetime.now(_UTC)).total_seconds()
        self._traveller = time_machine.travel(start, tick=True)
        self._coordinates: Any = None

    def __enter__(self) -> SimulatedTime:
        """Begin: every clock shows the start."""
        self._m3ter.advance(self._ahead)
        self._coordinates = self._traveller.start()
        event.listen(Engine, "connect", _simulate_julianday)
        return self

    def __exit__(self, *_: object) -> None:
        """End; clocks are real again."""
        event.remove(Engine, "connect", _simulate_julianday)
        self._traveller.stop()

    @property
    def now(self) -> datetime:
        """The simulated moment."""
        return datetime.now(_UTC)

    def move_to(self, moment: datetime) -> None:
        """Move every clock forward.

        :param moment: aware, not before now.
        """
        distance = (moment - self.now).total_seconds()
        self._m3ter.advance(distance)
        self._coordinates.shift(distance)


def _simulate_julianday(dbapi_connection: Any, _record: object) -> None:
    """Let SQLite's own clock, which the ledger asks by ``julianday('now')``, be the simulated one."""
    create = getattr(dbapi_connection, "create_function", None)
    if create is not None:
        create("julianday", 1, lambda _now: time.time() / 86400.0 + _JULIAN_EPOCH)
