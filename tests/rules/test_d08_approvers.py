"""D8: who may approve, what needs an approval, and that a rejected plan is not sent in slices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from sqlalchemy import select

from m3ter_onboarding.config.approval_section import ApprovalSettings
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import ConfigurationError, OnboardingError
from m3ter_onboarding.sending.approval import Answer, check_may_approve
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World


@pytest.fixture
def org(world: World) -> Iterator[World]:
    """Return an organisation whose connection is defined in Airflow."""
    with m3ter_connection(world):
        yield world


def planned(world: World, run_id: str = "run-1", **values: Any) -> TaskRun:
    run = TaskRun(world, run_id, (WINDOW.start, WINDOW.end), **values)
    run.snapshot()
    run.plan()
    return run


def sent_without_a_question(run: TaskRun) -> None:
    with pytest.raises(AirflowSkipException, match="nobody has to approve"):
        run.approve()
    run.send()


# -- who ---------------------------------------------------------------------------------------------------------------


def test_d08_only_approvers_approve_and_the_question_says_who(org: World) -> None:
    org.values["approval"] = {"above": 0, "approvers": ["olga", "7"]}
    org.hire("e1")
    run = planned(org)
    assert "May approve: `olga`, `7`." in run.ask()
    with pytest.raises(AirflowException, match="otto approved the plan, and only olga, 7 may"):
        run.answer("Approve", by="otto")
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        run.send()
    run.answer("Approve", by="7")
    run.send()
    assert org.posts() == 1


def test_d08_who_triggered_does_not_approve(org: World) -> None:
    org.values["approval"] = {"above": 0, "not_by_who_triggered": True}
    org.hire("e1")
    run = planned(org)
    assert "Not who started this run." in run.ask()
    with pytest.raises(AirflowException, match="tester approved the plan and started its run"):
        run.answer("Approve", by="tester")
    assert org.posts() == 0
    run.answer("Approve", by="olga")
    run.send()
    assert org.posts() == 1


def test_d08_everybody_may_reject(org: World) -> None:
    org.values["approval"] = {"above": 0, "approvers": ["olga"], "not_by_who_triggered": True}
    org.hire("e1")
    run = planned(org)
    run.ask()
    run.answer("Reject", by="tester")
    with pytest.raises(AirflowFailException, match="was rejected by tester"):
        run.send()
    assert org.posts() == 0


@pytest.mark.parametrize(("name", "user_id"), [("olga", "5"), ("Olga O.", "olga"), ("olga", "olga")])
def test_an_approver_is_known_by_name_or_id(name: str, user_id: str) -> None:
    event = {"chosen_options": ["Approve"], "responded_by_user": {"id": user_id, "name": name}}
    answer = Answer.from_airflow(event, approve="Approve")
    settings = ApprovalSettings(approvers=("olga",), not_by_who_triggered=True)
    check_may_approve(answer, settings, triggered_by="otto")
    with pytest.raises(OnboardingError, match="somebody else must approve"):
        check_may_approve(answer, settings, triggered_by="olga")
    with pytest.raises(OnboardingError, match="only paul may"):
        check_may_approve(answer, ApprovalSettings(approvers=("paul",)), triggered_by=None)
    check_may_approve(Answer(True, None, datetime.now(timezone.utc)), settings, triggered_by=None)  # refused elsewhere


# -- how many ----------------------------------------------------------------------------------------------------------


def test_d08_a_day_is_not_sent_in_slices(org: World) -> None:
    org.values["approval"] = {"above": 2}
    org.hire("e1", "e2", "e3")
    for number in (1, 2):
        sent_without_a_question(planned(org, f"run-{number}", params={"only_employee": f"e{number}"}))
    third = planned(org, "run-3", params={"only_employee": "e3"})
    assert "more than 2 invitations (`approval.above`), together with 2 sent without an approval" in third.ask()
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        third.send()
    org.pass_time(24 * 60 * 60)
    sent_without_a_question(planned(org, "run-4", params={"only_employee": "e3"}))


def test_d08_two_plans_made_before_either_is_sent_count_together(org: World) -> None:
    org.values["approval"] = {"above": 1}
    org.hire("e1", "e2")
    first = planned(org, "run-1", params={"only_employee": "e1"})
    second = planned(org, "run-2", params={"only_employee": "e2"})
    sent_without_a_question(first)
    with pytest.raises(AirflowFailException, match="needs a person's approval now"):
        second.send()
    second.plan()
    second.approve(by="olga")
    second.send()
    assert org.posts() == 2


def test_d08_plans_that_are_sent_at_the_same_time_count_together_at_every_claim(world: World) -> None:
    """Each may have begun before the other had attempted anything."""
    world.hire("e1", "e2")
    world.snapshot()
    first, second = (world.plan(f"run-{n}", only_employee=f"e{n}") for n in (1, 2))
    assert len(world.claim(first, "run-1", others_without_approval=0)) == 1
    assert world.claim(second, "run-2", others_without_approval=0) == []
    assert len(world.claim(second, "run-2", others_without_approval=1)) == 1


def test_d08_backfills_that_lift_the_cap_count_together(org: World) -> None:
    org.values["max_invitations"] = 1
    org.hire("e1", "e2")
    lifted = {"allow_backfill_send": True, "max_invitations": 100}
    runs = [planned(org, f"run-{n}", run_type="backfill", params={**lifted, "only_employee": f"e{n}"}) for n in (1, 2)]
    sent_without_a_question(runs[0])
    with pytest.raises(AirflowFailException, match="lifts the configured `max_invitations` of 1"):
        runs[1].send()
    runs[1].plan()
    assert "lifts the configured `max_invitations` of 1" in runs[1].ask()
    assert org.posts() == 1


def test_d08_days_of_long_ago_are_asked_for(org: World) -> None:
    org.hire("e1")
    interval = {"interval_start": "1970-01-01T00:00:00Z", "interval_end": "2030-01-03T00:00:00Z"}
    run = planned(org, params=interval)
    assert "longer ago than `max_age_days`" in run.ask()
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        run.send()
    assert org.posts() == 0


def test_d08_what_was_approved_does_not_count(org: World) -> None:
    org.values["approval"] = {"above": 2}
    org.hire("e1", "e2", "e3")
    whole = planned(org)
    whole.approve(by="olga")
    whole.send()
    org.hire("e4")
    sent_without_a_question(planned(org, "later"))
    assert org.posts() == 4


def test_d08_per_run_each_run_counts_by_itself(org: World) -> None:
    org.values["approval"] = {"above": 1, "per": "run"}
    org.hire("e1", "e2")
    for number in (1, 2):
        sent_without_a_question(planned(org, f"run-{number}", params={"only_employee": f"e{number}"}))


def test_d08_yesterdays_daily_run_does_not_count(org: World) -> None:
    org.values["approval"] = {"above": 1}
    org.hire("e1")
    sent_without_a_question(planned(org))
    org.pass_time(24 * 60 * 60 - 30)
    org.hire("e2")
    sent_without_a_question(planned(org, "run-2"))


def test_a_plan_that_needs_none_says_which_limit_it_keeps(org: World) -> None:
    def said(run_id: str, employee: str) -> str | None:
        run = planned(org, run_id, params={"only_employee": employee})
        p = org.db.tables.plan.c
        with org.db.engine.connect() as connection:
            because: str | None = connection.execute(
                select(p.no_approval_because).where(p.run_id == run_id)
            ).scalar_one()
        if because is not None:
            sent_without_a_question(run)
        return because

    org.hire("e1", "e2", "e3", "e4")
    assert said("run-1", "e1") == "`approval.above` is not set, so a number of invitations alone needs none."
    org.values["approval"] = {"above": 2}
    at_most = "it has at most 2 invitations (`approval.above`)"
    assert said("run-2", "e2") == f"{at_most}, together with 1 sent without an approval in the last 23 hours."
    assert said("run-3", "e3") is None
    assert said("nobody", "e1") is None
    org.pass_time(24 * 60 * 60)
    assert said("run-4", "e4") == f"{at_most}."


# -- whatever their number ---------------------------------------------------------------------------------------------


def test_d08_a_parameter_that_lifts_the_cap_needs_an_approval(org: World) -> None:
    org.values["max_invitations"] = 1
    org.hire("e1", "e2", "e3")
    run = planned(org, params={"max_invitations": 1000})
    assert "lifts the configured `max_invitations` of 1" in run.ask()
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        run.send()
    run.answer("Approve", by="olga")
    run.send()
    assert org.posts() == 3


def test_d08_a_parameter_that_lifts_nothing_needs_none(org: World) -> None:
    org.values["max_invitations"] = 2
    org.hire("e1", "e2")
    sent_without_a_question(planned(org, params={"max_invitations": 1000}))


def test_d08_a_cap_that_was_lowered_since_is_not_lifted_without_a_question(org: World) -> None:
    org.values["max_invitations"] = 5
    org.hire("e1", "e2")
    run = planned(org, params={"max_invitations": 1000})
    run.values = {"max_invitations": 1}
    with pytest.raises(AirflowFailException, match="lifts the configured `max_invitations` of 1"):
        run.send()
    assert org.posts() == 0


def test_d08_everybody_of_the_whole_past_needs_an_approval(org: World) -> None:
    org.hire("e1")
    run = planned(org, params={"mode": "full"})
    assert "everybody of the whole past" in run.ask()
    with pytest.raises(AirflowFailException, match="nobody approved it"):
        run.send()
    run.answer("Approve", by="olga")
    run.send()
    assert org.posts() == 1


# -- a rejection -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["Reject", None])
def test_d08_a_rejection_holds_for_its_people_until_an_approval(org: World, answer: str | None) -> None:
    org.values["approval"] = {"above": 2}
    org.hire("e1", "e2", "e3")
    run = planned(org)
    run.ask()
    try:
        run.answer(answer, by="olga")
    except AirflowException:
        assert answer is None
    org.hire("e9")
    sent_without_a_question(planned(org, "other", params={"only_employee": "e9"}))
    for number in (1, 2, 3):
        slice_ = planned(org, f"slice-{number}", params={"only_employee": f"e{number}"})
        assert "1 of its people are in a plan that nobody approved" in slice_.ask()
        with pytest.raises(AirflowFailException, match="nobody approved it"):
            slice_.send()
    org.correct("e1", email="another@example.com")
    moved = planned(org, "moved", params={"only_employee": "e1"})
    assert moved.ask(), "another address is still the same employee"
    moved.answer("Approve", by="olga")
    moved.send()
    assert org.posts() == 2
    org.pass_time(24 * 60 * 60)
    again = planned(org, "again", params={"only_employee": "e2"})
    assert again.ask()
    again.answer("Approve", by="olga")
    again.plan()
    sent_without_a_question(again)


def test_d08_a_rejection_after_the_plan_counts(org: World) -> None:
    org.values["approval"] = {"above": 1}
    org.hire("e1", "e2")
    slice_ = planned(org, "slice", params={"only_employee": "e1"})
    whole = planned(org, "whole")
    whole.ask()
    whole.answer("Reject", by="olga")
    with pytest.raises(AirflowFailException, match="are in a plan that nobody approved"):
        slice_.send()
    assert org.posts() == 0


# -- the configuration -------------------------------------------------------------------------------------------------


def config(**values: Any) -> OnboardingConfig:
    base = {"name": "acme", "warehouse_conn_id": "hr", "query": "hires.sql"}
    return OnboardingConfig.from_mapping({**base, **values}, query_text="SELECT :window_start, :window_end")


def test_both_forms_of_the_threshold_are_one() -> None:
    assert config(approval_above=3).approval_threshold == 3
    assert config(approval={"above": 3}).approval_threshold == 3
    assert config(approval={"above": 0}).approval_threshold == 0
    assert config().approval_threshold is None
    with pytest.raises(ConfigurationError, match="set one of them"):
        config(approval_above=3, approval={"above": 4})
    with pytest.raises(ConfigurationError, match="approval"):
        config(approval={"approver": ["olga"]})
