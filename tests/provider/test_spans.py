"""Spans arrive at a collector, with declared attributes alone; without tracing there are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from m3ter_provider import spans
from tests.support.receivers import receiver

ROOT = Path(__file__).parent.parent.parent

SCRIPT = """
import airflow.settings  # sets tracing up, as in every process of Airflow's
from opentelemetry import trace
from m3ter_provider import spans

PASS = spans.SpanName("pass", ("organisation", "rows", "error.type"), "A pass.")
with spans.span(PASS, {"organisation": "acme", "email": "ann@example.com"}) as one:
    one.note({"rows": 3, "name": "Ann"})
    spans.request_ends(spans.request_begins("POST", "https://u:p@api.example.com/org/1?email=ann", "invitations"), 200)
    spans.request_ends(spans.request_begins("GET", "https://api.example.com/", "the list of users"), None)
try:
    with spans.span(PASS, {"organisation": "acme"}):
        raise ValueError("Ann is not wanted")
except ValueError:
    pass
trace.get_tracer_provider().force_flush()
"""


def told(tracing: bool) -> list[Span]:
    """Run the script, and return what arrived."""
    with receiver() as collector:
        environment = {
            **os.environ,
            "AIRFLOW__TRACES__OTEL_ON": str(tracing),
            "OTEL_TRACES_EXPORTER": "otlp_proto_http",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        script = SCRIPT if tracing else SCRIPT.replace("trace.get_tracer_provider().force_flush()", "")
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        requests = [ExportTraceServiceRequest.FromString(body) for body in collector.bodies.get("/v1/traces", [])]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


def test_only_declared_attributes_arrive_and_an_error_is_named_by_its_class() -> None:
    post, lost, whole, failed = told(tracing=True)
    assert attributes(post) == {
        "http.request.method": "POST",
        "server.address": "api.example.com",
        "m3ter.operation": "invitations",
        "http.response.status_code": 200,
    }
    assert post.kind == Span.SPAN_KIND_CLIENT
    assert post.parent_span_id == lost.parent_span_id == whole.span_id
    assert attributes(lost)["error.type"] == "no answer"
    assert attributes(whole) == {"organisation": "acme", "rows": 3}
    assert attributes(failed) == {"organisation": "acme", "error.type": "ValueError"}
    assert [span.status.code == Status.STATUS_CODE_ERROR for span in (post, lost, whole, failed)] == [
        *(False, True),
        *(False, True),
    ]
    assert not any(span.events or span.status.message for span in (post, lost, whole, failed))


def test_where_airflow_does_not_trace_nothing_is_recorded() -> None:
    assert told(tracing=False) == []
    assert spans._tracer() is None
