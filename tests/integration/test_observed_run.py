"""A run of a real Airflow is seen where Airflow reports to: metrics and spans by OTLP, lineage by OpenLineage, assets.

Both receivers are named by Airflow's own settings and OpenTelemetry's own variables, as in production.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sqlalchemy import create_engine, inspect

from demo.airflow_stack import AirflowStack
from m3ter_onboarding.ledger.tables import tables_in
from m3ter_onboarding.reporting.spans import OF_THE_DAGS
from m3ter_provider.spans import OF_THE_PROVIDER
from tests.support.airflow_organisation import FIRST_NAME, LAST_NAME, SECRET, organisation
from tests.support.airflows import CACHE
from tests.support.postgresql import PostgresServer
from tests.support.receivers import receiver

pytestmark = pytest.mark.slow

NAMES = {one.name: one for one in (*OF_THE_DAGS, *OF_THE_PROVIDER)}


@dataclass(frozen=True)
class Observed:
    """What the receivers got.

    :param metrics: the last value of each, by name and the values of its tags.
    :param assets: what each event of an asset carries, by the task that made it.
    :param folder: with the warehouse.
    """

    spans: list[Span]
    events: list[dict[str, Any]]
    metrics: dict[tuple[str, ...], float]
    assets: dict[str, dict[str, Any]]
    everything: bytes
    folder: Path


@pytest.fixture(scope="module")
def observed(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    """Run a DAG for three people, one of them refused by m3ter, and read what arrived."""
    folder = tmp_path_factory.mktemp("observed")
    database = postgres_server.new_database("observed_ledger")
    with receiver() as told:
        transport = {"type": "http", "url": told.url, "endpoint": "lineage"}
        stack = AirflowStack(
            folder / "airflow",
            environment={"OTEL_TRACES_EXPORTER": "otlp_proto_http", "OTEL_EXPORTER_OTLP_ENDPOINT": told.url},
            configuration={
                "traces": {"otel_on": True},
                "metrics": {"otel_on": True, "otel_host": "127.0.0.1", "otel_port": told.port},
                "openlineage": {"namespace": "test", "transport": json.dumps(transport)},
            },
            cache=CACHE,
        )
        values = {"ledger_conn_id": "observed_ledger", "fail_on_refused": False}
        with stack, organisation(stack, "observed", folder, values=values, looked_at=False) as org:
            org.connect_warehouse("observed_ledger", **json.loads(database.airflow_connection()))
            org.hire(3)
            org.run_once(mode="dry_run")  # the ledger is not in the warehouse: a look of its own
            text = f"{LAST_NAME}.1@example.com ({FIRST_NAME}) is not wanted"
            org.m3ter.faults(operation="CreateOrgUserInvitation", kind="status", status=422, message=text, count=1)
            run_id = org.run_once()
            assert len(org.m3ter.emails()) == 2
            assets = stack.api.request("GET", "/assets/events")["asset_events"]
        bodies = dict(told.bodies)
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies["/v1/traces"]]
    spans = [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    [trace] = {span.trace_id for span in spans if span.name == "m3ter_onboarding.send"}
    spans = [span for span in spans if span.trace_id == trace]
    events = [json.loads(body) for body in bodies["/lineage"] if run_id.encode() in body]
    return Observed(
        spans,
        events,
        dict(points(bodies.get("/v1/metrics", []))),
        {str(event["source_task_id"]): event["extra"] for event in assets},
        b"\n".join(body for some in bodies.values() for body in some),
        folder,
    )


def points(bodies: list[bytes]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield each value with its name and the values of its tags."""
    for request in map(ExportMetricsServiceRequest.FromString, bodies):
        for metric in (m for r in request.resource_metrics for scope in r.scope_metrics for m in scope.metrics):
            kind = metric.WhichOneof("data")
            for point in getattr(metric, str(kind)).data_points:
                tags = sorted(one.value.string_value for one in point.attributes)
                is_histogram = "istogram" in str(kind)
                value = point.sum if is_histogram else float(getattr(point, str(point.WhichOneof("value"))))
                yield (metric.name, *tags), value


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


def named(observed: Observed, name: str) -> list[Span]:
    return [span for span in observed.spans if span.name == name]


def test_each_pass_is_a_span_with_its_counts(observed: Observed) -> None:
    [mirror], [plan], [send], [publish] = (
        named(observed, f"m3ter_onboarding.{name}") for name in ("mirror", "plan", "send", "publish")
    )
    assert attributes(mirror)["organisation"] == "observed"
    assert attributes(plan) == {"organisation": "observed", "rows": 3, "count": 3}
    assert attributes(send)["sent"] == 2
    assert attributes(send)["failed"] == 1
    assert attributes(publish) == {"organisation": "observed"}


