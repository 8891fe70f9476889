"""Repeats: which failures, how often, and after how long. All of tenacity is here.

A GET and a token request may be repeated whatever happened to them. A POST only when it certainly did nothing: no
connection, 429, or 404: its path is always there, so that it was a gateway's. After a 429 there is no wait here: the
pacer holds up everyone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from m3ter_provider.call_steps import Flow, Sleep
from m3ter_provider.errors import (
    M3terConnectionError,
    M3terError,
    M3terGarbledAnswerError,
    M3terNotFoundError,
    M3terRateLimitError,
    M3terServerError,
)

T = TypeVar("T")

_log = logging.getLogger(__name__)

FAILURES = 4
"""How often something is tried that fails otherwise than by 429."""

_RATE_LIMITS = 10
_backoff = wait_random_exponential(multiplier=0.5, max=8)


def _raised(*errors: type[M3terError]) -> retry_if_exception:
    return retry_if_exception(lambda error: isinstance(error, errors) and not error.given_up)


REPEATABLE = _raised(M3terConnectionError, M3terRateLimitError, M3terServerError, M3terGarbledAnswerError)
"""For GETs and token requests."""

DID_NOTHING = _raised(M3terConnectionError, M3terRateLimitError, M3terNotFoundError)
"""For POSTs."""


def repeat(attempt: Callable[[], Flow[T]], retry: retry_if_exception, *, failures: int = FAILURES) -> Flow[T]:
    """Repeat an attempt until it succeeds or is given up, and return its result.

    :param attempt: begins one attempt; what it raises last is raised.
    :param retry: :data:`REPEATABLE` or :data:`DID_NOTHING`.
    :param failures: how often it is tried, 429 aside.
    """
    failed: M3terError | None
    try:
        result = yield from attempt()
        return result
    except M3terError as error:
        failed = error  # tenacity from here on: nearly every call succeeds at once, and needs none of it
    waits: list[float] = []
    # tenacity only says how long: the driver sleeps.
    for one in Retrying(
        retry=retry, wait=_wait, stop=_stop(failures), sleep=waits.append, before_sleep=_log_repeat, reraise=True
    ):
        if waits:
            yield Sleep(waits.pop())
        with one:
            if failed is not None:
                first, failed = failed, None
                raise first
            result = yield from attempt()
    return result


def _rate_limited(state: RetryCallState) -> bool:
    return state.outcome is not None and isinstance(state.outcome.exception(), M3terRateLimitError)


def _wait(state: RetryCallState) -> float:
    return 0.0 if _rate_limited(state) else _backoff(state)


def _stop(failures: int) -> Callable[[RetryCallState], bool]:
    # A caller that wants nothing repeated does not want to wait for a minute either.
    rate_limits = _RATE_LIMITS if failures > 1 else 2
    return lambda state: state.attempt_number >= (rate_limits if _rate_limited(state) else failures)


def _log_repeat(state: RetryCallState) -> None:
    """Log what is repeated; the texts of our errors show no personal data."""
    if state.outcome is not None and state.next_action is not None and not _rate_limited(state):
        _log.info("%s Trying again in %.1f s.", state.outcome.exception(), state.next_action.sleep)
