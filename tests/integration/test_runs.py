"""Runs of every kind: dry, backfilled, at once, capped, paused, marked by hand, beside a broken configuration."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from demo.airflow_api import wait_until
from tests.support.airflow_organisation import FIRST_DAY, Organisation
from tests.support.airflow_scenarios import AirflowScenario, RunningScenarios, cases, running_scenarios
from tests.support.databases import POSTGRESQL, SQLITE

pytestmark = pytest.mark.slow


def dry_run(org: Organisation) -> None:
    """A dry run decides about every row and sends nothing; it takes nobody from the run after it."""
    people = org.hire(5)
    run_id = org.run_once(mode="dry_run")
    org.assert_state(run_id, "send", "skipped")
    (plan,) = org.plans(run_id)
    assert org.decisions(plan["plan_id"]) == {f"E-00{n}": "invite:new" for n in range(1, 6)}
    assert org.posts() == []
    org.run_once()
    org.assert_once(people)


def one_person_and_a_cap(org: Organisation) -> None:
    """``only_employee`` sends to one person; a plan above ``max_invitations`` sends to nobody."""
    people = org.hire(5)
    org.run_once(only_employee="E-002")
    org.assert_once([people[1]])
    run_id = org.trigger(max_invitations=3)
    org.fails(run_id)
    org.assert_logged(run_id, "send", "The plan has 4 invitations, and at most 3 may be sent by one run")
    org.assert_once([people[1]])
    org.run_once(day=1)  # neither of the runs has caught up its day
    org.assert_once(people)


def two_at_once(org: Organisation) -> None:
    """Two runs over the same people at the same time: one POST each, and both runs end green."""
    org.m3ter.faults(kind="latency", operation="CreateOrgUserInvitation", seconds=0.3, jitter=0.3)
    people = org.hire(40)
    runs = [org.trigger(), org.trigger()]
    for run_id in runs:
        org.succeeds(run_id)
    assert len(org.posts()) == len(people)
    org.assert_once(people)


def marked_by_hand(org: Organisation) -> None:
    """Marking `plan` as successful is no plan, and marking `send` sends nobody: the run stays red."""
    people = org.hire(3)
    org.configure({}, "SELECT nothing FROM nowhere WHERE x >= :window_start AND x < :window_end")
    run_id = org.trigger()
    org.fails(run_id)
    org.stack.api.set_task_state(org.dag_id, run_id, "plan", "success")
    org.stack.api.clear(org.dag_id, run_id, "send", downstream=True)
    org.fails(run_id)
    org.assert_logged(run_id, "approve", "The task `plan` left no plan")
    org.configure({})
    org.connect_m3ter(allow_invitations=False)
    org.stack.api.clear_run(org.dag_id, run_id)
    org.fails(run_id)
    org.stack.api.set_task_state(org.dag_id, run_id, "send", "success")
    org.stack.api.clear(org.dag_id, run_id, "report")
    org.fails(run_id)
    org.assert_logged(run_id, "report", "3 invitation(s) of the plan were not sent")
    assert org.posts() == []
    org.connect_m3ter()
    org.run_once(day=1)
    org.assert_once(people)


def paused_in_mid_send(org: Organisation) -> None:
    """The pause switch stops a sender; when it is released the same run goes on."""
    people = org.hire(40)
    run_id = org.trigger()
    org.mid_send(run_id)
    org.stack.api.set_variable("m3ter_onboarding_paused", org.name)
    org.fails(run_id)
    assert "sending is paused" in org.log(run_id, "send").lower()
    assert len(org.m3ter.emails()) < len(people)
    # Emptied, not deleted: senders who saw it there take its absence for a failure.
    org.stack.api.set_variable("m3ter_onboarding_paused", "none")
    org.stack.api.clear(org.dag_id, run_id, "send", downstream=True)
    org.succeeds(run_id)
    org.assert_once(people)


def scheduled_and_backfilled(org: Organisation) -> None:
    """The first scheduled run plans only; after a look it sends. A backfill sends only where it is allowed to."""
    people = org.hire(3, day=9)
    earlier = org.hire(2, day=1, first=11) + org.hire(2, day=2, first=21)
    org.stack.api.set_paused(org.dag_id, False)
    scheduled = wait_until(lambda: org.stack.api.runs(org.dag_id), "a scheduled run", 300)
    assert [run["run_type"] for run in scheduled] == ["scheduled"]
    at_once = scheduled[0]["dag_run_id"]
    org.succeeds(at_once)
    org.assert_state(at_once, "send", "skipped")
    org.assert_logged(at_once, "plan", "it would be the first e-mail of this configuration")
    assert org.posts() == []
    org.run_once(day=9, mode="dry_run")
    assert org.posts() == []
    org.stack.api.clear_run(org.dag_id, at_once)
    org.succeeds(at_once)
    org.assert_once(people)

    first, last = FIRST_DAY + timedelta(days=1), FIRST_DAY + timedelta(days=2)
    org.stack.api.backfill(org.dag_id, first, last)
    runs = org.stack.api.wait_backfill_runs(org.dag_id, 2)
    assert [run["state"] for run in runs] == ["success", "success"]
    planned = [org.plans(run["dag_run_id"])[-1] for run in runs]
    assert [plan["invitations"] for plan in planned] == [2, 2]
    assert not any(plan["sendable"] for plan in planned)
    assert {org.states(run["dag_run_id"])["send"] for run in runs} == {"skipped"}
    org.assert_once(people)

    org.stack.api.backfill(org.dag_id, first, last, {"allow_backfill_send": True}, reprocess="completed")
    wait_until(lambda: len(org.posts()) == 7, "what the backfill sends", 300)
    for run in runs:
        org.succeeds(run["dag_run_id"])
    org.assert_once(people + earlier)

    org.stack.api.backfill(org.dag_id, first, last, {"allow_backfill_send": True}, reprocess="completed")
    wait_until(lambda: all(len(org.plans(run["dag_run_id"])) == 3 for run in runs), "the third plans", 300)
    for run in runs:
        org.succeeds(run["dag_run_id"])
    assert len(org.posts()) == 7, "over days already sent: not one more"
    org.assert_once(people + earlier)


def beside_a_broken_one(org: Organisation) -> None:
    """A wrong configuration is an import error of its own file that names the key; the other DAGs run."""
    people = org.hire(2)
    dags = org.stack.dags_folder
    broken = [dags / "broken.py", dags / "config" / "broken.yaml"]
    broken[1].write_text((dags / "config" / f"{org.name}.yaml").read_text().replace("max_inv", "maximum_inv"))
    broken[0].write_text((dags / f"{org.name}.py").read_text().replace(org.name, "broken"))
    (error,) = wait_until(org.stack.api.import_errors, "the import error", 300)
    assert error["filename"].endswith("broken.py")
    listed = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "list-import-errors", "--output", "plain"],
        env=org.stack.environment(),
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    for text in (error["stack_trace"], listed):
        assert "broken.yaml: the key 'maximum_invitations' is unknown (did you mean 'max_invitations'?)" in text
    org.run_once()
    org.assert_once(people)
    for file in broken:
        file.unlink()


_OTHER_DAGS = '''"""DAGs of Airflow: one that loads an organisation's warehouse, one that waits for what was sent."""

