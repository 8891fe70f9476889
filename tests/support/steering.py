"""A clock, a power supply and a stop switch, moved, cut and asked at will: what processes meet, without waiting."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, event

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.sending.lease import boot_clock
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_sandbox.testing import SandboxServer
from tests.support.world import Stage, engine_of

DAY = 86_400.0


class PowerCutError(Exception):
    """A process is gone: nothing that it does from now on reaches the ledger."""


class Clock:
    """The one clock of all: SQLite's, m3ter's, the worker's and the sender's."""

    def __init__(self, m3ter: SandboxServer) -> None:
        self._m3ter = m3ter
        self._shift = 0.0
        self._quiet_at = 0.0

    def reset(self) -> None:
        """Begin anew, with the sandbox."""
        self.let_m3ter_finish()
        self._shift = 0.0

    def now(self) -> datetime:
        """Return the worker's clock (UTC)."""
        return utc_now() + timedelta(seconds=self._shift)

    def boot(self) -> float:
        """Return the sender's clock in seconds."""
        return boot_clock() + self._shift

    def into_sqlite(self, dbapi_connection: Any, _record: Any) -> None:
        """Give a connection's ``julianday`` this clock."""
        dbapi_connection.create_function("julianday", 1, self._julian_day)

    def _julian_day(self, _now: str) -> float:
        return (time.time() + self._shift) / DAY + 2440587.5

    def work_may_be_late(self, seconds: float) -> None:
        """Note that m3ter may still do something that it was asked for, so many real seconds from now."""
        self._quiet_at = max(self._quiet_at, time.monotonic() + seconds)

    def let_m3ter_finish(self) -> None:
        """Wait, some milliseconds at most, until m3ter has done what it does late."""
        if self._quiet_at:
            time.sleep(max(0.0, self._quiet_at - time.monotonic()))
            for _ in range(2):  # a busy machine may be late with it: what was due before this question comes first
                self._m3ter.totals()
            self._quiet_at = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass; what m3ter does late it does before."""
        self.let_m3ter_finish()
        self._m3ter.advance(seconds)
        self._shift += seconds


class Fuse:
    """Cuts a process off from its ledger at one of its transactions, and for all that follow."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.blown = False

    def mend(self) -> None:
        """Let everything pass."""
        self.left, self.blown = None, False

    def begins(self, _connection: Connection) -> None:
        """Be told that a transaction begins.

        :raises PowerCutError: when it may not.
        """
        if self.left is not None:
            self.blown = self.blown or self.left == 0
            self.left = max(0, self.left - 1)
        if self.blown:
            raise PowerCutError


class Steered(Stop):
    """A sender's stop switch that waits on the moved clock, and at one of its questions does something else first."""

    def __init__(self, clock: Clock, at: int | None = None, then: Callable[[Steered], None] | None = None) -> None:
        super().__init__()
        self._moved, self._left, self._then = clock, at, then
        self.may_strike: Callable[[], bool] = lambda: True

    @property
    def reason(self) -> str | None:
        """Why nothing more may begin; asked before every POST."""
        if self._then is not None and self._left is not None:
            self._left -= 1
            if self._left <= 0 and self.may_strike():
                then, self._then = self._then, None
                then(self)
        return super().reason

    async def wait(self, seconds: float) -> None:
        """Let the time pass."""
        if math.isinf(seconds):
            await super().wait(seconds)
        elif not self._changed.is_set():
            self._moved.advance(max(seconds, 0.0))
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Bench:
    """One database for all examples, as two processes see it, and the clock.

    :param stage: the database, as whoever judges sees it, and a second worker.
    :param worker: the same, as the worker sees it that may lose its power.
    """

    stage: Stage
    worker: LedgerDatabase
    m3ter: SandboxServer
    clock: Clock
    fuse: Fuse


@contextmanager
def bench_on(stage: Stage, m3ter: SandboxServer) -> Iterator[Bench]:
    """Set up a bench on a stage whose database is a SQLite file."""
    clock, fuse = Clock(m3ter), Fuse()
    engine = engine_of(str(stage.db.engine.url))
    for one in (engine, stage.db.engine):
        event.listen(one, "connect", clock.into_sqlite)
        one.dispose()
    event.listen(engine, "begin", fuse.begins)
    worker = LedgerDatabase(engine, name=stage.conn_id, write_patience=5.0)
    try:
        yield Bench(stage, worker, m3ter, clock, fuse)
    finally:
        worker.close()
        event.remove(stage.db.engine, "connect", clock.into_sqlite)
        stage.db.engine.dispose()
