"""An Airflow of the shape that docker-compose.yaml has: every kind of its processes is killed while three send."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from demo.airflow_api import AirflowApiError, wait_until
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.celery_stack import ROOT, CeleryStack
from tests.support.postgresql import PostgresServer, running_postgres

pytestmark = pytest.mark.cluster

PEOPLE = 60
REQUESTS_PER_SECOND = 2
#: Of the mapped DAG.
MAPPED = 12


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run a PostgreSQL that no other test needs: it is restarted here."""
    with running_postgres(tmp_path_factory.mktemp("databases")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, databases: PostgresServer) -> Iterator[CeleryStack]:
    """Run the services of the Compose file as processes, with two workers."""
    with CeleryStack(tmp_path_factory.mktemp("cluster"), databases) as stack:
        yield stack


@contextmanager
def organisations(
    cluster: CeleryStack, folder: Path, databases: PostgresServer, names: Sequence[str]
) -> Iterator[list[Organisation]]:
    """Make organisations, each with its own m3ter, warehouse and ledger."""
    extra = {"requests_per_second": REQUESTS_PER_SECOND}
    with ExitStack() as made:
        yield [made.enter_context(organisation(cluster, name, folder / name, databases, extra=extra)) for name in names]


def patiently_succeeds(cluster: CeleryStack, org: Organisation, run_id: str, dag_id: str | None = None) -> None:
    """Wait for the success of a run, also while the API server is away for a moment.

    A process that ends because its database is gone is started again, as Compose does it.
    """

    def state() -> str | None:
        cluster.start_what_has_ended()
        try:
            found = org.stack.api.run(dag_id or org.dag_id, run_id)["state"]
        except (AirflowApiError, httpx.HTTPError):
            return None
        return found if found in {"success", "failed"} else None

    ended = wait_until(state, f"the end of {run_id} of {org.name}", 600, 1.0)
    assert ended == "success", org.what_was_logged(run_id) if dag_id is None else ended


def kill_the_worker_of(cluster: CeleryStack, org: Organisation, run_id: str) -> None:
    """Kill the worker that sends, with everything below it, and start it again."""
    worker = cluster.worker_of(org.mid_send(run_id).supervisor_pid)
    assert worker is not None, "a worker runs the task"
    cluster.kill(worker)
    cluster.start_worker(worker)


def kill_and_start(cluster: CeleryStack, *names: str) -> None:
    for name in names:
        cluster.kill(name)
        cluster.start_component(name)


def test_in_short_a_worker_and_the_scheduler_are_killed(
    cluster: CeleryStack, databases: PostgresServer, tmp_path: Path
) -> None:
    with organisations(cluster, tmp_path, databases, ["cluster_short"]) as (org,):
        people = org.hire(24)
        run_id = org.trigger()
        kill_the_worker_of(cluster, org, run_id)
        kill_and_start(cluster, "scheduler")
        patiently_succeeds(cluster, org, run_id)
        org.assert_once(people)
        assert org.tries(run_id, "send") > 1, "Airflow's retry finished what the killed worker had begun"


def test_everybody_gets_one_email_whatever_is_killed_while_three_send(
    cluster: CeleryStack, databases: PostgresServer, tmp_path: Path
) -> None:
    with organisations(cluster, tmp_path, databases, [f"cluster_{n}" for n in range(3)]) as three:
        people = {org.name: org.hire(PEOPLE) for org in three}
        runs = {org.name: org.trigger() for org in three}
        first = three[0]
        for org in three[1:]:
            org.mid_send(runs[org.name], posts=4)
        kill_the_worker_of(cluster, first, runs[first.name])
        kill_and_start(cluster, "scheduler")
        cluster.kill_redis()
        cluster.start_redis()
        kill_and_start(cluster, "api-server", "dag-processor", "triggerer")

        for org in three:
            patiently_succeeds(cluster, org, runs[org.name])
            org.assert_once(people[org.name])
        assert first.tries(runs[first.name], "send") > 1, "Airflow's retry finished what the killed worker had begun"
        for org in three:
            seconds = Counter(int(post["time"]) for post in org.posts())
            assert max(seconds.values()) <= REQUESTS_PER_SECOND + 2, f"{org.name} keeps to its own limit"

        again = {org.name: org.trigger() for org in three}
        for org in three:
            patiently_succeeds(cluster, org, again[org.name])
            org.assert_once(people[org.name])