from airflow.sdk import Asset, dag, task
from m3ter_onboarding import invited_asset


@dag(schedule=None)
def loads_{name}():
    @task(outlets=[Asset("warehouse_of_{name}")])
    def load():
        pass

    load()


@dag(schedule=[invited_asset("{name}")])
def follows_{name}():
    @task
    def count(**context):
        return [event.extra for event in context["triggering_asset_events"][invited_asset("{name}")]]

    count()


loads_{name}()
follows_{name}()
'''


def begun_by_an_asset(org: Organisation) -> None:
    """What loads the warehouse begins the run, and what it sent begins another DAG; where nothing was sent, nothing."""
    api, others = org.stack.api, ("loads_by_an_asset_sqlite", "follows_by_an_asset_sqlite")
    (org.stack.dags_folder / f"{org.name}_others.py").write_text(_OTHER_DAGS.format(name=org.name))
    for dag_id in others:
        wait_until(lambda dag_id=dag_id: api.dag(dag_id), f"DAG {dag_id}", 300)  # type: ignore[misc]
        api.set_paused(dag_id, False)
    loads, follows = others
    people = org.hire(2, loaded_at=datetime.now(timezone.utc) - timedelta(hours=1))

    def runs_after(loading: int) -> list[Any]:
        api.wait_run(loads, api.trigger(loads))
        return wait_until(lambda: (found := api.runs(org.dag_id))[loading - 1 :] and found, f"run {loading}", 300)

    (first,) = runs_after(1)
    assert first["run_type"] == "asset_triggered"
    org.succeeds(first["dag_run_id"])
    org.assert_once(people)
    (followed,) = wait_until(lambda: api.runs(follows), "the DAG that follows", 300)
    assert api.wait_run(follows, followed["dag_run_id"]) == "success"
    assert api.xcoms(follows, followed["dag_run_id"], "count")["return_value"] == [{"sent": 2}]

    again = runs_after(2)
    for run in again:
        org.succeeds(run["dag_run_id"])
    assert len(org.posts()) == 2
    assert len(api.runs(follows)) == 1, "nothing was sent, so nothing follows"


SCENARIOS = {
    "by an asset": AirflowScenario(
        begun_by_an_asset,
        (SQLITE,),
        made_with={"values": {"schedule": {"assets": ["warehouse_of_by_an_asset_sqlite"]}}},
    ),
    "scheduled and backfilled": AirflowScenario(
        scheduled_and_backfilled,
        made_with={
            "values": {"schedule": "0 0 * * *", "start_date": FIRST_DAY.date()},
            "paused": True,
            "looked_at": False,
        },
    ),
    "two at once": AirflowScenario(two_at_once),
    "marked by hand": AirflowScenario(marked_by_hand, (POSTGRESQL,)),
    "paused in mid-send": AirflowScenario(paused_in_mid_send, (SQLITE,)),
    "dry run": AirflowScenario(dry_run, (SQLITE,)),
    "one person and a cap": AirflowScenario(one_person_and_a_cap, (POSTGRESQL,)),
    "beside a broken one": AirflowScenario(beside_a_broken_one, (SQLITE,)),
}


@pytest.fixture(scope="module")
def begun(request: pytest.FixtureRequest) -> Iterator[RunningScenarios]:
    """Begin every scenario."""
    with running_scenarios(SCENARIOS, request) as scenarios:
        yield scenarios


@pytest.mark.parametrize(("name", "ledger"), cases(SCENARIOS))
def test_a_run_of_each_kind_ends_as_it_should(name: str, ledger: str, begun: RunningScenarios) -> None:
    begun.result(name, ledger)
