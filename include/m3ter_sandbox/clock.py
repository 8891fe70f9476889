"""The sandbox's two clocks: one for the limits, one for what m3ter writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

__all__ = ["Clock", "to_iso", "to_milliseconds"]


class Clock:
    """Wall time that never jumps, and m3ter's own time, which may be moved.

    :param wall: seconds since the epoch, read once.
    :param monotonic: seconds that only grow; all later readings come from it, so a step of the machine's clock
        cannot open or close a rate-limit window.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._started = wall() - monotonic()
        self.shift = 0.0

    def steady(self) -> float:
        """Return seconds since the epoch, unshifted and never going back: for the rate limits."""
        return self._started + self._monotonic()

    def now(self) -> float:
        """Return m3ter's own time in seconds since the epoch: for tokens, expiry and every date it writes."""
        return self.steady() + self.shift

    def now_ms(self) -> int:
        """Return m3ter's own time in whole milliseconds since the epoch."""
        return int(self.now() * 1000)


def to_iso(milliseconds: int, precision_ms: int = 1) -> str:
    """Write an instant as m3ter does: ISO 8601, UTC, milliseconds, ``Z``.

    :param milliseconds: since the epoch.
    :param precision_ms: cut the instant down to a multiple of this.
    """
    cut = milliseconds - milliseconds % precision_ms
    seconds, rest = divmod(cut, 1000)
    whole = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
    return f"{whole.removesuffix('+00:00')}.{rest:03d}Z"


def to_milliseconds(instant: datetime) -> int:
    """Return an aware instant in milliseconds since the epoch."""
    return round(instant.timestamp() * 1000)
