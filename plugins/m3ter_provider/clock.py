"""The clock by which tokens and paces are counted."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since an arbitrary moment, never going back."""

# Linux's CLOCK_MONOTONIC stands still while the machine is suspended: a token would seem good long after its end.
_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def boot_clock() -> float:
    """Return seconds on a clock that never jumps and, where the system has one, also runs during suspend."""
    return time.monotonic() if _CLOCK_ID is None else time.clock_gettime(_CLOCK_ID)
