"""Senders that stand still: stopped by a signal from themselves at a fault point, until they are let go on."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.chaos import databases
from tests.chaos.cases import NotReachedError
from tests.chaos.forked import Forked
from tests.chaos.play import Play
from tests.chaos.points import Point, reached
from tests.chaos.theatre import SQLITE
from tests.support.task_runs import TaskRun

#: Connection extras with which one POST is over, most often, before the next begins.
SLOWLY = {"requests_per_second": 10}
BEGINS = "POST invitations: begins"
_SENT = "POST invitations: sent"


class StandStill:
    """Lets a sender stop itself at a point.

    It does not stop while other requests are between their beginning and their last byte, unless the point is there.
    """

    def __init__(self, point: Point) -> None:
        self._point = point
        self._loop: asyncio.AbstractEventLoop | None = None

    def fork(self, play: Play, run: TaskRun) -> Forked:
        """Start the sender."""
        return play.fork(run, "send", {self._point: self._strike}, around=self._around)

    def begin(self, play: Play, run: TaskRun) -> Forked:
        """Start the sender and return when it stands still, and keeps nobody else from the ledger.

        :raises NotReachedError: it ended before.
        """
        process = self.fork(play, run)
        wait_for(play, process)
        return process

    def _around(self, call: Callable[[], Any]) -> Any:
        async def sending() -> Any:
            self._loop = asyncio.get_running_loop()
            return await call.__self__.asend()  # type: ignore[attr-defined]

        return asyncio.run(sending())

    def _strike(self, _connection: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            self._stop(None)
            return
        assert self._loop is not None
        gone_on = threading.Event()
        self._loop.call_soon_threadsafe(self._stop, gone_on)
        gone_on.wait()

    def _stop(self, gone_on: threading.Event | None) -> None:
        counts = Counter(point.label for point in reached())
        if self._point.label == BEGINS or counts[BEGINS] == counts[_SENT]:
            os.kill(os.getpid(), signal.SIGSTOP)
            if gone_on is not None:
                gone_on.set()
        else:
            assert self._loop is not None
            self._loop.call_later(0.001, self._stop, gone_on)


def wait_for(play: Play, process: Forked) -> None:
    """Wait until a process stands still, and keeps nobody else from the ledger.

    :raises NotReachedError: it ended before.
    """
    if not process.wait_until_stopped():
        raise NotReachedError
    # Another thread of it may stand still in mid-transaction; a writer of SQLite keeps everybody from it.
    while play.database == SQLITE and not databases.is_free(play.theatre.sqlite_file):
        process.signal(signal.SIGCONT)
        time.sleep(0.002)
        process.signal(signal.SIGSTOP)
        if not process.wait_until_stopped():
            raise NotReachedError


def let_go_on(process: Forked) -> Forked:
    """Let a process go on."""
    process.signal(signal.SIGCONT)
    return process
