"""The pace at which one process talks to one organisation."""

from __future__ import annotations

import math
import threading
from collections import deque

from m3ter_provider.clock import Clock

HEADROOM = 0.98
"""The share of the limit that is used: 50 requests 1/49 s apart never fit into one second, wherever it begins."""

_LATENESS_SECONDS = 0.005
"""How much of a late wake-up is always made up for."""

_LATENESS_ALONE_SECONDS = 0.1
"""The same while m3ter has never answered 429, for a turn that somebody waited for: a busy machine wakes them late
again and again."""

_HALF = 0.5
"""The share that is kept after the first 429: the limit is shared with somebody from now on."""

_LEAST_SHARE = 0.2
"""The least that one further 429 leaves of the pace."""

_SLIGHTLY = 0.96
"""The share that is kept after a 429 at a pace that had held for a while."""

_SLOWEST = 0.1
_CAREFUL_SECONDS = 30.0
"""So long the pace stays below the one that led to a 429."""

_PROBE, _PROBE_SECONDS = 0.03, 8.0
"""Then it grows by this share of the full pace in so many seconds, by eight times as much in twice as many."""

_WINDOW_SECONDS = 1.0
_MOST_TURNS_REMEMBERED = 1000
_SHORT_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 60.0


class Pacer:
    """A token bucket of depth one, shared by all threads and coroutines that talk to one organisation.

    It only counts: a caller that gets a positive number from :meth:`try_turn` sleeps that long and tries again. No turn
    is promised ahead of time, so a 429 holds up everyone at once.

    Other processes may use the same limit, unseen. Several senders find their shares by the 429s alone, without a storm
    of them: the first halves the pace; one that comes soon after the pause says by how much the pace was too high; from
    then on each goes back a little when it is refused, and up again slowly at first, as CUBIC does in TCP (RFC 9438).

    :param requests_per_second: m3ter's limit, or the share of it this connection may use.
    :param clock: seconds, never going back.
    """

    def __init__(self, requests_per_second: float, *, clock: Clock) -> None:
        self._full_rate = requests_per_second * HEADROOM
        self._clock = clock
        self._lock = threading.Lock()
        self._low_rate = self._crest_rate = self._full_rate
        self._next_turn = 0.0
        self._awaited = False
        in_a_second = min(max(1, int(requests_per_second)), _MOST_TURNS_REMEMBERED)
        self._turns = deque([-math.inf] * in_a_second, maxlen=in_a_second)
        # A late turn is made up for by the next ones, and no second's worth of them comes quicker than at the pace.
        self._window = in_a_second / self._full_rate
        self._paused_until = -math.inf
        self._pause = 0.0
        self._slowed_at = -math.inf
        self._slightly = False
        self._refusals = 0
        self.times_throttled = 0  #: answers of 429 so far, those under way at once counted once

    def try_turn(self) -> float:
        """Take a turn and return 0, or return the seconds until it is worth trying again."""
        with self._lock:
            now = self._clock()
            due = max(self._next_turn, self._paused_until, self._turns[0] + self._window)
            if due - now > 1e-6:
                self._awaited = True
                return due - now
            alone = self._slowed_at == -math.inf
            late = _LATENESS_ALONE_SECONDS if self._awaited and alone else _LATENESS_SECONDS
            self._next_turn = max(self._next_turn, now - late) + 1 / self._rate(now)
            self._awaited = False
            self._turns.append(now)
            return 0.0

    def throttled(self, *, sent_at: float, retry_after: float | None) -> float | None:
        """Make everyone wait after an answer of 429, and go on more slowly.

        Without ``Retry-After`` the wait is a whole second, which empties every kind of window, and twice as long
        each time it did not help: the limit of one source address takes minutes to drain. It is shorter after a pace
        that had held for a while: then the window is nearly over.

        :param sent_at: when the refused request was sent; one that was under way at the last 429 slows no further.
        :param retry_after: the seconds of ``Retry-After``, None without.
        :returns: the seconds everyone waits, None if that was known already.
        """
        with self._lock:
            now = self._clock()
            news = sent_at > self._slowed_at
            if news:
                self._slow_down(now, held_for=sent_at - self._paused_until)
                self._slowed_at = now
                self._refusals += 1
                self.times_throttled += 1
            if retry_after:
                pause = retry_after
            elif self._slightly and self._refusals == 1:
                pause = _SHORT_PAUSE_SECONDS
            else:
                pause = 2.0 ** (self._refusals - 1)
            pause = min(pause, _LONGEST_PAUSE_SECONDS)
            self._paused_until = max(self._paused_until, now + pause)
            if not news:
                return None
            self._pause = pause
            return pause

    def served(self, *, sent_at: float) -> None:
        """Note an answer other than 429: waiting has helped."""
        if sent_at > self._slowed_at:
            self._refusals = 0

    def _slow_down(self, now: float, *, held_for: float) -> None:
        """Choose the pace after a 429.

        :param held_for: seconds from the end of the last pause to the request that was refused.
        """
        rate = self._rate(now)
        if self._slowed_at == -math.inf:
            kept = _HALF
        elif held_for < _WINDOW_SECONDS <= self._pause:
            # All had paused, and the window was used up in this part of it: so much too high is the pace of all.
            kept = max(_LEAST_SHARE, min(held_for / _WINDOW_SECONDS, _SLIGHTLY))
        else:
            kept = _SLIGHTLY
        self._slightly = kept == _SLIGHTLY and held_for >= _WINDOW_SECONDS
        self._low_rate = max(self._full_rate * _SLOWEST, rate * kept)
        self._crest_rate = rate if kept == _SLIGHTLY else self._low_rate / _SLIGHTLY

    def _rate(self, now: float) -> float:
        """Return the pace: up to the crest at first quickly, then hardly at all, and past it quicker and quicker."""
        if self._slowed_at == -math.inf:
            return self._full_rate
        seconds, gain = max(0.0, now - self._paused_until), self._crest_rate - self._low_rate
        if seconds < _CAREFUL_SECONDS:
            rate = self._crest_rate - gain * (1 - seconds / _CAREFUL_SECONDS) ** 3
        else:
            growth = ((seconds - _CAREFUL_SECONDS) / _PROBE_SECONDS) ** 3
            rate = self._crest_rate + max(gain, self._full_rate * _PROBE) * growth
        return min(self._full_rate, rate)
