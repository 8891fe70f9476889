"""Every task that asks m3ter, or uses what the ledger holds of an organisation, at the wrong host and unproven."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from m3ter_onboarding import access_review_dag, day_one_dag, invitation_status_dag
from m3ter_onboarding.cli.same_m3ter import confirm_same_m3ter
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import rows_visible_to
from m3ter_provider.process_state import forget_all
from tests.support.databases import airflow_connection_named
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World

OTHER_HOST = (
    r"knows the organisation \S+ at http://127\.0\.0\.1:\d+, and the m3ter connection now leads to http://localho"
)


@pytest.fixture(autouse=True)
def _not_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_M3TER_ONBOARDING_PAUSED", "none")


@contextmanager
def moved(world: World, **changes: Any) -> Iterator[None]:
    """Point the connection at another name of the same server: for the ledger, another m3ter."""
    content = json.loads(world.m3ter.airflow_connection(timeout_seconds=2, requests_per_second=500))
    content |= {"host": world.m3ter.url.replace("127.0.0.1", "localhost"), **changes}
    with airflow_connection_named(json.dumps(content), "m3ter_default"):
        yield


def run(world: World, run_id: str, **values: Any) -> TaskRun:
    return TaskRun(world, run_id, (WINDOW.start, WINDOW.end), **values)


def other_task(world: World, make: Callable[[Any], Any], task: str, **params: Any) -> Any:
    """Run a task of one of the other DAGs."""
    dag = make(world.config(access_review={"query": "jobs.sql"}) if make is access_review_dag else world.config())
    events = {key: SimpleNamespace(extra=None) for key in dag.get_task(task).outlets}
    ti = SimpleNamespace(xcom_push=lambda **_: None, xcom_pull=lambda **_: {"chase": 0})
    context: Any = {"dag_run": SimpleNamespace(dag_id=dag.dag_id, run_id="run-1"), "outlet_events": events, "ti": ti}
    return dag.get_task(task).execute({**context, "params": params})


def test_d08_a_sandbox_with_the_organisations_id_sends_nothing_that_counts(sqlite_world: World) -> None:
    sqlite_world.hire("e1")
    with m3ter_connection(sqlite_world):
        run(sqlite_world, "run-1", params={"mode": "dry_run"}).all()
        planned = run(sqlite_world, "run-2", values={"approval_above": 0})
        planned.snapshot()
        planned.plan()
    with moved(sqlite_world):
        again = run(sqlite_world, "run-3")
        for act in (again.snapshot, again.plan, planned.plan, planned.ask, planned.send):
            with pytest.raises(AirflowFailException, match=OTHER_HOST):
                act()
        for make, task in ((invitation_status_dag, "follow"), (day_one_dag, "readiness"), (day_one_dag, "digest")):
            with pytest.raises(AirflowFailException, match=OTHER_HOST):
                other_task(sqlite_world, make, task)
        with pytest.raises(AirflowFailException, match=OTHER_HOST):
            other_task(sqlite_world, invitation_status_dag, "erase", erase_employee="e1", erase_still_in_m3ter=True)
    assert sqlite_world.m3ter.posts() == 0
    assert sqlite_world.states() == {}
    with m3ter_connection(sqlite_world):  # pointed back: nothing is to be mended
        planned.values = {}
        run(sqlite_world, "run-4").all()
    assert sqlite_world.m3ter.emails() == {"e1@example.com": 1}


def test_after_a_persons_word_runs_go_on_and_older_plans_are_not_sent(
    sqlite_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_world.hire("e1")
    with m3ter_connection(sqlite_world):
        planned = run(sqlite_world, "run-1")
        planned.snapshot()
        planned.plan()
    monkeypatch.setattr("m3ter_onboarding.cli.same_m3ter.load_config", lambda path: sqlite_world.config())
    said: list[str] = []
    with moved(sqlite_world):
        path = tmp_path / "acme.yaml"
        assert confirm_same_m3ter(path, yes=False, say=said.append, ask=lambda question: "no") == 1
        with pytest.raises(AirflowFailException, match=OTHER_HOST):
            planned.send()
        assert confirm_same_m3ter(path, yes=False, say=said.append, ask=lambda question: " Yes") == 0
        assert confirm_same_m3ter(path, yes=True, say=said.append) == 0
        with pytest.raises(AirflowFailException, match="older than `plan_valid_for`"):
            planned.send()
        assert sqlite_world.m3ter.posts() == 0
        run(sqlite_world, "run-2").all()
    assert "Nothing was recorded." in said
    assert said[-1].endswith("already.")
    assert sqlite_world.m3ter.emails() == {"e1@example.com": 1}
    with m3ter_connection(sqlite_world), pytest.raises(AirflowFailException, match=r"now leads to http://127\.0\.0\.1"):
        run(sqlite_world, "run-3").snapshot()


def test_a_failed_run_opens_nobodys_people(sqlite_world: World) -> None:
    sqlite_world.hire("e1")
    with m3ter_connection(sqlite_world):
        run(sqlite_world, "run-1").all()
    forget_all()  # the other DAG's tasks are processes of their own
    foreign: Any = {"dag_id": "m3ter_onboarding__foreign", "values": {"name": "foreign"}}
    with m3ter_connection(sqlite_world):
        sqlite_world.m3ter.switches(may_read=False)
        named = run(sqlite_world, "run-2", **foreign)
        with pytest.raises(AirflowFailException):
            named.all()
        with pytest.raises(AirflowFailException, match="No snapshot of m3ter_onboarding__foreign"):
            named.plan()  # somebody marked `snapshot` successful
        sqlite_world.m3ter.switches(may_read=True)
        reader = LedgerReader(sqlite_world.db)
        assert rows_visible_to(reader, ["m3ter_onboarding__foreign"]).scopes == []
        assert {scope.dag_id for scope in rows_visible_to(reader, ["m3ter_onboarding__test"]).scopes} == {
            None,
            "m3ter_onboarding__test",
        }
        run(sqlite_world, "run-3", **foreign).snapshot()
        assert rows_visible_to(reader, ["m3ter_onboarding__foreign"]).scopes


def test_d08_what_only_follows_invitations_fixes_the_host_too(sqlite_world: World) -> None:
    sqlite_world.m3ter.seed(invitations=[{"email": "of.the.sandbox@example.com"}])
    with moved(sqlite_world):
        other_task(sqlite_world, invitation_status_dag, "follow")
    with m3ter_connection(sqlite_world), pytest.raises(AirflowFailException, match="leads to http://127"):
        run(sqlite_world, "run-1").snapshot()


def test_d08_a_reading_that_breaks_off_leaves_nothing_of_another_m3ter_behind(sqlite_world: World) -> None:
    sqlite_world.m3ter.faults(kind="status", status=403, method="GET", path="/users$")
    with moved(sqlite_world), pytest.raises(AirflowFailException, match="403"):
        run(sqlite_world, "run-1").snapshot()
    with m3ter_connection(sqlite_world), pytest.raises(AirflowFailException, match="leads to http://127"):
        run(sqlite_world, "run-2").snapshot()