def test_requests_are_children_of_their_pass_and_say_what_m3ter_answered(observed: Observed) -> None:
    [send] = named(observed, "m3ter_onboarding.send")
    posts = [
        attributes(span)
        for span in named(observed, "m3ter.request")
        if span.parent_span_id == send.span_id and attributes(span)["http.request.method"] == "POST"
    ]
    of_invitations = [post for post in posts if post["m3ter.operation"] == "invitations"]
    assert sorted(post["http.response.status_code"] for post in of_invitations) == [200, 200, 422]
    assert [post["error.type"] for post in of_invitations if "error.type" in post] == ["422"]
    assert {post["server.address"] for post in posts} == {"127.0.0.1"}
    for span in named(observed, "m3ter.request"):
        assert span.kind == Span.SPAN_KIND_CLIENT
        assert span.parent_span_id


def test_a_pass_is_a_child_of_airflows_own_span_of_the_task(observed: Observed) -> None:
    by_id = {span.span_id: span for span in observed.spans}
    for task, name in (("snapshot", "mirror"), ("plan", "plan"), ("send", "send"), ("report", "publish")):
        [pass_] = named(observed, f"m3ter_onboarding.{name}")
        assert by_id[pass_.parent_span_id].name == f"worker.{task}"


def test_a_span_has_the_attributes_of_its_declaration(observed: Observed) -> None:
    ours = [span for span in observed.spans if span.name in NAMES]
    assert {span.name for span in ours} == set(NAMES) - {"m3ter_onboarding.follow"}
    for span in ours:
        assert set(attributes(span)) <= set(NAMES[span.name].attributes)
        assert not span.events, "no exception's text"
        assert not span.status.message


def test_metrics_of_tasks_arrive_although_a_task_is_a_process_of_a_few_seconds(observed: Observed) -> None:
    told = observed.metrics
    assert told["airflow.m3ter_onboarding.decisions", "invite", "new", "observed"] == 3
    assert told["airflow.m3ter_onboarding.invitations", "observed", "sent"] == 2
    assert told["airflow.m3ter_onboarding.invitations", "failed", "observed"] == 1
    assert told["airflow.m3ter_onboarding.runs", "observed", "success"] == 1
    assert told["airflow.m3ter.request", "422", "POST"] > 0


def test_the_event_of_an_asset_carries_a_count(observed: Observed) -> None:
    assert observed.assets == {"send": {"sent": 2}}


def tables(observed: Observed, task: str, side: str) -> dict[str, set[str]]:
    """Return names by namespace of what a task reads (``inputs``) or writes (``outputs``), at its end."""
    found: dict[str, set[str]] = {}
    ends = [
        event
        for event in observed.events
        if event["job"]["name"] == f"m3ter_onboarding__observed.{task}" and event["eventType"] == "COMPLETE"
    ]
    assert len(ends) == 1
    for dataset in ends[0].get(side) or ():
        found.setdefault(dataset["namespace"], set()).add(dataset["name"])
    return found


def test_lineage_leads_from_the_query_by_the_ledger_to_the_published_tables(observed: Observed) -> None:
    warehouse = f"sqlite://{observed.folder / 'warehouse.db'}"
    of_ledger = {f"observed_ledger.public.{table.name}" for table in tables_in(None).all()}
    read, written = tables(observed, "plan", "inputs"), tables(observed, "plan", "outputs")
    assert read[warehouse] == {"hires"}
    [ledger] = written
    assert ledger.startswith("postgres://")
    assert {
        "observed_ledger.public.m3ter_onboarding_plan",
        "observed_ledger.public.m3ter_onboarding_decision",
    } <= written[ledger]
    assert tables(observed, "send", "outputs")[ledger] >= {"observed_ledger.public.m3ter_invitation"}
    published = tables(observed, "report", "outputs")
    assert published[warehouse] >= {"m3ter_onboarding_decision", "m3ter_invitation"}
    assert tables(observed, "report", "inputs")[ledger] >= {"observed_ledger.public.m3ter_invitation"}
    for task in ("snapshot", "plan", "send", "report"):
        for side in ("inputs", "outputs"):
            assert tables(observed, task, side).get(ledger, set()) <= of_ledger


def test_the_published_tables_are_those_that_lineage_names(observed: Observed) -> None:
    engine = create_engine(f"sqlite:///{observed.folder / 'warehouse.db'}")
    there = set(inspect(engine).get_table_names())
    engine.dispose()
    named_ = tables(observed, "report", "outputs")[f"sqlite://{observed.folder / 'warehouse.db'}"]
    assert named_ <= there
    assert there - named_ <= {"hires", "m3ter_onboarding_day_one", "m3ter_onboarding_chase"}


def test_nothing_that_arrives_names_a_person_or_a_secret(observed: Observed) -> None:
    content = observed.everything.lower()
    assert b"m3ter_onboarding__observed" in content, "the search sees what is there"
    for marker in (FIRST_NAME, LAST_NAME, "@example.com", SECRET, "select ", "password"):
        assert marker.lower().encode() not in content, marker
    # Not the end of one part of a trace's id, and the beginning of the next.
    assert re.search(rb"(?<![0-9a-z])e-00", content) is None, "an employee_id"