def test_databases_that_are_restarted_while_two_send(
    cluster: CeleryStack, databases: PostgresServer, tmp_path: Path
) -> None:
    """Airflow's own, the warehouse and the ledger: every connection breaks at once, in the middle of sending."""
    with organisations(cluster, tmp_path, databases, ["restarted_1", "restarted_2"]) as two:
        people = {org.name: org.hire(PEOPLE // 2) for org in two}
        runs = {org.name: org.trigger() for org in two}
        for org in two:
            org.mid_send(runs[org.name], posts=4)
        databases.restart()
        for org in two:
            org.ledger.engine.dispose()  # this test's own connections are broken, too
        for org in two:
            patiently_succeeds(cluster, org, runs[org.name])
            org.assert_once(people[org.name])


_MAPPED_DAG = '''"""Operators of one's own, mapped over people; then a sensor for each, which waits in the triggerer."""

from datetime import timedelta

from airflow.sdk import DAG

from m3ter_provider.operators.invitation import M3terCreateInvitationOperator
from m3ter_provider.sensors.invitation import M3terInvitationAcceptedSensor

PEOPLE = {people}

with DAG("mapped", schedule=None, default_args={{"retries": 6, "retry_delay": timedelta(seconds=1)}}):
    invite = M3terCreateInvitationOperator.partial(
        task_id="invite", first_name="Ada", last_name="Example", m3ter_conn_id="{connection}", settle_after=2
    ).expand(email_address=PEOPLE)
    M3terInvitationAcceptedSensor.partial(
        task_id="accepted", m3ter_conn_id="{connection}", poke_interval=2, deferrable=True
    ).expand(invitation_id=invite.output)
'''


def test_a_mapped_dag_of_ones_own_whose_worker_and_triggerer_are_killed(
    cluster: CeleryStack, databases: PostgresServer, tmp_path: Path
) -> None:
    people = [f"mapped.{number}@example.com" for number in range(MAPPED)]
    with organisations(cluster, tmp_path, databases, ["for_mapped"]) as (org,):
        org.m3ter.faults(kind="latency", operation="CreateOrgUserInvitation", seconds=0.3)
        file = cluster.dags_folder / "mapped.py"
        file.write_text(_MAPPED_DAG.format(people=json.dumps(people), connection=org.m3ter_conn_id))
        wait_until(lambda: cluster.api.dag("mapped"), "the mapped DAG", 300)
        cluster.api.set_paused("mapped", False)
        run_id = cluster.api.trigger("mapped", {})
        wait_until(lambda: len(org.posts()) >= 2, "two POSTs", 300, 0.1)
        cluster.kill("worker-1")
        cluster.start_worker("worker-1")

        def waiting() -> bool:
            return Counter(cluster.api.mapped_states("mapped", run_id, "accepted"))["deferred"] == MAPPED

        wait_until(waiting, "every sensor in the triggerer", 400, 1.0)
        assert org.m3ter.emails() == dict.fromkeys(people, 1)
        kill_and_start(cluster, "triggerer")
        for address in people:
            org.m3ter.accept(address)
        patiently_succeeds(cluster, org, run_id, "mapped")
        assert org.m3ter.emails() == dict.fromkeys(people, 1)
        file.unlink()


def test_the_demo_of_the_compose_file(cluster: CeleryStack) -> None:
    """Its databases, its local m3ter, its connections and its DAG: a look first, then two people are invited."""
    dag_id = "m3ter_onboarding__demo"
    cluster.make_warehouse()
    with cluster.sandbox() as url:

        def emails() -> dict[str, int]:
            found: dict[str, int] = httpx.get(f"{url}/_sandbox/emails", trust_env=False).json()
            return found

        # As the Compose file mounts them.
        (cluster.home / "include").symlink_to(ROOT / "include")
        shutil.copy(ROOT / "dags" / "m3ter_onboarding_demo.py", cluster.dags_folder)
        wait_until(lambda: cluster.api.dag(dag_id), "the demo's DAG", 300)
        cluster.api.set_paused(dag_id, False)
        (scheduled,) = wait_until(lambda: cluster.api.runs(dag_id), "the run of the schedule", 300)
        assert cluster.api.wait_run(dag_id, scheduled["dag_run_id"], 300) == "success"
        assert cluster.api.wait_run(dag_id, cluster.api.trigger(dag_id, {"mode": "dry_run"}), 300) == "success"
        assert emails() == {}, "nobody had looked before"
        assert cluster.api.wait_run(dag_id, cluster.api.trigger(dag_id, {}), 300) == "success"
        assert emails() == {"bjork.jonsdottir@is.example.com": 1, "keoni.kealoha@us.example.com": 1}
