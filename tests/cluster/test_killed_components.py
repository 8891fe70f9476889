"""An Airflow of the shape that docker-compose.yaml has: every kind of its processes is killed while three send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.airflow_api import AirflowApiError, wait_until
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.celery_stack import CeleryStack
from tests.support.postgresql import PostgresServer

pytestmark = pytest.mark.cluster

PEOPLE = 60
REQUESTS_PER_SECOND = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[CeleryStack]:
    """Run the services of the Compose file as processes, with two workers."""
    with CeleryStack(tmp_path_factory.mktemp("cluster"), postgres_server) as stack:
        yield stack


@pytest.fixture
def three(cluster: CeleryStack, tmp_path: Path, postgres_server: PostgresServer) -> Iterator[list[Organisation]]:
    """Make three organisations, each with its own m3ter, warehouse and ledger."""
    with ExitStack() as made:
        yield [
            made.enter_context(
                organisation(
                    cluster,
                    f"cluster_{number}",
                    tmp_path / str(number),
                    postgres_server,
                    extra={"requests_per_second": REQUESTS_PER_SECOND},
                )
            )
            for number in range(3)
        ]


def patiently_succeeds(org: Organisation, run_id: str) -> None:
    """Wait for the success of a run, also while the API server is away for a moment."""

    def state() -> str | None:
        try:
            found = org.stack.api.run(org.dag_id, run_id)["state"]
        except (AirflowApiError, OSError):
            return None
        return found if found in {"success", "failed"} else None

    assert wait_until(state, f"the end of {run_id} of {org.name}", 600, 1.0) == "success", org.what_was_logged(run_id)


def test_everybody_gets_one_email_whatever_is_killed_while_three_send(
    cluster: CeleryStack, three: list[Organisation]
) -> None:
    people = {org.name: org.hire(PEOPLE) for org in three}
    runs = {org.name: org.trigger() for org in three}
    first = three[0]
    task = first.mid_send(runs[first.name])
    for org in three[1:]:
        org.mid_send(runs[org.name], posts=4)

    worker = cluster.worker_of(task.supervisor_pid)
    assert worker is not None, "a worker runs the task"
    cluster.kill(worker)
    cluster.start_worker(worker)
    cluster.kill("scheduler")
    cluster.start_component("scheduler")
    cluster.kill_redis()
    cluster.start_redis()
    for name in ("dag-processor", "triggerer"):
        cluster.kill(name)
        cluster.start_component(name)

    for org in three:
        patiently_succeeds(org, runs[org.name])
        org.assert_once(people[org.name])
    assert first.tries(runs[first.name], "send") > 1, "Airflow's retry finished what the killed worker had begun"
    for org in three:
        seconds = Counter(int(post["time"]) for post in org.posts())
        assert max(seconds.values()) <= REQUESTS_PER_SECOND + 2, f"{org.name} keeps to its own limit"

    again = {org.name: org.trigger() for org in three}
    for org in three:
        patiently_succeeds(org, again[org.name])
        org.assert_once(people[org.name])
