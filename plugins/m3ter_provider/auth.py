"""The life of an access token. No request is made here."""

from __future__ import annotations

import copy
import logging
import random
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from m3ter_provider.clock import Clock
from m3ter_provider.errors import M3terError

_MARGIN_SECONDS = 60.0
_MARGIN_SHARE = 0.2
_LEAST_USE_SECONDS = 1.0
_MOST_RENEWALS = 3
#: For so long after a new token was refused too, another would not help either. Later it may have been ended since.
_REFUSAL_HOLDS_SECONDS = 30.0
#: Two tokens that ended before their time, no further apart than this, are no accident.
_DYING_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it was answered.

    :param value: the secret itself.
    :param issued_at: when it was requested, on the process's clock; its life is counted from here.
    :param lifetime: m3ter's ``expires_in``, in seconds.
    """

    value: str = field(repr=False)
    issued_at: float
    lifetime: float

    @property
    def expires_at(self) -> float:
        """When m3ter stops accepting it."""
        return self.issued_at + self.lifetime

    @property
    def renew_at(self) -> float:
        """When to get another: shortly before its end, but never sooner than after a second of use."""
        margin = min(_MARGIN_SECONDS, self.lifetime * _MARGIN_SHARE)
        return self.issued_at + max(self.lifetime - margin, _LEAST_USE_SECONDS)


class TokenLife:
    """The token of one access key in one process, and the only place that decides whether it may still be used.

    A caller that finds none takes :attr:`renewing`, looks again, and only then requests one.

    :param clock: seconds, running during suspend too.
    """

    def __init__(self, *, clock: Clock) -> None:
        self.renewing = threading.Lock()
        self._clock = clock
        self._token: Token | None = None
        self._refused_at: float | None = None
        self._failure: tuple[M3terError, float] | None = None
        self._ended: Token | None = None
        self._early_ends: deque[float] = deque(maxlen=2)

    def current(self) -> Token | None:
        """Return the token if it is good for another request, else None."""
        token = self._token
        return token if token is not None and self._clock() < token.renew_at else None

    def is_current(self, token: Token) -> bool:
        """Return whether this very token is good for another request."""
        return token is self.current()

    def renewed(self, value: str, *, issued_at: float, lifetime: float) -> Token:
        """Keep a new token, and return it."""
        self._token = token = Token(value, issued_at, lifetime)
        return token

    def failed(self, error: M3terError) -> None:
        """Note that no token could be had, in spite of repeats."""
        error.given_up = True
        self._failure = (error, self._clock())

    def failure_since(self, moment: float) -> M3terError | None:
        """Return the failure that a caller who has waited for a token since then shares, instead of repeating it."""
        if self._failure is None or self._failure[1] <= moment:
            return None
        return copy.copy(self._failure[0])

    def accepted(self, token: Token, *, after: Sequence[Token] = ()) -> None:
        """Note that m3ter took this token for a call.

        :param after: those that it refused for the same call, which therefore had ended.
        """
        if token is self._token:
            self._refused_at = None
        for ended in after:
            self._note_end(ended)

    def rejected(self, token: Token) -> None:
        """Drop this token, unless somebody has replaced it already."""
        if token is self._token:
            self._token, self._refused_at = None, self._clock()

    @property
    def die_early(self) -> bool:
        """Whether tokens end before their time, again and again: only one call at a time is then sure of its own."""
        ends, now = self._early_ends, self._clock()
        return len(ends) == 2 and now - ends[1] <= _DYING_SECONDS and ends[1] - ends[0] <= _DYING_SECONDS

    def renewal_may_help(self, token: Token, *, renewals: int) -> bool:
        """Decide whether a call that m3ter refused (401, 403) is worth repeating with another token.

        m3ter answers 403 both for a dead token and for a missing right, and a token may die before its time: once is
        worth trying. When that did not help the first caller, the next ones in the same batch need not try it again;
        later ones do, since the new token may have been ended before it was used (by another process's, for instance).

        :param token: the token of the refused call.
        :param renewals: how often this call was repeated for this reason already.
        """
        if renewals:
            # A token that ended while the call waited or travelled shows nothing about rights.
            return self._clock() >= token.expires_at and renewals < _MOST_RENEWALS
        if token is not self._token or self._refused_at is None:
            return True
        return self._clock() - self._refused_at >= _REFUSAL_HOLDS_SECONDS

    def _note_end(self, token: Token) -> None:
        """Note a token that ended before its time; a call that took its place shows that."""
        now = self._clock()
        if now >= token.expires_at or token is self._ended:
            return
        warned, self._ended = self.die_early, token
        self._early_ends.append(now)
        if self.die_early and not warned:
            _log.warning(
                "m3ter ended two access tokens within %.0f s, though they were good for %.0f s. Another process that"
                " uses the same access key may end them, or a gateway. Requests are made one at a time now, each again"
                " with a new token where it was refused, which is slower. An access key for each Airflow connection"
                " that is used at the same time may help.",
                self._early_ends[1] - self._early_ends[0],
                token.lifetime,
            )


def wait_before_renewal(renewals: int) -> float:
    """Return how long to wait before another token is requested for the same call, in seconds.

    The first time not at all. Then longer each time and by chance: two processes that end each other's tokens must not
    keep step.
    """
    if renewals < 2:
        return 0.0
    return random.uniform(0, min(_LONGEST_WAIT_SECONDS, 0.1 * 2.0**renewals))  # noqa: S311 - no secret
