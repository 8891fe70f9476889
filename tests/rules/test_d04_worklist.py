"""D4: what a person or a setting can still change stays in the window, and in the worklist, until it is answered."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select, update

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.worklist_counts import WorklistCounts, count_worklist
from m3ter_onboarding.reporting.run_report import BesideTheLedger, make_report
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import World

POST = "CreateOrgUserInvitation"
#: In the past: a window that reaches into the future is never caught up, and would hide what is forgotten.
DAY = datetime.now(timezone.utc).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=60)


@pytest.fixture
def org(sqlite_world: World) -> Iterator[World]:
    """An organisation, connected; the days of a look-back are over after a long weekend."""
    sqlite_world.values.update(look_back_days=3, fail_on_refused=False)
    with m3ter_connection(sqlite_world):
        yield sqlite_world


def on_day(org: World, day: int, run_id: str = "", *, run_type: str = "scheduled", **params: Any) -> TaskRun:
    """Run the DAG as it does on a day after the first."""
    end = DAY + timedelta(days=day)
    made = TaskRun(org, run_id or f"day-{day}", (end - timedelta(days=1), end), run_type=run_type, params=params)
    return made.all()


def hire(org: World, *employees: str, **columns: Any) -> None:
    """Load rows on the first day."""
    org.hire(*employees, **{"loaded_at": DAY - timedelta(hours=12), **columns})


def key_of(run: TaskRun) -> RunKey:
    return RunKey(run.dag_id, run.run_id)


def listed(org: World) -> dict[str, int]:
    """Return the open questions by decision and reason."""
    return dict(count_worklist(org.db, org.m3ter.org_id, None, datetime.now(timezone.utc)).open)


def emails(org: World) -> dict[str, int]:
    return org.emails()


@pytest.mark.parametrize(
    ("row", "before", "after", "reason"),
    [
        (
            {"permission_policies": "Later"},
            {"allowed_permission_policies": ["Later"]},
            {"allowed_permission_policies": ["Later"]},
            "invalid:policy",
        ),
        (
            {"permission_policies": "Later"},
            {"allowed_permission_policies": []},
            {"allowed_permission_policies": ["Later"]},
            "review:policy_not_allowed",
        ),
        (
            {"permission_policies": "Later"},
            {},
            {"allowed_permission_policies": ["Later"]},
            "review:policy_not_allowed",
        ),
        ({}, {"exclude": {"domains": ["example.com"]}}, {"exclude": {}}, "skip:excluded"),
        ({"start_date": "2099-01-20"}, {"invite_days_before_start": 30}, {}, "skip:too_early"),
    ],
    ids=["policy made later", "policy allowed later", "policy named later", "exclusion lifted", "lead time dropped"],
)
def test_d04_setting_that_changes_after_the_look_back_reaches_the_person(
    org: World, row: dict[str, Any], before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    if reason != "invalid:policy":
        org.m3ter.seed(policies=[{"name": "Later"}])
    hire(org, "e1", **row)
    values = dict(org.values)
    org.values.update(before)
    for day in (0, 1, 2, 3, 4, 5):
        on_day(org, day)
        assert listed(org) == {reason: 1}
    assert emails(org) == {}
    org.m3ter.seed(policies=[{"name": "Later"}] if reason == "invalid:policy" else [])
    org.values.clear()
    org.values.update(values, **after)
    on_day(org, 6)
    assert emails(org) == {"e1@example.com": 1}
    assert listed(org) == {}


def test_d04_domain_allowed_after_the_look_back_reaches_the_person(world: World) -> None:
    world.values.update(look_back_days=3)
    hire(world, "e1")
    for day in range(6):
        with m3ter_connection(world, allowed_domains=["elsewhere.example"]):
            on_day(world, day)
        assert listed(world) == {"skip:domain_not_allowed": 1}
    with m3ter_connection(world):
        on_day(world, 6)
    assert emails(world) == {"e1@example.com": 1}


def test_d04_five_days_of_a_wrong_domain_drop_nobody_who_waits(world: World) -> None:
    world.values.update(look_back_days=3, fail_on_refused=False)
    hire(world, "e1")
    world.m3ter.faults(operation=POST, kind="status", status=400)
    with m3ter_connection(world):
        on_day(world, 0)
    world.m3ter.clear_faults()
    world.correct("e1", last_name="Corrected")
    for day in range(1, 6):
        with m3ter_connection(world, allowed_domains=["elsewhere.example"]):
            on_day(world, day)
    with m3ter_connection(world):
        on_day(world, 6)
    assert emails(world) == {"e1@example.com": 1}


@pytest.mark.parametrize(
    ("setting", "held", "reason"),
    [
        ({"if_rehire": "invite"}, {"users": [{"email": "e1@example.com", "dtEndAccess": "-10d"}]}, "review:rehire"),
        ({"reinvite": "once"}, {"invitations": [{"email": "e1@example.com", "dtCreated": "-45d"}]}, "review:expired"),
    ],
)
def test_d04_answer_by_setting_after_the_look_back_reaches_the_person(
    org: World, setting: dict[str, str], held: dict[str, Sequence[dict[str, Any]]], reason: str
) -> None:
    org.m3ter.seed(**held)
    hire(org, "e1")
    for day in range(6):
        on_day(org, day)
    assert listed(org) == {reason: 1}
    org.values.update(setting)
    on_day(org, 6)
    assert emails(org) == {"e1@example.com": 1}
    assert listed(org) == {}


def test_d04_somebody_who_cools_off_stays_in_the_window(org: World) -> None:
    org.m3ter.seed(invitations=[{"email": "e1@example.com", "dtCreated": "-31d"}])
    org.values.update(reinvite="once", cool_off_days=5)
    hire(org, "e1")
    for day in range(6):
        on_day(org, day)
    assert listed(org) == {"skip:cooling_off": 1}
    org.values["cool_off_days"] = 0
    on_day(org, 6)
    assert emails(org) == {"e1@example.com": 1}
    assert listed(org) == {}


def test_d04_row_mended_without_a_new_load_date_reaches_the_person(org: World) -> None:
    hire(org, "e1", first_name="")
    for day in range(6):
        on_day(org, day)
    assert listed(org) == {"invalid:first_name": 1}
    org.correct("e1", first_name="Given")
    on_day(org, 6)
    assert emails(org) == {"e1@example.com": 1}


def test_d04_no_other_plan_closes_a_question(org: World) -> None:
    org.m3ter.seed(users=[{"email": "e1@example.com", "dtEndAccess": "-10d"}])
    hire(org, "e1")
    on_day(org, 0)
    hire(org, "e2", loaded_at=DAY + timedelta(hours=12))
    on_day(org, 1, "look", mode="dry_run", only_employee="e2")
    on_day(org, -40, "old day", run_type="backfill")
    on_day(org, 1, "one", only_employee="e2")
    assert listed(org) == {"review:rehire": 1}
    assert emails(org) == {"e2@example.com": 1}


def test_d04_dry_run_neither_opens_nor_answers_a_question(org: World) -> None:
    hire(org, "e1", first_name="")
    on_day(org, 0, "look", mode="dry_run")
    assert listed(org) == {}
    on_day(org, 0)
    org.correct("e1", first_name="Given")
    on_day(org, 0, "look again", mode="dry_run")
    assert listed(org) == {"invalid:first_name": 1}


def test_d04_invitation_by_hand_that_expires_is_a_question(org: World) -> None:
    """The run that finds it expired comes long after the days of the row."""
    created = org.m3ter.seed(invitations=[{"email": "e1@example.com"}])["invitations"]
    assert created
    hire(org, "e1")
    on_day(org, 0)
    assert listed(org) == {}
    org.m3ter.expire("e1@example.com")
    org.values["full_snapshot_every"] = "1s"
    on_day(org, 20)
    assert listed(org) == {"review:expired": 1}


def test_d04_renamed_configuration_forgets_nobody(org: World) -> None:
    hire(org, "e1", start_date="2099-01-20")
    hire(org, "e2", first_name="")
    org.values["invite_days_before_start"] = 30
    on_day(org, 0)
    del org.values["invite_days_before_start"]
    org.correct("e2", first_name="Given")
    end = DAY + timedelta(days=20)
    TaskRun(org, "renamed", (end - timedelta(days=1), end), dag_id="m3ter_onboarding__renamed").all()
    assert emails(org) == {"e1@example.com": 1, "e2@example.com": 1}


def test_d04_row_that_is_gone_from_the_query_is_no_question_until_it_is_back(org: World) -> None:
    hire(org, "e1", first_name="")
    on_day(org, 0)
    move(org, "e1", DAY + timedelta(days=300))
    on_day(org, 1)
    assert listed(org) == {}
    move(org, "e1", DAY - timedelta(hours=12))
    on_day(org, 9)
    assert listed(org) == {"invalid:first_name": 1}


def test_d04_question_is_given_up_by_age_and_stays_so(org: World) -> None:
    org.values["max_age_days"] = 30
    hire(org, "e1", first_name="")
    on_day(org, 0)
    w = org.db.tables.worklist
    with org.db.engine.begin() as connection:
        first = connection.execute(select(w.c.opened_at)).scalar_one()
        connection.execute(update(w).values(opened_at=first - timedelta(days=31)))
    for day in (1, 2):
        on_day(org, day)
        assert listed(org) == {}
    with org.db.engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(select(w.c.reason, w.c.closed_why))] == [
            ("first_name", "too_old")
        ]


def test_d04_question_stays_as_long_as_the_plan_may_invite(org: World) -> None:
    """Plans count whole days, where the hire is: on the thirtieth the answer still comes in time."""
    org.values["max_age_days"] = 30
    org.m3ter.seed(users=[{"email": "e1@example.com", "dtEndAccess": "-50d"}])
    hire(org, "e1", start_date=(utc_now() - timedelta(days=30)).date())
    on_day(org, 0)
    w = org.db.tables.worklist
    with org.db.engine.begin() as connection:
        connection.execute(update(w).values(opened_at=utc_now() - timedelta(days=40)))
    on_day(org, 1)
    assert listed(org) == {"review:rehire": 1}
    org.values["if_rehire"] = "invite"
    on_day(org, 2)
    assert emails(org) == {"e1@example.com": 1}


@pytest.mark.parametrize("start", ["9999-12-31", "infinity", "10000-01-01", "8999-12-31", "1900-01-01"])
def test_d04_no_start_date_of_one_row_stops_later_plans(world: World, start: str) -> None:
    world.hire("e1", start_date=start)
    world.hire("e2")
    world.snapshot()
    for run in ("first", "second", "third"):
        plan = world.plan(run)
        assert world.decisions(plan)["e2"] == "invite:new"
    world.send(plan, "third")
    assert world.emails().get("e2@example.com") == 1


def test_d04_the_last_of_all_days_in_a_ledger_stops_nothing(world: World) -> None:
    """A version before this one kept it with the row that it had made invalid."""
    world.hire("e1", start_date="2030-02-30")
    world.snapshot()
    world.plan("first")
    for table in (world.db.tables.worklist, world.db.tables.decision):
        with world.db.engine.begin() as connection:
            connection.execute(update(table).values(start_date=date(9999, 12, 31)))
    assert world.decisions(world.plan("second")) == {"e1": "invalid:dates"}


def test_d04_member_in_a_domain_that_is_closed_is_no_question(world: World) -> None:
    world.m3ter.seed(users=[{"email": "e1@example.com"}])
    hire(world, "e1")
    with m3ter_connection(world, allowed_domains=["elsewhere.example"]):
        on_day(world, 0)
    assert listed(world) == {}


def test_d04_duplicate_of_somebody_who_is_invited_is_no_question(org: World) -> None:
    hire(org, "e1", "e1")
    hire(org, "e2", email="e1@example.com")
    on_day(org, 0)
    assert listed(org) == {"invalid:duplicate_in_batch": 1}
    assert emails(org) == {"e1@example.com": 1}


def move(org: World, employee: str, loaded_at: datetime) -> None:
    org.correct(employee, loaded_at=loaded_at)


def test_d04_renamed_dag_catches_up_the_days_of_a_pause(org: World) -> None:
    """Loaded while everything was paused, then renamed: the new DAG goes on where the old one had stopped."""
    on_day(org, 0)
    hire(org, "e1", loaded_at=DAY + timedelta(days=2))
    end = DAY + timedelta(days=20)
    TaskRun(org, "renamed", (end - timedelta(days=1), end), dag_id="m3ter_onboarding__renamed").all()
    assert emails(org) == {"e1@example.com": 1}


def test_d04_first_run_in_a_new_ledger_says_that_it_knows_nobody(org: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    hire(org, "e1", loaded_at=DAY - timedelta(days=30))
    on_day(org, 0)
    assert emails(org) == {}
    assert "This ledger holds no earlier run of organisation" in caplog.text
    caplog.clear()
    on_day(org, 1)
    assert "no earlier run" not in caplog.text


def test_d04_report_lists_the_worklist_and_what_was_given_up(org: World) -> None:
    org.values["max_age_days"] = 30
    hire(org, "e1", first_name="")
    org.m3ter.seed(users=[{"email": "e2@example.com", "dtEndAccess": "-10d"}])
    hire(org, "e2")
    first = on_day(org, 0)
    assert first.xcoms["report"]["worklist"] == {"invalid:first_name": 1, "review:rehire": 1}
    w = org.db.tables.worklist
    with org.db.engine.begin() as connection:
        connection.execute(update(w).where(w.c.employee_id == "e1").values(opened_at=DAY - timedelta(days=300)))
    org.values["if_rehire"] = "invite"
    report = make_report(org.db, key_of(on_day(org, 1)), BesideTheLedger(org.m3ter.org_id, True, "normal", True, {}))
    assert report.worklist == WorklistCounts(answered=1, too_old=1)
    assert "Given up by this plan: 1 of the worklist" in "\n".join(report.lines())
