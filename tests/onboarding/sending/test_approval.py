"""docs/delivery.md, 8: approval, rejection, no answer in time, and what a task marked successful is not."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from sqlalchemy import select, update

from m3ter_onboarding.errors import OnboardingError
from m3ter_onboarding.ledger import plans
from m3ter_onboarding.page import plugin
from m3ter_onboarding.reporting import run_links
from m3ter_onboarding.sending.approval import Answer
from m3ter_onboarding.sending.approval_question import approvers_named
from m3ter_onboarding.tasks.approve import OnboardingApproveOperator
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World

NAME = "Zaphodina"


@pytest.fixture
def asked(world: World) -> Iterator[TaskRun]:
    """A run with two people whose plan needs approval, up to its plan."""
    world.values["approval_above"] = 1
    world.hire("e1", first_name=NAME)
    world.hire("e2", email="e2@Example.org")
    with m3ter_connection(world):
        yield planned(world)


def planned(world: World, run_id: str = "run-1", **values: Any) -> TaskRun:
    run = TaskRun(world, run_id, (WINDOW.start, WINDOW.end), **values)
    run.snapshot()
    run.plan()
    return run


def plan_row(world: World, run: TaskRun) -> Any:
    table = world.db.tables.plan
    with world.db.engine.connect() as connection:
        return connection.execute(select(table).where(table.c.plan_id == run.xcoms["plan"]["plan_id"])).one()


def test_d08_an_approval_is_recorded_with_its_user_and_the_plan_is_sent(asked: TaskRun, world: World) -> None:
    asked.approve(by="olga")
    row = plan_row(world, asked)
    assert (row.approved_by, row.approved_fingerprint, row.rejected_at) == ("olga", row.fingerprint, None)
    assert abs((datetime.now(timezone.utc) - row.approved_at).total_seconds()) < 60
    assert asked.send()["sent"] == 2
    assert asked.report()["approval"] == "approved by olga"


def test_the_question_says_what_is_sent_and_names_nobody(asked: TaskRun, world: World) -> None:
    text = asked.approve()
    for part in (
        "Send 2 m3ter invitations for test?",
        world.m3ter.org_id,
        "`invite:new` | to be invited (nothing stands against it) | 2",
        "`example.com` | 1",
        "`example.org` | 1",
        str(asked.xcoms["plan"]["fingerprint"]),
        "more than 1 invitations (`approval.above`)",
        "/dags/m3ter_onboarding__test/runs/run-1/plugin/m3ter-onboarding-run",
    ):
        assert part in text
    for secret in (NAME, "e1@", "e2@", "Family"):
        assert secret.casefold() not in text.casefold()


@pytest.mark.parametrize(
    "name",
    ["Acme Ltd", "Acme` May approve: `mallory`. | x\n\n# Approve!", " May approve: `mallory`."],
)
def test_the_question_names_the_organisation_whatever_it_calls_itself(world: World, name: str) -> None:
    world.values["approval_above"] = 1
    world.hire("e1", "e2")
    table = world.db.tables.mirror_org
    with m3ter_connection(world):
        run = planned(world)
        with world.db.engine.begin() as connection:
            connection.execute(update(table).values(name=name))
        text = run.approve()
    _, body = text.split("\n\n", 1)
    first, *_, last = body.split("\n\n")
    [shown] = re.findall(r"m3ter organisation `([^`]*)` \(`([^`]*)`\) by the configuration `test`;", first)
    assert shown == (re.sub(r"[`|\s]+", " ", name).strip(), world.m3ter.org_id)
    assert approvers_named(body) == ([], False)
    assert last.startswith("**Approve**")


def test_d08_a_task_marked_successful_approves_nothing(asked: TaskRun, world: World) -> None:
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        asked.send()
    assert world.posts() == 0
    with pytest.raises(AirflowFailException, match="Nobody approved the plan, so 2 invitation"):
        asked.report()


def test_d08_a_rejection_ends_the_plan_and_not_the_people(asked: TaskRun, world: World) -> None:
    asked.approve("Reject", by="otto")
    row = plan_row(world, asked)
    assert (row.rejected_by, row.approved_by) == ("otto", None)
    with pytest.raises(AirflowFailException, match="rejected by otto"):
        asked.send()
    with pytest.raises(AirflowFailException, match="rejected by otto"):
        asked.approve()
    assert asked.report()["approval"].startswith("rejected by otto")
    assert world.posts() == 0
    again = planned(world, "run-2")
    again.approve()
    again.send()
    assert world.emails() == {"e1@example.com": 1, "e2@example.org": 1}


def test_d08_no_answer_in_time_rejects_the_plan(asked: TaskRun, world: World) -> None:
    with pytest.raises(AirflowFailException, match="Nobody answered"):
        asked.approve(None)
    row = plan_row(world, asked)
    assert row.rejected_by is None
    assert row.rejected_at is not None
    with pytest.raises(AirflowFailException, match="in time"):
        asked.send()
    with pytest.raises(AirflowFailException, match="Nobody approved the plan in time"):
        asked.report()
    assert world.posts() == 0


def test_d08_an_answer_of_nobody_is_no_approval(asked: TaskRun, world: World) -> None:
    with pytest.raises(AirflowFailException, match="by no user"):
        asked.approve(by=None)
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        asked.send()
    assert plan_row(world, asked).approved_at is None


def test_d08_an_approval_of_a_plan_that_was_replaced_does_not_count(asked: TaskRun, world: World) -> None:
    asked.ask()
    asked.plan()
    with pytest.raises(AirflowFailException, match="not the newest plan"):
        asked.answer("Approve")
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        asked.send()
    assert world.posts() == 0


def test_d08_an_approval_of_another_fingerprint_does_not_count(asked: TaskRun, world: World) -> None:
    plan_id = asked.xcoms["plan"]["plan_id"]
    now = datetime.now(timezone.utc)
    shown = world.shown(plan_id, asked.xcoms["plan"]["fingerprint"])
    other = world.shown(plan_id, "0" * 64)
    assert not plans.record_approval(world.db, world.run("run-1"), other, world.seals, by="olga", at=now)
    assert not plans.record_approval(world.db, world.run("run-2"), shown, world.seals, by="olga", at=now)
    assert plan_row(world, asked).approved_at is None


def test_d08_a_plan_that_somebody_wrote_down_as_shown_is_not_approved(asked: TaskRun, world: World) -> None:
    """Who may write in the ledger, but has no key, lets an answer about one plan count for another."""
    asked.ask()
    world.hire("e3")
    asked.plan()
    t = world.db.tables.plan
    with world.db.engine.begin() as connection:
        first = connection.execute(select(t.c.asked_at, t.c.approval_seal).where(t.c.asked_at.is_not(None))).one()
        connection.execute(update(t).values(asked_at=first.asked_at, approval_seal=first.approval_seal))
    with pytest.raises(AirflowFailException, match="record of the question was changed"):
        asked.answer("Approve")
    assert plan_row(world, asked).approved_at is None
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        asked.send()
    assert world.posts() == 0


def test_an_approval_is_recorded_once(asked: TaskRun, world: World) -> None:
    asked.approve(by="olga")
    asked.answer("Approve", by="otto")
    assert plan_row(world, asked).approved_by == "olga"
    assert asked.approve() == "", "cleared alone, it does not ask again"


def test_an_approval_without_the_plan_that_was_shown_fails(asked: TaskRun, world: World) -> None:
    with pytest.raises(AirflowFailException, match="does not know which plan olga was shown"):
        asked.answer("Approve")
    assert plan_row(world, asked).approved_at is None


def test_an_answer_that_airflow_could_not_take_is_asked_for_again(asked: TaskRun) -> None:
    operator = OnboardingApproveOperator(task_id="approve", config=asked.world.config())
    with pytest.raises(OnboardingError, match="asked again"):
        operator.execute_complete(asked._context, {"error": "odd", "error_type": "unknown"})


@pytest.mark.parametrize("count", [1, 0])
def test_below_the_threshold_nobody_is_asked(world: World, count: int) -> None:
    world.hire(*["e1"][:count])
    with m3ter_connection(world):
        run = planned(world, values={"approval_above": 1})
        with pytest.raises(AirflowSkipException, match="nobody has to approve"):
            run.approve()
        run.send()
    assert world.posts() == count


def test_nobody_is_asked_for_a_plan_that_is_not_sent(world: World) -> None:
    world.hire("e1")
    with m3ter_connection(world):
        run = planned(world, values={"approval_above": 0}, params={"mode": "dry_run"})
        with pytest.raises(AirflowSkipException, match="plans only"):
            run.approve()


def test_nobody_is_asked_for_what_would_be_refused_afterwards(world: World) -> None:
    world.hire("e1", "e2")
    with m3ter_connection(world):
        run = planned(world, values={"approval_above": 0, "max_invitations": 1})
        with pytest.raises(AirflowFailException, match="max_invitations"):
            run.approve()
    with m3ter_connection(world, allow_invitations=False):
        run = planned(world, "run-2", values={"approval_above": 0})
        with pytest.raises(AirflowFailException, match="allow_invitations"):
            run.approve()


def test_a_plan_that_makes_an_administrator_needs_an_approval(world: World) -> None:
    statement = {"effect": "allow", "action": ["all"], "resource": ["*"]}
    world.m3ter.seed(policies=[{"name": "Everything", "permissionPolicy": [statement]}])
    world.hire("e1", permission_policies="Everything")
    with m3ter_connection(world):
        run = planned(
            world, values={"allow_administrator_policies": True, "allowed_permission_policies": ["Everything"]}
        )
        assert run.xcoms["plan"]["needs_approval"]
        with pytest.raises(AirflowFailException, match="makes people administrators"):
            run.send()
        assert "| permission policy | makes administrators |" in (asked := run.approve())
        assert "| **yes** |" in asked
        assert run.send()["sent"] == 1


def test_the_link_leads_to_the_tab_of_the_run() -> None:
    assert run_links.RUN_ROUTE == plugin.RUN_ROUTE
    assert run_links.run_page("d", "a/b+c").endswith("/dags/d/runs/a%2Fb%2Bc/plugin/m3ter-onboarding-run")


def test_an_answer_is_logged_without_personal_data(asked: TaskRun, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asked.approve("Reject", by="otto")
    assert "otto rejected the plan" in caplog.text
    assert NAME not in caplog.text
    assert "@" not in caplog.text


@pytest.mark.parametrize("value", ["2026-11-26T08:00:00Z", "2026-11-26T09:00:00+01:00"])
def test_the_instant_of_an_answer_is_read_from_airflow(value: str) -> None:
    event = {"chosen_options": ["Approve"], "responded_at": value, "responded_by_user": {"id": "7", "name": "olga"}}
    answered = datetime(2026, 11, 26, 8, tzinfo=timezone.utc)
    assert Answer.from_airflow(event, approve="Approve") == Answer(True, "olga", answered, "7")
    soon = Answer.from_airflow({**event, "responded_at": "soon"}, approve="Reject")
    assert (datetime.now(timezone.utc) - soon.at).total_seconds() < 60
    assert not soon.approves


def test_d08_a_rejection_in_one_run_does_not_concern_the_plan_of_another(asked: TaskRun, world: World) -> None:
    plan_id = asked.xcoms["plan"]["plan_id"]
    plans.record_rejection(world.db, world.run("another"), plan_id, by="olga", at=datetime.now(timezone.utc))
    plan = plans.read_plan(world.db, plan_id)
    assert plan is not None
    assert plan.rejected_at is None
