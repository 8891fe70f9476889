"""The environment of the organisation machine: clock, power and stop switch, which tests control without waiting."""

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
from tests.support.databases import engine_of
from tests.support.world import WorldDatabase

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


class PowerSupply:
    """Cuts a process off from its ledger at one of its transactions, and for all that follow."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._is_off = False

    def cut_at(self, transaction: int) -> None:
        """Cut the power when the n-th transaction from now begins, counted from 0."""
        self._left = transaction

    def cut(self) -> None:
        """Cut the power now."""
        self._is_off = True

    def restore(self) -> None:
        """Let every transaction pass."""
        self._left, self._is_off = None, False

    def begins(self, _connection: Connection) -> None:
        """Receive that a transaction begins (an event of SQLAlchemy).

        :raises PowerCutError: the power is off.
        """
        if self._left is not None:
            self._is_off = self._is_off or self._left == 0
            self._left = max(0, self._left - 1)
        if self._is_off:
            raise PowerCutError


class SteeredStop(Stop):
    """A sender's stop switch that waits on the moved clock, and at one of its questions does something else first."""

    def __init__(self, clock: Clock, at: int | None = None, then: Callable[[SteeredStop], None] | None = None) -> None:
        super().__init__()
        self._moved, self._left, self._then = clock, at, then
        self.may_interrupt: Callable[[], bool] = lambda: True

    @property
    def reason(self) -> str | None:
        """Why nothing more may begin; asked before every POST."""
        if self._then is not None and self._left is not None:
            self._left -= 1
            if self._left <= 0 and self.may_interrupt():
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
class MachineEnvironment:
    """One database for all examples, as two processes see it, and the clock.

    :param database: for the test itself, and for a second worker.
    :param worker: the same database, for the worker that may lose its power.
    """

    database: WorldDatabase
    worker: LedgerDatabase
    m3ter: SandboxServer
    clock: Clock
    power: PowerSupply


@contextmanager
def machine_environment_on(database: WorldDatabase, m3ter: SandboxServer) -> Iterator[MachineEnvironment]:
    """Make the environment on a SQLite file."""
    clock, power = Clock(m3ter), PowerSupply()
    engine = engine_of(str(database.db.engine.url))
    for one in (engine, database.db.engine):
        event.listen(one, "connect", clock.into_sqlite)
        one.dispose()
    event.listen(engine, "begin", power.begins)
    worker = LedgerDatabase(engine, name=database.conn_id, write_patience=5.0)
    try:
        yield MachineEnvironment(database, worker, m3ter, clock, power)
    finally:
        worker.close()
        event.remove(database.db.engine, "connect", clock.into_sqlite)
        database.db.engine.dispose()
