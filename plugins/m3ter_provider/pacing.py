"""The pace at which one process talks to one organisation."""

from __future__ import annotations

import math
import threading

from m3ter_provider.clock import Clock

HEADROOM = 0.98
"""The share of the limit that is used: 50 requests 1/49 s apart never fit into one second, wherever it begins."""

_LATENESS_SECONDS = 0.005
"""How much of a late wake-up is made up for. Below 1/0.98 − 1 = 20 ms, a window of one second still holds the limit."""

_SLOW_DOWN = 0.7
_SLOWEST = 0.1
_RECOVERY_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 60.0


class Pacer:
    """A token bucket of depth one, shared by all threads and coroutines that talk to one organisation.

    It only counts: a caller that gets a positive number from :meth:`try_turn` sleeps that long and tries again. No turn
    is promised ahead of time, so a 429 holds up everyone at once.

    :param requests_per_second: m3ter's limit, or the share of it this connection may use.
    :param clock: seconds, never going back.
    """

    def __init__(self, requests_per_second: float, *, clock: Clock) -> None:
        self._full_rate = requests_per_second * HEADROOM
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = self._full_rate
        self._rate_known_at = clock()
        self._next_turn = 0.0
        self._paused_until = 0.0
        self._slowed_at = -math.inf
        self._refusals = 0
        self.times_throttled = 0  #: answers of 429 so far, those under way at once counted once

    def try_turn(self) -> float:
        """Take a turn and return 0, or return the seconds until it is worth trying again."""
        with self._lock:
            now = self._clock()
            due = max(self._next_turn, self._paused_until)
            if due - now > 1e-6:
                return due - now
            self._recover(now)
            self._next_turn = max(self._next_turn, now - _LATENESS_SECONDS) + 1 / self._rate
            return 0.0

    def throttled(self, *, sent_at: float, retry_after: float | None) -> float | None:
        """Make everyone wait after an answer of 429, and go on more slowly.

        Without ``Retry-After`` the wait is a whole second, which empties every kind of window, and twice as long
        each time it did not help: the limit of one source address takes minutes to drain.

        :param sent_at: when the refused request was sent; one that was under way at the last 429 slows no further.
        :param retry_after: the seconds of ``Retry-After``, None without.
        :returns: the seconds everyone waits, None if that was known already.
        """
        with self._lock:
            now = self._clock()
            news = sent_at > self._slowed_at
            if news:
                self._recover(now)
                self._rate = max(self._full_rate * _SLOWEST, self._rate * _SLOW_DOWN)
                self._slowed_at = now
                self._refusals += 1
                self.times_throttled += 1
            pause = min(retry_after or 2.0 ** (self._refusals - 1), _LONGEST_PAUSE_SECONDS)
            self._paused_until = max(self._paused_until, now + pause)
            return pause if news else None

    def served(self, *, sent_at: float) -> None:
        """Note an answer other than 429: waiting has helped."""
        if sent_at > self._slowed_at:
            self._refusals = 0

    def _recover(self, now: float) -> None:
        gained = self._full_rate * (now - self._rate_known_at) / _RECOVERY_SECONDS
        self._rate = min(self._full_rate, self._rate + gained)
        self._rate_known_at = now
