"""A sender that is killed, ended, timed out, orphaned, frozen or cleared in mid-send: one e-mail each, nobody left out.

Each with the ledger in SQLite and in PostgreSQL, by a real scheduler and its supervised task processes.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import psutil
import pytest

from demo.airflow_api import wait_until
from tests.support.airflow_organisation import Organisation, is_gone
from tests.support.airflow_scenarios import AirflowScenario, RunningScenarios, cases, running_scenarios
from tests.support.databases import POSTGRESQL, SQLITE

pytestmark = pytest.mark.slow

PEOPLE = 40
#: A POST takes so long that several are under way whenever a sender is interrupted.
LATENCY = {"kind": "latency", "operation": "CreateOrgUserInvitation", "seconds": 0.5, "jitter": 0.5}


def begin(org: Organisation, people: int = PEOPLE) -> tuple[list[str], str]:
    """Start a run over enough people for some seconds of sending."""
    org.m3ter.faults(**LATENCY)
    return org.hire(people), org.trigger()


def killed(org: Organisation) -> None:
    people, run_id = begin(org)
    os.kill(org.mid_send(run_id).pid, signal.SIGKILL)
    org.succeeds(run_id)
    assert org.tries(run_id, "send") > 1
    org.assert_once(people)


def terminated(org: Organisation) -> None:
    people, run_id = begin(org)
    os.kill(org.mid_send(run_id).pid, signal.SIGTERM)
    org.succeeds(run_id)
    assert org.tries(run_id, "send") > 1
    org.assert_logged(run_id, "send", "SIGTERM")
    org.assert_once(people)


def timed_out(org: Organisation) -> None:
    """``send_timeout`` is shorter than the sending takes (see :data:`SCENARIOS`)."""
    people, run_id = begin(org)
    org.succeeds(run_id)
    assert org.tries(run_id, "send") > 1
    org.assert_once(people)


def orphaned(org: Organisation) -> None:
    """The supervisor is killed; the task has to find out, since Airflow's retry starts beside it."""
    people, run_id = begin(org)
    task = org.mid_send(run_id)
    os.kill(task.supervisor_pid, signal.SIGKILL)
    killed_at = time.time()
    wait_until(lambda: is_gone(task.pid), "the end of the orphan", 15, 0.1)
    later = org.posts(since=killed_at + 0.5)
    again = org.stack.task_process(org.dag_id, run_id, "send", try_number=task.try_number + 1)
    begun_at = psutil.Process(again.pid).create_time()
    assert not [post for post in later if post["time"] < begun_at], "the orphan went on sending"
    org.succeeds(run_id)
    org.assert_once(people)


def freeze(org: Organisation, *pids: int) -> None:
    """Stop processes, but not while they hold SQLite's one lock: nobody could write then."""
    while True:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            if org.ledger.engine.dialect.name == SQLITE:
                with closing(sqlite3.connect(str(org.ledger.engine.url.database), timeout=0)) as connection:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.rollback()
        except sqlite3.OperationalError:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.02)
        else:
            return


def frozen(org: Organisation) -> None:
    """Sender and supervisor are frozen, Airflow's retry does the work; then the sender is resumed.

    Its parent is there and no signal arrives: only lease and claim keep it from sending.
    """
    people, run_id = begin(org)
    task = org.mid_send(run_id)
    freeze(org, task.supervisor_pid, task.pid)
    try:
        org.succeeds(run_id)
        assert org.tries(run_id, "send") > 1
        posts = org.posts()
        assert not is_gone(task.pid)
        os.kill(task.pid, signal.SIGCONT)
        time.sleep(2)  # twenty POSTs' time
    finally:
        for pid in (task.pid, task.supervisor_pid):
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: is_gone(task.pid), "the end of the sender that woke up", 30, 0.1)
    assert org.posts() == posts
    org.assert_once(people)


def hold_senders(org: Organisation) -> None:
    """However long Airflow takes to plan anew: no sender is ready before that."""
    org.m3ter.faults(kind="status", operation=LATENCY["operation"], status=429)


def release_senders(org: Organisation) -> None:
    """Let m3ter take invitations again."""
    org.m3ter.clear_faults()
    org.m3ter.faults(**LATENCY)


def cleared(org: Organisation, clear: Callable[[Organisation, str], None], *, new_plan: bool) -> None:
    """Tasks are cleared in mid-send: Airflow ends the sender and starts again."""
    people, run_id = begin(org)
    first = org.mid_send(run_id)
    (old,) = org.plans(run_id)
    if new_plan:
        hold_senders(org)
    clear(org, run_id)
    if new_plan:
        wait_until(lambda: len(org.plans(run_id)) > 1, f"the new plan of {run_id}", 240)
        release_senders(org)
    org.succeeds(run_id)
    assert is_gone(first.pid)
    org.assert_once(people)
    plans = org.plans(run_id)
    assert (len(plans) > 1) == new_plan
    newest = plans[-1]
    assert new_plan == (newest["plan_id"] != old["plan_id"])
    after = {plan_id for plan_id, at in org.claims() if at > newest["sealed_at"]}
    assert after == {newest["plan_id"]}, "who was left is invited by the newest plan"
    assert org.report(run_id)["plan_id"] == newest["plan_id"]


def clear_send(org: Organisation, run_id: str) -> None:
    org.stack.api.clear(org.dag_id, run_id, "send", downstream=True)


