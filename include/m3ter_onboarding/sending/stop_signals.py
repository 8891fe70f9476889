"""When a sender must stop: signals, a parent that is gone, and requests of other parts.

Airflow gives a task five seconds between SIGTERM and SIGKILL and raises nothing inside a coroutine for it; its time-out
arrives by SIGALRM out of the event loop. So the sender takes both signals over while it runs. A supervisor that was
killed sends no signal at all: its task goes on as an orphan while Airflow's retry starts beside it, and is recognised
by its parent's process id.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

#: Seconds for which POSTs that have begun are waited for after SIGTERM: SIGKILL follows after five.
AFTER_SIGTERM = 3.5


class Stop:
    """Whether, why and how urgently a sender must stop; asked before every POST.

    :param parent: returns the parent's process id.
    :param clock: seconds.
    """

    def __init__(self, *, parent: Callable[[], int] = os.getppid, clock: Callable[[], float] = time.monotonic) -> None:
        self._parent = parent
        self._clock = clock
        self._born_of = parent()
        self._reason: str | None = None
        self._deadline: float | None = None
        self._changed = asyncio.Event()

    def request(self, reason: str, *, grace: float | None = None) -> None:
        """Ask the sender to begin nothing more; the first reason stays.

        :param grace: seconds for which POSTs that have begun may be waited for; None: as long as they take.
        """
        if self._reason is None:
            self._reason = reason
        if grace is not None:
            deadline = self._clock() + grace
            self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._changed.set()

    @property
    def reason(self) -> str | None:
        """Why nothing more may begin, or None."""
        if self._reason is None and self._parent() != self._born_of:
            self.request("the process that supervises this task is gone; another may have started")
        return self._reason

    @property
    def grace(self) -> float | None:
        """Seconds that are left, since the stop was requested, for begun POSTs; None: as long as they take."""
        return None if self._deadline is None else max(0.0, self._deadline - self._clock())

    async def wait(self, seconds: float) -> None:
        """Sleep, but not longer than until a stop is requested."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0.0))


@contextmanager
def signals_taken_over(stop: Stop) -> Iterator[None]:
    """Let SIGTERM and SIGALRM request a stop while the body runs, and put the former handlers back."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals; the parent's id and the lease still hold
        return
    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Any] = {}

    def terminated() -> None:
        stop.request("Airflow ended the task (SIGTERM)", grace=AFTER_SIGTERM)

    def timed_out() -> None:
        stop.request("the task's execution_timeout has passed")

    try:
        for number, handler in ((signal.SIGTERM, terminated), (signal.SIGALRM, timed_out)):
            before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, handler)
        yield
    finally:
        for number, former in before.items():
            loop.remove_signal_handler(number)
            if former is not None:
                signal.signal(number, former)
