"""The modes of a run: baseline, full, retry_failed; by the tasks themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import instance

from m3ter_onboarding.config.schedule import next_time
from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.ledger import catch_up
from m3ter_onboarding.ledger.runs import read_run
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import DAY, WINDOW, World

POST = "CreateOrgUserInvitation"
LONG_AGO = DAY - timedelta(days=400)


@pytest.fixture
def org(sqlite_world: World) -> Iterator[World]:
    """An organisation on SQLite, connected."""
    sqlite_world.values.update(look_back_days=0, fail_on_refused=False)
    with m3ter_connection(sqlite_world):
        yield sqlite_world


def run(org: World, run_id: str, **params: Any) -> TaskRun:
    return TaskRun(org, run_id, (WINDOW.start, WINDOW.end), params=params)


def decided(org: World, done: TaskRun) -> dict[str, int]:
    return dict(done.xcoms["plan"]["counts"])


def window_start(org: World, done: TaskRun) -> Any:
    row = read_run(org.db, org.run(done.run_id))
    assert row is not None
    return row.window_start


# -- baseline ----------------------------------------------------------------------------------------------------------


def test_a_baseline_adopts_and_sends_nothing(org: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    org.m3ter.seed(invitations=[{"email": "e1@example.com"}], users=[{"email": "e2@example.com"}])
    org.hire("e1", "e2", "e3")
    done = run(org, "first", mode="baseline").all()
    assert org.posts() == 0
    assert done.xcoms["snapshot"]["adopted"] == 1
    assert org.states() == {"e1@example.com": "adopted"} or org.states()["e1@example.com"] == "adopted"
    assert "1 of the people in the query are not in m3ter yet" in caplog.text
    with pytest.raises(AirflowSkipException):
        done.send()
    run(org, "second").all()
    assert org.emails() == {"e3@example.com": 1}


def test_the_run_after_a_baseline_reaches_those_missing_in_m3ter(org: World) -> None:
    org.hire("e1", loaded_at=LONG_AGO)
    begun = run(org, "first", mode="baseline")
    begun.interval = (LONG_AGO - timedelta(days=1), DAY)
    begun.all()
    done = run(org, "second").all()
    assert org.emails() == {"e1@example.com": 1}
    assert window_start(org, done) == LONG_AGO - timedelta(days=1)


def test_a_baseline_catches_up_with_no_day(org: World) -> None:
    org.hire("e1")
    run(org, "first", mode="baseline").all()
    assert catch_up.caught_up_until(org.db, org.run("next"), org.m3ter.org_id, LONG_AGO) is None


def test_a_baseline_reads_all_of_m3ter(org: World) -> None:
    org.m3ter.seed(invitations=[{"email": f"x{n}@example.com", "dtCreated": f"-{n}h"} for n in range(1, 450)])
    first = run(org, "first").all()
    second = run(org, "second").all()
    third = run(org, "third", mode="baseline").all()
    read = [done.xcoms["snapshot"]["invitations"] for done in (first, second, third)]
    assert read == [449, 200, 449]


# -- full --------------------------------------------------------------------------------------------------------------


def test_full_plans_everybody_again_and_sends_nothing_new(org: World) -> None:
    org.hire("e1", loaded_at=LONG_AGO)
    org.hire("e2")
    run(org, "first").all()
    assert org.emails() == {"e2@example.com": 1}
    done = run(org, "second", mode="full").all()
    assert decided(org, done) == {"invite:new": 1, "skip:already_invited": 1}
    assert window_start(org, done).year == 1970
    again = run(org, "third", mode="full").all()
    assert decided(org, again) == {"skip:already_invited": 2}
    assert org.emails() == {"e1@example.com": 1, "e2@example.com": 1}


def test_full_is_for_one_run_unless_it_has_begun(org: World) -> None:
    org.hire("e1", "e2", loaded_at=LONG_AGO)
    with pytest.raises(AirflowFailException, match="max_invitations"):
        run(org, "first", mode="full", max_invitations=1).all()
    after = run(org, "second").all()
    assert decided(org, after) == {}
    assert org.posts() == 0
    org.m3ter.faults(operation=POST, kind="status", status=403, skip=1)
    with pytest.raises(DeliveryError):
        run(org, "third", mode="full").all()
    org.m3ter.clear_faults()
    run(org, "fourth").all()
    assert org.emails() == {"e1@example.com": 1, "e2@example.com": 1}


def test_a_full_run_does_not_invite_those_who_started_long_ago(org: World) -> None:
    org.hire("e1", loaded_at=LONG_AGO, start_date="2020-01-01")
    done = TaskRun(org, "first", (WINDOW.start, WINDOW.end), params={"mode": "full"}, values={"max_age_days": 90}).all()
    assert decided(org, done) == {"skip:too_old": 1}


# -- retry_failed ------------------------------------------------------------------------------------------------------


def refuse(org: World, *employees: str) -> None:
    for employee in employees:
        org.m3ter.faults(operation=POST, kind="status", status=400, email=f"{employee}@example.com")


def test_a_refused_person_is_asked_for_again_once_a_run(org: World) -> None:
    org.hire("e1", "e2")
    refuse(org, "e1", "e2")
    run(org, "first").all()
    assert org.posts() == 2
    assert decided(org, run(org, "second").all()) == {"skip:refused_before": 2}
    done = run(org, "third", mode="retry_failed").all()
    assert decided(org, done) == {"invite:requested": 2}
    assert org.posts() == 4, "each once more, and no third time"
    done.send()
    assert org.posts() == 4
    org.m3ter.clear_faults()
    run(org, "fourth", mode="retry_failed").all()
    assert org.emails() == {"e1@example.com": 1, "e2@example.com": 1}
    assert decided(org, run(org, "fifth", mode="retry_failed").all()) == {"skip:already_invited": 2}


def test_a_person_refused_long_ago_is_read_again(org: World) -> None:
    org.hire("e1", loaded_at=LONG_AGO)
    refuse(org, "e1")
    first = run(org, "first")
    first.interval = (LONG_AGO - timedelta(days=1), LONG_AGO + timedelta(days=1))
    first.all()
    org.m3ter.clear_faults()
    run(org, "second", mode="retry_failed").all()
    assert org.emails() == {"e1@example.com": 1}


def expired(org: World, employee: str) -> None:
    org.m3ter.seed(invitations=[{"email": f"{employee}@example.com", "dtCreated": "-45d"}])


@pytest.mark.parametrize("mode", ["normal", "retry_failed"])
def test_one_person_is_invited_again_when_somebody_asks_for_exactly_them(org: World, mode: str) -> None:
    org.hire("e1", "e2")
    expired(org, "e1")
    expired(org, "e2")
    everybody = run(org, "first", mode=mode).all()
    assert decided(org, everybody) == {"review:expired": 2}
    one = run(org, "second", mode=mode, only_employee="e1").all()
    if mode == "normal":
        assert decided(org, one) == {"review:expired": 1}
        assert org.posts() == 0
    else:
        assert decided(org, one) == {"invite:requested": 1}
        assert org.emails() == {"e1@example.com": 1}
        assert decided(org, run(org, "third", mode=mode, only_employee="e1").all()) == {"skip:already_invited": 1}


def test_a_member_whose_access_ended_is_invited_again_when_somebody_asks(org: World) -> None:
    org.hire("e1")
    org.m3ter.seed(users=[{"email": "e1@example.com", "dtCreated": "-100d", "dtEndAccess": "-1d"}])
    assert decided(org, run(org, "first").all()) == {"review:rehire": 1}
    assert decided(org, run(org, "second", mode="retry_failed", only_employee="e1").all()) == {"invite:requested": 1}
    assert org.emails() == {"e1@example.com": 1}


def test_a_person_of_long_ago_is_found_when_somebody_asks_for_them(org: World) -> None:
    org.hire("e1", loaded_at=LONG_AGO)
    first = run(org, "first")
    first.interval = (LONG_AGO - timedelta(days=1), LONG_AGO + timedelta(days=1))
    expired(org, "e1")
    first.all()
    run(org, "second", mode="retry_failed", only_employee="e1").all()
    assert org.emails() == {"e1@example.com": 1}


# -- what was about others, or sent nothing, widens no later run ------------------------------------------------------


def long_ago_until_now(**params: Any) -> dict[str, Any]:
    start, end = LONG_AGO - timedelta(days=1), WINDOW.end
    return {"interval_start": start.isoformat(), "interval_end": end.isoformat(), **params}


@pytest.mark.parametrize("params", [{"mode": "dry_run"}, {"mode": "baseline", "only_employee": "early"}])
def test_a_look_at_other_days_invites_nobody_of_them_later(org: World, params: dict[str, Any]) -> None:
    org.values.update(invite_days_before_start=10)
    org.hire("bystander", loaded_at=LONG_AGO)
    org.hire("early", loaded_at=LONG_AGO, start_date="2099-01-01")
    run(org, "look", **long_ago_until_now(**params)).all()
    after = run(org, "after").all()
    assert window_start(org, after) == WINDOW.start
    assert org.posts() == 0


def test_a_backfill_that_plans_only_invites_nobody_of_its_days_later(org: World) -> None:
    org.values.update(invite_days_before_start=10)
    org.hire("bystander", loaded_at=LONG_AGO)
    org.hire("early", loaded_at=LONG_AGO, start_date="2099-01-01")
    TaskRun(org, "backfill", (LONG_AGO - timedelta(days=1), LONG_AGO + timedelta(days=1)), run_type="backfill").all()
    run(org, "after").all()
    assert org.posts() == 0


@pytest.mark.parametrize("mode", ["normal", "retry_failed"])
def test_a_wish_about_one_person_invites_nobody_else_later(org: World, mode: str) -> None:
    org.hire("bystander", "wanted", loaded_at=LONG_AGO)
    org.m3ter.faults(operation=POST, kind="status", status=400, count=1)
    run(org, "one", **long_ago_until_now(only_employee="wanted")).all()
    assert org.states() == {"wanted@example.com": "failed"}
    org.m3ter.clear_faults()
    run(org, "after", mode=mode).all()
    assert org.emails() == {}


# -- the right to send -------------------------------------------------------------------------------------------------


def test_a_plan_is_sent_by_its_own_run_only(org: World) -> None:
    org.hire("e1", "e2")
    capped = run(org, "capped", max_invitations=1)
    capped.snapshot()
    capped.plan()
    other = run(org, "other", mode="dry_run")
    other.snapshot()
    other.plan()
    other.xcoms["plan"] = dict(capped.xcoms["plan"])
    with pytest.raises(AirflowFailException, match="is not in the ledger"):
        other.send()
    assert org.posts() == 0


def test_the_cap_counts_the_runs_earlier_plans(org: World) -> None:
    org.values.update(max_invitations=2)
    org.hire("e1", "e2")
    again = run(org, "again").all()
    org.hire("e3")
    again.plan()
    with pytest.raises(AirflowFailException, match="and 2 were sent under earlier plans of this run"):
        again.send()
    assert sum(org.emails().values()) == 2


def test_a_threshold_that_was_lowered_since_the_plan_counts(org: World) -> None:
    org.values.update(approval_above=5)
    org.hire("e1", "e2")
    lowered = run(org, "lowered")
    lowered.snapshot()
    lowered.plan()
    lowered.values = {"approval_above": 1}
    with pytest.raises(AirflowFailException, match=r"needs a person's approval now \(it has more than 1 invitations"):
        lowered.send()
    assert org.posts() == 0


# -- a run by hand reads up to now, as a preview does ------------------------------------------------------------------


def by_hand(org: World, run_id: str, logical_date: datetime | None, **params: Any) -> TaskRun:
    """Return a run as Airflow's form starts it: with now for a logical date, and the schedule's last whole interval."""
    day = (DAY - timedelta(days=1), DAY)
    return TaskRun(org, run_id, day, params=params, values={"schedule": "@daily"}, logical_date=logical_date)


def test_a_run_from_the_form_is_for_the_days_of_its_preview(org: World) -> None:
    org.hire("e1", loaded_at=DAY + timedelta(hours=9))
    now = DAY + timedelta(hours=10)
    preview = TaskRun(
        org,
        "preview",
        (now - timedelta(days=1), now),
        params={"mode": "dry_run"},
        values={"schedule": "@daily"},
    ).all()
    done = by_hand(org, "sends", now).all()
    assert decided(org, preview) == decided(org, done) == {"invite:new": 1}
    assert org.emails() == {"e1@example.com": 1}


@pytest.mark.parametrize(
    ("logical_date", "interval", "run_type"),
    [
        (
            DAY + timedelta(hours=10),
            (DAY - timedelta(days=4), DAY - timedelta(days=3)),
            "manual",
        ),  # written by a person
        (DAY, (DAY - timedelta(days=1), DAY), "scheduled"),
        (DAY + timedelta(hours=10), (DAY - timedelta(days=1), DAY), "backfill"),
    ],
)
def test_days_that_somebody_chose_are_read_and_no_others(
    org: World, logical_date: datetime, interval: tuple[datetime, datetime], run_type: str
) -> None:
    done = TaskRun(org, "run", interval, run_type, values={"schedule": "@daily"}, logical_date=logical_date).all()
    row = read_run(org.db, org.run(done.run_id))
    assert row is not None
    assert (row.interval_start, row.interval_end) == interval


@pytest.mark.parametrize("schedule", ["@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly", "0 6 * * *"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_the_schedules_next_time_is_airflows(schedule: str, zone: str) -> None:
    now = datetime(2027, 3, 14, 12, 30, tzinfo=timezone.utc)  # New York's clocks changed this morning
    ends = CronDataIntervalTimetable(schedule, zone).infer_manual_data_interval(run_after=instance(now)).end
    following = next_time(schedule, zone, ends)
    assert following is not None
    assert ends <= now < following
    assert next_time(schedule, zone, following - timedelta(seconds=1)) == following


# -- a run that may send only the plan that somebody looked at ---------------------------------------------------------


def test_exactly_the_plan_that_was_looked_at_is_sent(org: World) -> None:
    org.hire("e1", "e2")
    seen = run(org, "preview", mode="dry_run").all().xcoms["plan"]["fingerprint"]
    done = run(org, "sends", only_plan=seen).all()
    assert done.xcoms["plan"]["sendable"]
    assert org.emails() == {"e1@example.com": 1, "e2@example.com": 1}


@pytest.mark.parametrize("change", ["one more", "another name", "one less"])
def test_a_plan_that_nobody_looked_at_is_not_sent_for_another(
    org: World, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    org.hire("e1", "e2")
    seen = run(org, "preview", mode="dry_run").all().xcoms["plan"]["fingerprint"]
    if change == "one more":
        org.hire("e3")
    elif change == "another name":
        org.correct("e1", last_name="Another")
    else:
        org.m3ter.seed(users=[{"email": "e1@example.com"}])
    done = run(org, "sends", only_plan=seen).all()
    assert not done.xcoms["plan"]["sendable"]
    assert org.posts() == 0
    assert "Nothing of it was sent: it is not the plan that was looked at" in caplog.text
    after = run(org, "after").all()
    assert after.xcoms["plan"]["sendable"], "nobody is lost"
    assert org.posts() == {"one more": 3, "another name": 2, "one less": 1}[change]
