"""One line that says what is going on."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable


class Progress:
    """A line that is rewritten on a terminal; elsewhere a line for each step.

    :param clock: seconds, monotonic
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._live = sys.stdout.isatty()
        self._step = ""

    @property
    def seconds(self) -> float:
        """The time since the beginning."""
        return self._clock() - self._began

    def step(self, text: str) -> None:
        """Begin a step; the one before is done."""
        self.done()
        self._step = text
        if self._live:
            self._write(text)
        else:
            print(f"[{self.seconds:3.0f} s] {text} …", flush=True)

    def detail(self, text: str) -> None:
        """Say how the step stands; only a terminal shows it."""
        if self._live and self._step:
            self._write(f"{self._step}: {text}")

    def done(self, text: str = "") -> None:
        """End the step, with what came of it."""
        if not self._step:
            return
        line = f"{self._step}: {text}" if text else self._step
        if self._live:
            self._write(line)
            print(flush=True)
        elif text:
            print(f"[{self.seconds:3.0f} s] {line}", flush=True)
        self._step = ""

    def _write(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{f'[{self.seconds:3.0f} s] {text}'[:width]}", end="", flush=True)
