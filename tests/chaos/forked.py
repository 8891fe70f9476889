"""A piece of work in a process of its own, forked from one that has everything imported."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Seconds after which a process that does not end is taken for stuck.
LIMIT = 60.0


class StuckError(Exception):
    """A process did not end in time."""


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    :param value: what the work returned.
    :param error: class and text of what it raised, or None.
    :param killed_by: the signal that ended it, or None.
    :param points: the fault points that it reached.
    """

    value: Any = None
    error: str | None = None
    killed_by: signal.Signals | None = None
    points: tuple[Any, ...] = ()

    @property
    def well(self) -> bool:
        """Whether the work returned."""
        return self.error is None and self.killed_by is None


@dataclass
class Forked:
    """A process that does some work.

    :param work: called in the child; what it returns must be picklable.
    :param log: where the child's output goes; None: nowhere.
    """

    work: Callable[[], Any]
    log: Path | None = None
    pid: int = 0
    over: bool = False
    _pipe: int = -1
    _received: bytearray = field(default_factory=bytearray)

    def start(self) -> Forked:
        """Fork."""
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            self._run(writing)
        os.close(writing)
        self._pipe = reading
        return self

    def _run(self, writing: int) -> None:
        status = 70
        try:
            for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            output = os.open(self.log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(output, 1)
            os.dup2(output, 2)
            try:
                content = pickle.dumps(("returned", self.work()))
            except BaseException as error:
                traceback.print_exc()
                content = pickle.dumps(("raised", f"{type(error).__name__}: {error}"))
            while content:
                content = content[os.write(writing, content) :]
            status = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def wait_until_stopped(self, limit: float = LIMIT) -> bool:
        """Wait until the process has stopped itself (SIGSTOP); False: it ended without."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            self._receive(0)
            if self._status(("T", "t")):
                return True
            if self._status(("Z", "X")):
                return False
            time.sleep(0.002)
        self.kill()
        raise StuckError(f"process {self.pid} neither stopped nor ended within {limit:.0f} s")

    def freezes_within(self, limit: float) -> bool:
        """Return whether the process stops itself within *limit* seconds; it runs on otherwise."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and not self._status(("Z", "X")):
            self._receive(0)
            if self._status(("T", "t")):
                return True
            time.sleep(0.002)
        return False

    def wait_and_resume(self, limit: float = LIMIT) -> Ended:
        """Wait for its end, and resume it when it freezes; see :meth:`wait`."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and not self._status(("Z", "X")):
            if self.freezes_within(0.1):
                self.signal(signal.SIGCONT)
        return self.wait(max(1.0, deadline - time.monotonic()))

    def _status(self, letters: tuple[str, ...]) -> bool:
        try:
            text = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return "X" in letters
        return text.rpartition(")")[2].split()[0] in letters

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing where the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, and forget it; nothing where it was waited for."""
        if self.over:
            return
        self.signal(signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._close()

    def _close(self) -> None:
        self.over = True
        os.close(self._pipe)

    def _receive(self, timeout: float) -> bool:
        """Read the child's answer; True: it is complete."""
        ready, _, _ = select.select([self._pipe], [], [], timeout)
        if not ready:
            return False
        piece = os.read(self._pipe, 65536)
        self._received += piece
        return not piece

    def wait(self, limit: float = LIMIT) -> Ended:
        """Wait for its end.

        :raises StuckError: it did not come within *limit* seconds; the process was ended.
        """
        deadline = time.monotonic() + limit
        while not self._receive(max(0.0, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                self.kill()
                raise StuckError(f"process {self.pid} did not end within {limit:.0f} s")
        _, status = os.waitpid(self.pid, 0)
        self._close()
        if os.WIFSIGNALED(status):
            return Ended(killed_by=signal.Signals(os.WTERMSIG(status)))
        if not self._received:
            return Ended(error=f"the process ended with status {os.WEXITSTATUS(status)} and without an answer")
        what, value = pickle.loads(self._received)
        return Ended(value=value) if what == "returned" else Ended(error=value)
