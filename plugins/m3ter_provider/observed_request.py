"""A request as it is observed: its time as a metric, itself as a span."""

from __future__ import annotations

from types import TracebackType

from m3ter_provider import metrics, spans
from m3ter_provider.api_calls import Call
from m3ter_provider.clock import Clock


class ObservedRequest:
    """A request under way, from the beginning of the body to its end; a generator may wait in it.

    :param call: the request.
    :param clock: seconds, never going back.
    """

    __slots__ = ("_begun", "_call", "_clock", "_span", "status")

    def __init__(self, call: Call, clock: Clock) -> None:
        self._call, self._clock = call, clock
        #: HTTP's, once its answer is there.
        self.status: int | None = None

    def __enter__(self) -> ObservedRequest:
        """Begin."""
        self._begun = self._clock()
        self._span = spans.request_begins(self._call.method, self._call.url, self._call.right)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; an error passes."""
        spans.request_ends(self._span, self.status)
        if metrics.are_reported():
            seconds, status = self._clock() - self._begun, str(self.status or "none")
            metrics.timed(metrics.REQUEST, seconds, method=self._call.method, status=status)
