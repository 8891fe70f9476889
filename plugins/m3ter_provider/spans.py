"""Spans where Airflow traces: its section ``[traces]`` decides whether, OpenTelemetry's own variables decide where to.

A span has the attributes that its declaration names, and no others. None is of a person. Errors are named by their
class: their texts may quote somebody. Without tracing nothing is imported and nothing is made.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from m3ter_provider import __version__

#: Of an attribute.
Value = str | int


@dataclass(frozen=True)
class SpanName:
    """A name under which spans are recorded.

    :param attributes: all that a span of this name may have.
    :param what: a sentence for the documentation.
    """

    name: str
    attributes: tuple[str, ...]
    what: str


REQUEST = SpanName(
    "m3ter.request",
    ("http.request.method", "server.address", "m3ter.operation", "http.response.status_code", "error.type"),
    "Each request to m3ter, from its first byte to its whole answer.",
)

OF_THE_PROVIDER = (REQUEST,)


class Span:
    """One span under way, or nothing where Airflow does not trace."""

    def __init__(self, name: SpanName, recorded: Any | None) -> None:
        self._name, self._recorded = name, recorded

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes; those that the declaration does not name are left out."""
        if self._recorded is not None:
            self._recorded.set_attributes(_declared(self._name, attributes))

    def failed(self, kind: str) -> None:
        """Record a failure.

        :param kind: the class of the error, or a status.
        """
        if self._recorded is not None:
            from opentelemetry.trace import StatusCode

            self.note({"error.type": kind})
            self._recorded.set_status(StatusCode.ERROR)

    def end(self) -> None:
        """End it, where no ``with`` does."""
        if self._recorded is not None:
            self._recorded.end()


@contextmanager
def span(name: SpanName, attributes: Mapping[str, Value]) -> Iterator[Span]:
    """Record the body as a span; spans that begin in it are its children."""
    tracer = _tracer()
    if tracer is None:
        yield Span(name, None)
        return
    with tracer.start_as_current_span(
        name.name, attributes=_declared(name, attributes), record_exception=False, set_status_on_exception=False
    ) as recorded:
        begun = Span(name, recorded)
        try:
            yield begun
        except BaseException as error:
            begun.failed(type(error).__name__)
            raise


def request_begins(method: str, url: str, operation: str) -> Span:
    """Begin the span of a request; a generator makes it, and cannot hold a context while it waits.

    :param url: its host alone is recorded.
    :param operation: the same for everybody: no address, also not a masked one.
    """
    tracer = _tracer()
    if tracer is None:
        return Span(REQUEST, None)
    from opentelemetry.trace import SpanKind

    attributes = {
        "http.request.method": method,
        "server.address": urlsplit(url).hostname or "",
        "m3ter.operation": operation,
    }
    recorded = tracer.start_span(REQUEST.name, kind=SpanKind.CLIENT, attributes=_declared(REQUEST, attributes))
    return Span(REQUEST, recorded)


def request_ends(begun: Span, status: int | None) -> None:
    """End the span of a request.

    :param status: HTTP's; None: no answer came.
    """
    if status is not None:
        begun.note({"http.response.status_code": status})
    if status is None or status >= 400:
        begun.failed("no answer" if status is None else str(status))
    begun.end()


def _declared(name: SpanName, attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in attributes.items() if key in name.attributes}


@functools.lru_cache(maxsize=1)
def _tracer() -> Any | None:
    """Return what begins spans; None where Airflow does not trace."""
    from airflow.sdk.configuration import conf

    if not conf.getboolean("traces", "otel_on", fallback=False):
        return None
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("m3ter_provider", __version__)
