"""m3ter's two rate limits, counted strictly."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

__all__ = ["FIVE_MINUTES", "OrganizationLimit", "SourceLimit"]

FIVE_MINUTES = 300.0


class OrganizationLimit:
    """So many requests a second for one organisation, from all clients together.

    On a calendar second the requests after the last allowed one are refused until the second ends; on a sliding one
    a request is refused while as many as allowed were admitted in the second before it.
    """

    def __init__(self) -> None:
        self._second = -1
        self._in_second = 0
        self._admitted: deque[float] = deque()

    def admit(self, now: float, limit: int, window: Literal["calendar", "sliding"]) -> float:
        """Count one request.

        :param now: seconds since the epoch, never going back.
        :param limit: requests per second; 0 for no limit.
        :returns: 0 if it may pass, else the seconds after which the next may.
        """
        if not limit:
            return 0.0
        # Both windows are kept up, so that a change of the switch in mid-second forgets nothing.
        second = math.floor(now)
        if second != self._second:
            self._second, self._in_second = second, 0
        while self._admitted and self._admitted[0] <= now - 1.0:
            self._admitted.popleft()
        if window == "calendar" and self._in_second >= limit:
            return second + 1 - now
        if window == "sliding" and len(self._admitted) >= limit:
            return self._admitted[len(self._admitted) - limit] + 1.0 - now
        self._in_second += 1
        self._admitted.append(now)
        return 0.0


class SourceLimit:
    """So many requests per rolling five minutes for each source address."""

    def __init__(self) -> None:
        self._admitted: dict[str, deque[float]] = {}

    def admit(self, now: float, source: str, limit: int) -> float:
        """Count one request of an address.

        :param now: seconds since the epoch, never going back.
        :param limit: requests per five minutes; 0 for no limit.
        :returns: 0 if it may pass, else the seconds after which the next may.
        """
        if not limit:
            return 0.0
        admitted = self._admitted.setdefault(source, deque())
        while admitted and admitted[0] <= now - FIVE_MINUTES:
            admitted.popleft()
        if len(admitted) >= limit:
            return admitted[len(admitted) - limit] + FIVE_MINUTES - now
        admitted.append(now)
        return 0.0
