"""A lease: how long a sender may act on its claim, by its own clock (docs/delivery.md, rule 11).

The database writes and judges when a lease ends. The sender counts from a moment *before* it claimed, on a clock that
also runs while the machine is suspended, and keeps a margin: when it believes that its lease lasts, the database does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

#: Seconds by which a sender thinks its lease ends earlier than the database does.
LEASE_MARGIN = 2.0


def boot_clock() -> float:
    """Return seconds since boot, suspended time included; where the system has no such clock, monotonic seconds."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True)
class Lease:
    """A claim's lease as its sender sees it.

    :param ends_at: on the sender's clock, margin taken off.
    """

    ends_at: float
    clock: Callable[[], float] = boot_clock

    @classmethod
    def begun_at(cls, started: float, seconds: float, clock: Callable[[], float]) -> Lease:
        """Return the lease of a claim whose transaction began at *started* and asked for *seconds*."""
        return cls(started + seconds - LEASE_MARGIN, clock)

    def outlasts(self, seconds: float) -> bool:
        """Return whether the lease lasts longer than *seconds* from now."""
        return self.clock() + seconds < self.ends_at


@dataclass(frozen=True)
class ChunkSize:
    """How many invitations one claim takes, and for how long.

    :param size: at most so many rows.
    :param lease_seconds: time to send them at twice the pace's time, plus one whole time-out, plus the margin.
    """

    size: int
    lease_seconds: float

    @classmethod
    def at_pace(cls, requests_per_second: float, post_timeout: float) -> ChunkSize:
        """Return the chunk for a pace: some five seconds of sending, so that little waits when a sender dies."""
        size = max(10, min(500, math.ceil(requests_per_second * 5)))
        sending = 2 * size / requests_per_second + 5.0
        return cls(size, sending + post_timeout + LEASE_MARGIN)
