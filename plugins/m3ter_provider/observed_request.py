"""A request as it is observed: its time as a metric, itself as a span."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from m3ter_provider import metrics, spans
from m3ter_provider.api_calls import Call
from m3ter_provider.clock import Clock


@dataclass(slots=True)
class ObservedRequest:
    """A request under way.

    :param status: HTTP's, once its answer is there.
    """

    status: int | None = None


@contextmanager
def observed(call: Call, clock: Clock) -> Iterator[ObservedRequest]:
    """Observe the request that the body makes; a generator may wait in it.

    :param clock: seconds, never going back.
    """
    begun, request = clock(), ObservedRequest()
    span = spans.request_begins(call.method, call.url, call.right)
    try:
        yield request
    finally:
        spans.request_ends(span, request.status)
        seconds, status = clock() - begun, str(request.status or "none")
        metrics.timed(metrics.REQUEST, seconds, method=call.method, status=status)
