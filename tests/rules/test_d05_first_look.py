"""docs/delivery.md, rule 5: nothing of a configuration is sent before a dry run or a baseline of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from sqlalchemy import update

from m3ter_onboarding.ledger.figures import figures_of
from tests.support.first_looks import look_first
from tests.support.ledger_rows import decisions
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import DAY, World

ONE = timedelta(days=1)


@pytest.fixture
def org(world: World) -> Iterator[World]:
    """Return an organisation that was never looked at."""
    world.values.update(look_back_days=0, max_age_days=400)
    with m3ter_connection(world):
        yield world


def on_day(org: World, number: int, run_id: str | None = None, **values: Any) -> TaskRun:
    """Run a day with all its tasks."""
    start = DAY + number * ONE
    return TaskRun(org, run_id or f"day-{number}", (start, start + ONE), looked_at=False, **values).all()


def hire(org: World, employee: str, day: int) -> None:
    org.hire(employee, loaded_at=DAY + day * ONE + timedelta(hours=9))


def test_d05_a_first_run_plans_only_and_says_how_to_go_on(org: World, caplog: pytest.LogCaptureFixture) -> None:
    """Unpausing starts a run at once, before the dry run that the guide asks for."""
    caplog.set_level(logging.INFO)
    hire(org, "e1", 0)
    done = on_day(org, 0, run_type="scheduled")
    assert org.posts() == 0
    assert decisions(org.db, done.xcoms["plan"]["plan_id"]) == {"e1": "invite:new"}
    assert done.xcoms["plan"]["sendable"] is False
    assert "Nothing of it will be sent: it would be the first e-mail of this configuration" in caplog.text
    assert "Nothing of it was sent: it would be the first e-mail of this configuration" in caplog.text
    assert "Start one and look at its decisions; then clear this run, or wait for the next one" in caplog.text
    assert done.xcoms["report"]["outcome"] == "success"
    with pytest.raises(AirflowSkipException):
        done.send()


@pytest.mark.parametrize("mode", ["dry_run", "baseline"])
def test_d05_after_a_look_everybody_of_the_days_before_is_invited(org: World, mode: str) -> None:
    """Also those of the days on which the runs planned only, however long nobody looked."""
    for day in range(6):
        hire(org, f"e{day}", day)
    on_day(org, 0), on_day(org, 1)  # the scheduler was then off until day 4
    on_day(org, 4)
    assert org.posts() == 0
    on_day(org, 4, "the look", params={"mode": mode})
    assert org.posts() == 0
    on_day(org, 5)
    assert org.emails() == {f"e{day}@example.com": 1 for day in range(6)}


def test_d05_the_run_itself_is_cleared_after_the_look(org: World) -> None:
    hire(org, "e1", 0)
    on_day(org, 0)
    on_day(org, 0, "the look", params={"mode": "dry_run"})
    on_day(org, 0)
    assert org.emails() == {"e1@example.com": 1}


@pytest.mark.parametrize(
    "params",
    [
        {"mode": "full"},
        {"mode": "retry_failed"},
        {"only_employee": "e1"},
        {"mode": "retry_failed", "only_employee": "e1"},
    ],
    ids=["full", "retry_failed", "one person", "one person again"],
)
def test_d05_no_mode_sends_before_the_look(org: World, params: dict[str, Any]) -> None:
    hire(org, "e1", 0)
    on_day(org, 0, params=params)
    assert org.posts() == 0


def test_d05_a_backfill_that_may_send_waits_for_the_look_too(org: World) -> None:
    hire(org, "e1", 0)
    backfill: dict[str, Any] = {"run_type": "backfill", "params": {"allow_backfill_send": True}}
    on_day(org, 0, "before", **backfill)
    assert org.posts() == 0
    on_day(org, 0, "the look", params={"mode": "dry_run"})
    on_day(org, 0, "after", **backfill)
    assert org.emails() == {"e1@example.com": 1}


def test_d05_a_run_that_planned_only_is_no_look(org: World) -> None:
    """Neither a normal run nor a backfill: nobody asked for a preview."""
    hire(org, "e1", 0)
    on_day(org, 0, "first"), on_day(org, 0, "second"), on_day(org, 0, "third", run_type="backfill")
    on_day(org, 0, "fourth")
    assert org.posts() == 0


def test_d05_a_look_at_one_person_is_for_that_person_alone(org: World) -> None:
    hire(org, "e1", 0), hire(org, "e2", 0)
    on_day(org, 0, "the look", params={"mode": "dry_run", "only_employee": "e1"})
    on_day(org, 0, "everybody")
    on_day(org, 0, "the other", params={"only_employee": "e2"})
    assert org.posts() == 0
    on_day(org, 0, "this one", params={"only_employee": "e1"})
    assert org.emails() == {"e1@example.com": 1}


@pytest.mark.parametrize(
    "look",
    [
        {"config_name": "another"},
        {"org_id": "5a9d0b0c-0000-4000-8000-0000000000ff"},
        {"sealed": False},
        {"mode": "full"},
    ],
    ids=["another configuration", "another organisation", "one that broke off", "a mode that sends"],
)
def test_d05_another_look_does_not_count(org: World, look: dict[str, Any]) -> None:
    """A connection that now leads to the production organisation asks for a look of its own."""
    hire(org, "e1", 0)
    on_day(org, 0, "first")
    look_first(org.db, **{"config_name": "test", "org_id": org.m3ter.org_id, "at": org.now(), **look})
    on_day(org, 0, "second")
    assert org.posts() == 0


def test_d05_a_plan_of_before_the_look_is_not_sent_after_it(org: World) -> None:
    """Nor where somebody changes the XCom that says so: the plan itself may not be sent."""
    hire(org, "e1", 0)
    done = on_day(org, 0, "first")
    on_day(org, 0, "the look", params={"mode": "dry_run"})
    done.xcoms["plan"]["sendable"] = True
    with pytest.raises(AirflowException, match="may not be sent: it would be the first e-mail of this configuration"):
        done.send()
    assert org.posts() == 0


def test_d05_a_run_that_planned_only_is_no_successful_run(org: World) -> None:
    """Those on call learn from "no successful run" that nobody is invited."""
    hire(org, "e1", 0)
    on_day(org, 0)
    assert figures_of(org.db, org.m3ter.org_id, org.now()).last_success is None
    on_day(org, 0, "the look", params={"mode": "dry_run"})
    on_day(org, 1)
    assert figures_of(org.db, org.m3ter.org_id, org.now()).last_success is not None


def test_d05_a_configuration_that_is_only_renamed_needs_no_other_look(org: World) -> None:
    look_first(org.db, "test", org.m3ter.org_id, org.now())
    on_day(org, 0)
    hire(org, "e1", 1)
    on_day(org, 1, values={"name": "renamed"}, dag_id="m3ter_onboarding__renamed")
    assert org.emails() == {"e1@example.com": 1}


def test_d05_a_configuration_that_sent_before_there_was_this_rule_goes_on(org: World) -> None:
    """Else an upgrade of the package would stop every daily run without an error."""
    on_day(org, 0)
    plan = org.db.tables.plan
    with org.db.engine.begin() as connection:  # as an earlier version left it
        connection.execute(update(plan).values(sendable=True, not_sendable_because=None))
    hire(org, "e1", 1)
    on_day(org, 1)
    assert org.emails() == {"e1@example.com": 1}


def test_d05_a_copy_that_planned_only_is_not_looked_at(org: World) -> None:
    hire(org, "e1", 0)
    on_day(org, 0)
    on_day(org, 0, values={"name": "copy"}, dag_id="m3ter_onboarding__copy")
    assert org.posts() == 0


def test_d05_a_renamed_dag_that_waits_for_its_look_forgets_nobody(org: World) -> None:
    """Something else was changed with its name. Its first run read back to where the old one had stopped, and sent
    nothing; the first that sends reads back as far."""
    look_first(org.db, "test", org.m3ter.org_id, org.now())
    on_day(org, 0)
    hire(org, "e1", 2)
    changed = {"name": "renamed", "max_invitations": 99}
    renamed: dict[str, Any] = {"values": changed, "dag_id": "m3ter_onboarding__renamed"}
    on_day(org, 19, **renamed)
    assert org.posts() == 0
    on_day(org, 20, "the look", params={"mode": "dry_run"}, **renamed)
    on_day(org, 21, **renamed)
    assert org.emails() == {"e1@example.com": 1}
