"""Senders that are frozen: stopped by a signal from themselves at a fault point, until they are resumed."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.chaos import database_faults
from tests.chaos.case_run import CaseRun
from tests.chaos.cases import NotReachedError
from tests.chaos.fault_points import FaultPoint, reached
from tests.chaos.forked import Forked
from tests.support.databases import SQLITE
from tests.support.task_runs import TaskRun

#: Connection extras with which one POST is over, most often, before the next begins.
SLOW = {"requests_per_second": 10}
BEGINS = "POST invitations: begins"
_SENT = "POST invitations: sent"


class FrozenSender:
    """Freezes a sender at a point.

    It does not stop while other requests are between their beginning and their last byte, unless the point is there.
    """

    def __init__(self, point: FaultPoint) -> None:
        self._point = point
        self._loop: asyncio.AbstractEventLoop | None = None

    def fork(self, case: CaseRun, run: TaskRun) -> Forked:
        """Start the sender."""
        return case.fork(run, "send", {self._point: self._fault}, around=self._around)

    def begin(self, case: CaseRun, run: TaskRun) -> Forked:
        """Start the sender and return when it is frozen, and keeps nobody else from the ledger.

        :raises NotReachedError: it ended before.
        """
        process = self.fork(case, run)
        wait_until_frozen(case, process)
        return process

    def _around(self, call: Callable[[], Any]) -> Any:
        async def sending() -> Any:
            self._loop = asyncio.get_running_loop()
            return await call.__self__.asend()  # type: ignore[attr-defined]

        return asyncio.run(sending())

    def _fault(self, _connection: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            self._stop(None)
            return
        assert self._loop is not None
        resumed = threading.Event()
        self._loop.call_soon_threadsafe(self._stop, resumed)
        resumed.wait()

    def _stop(self, resumed: threading.Event | None) -> None:
        counts = Counter(point.label for point in reached())
        if self._point.label == BEGINS or counts[BEGINS] == counts[_SENT]:
            os.kill(os.getpid(), signal.SIGSTOP)
            if resumed is not None:
                resumed.set()
        else:
            assert self._loop is not None
            self._loop.call_later(0.001, self._stop, resumed)


def wait_until_frozen(case: CaseRun, process: Forked) -> None:
    """Wait until a process is frozen, and keeps nobody else from the ledger.

    :raises NotReachedError: it ended before.
    """
    if not process.wait_until_stopped():
        raise NotReachedError
    # Another thread of it may be frozen in mid-transaction; a writer of SQLite keeps everybody from it.
    while case.database == SQLITE and not database_faults.is_free(case.environment.sqlite_file):
        process.signal(signal.SIGCONT)
        time.sleep(0.002)
        process.signal(signal.SIGSTOP)
        if not process.wait_until_stopped():
            raise NotReachedError


def resume(process: Forked) -> Forked:
    """Let a frozen process go on."""
    process.signal(signal.SIGCONT)
    return process