def clear_plan(org: Organisation, run_id: str) -> None:
    org.stack.api.clear(org.dag_id, run_id, "plan", downstream=True)


def clear_snapshot(org: Organisation, run_id: str) -> None:
    org.stack.api.clear(org.dag_id, run_id, "snapshot")


def clear_everything(org: Organisation, run_id: str) -> None:
    org.stack.api.clear_run(org.dag_id, run_id)


def plan_cleared_alone(org: Organisation) -> None:
    """Only ``plan`` is cleared in mid-send: the old plan stops, and the new one is sent when ``send`` is cleared."""
    people, run_id = begin(org)
    org.mid_send(run_id, posts=2)
    (old,) = org.plans(run_id)
    hold_senders(org)
    org.stack.api.clear(org.dag_id, run_id, "plan")
    wait_until(lambda: len(org.plans(run_id)) > 1, f"the new plan of {run_id}", 240)
    release_senders(org)
    org.fails(run_id)
    newest = org.plans(run_id)[-1]
    assert newest["plan_id"] != old["plan_id"]
    assert not [plan_id for plan_id, at in org.claims() if at > newest["sealed_at"]]
    org.assert_logged(run_id, "send", "replaced by a newer one of this run")
    org.stack.api.clear(org.dag_id, run_id, "send", downstream=True)
    org.end_of(run_id)
    assert {plan_id for plan_id, at in org.claims() if at > newest["sealed_at"]} == {newest["plan_id"]}
    # People claimed while the new plan was made, and released afterwards, are for the plan after it.
    clear_plan(org, run_id)
    org.succeeds(run_id)
    assert old["plan_id"] not in {plan_id for plan_id, at in org.claims() if at > newest["sealed_at"]}
    org.assert_once(people)


def marked_failed(org: Organisation) -> None:
    """The run is marked failed in mid-send: sending stops, and the next run sends the rest."""
    people, run_id = begin(org)
    task = org.mid_send(run_id)
    org.stack.api.set_run_state(org.dag_id, run_id, "failed")
    wait_until(lambda: is_gone(task.pid), "the end of the sender", 30, 0.1)
    assert len(org.m3ter.emails()) < PEOPLE
    org.run_once(day=1)
    org.assert_once(people)


def cleared_when_finished(org: Organisation) -> None:
    """Each task, and the whole run, cleared after the end: not one POST."""
    people = org.hire(5)
    run_id = org.run_once()
    posts = org.posts()
    assert len(posts) == len(people)
    for task_id in ("snapshot", "plan", "approve", "send", "report"):
        org.stack.api.clear(org.dag_id, run_id, task_id)
        org.succeeds(run_id)
        assert org.posts() == posts
    org.stack.api.clear_run(org.dag_id, run_id)
    org.succeeds(run_id)
    assert org.posts() == posts
    org.assert_once(people)
    plans = org.plans(run_id)
    assert len(plans) == 3
    assert set(org.decisions(plans[-1]["plan_id"]).values()) == {"skip:already_invited"}
    assert {plan_id for plan_id, _ in org.claims()} == {plans[0]["plan_id"]}


SCENARIOS = {
    "supervisor killed": AirflowScenario(orphaned),
    "killed": AirflowScenario(killed),
    "terminated": AirflowScenario(terminated),
    # Beside five others a task needs up to seven seconds of each try before it can send.
    "timed out": AirflowScenario(
        timed_out, made_with={"values": {"dag": {"send_timeout": "20s"}}, "extra": {"requests_per_second": 1}}
    ),
    "plan cleared alone": AirflowScenario(plan_cleared_alone, made_with={"extra": {"requests_per_second": 2}}),
    "cleared when finished": AirflowScenario(cleared_when_finished),
    "snapshot cleared": AirflowScenario(partial(cleared, clear=clear_snapshot, new_plan=False), (SQLITE,)),
    "plan cleared": AirflowScenario(partial(cleared, clear=clear_plan, new_plan=True), (POSTGRESQL,)),
    "send cleared": AirflowScenario(partial(cleared, clear=clear_send, new_plan=False), (SQLITE,)),
    "run cleared": AirflowScenario(partial(cleared, clear=clear_everything, new_plan=True), (POSTGRESQL,)),
    "run marked failed": AirflowScenario(marked_failed, (SQLITE,)),
}

ALONE = {"frozen and woken": AirflowScenario(frozen)}


@pytest.fixture(scope="module")
def begun(request: pytest.FixtureRequest) -> Iterator[RunningScenarios]:
    """Begin every scenario."""
    with running_scenarios(SCENARIOS, request) as scenarios:
        yield scenarios


@pytest.mark.parametrize(("name", "ledger"), cases(SCENARIOS))
def test_one_email_each_and_nobody_left_out(name: str, ledger: str, begun: RunningScenarios) -> None:
    begun.result(name, ledger)


@pytest.fixture(scope="module")
def begun_alone(request: pytest.FixtureRequest) -> Iterator[RunningScenarios]:
    """Begin what stops processes of Airflow's own executor: with others beside it, they wait for each other."""
    with running_scenarios(ALONE, request) as scenarios:
        yield scenarios


@pytest.mark.parametrize(("name", "ledger"), cases(ALONE))
def test_everybody_gets_one_email_after_a_freeze(name: str, ledger: str, begun_alone: RunningScenarios) -> None:
    begun_alone.result(name, ledger)
