"""Metrics arrive where Airflow sends them: over UDP to a StatsD, over HTTP to an OpenTelemetry collector."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from m3ter_onboarding import invitation_status_dag
from m3ter_onboarding.reporting.metrics import OF_THE_DAGS
from m3ter_provider import metrics
from m3ter_provider.process_state import forget_all
from tests.support.airflow_metrics import initialize_metrics
from tests.support.receivers import receiver
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World

ROOT = Path(__file__).parents[3]


class StatsdServer:
    """A StatsD that keeps what it is told.

    :param listening: a bound UDP socket.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening
        self._socket.settimeout(0.2)

    def told(self) -> list[str]:
        """Return what arrived since the last question, such as ``airflow.name:1|c``."""
        found: list[str] = []
        while True:
            try:
                found += self._socket.recv(65_536).decode().splitlines()
            except TimeoutError:
                return found

    def values(self) -> dict[str, float]:
        """Return the sum of each counter and the last value of each gauge, by name without Airflow's prefix."""
        sums: dict[str, float] = {}
        for line in self.told():
            name, _, rest = line.removeprefix("airflow.").partition(":")
            value, kind = rest.split("|")[:2]
            sums[name] = float(value) + (sums.get(name, 0.0) if kind in {"c", "ms"} else 0.0)
        return sums


def begin_reporting() -> None:
    """Read Airflow's settings of metrics, as the process of a task does when it begins."""
    metrics._form.cache_clear()
    initialize_metrics()


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsdServer]:
    """Let Airflow report to a StatsD of the test's own."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(listening.getsockname()[1]))
        begin_reporting()
        yield StatsdServer(listening)
    monkeypatch.undo()
    begin_reporting()


def run(world: World, run_id: str, **values: Any) -> TaskRun:
    return TaskRun(world, run_id, (WINDOW.start, WINDOW.end), values=values)


def test_a_run_is_counted_over_udp(world: World, statsd: StatsdServer) -> None:
    world.hire("e1", "e2", "refused")
    world.hire("odd", email="no address")
    world.m3ter.faults(kind="status", status=422, method="POST", path="/invitations$", count=1)
    with m3ter_connection(world):
        run(world, "run-1", fail_on_refused=False).all()
    told = statsd.values()
    assert told["m3ter_onboarding.decisions.test.invite.new"] == 3
    assert told["m3ter_onboarding.decisions.test.invalid.email"] == 1
    assert told["m3ter_onboarding.invitations.test.sent"] == 2
    assert told["m3ter_onboarding.invitations.test.failed"] == 1
    assert told["m3ter_onboarding.runs.test.success"] == 1
    assert told["m3ter_onboarding.worklist.test.email.under_1_day"] == 1
    assert told["m3ter_onboarding.worklist.test.email.older"] == 0
    assert 0 <= told["m3ter_onboarding.oldest_open_invitation_seconds.test"] < 600
    assert 0 <= told["m3ter_onboarding.since_last_success_seconds.test"] < 600
    assert told["m3ter.token_renewed"] >= 1
    assert told["m3ter.request.POST.422"] > 0
    assert told["m3ter.request.GET.200"] > 0
    assert not [name for name in told if "@" in name or "example" in name]


def test_what_becomes_of_invitations_and_a_limit_are_counted(world: World, statsd: StatsdServer) -> None:
    world.hire("e1")
    with m3ter_connection(world):
        run(world, "run-1").all()
        world.m3ter.accept("e1@example.com")
        statsd.told()
        forget_all()
        world.m3ter.faults(kind="status", status=429, method="GET", path="/invitations$", count=1)
        (follow, _) = invitation_status_dag(world.config()).tasks
        follow.execute({"params": {}})
    told = statsd.values()
    assert told["m3ter_onboarding.changes.test.accepted"] == 1
    assert told["m3ter_onboarding.oldest_open_invitation_seconds.test"] == 0
    assert told["m3ter.rate_limited"] == 1
    assert told["m3ter.request.GET.429"] > 0


def test_nothing_is_reported_where_airflow_reports_nothing(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_reporting()
    assert not metrics.are_reported()
    monkeypatch.setattr(metrics._stats(), "incr", lambda *_, **__: pytest.fail("reported"), raising=False)
    metrics.add(metrics.RATE_LIMITED)


def test_a_backend_that_fails_stops_nothing(
    statsd: StatsdServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(metrics._stats(), "incr", broken, raising=False)
    metrics._say_once.cache_clear()
    for _ in range(3):
        metrics.add(metrics.RATE_LIMITED)
    assert caplog.text.count("took no value of m3ter's (OSError)") == 1


SCRIPT = """
from tests.support.airflow_metrics import initialize_metrics
initialize_metrics()
from m3ter_onboarding.reporting import metrics as of_dags
from m3ter_provider import metrics
of_dags.report_decisions("acme", {"invite:new": 3, "skip:too_old": 2})
metrics.gauge(of_dags.OLDEST_OPEN, 42.0, organisation="acme")
metrics.timed(metrics.REQUEST, 0.25, method="POST", status="200")
"""


def test_tags_arrive_over_otlp() -> None:
    with receiver() as collector:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={
                **os.environ,
                "AIRFLOW__METRICS__OTEL_ON": "True",
                "AIRFLOW__METRICS__OTEL_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__OTEL_PORT": str(collector.port),
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    points = dict(_points([ExportMetricsServiceRequest.FromString(body) for body in collector.bodies["/v1/metrics"]]))
    assert points["airflow.m3ter_onboarding.decisions", "acme", "invite", "new"] == 3
    assert points["airflow.m3ter_onboarding.decisions", "acme", "skip", "too_old"] == 2
    assert points["airflow.m3ter_onboarding.oldest_open_invitation_seconds", "acme"] == 42.0
    assert points["airflow.m3ter.request", "POST", "200"] == 250.0


def _points(told: list[ExportMetricsServiceRequest]) -> Iterator[tuple[tuple[str, ...], float]]:
    for metric in (
        metric
        for request in told
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ):
        kind = metric.WhichOneof("data")
        for point in getattr(metric, kind).data_points:
            tags: Mapping[str, str] = {one.key: one.value.string_value for one in point.attributes}
            value = point.sum if "istogram" in str(kind) else float(getattr(point, point.WhichOneof("value")))
            yield (metric.name, *(tags[name] for name in _tags_of(metric.name))), value


def _tags_of(name: str) -> tuple[str, ...]:
    (found,) = (one for one in (*metrics.OF_THE_PROVIDER, *OF_THE_DAGS) if f"airflow.{one.name}" == name)
    return found.tags
