"""Who starts soon and where they stand, which invitations to chase, and the digest: by rows of a ledger."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, text, update

from m3ter_onboarding.ledger.chase import ChaseDays
from m3ter_onboarding.ledger.day_one import Moment
from m3ter_onboarding.ledger.day_one_pass import (
    DayOnePass,
    DigestFigures,
    claim_digest,
    digest_figures,
    list_who_starts,
)
from tests.support.page_plans import scans_of_sqlite, statements_of
from tests.support.starting_people import END, ORG, StartingPeople, people
from tests.support.world import World

UTC = ZoneInfo("UTC")
#: The day after the plans; 2028 is a leap year.
NOW = datetime(2028, 2, 21, 7, tzinfo=timezone.utc)
SOON = date(2028, 2, 29)


@pytest.fixture
def org(world: World) -> StartingPeople:
    """An empty ledger."""
    return StartingPeople(world.db)


@pytest.fixture
def sqlite_org(sqlite_world: World) -> StartingPeople:
    """An empty ledger in SQLite, where the database makes no difference."""
    return StartingPeople(sqlite_world.db)


def list_them(org: StartingPeople, at: datetime = NOW, zone: ZoneInfo = UTC, **days: int) -> dict[str, str]:
    """Make both lists, and return the standings of those who are listed."""
    made = DayOnePass(
        org_id=org.org_id,
        dag_id="m3ter_day_one__test",
        config_name="test",
        now=Moment(at, zone),
        starts_within=days.get("day_one", 14),
        chase=ChaseDays(days.get("starts", 7), days.get("expires", 5)),
        no_successful_run_days=3,
    )
    counts = list_who_starts(org.db, made)
    listed = {key: row.standing for key, row in day_one(org).items() if row.ended_at is None}
    assert {standing.value: many for standing, many in counts.standings.items() if many} == {
        standing: list(listed.values()).count(standing) for standing in set(listed.values())
    }
    assert sum(counts.chase.values()) == len(chased(org))
    return listed


def day_one(org: StartingPeople) -> dict[str, Any]:
    """Return all rows of people who start soon, by employee or address."""
    rows = org.rows("m3ter_onboarding_day_one", "person_key")
    return {key.partition(":")[2]: row for key, row in rows.items() if row.org_id == org.org_id}


def chased(org: StartingPeople) -> dict[str, str]:
    """Return why an invitation is to be chased, by address."""
    rows = org.rows("m3ter_onboarding_chase", "email")
    return {email: row.why for email, row in rows.items() if row.ended_at is None}


def ended(org: StartingPeople, employee: str = "e1") -> str | None:
    """Return why a row of the list is ended; None: it is not."""
    row = day_one(org)[employee]
    return row.ended_why if row.ended_at else None


def days(count: float) -> timedelta:
    return timedelta(days=count)


@pytest.mark.parametrize(
    ("invitation", "decision", "standing"),
    [
        (None, "review:rehire", "not_invited"),
        (None, "skip:too_early", "not_invited"),
        (None, "skip:already_member", "member"),
        # m3ter alone has the invitation that expired; nothing was tried since, or nothing was sent.
        (None, "review:expired", "expired"),
        (None, "skip:cooling_off", "expired"),
        ({"state": "unsent"}, "invite:expired", "expired"),
        ({"state": "unknown"}, "invite:expired", "not_invited"),
        ({"state": "failed"}, "invite:expired", "not_invited"),
        ({"state": "sent", "expires_at": NOW + days(30)}, "invite:expired", "pending"),
        # They joined by another invitation, or in m3ter's console.
        ({"state": "expired", "expires_at": NOW - days(1)}, "skip:already_member", "member"),
        # What was sent or accepted before that decision is over.
        ({"state": "accepted", "accepted_at": END - days(9)}, "review:rehire", "not_invited"),
        ({"state": "accepted", "accepted_at": END + days(1)}, "invite:rehire", "accepted"),
        ({"state": "sent", "expires_at": NOW + days(30)}, "review:missing_in_m3ter", "not_invited"),
        ({"state": "failed"}, "invite:new", "not_invited"),
        ({"state": "unknown"}, "invite:new", "not_invited"),
        ({"state": "sent", "expires_at": NOW + days(30)}, "invite:new", "pending"),
        ({"state": "sent", "expires_at": None}, "invite:new", "pending"),
        ({"state": "adopted", "expires_at": NOW + days(3)}, "skip:already_invited", "expires_before_start"),
        ({"state": "sent", "expires_at": NOW - days(1)}, "skip:already_invited", "expired"),
        ({"state": "expired", "expires_at": NOW - days(1)}, "review:expired", "expired"),
        ({"state": "accepted"}, "skip:already_member", "accepted"),
        ({"state": "accepted", "m3ter_id": None}, "skip:already_member", "member"),
        ({"state": "sent", "expires_at": NOW + days(30)}, "skip:excluded", "pending"),
    ],
)
def test_everybody_who_starts_soon_has_a_standing(
    sqlite_org: StartingPeople, invitation: dict[str, Any] | None, decision: str, standing: str
) -> None:
    decided, _, reason = decision.partition(":")
    plan_id = sqlite_org.plan({"decision": decided, "reason": reason, "start_date": SOON})
    number = sqlite_org.invite(**invitation) if invitation is not None else None
    assert list_them(sqlite_org) == {"e1": standing}
    row = day_one(sqlite_org)["e1"]
    assert (row.decision, row.reason, row.plan_id, row.invitation_id) == (decided, reason, plan_id, number)
    assert (row.first_seen_at, row.standing_since) == (NOW, NOW)
    # Again changes nothing but when it was seen.
    list_them(sqlite_org, NOW + days(1) / 24)
    again = day_one(sqlite_org)["e1"]
    assert (again.item_id, again.standing_since, again.last_seen_at) == (row.item_id, NOW, NOW + days(1) / 24)


def test_days_are_counted_from_today_and_to_the_last_day(org: StartingPeople) -> None:
    today = NOW.date()
    org.plan(
        *(
            {"employee_id": f"d{n}", "start_date": today + days(n), "reason": "rehire", "decision": "review"}
            for n in (-1, 0, 14, 15)
        ),
        {"employee_id": "none"},
    )
    assert set(list_them(org)) == {"d0", "d14"}
    assert set(list_them(org, NOW + days(1))) == {"d14", "d15"}
    assert ended(org, "d0") == "started"


def test_newest_decision_counts_and_a_duplicate_does_not(org: StartingPeople) -> None:
    org.plan({"decision": "review", "reason": "rehire", "start_date": SOON})
    org.plan(
        {"decision": "skip", "reason": "too_early", "start_date": SOON},
        {"decision": "invalid", "reason": "duplicate_in_batch", "start_date": SOON},
        end=END + days(0.1),
    )
    org.plan({"decision": "review", "reason": "expired", "start_date": SOON}, end=END + days(0.2), state="building")
    list_them(org)
    assert day_one(org)["e1"].reason == "too_early"


def test_start_that_is_put_off_leaves_the_list_and_comes_back(sqlite_org: StartingPeople) -> None:
    sqlite_org.plan({"start_date": SOON})
    assert list_them(sqlite_org) == {"e1": "not_invited"}
    sqlite_org.plan({"start_date": date(2028, 6, 1)}, end=END + days(0.5))
    assert list_them(sqlite_org, NOW + days(1)) == {}
    assert ended(sqlite_org) == "later"
    sqlite_org.plan({"start_date": SOON}, end=END + days(1.5))
    assert list_them(sqlite_org, NOW + days(2)) == {"e1": "not_invited"}
    row = day_one(sqlite_org)["e1"]
    assert (row.first_seen_at, row.standing_since, row.ended_at) == (NOW, NOW + days(2), None)


def test_excluded_people_without_an_invitation_are_not_listed(sqlite_org: StartingPeople) -> None:
    sqlite_org.plan({"start_date": SOON})
    list_them(sqlite_org)
    sqlite_org.plan({"start_date": SOON, "decision": "skip", "reason": "excluded"}, end=END + days(0.5))
    assert list_them(sqlite_org) == {}
    assert ended(sqlite_org) == "excluded"


def test_row_that_a_complete_read_of_its_days_no_longer_has_is_gone(org: StartingPeople) -> None:
    org.plan({"start_date": SOON})
    org.plan({"employee_id": "e2", "start_date": SOON}, end=END + days(1), days=3)  # begins a day later
    org.plan({"employee_id": "e2", "start_date": SOON}, end=END + days(1.1), days=9, only_employee="e2")
    org.plan({"employee_id": "e2", "start_date": SOON}, end=END + days(1.2), days=9, dag_id="another")
    org.plan({"employee_id": "e2", "start_date": SOON}, end=END + days(1.3), days=9, state="building")
    assert set(list_them(org)) == {"e1", "e2"}
    org.plan({"employee_id": "e2", "start_date": SOON}, end=END + days(1.4), days=9)
    assert set(list_them(org, NOW + days(1))) == {"e2"}
    assert ended(org) == "gone"


def test_windows_that_had_the_row_narrow_its_days(sqlite_org: StartingPeople) -> None:
    sqlite_org.plan({"start_date": SOON})
    sqlite_org.plan({"start_date": SOON}, end=END + days(3))
    sqlite_org.plan(end=END + days(4))  # it reads from END on
    assert set(list_them(sqlite_org)) == {"e1"}
    sqlite_org.plan(end=END + days(3.5), days=5)  # and this the day before END
    assert set(list_them(sqlite_org)) == set()


def test_address_without_an_employee_is_its_owners(org: StartingPeople) -> None:
    org.plan({"employee_id": "e1", "start_date": SOON})
    org.plan(
        {"employee_id": None, "email": "e1@example.com", "start_date": SOON, "decision": "invalid", "reason": "dates"},
        {"employee_id": None, "email": "nobody@example.com", "start_date": SOON, "decision": "invalid"},
        end=END + days(0.1),
    )
    assert set(list_them(org)) == {"e1", "nobody@example.com"}
    assert day_one(org)["e1"].reason == "dates"


def test_another_organisation_is_left_alone(sqlite_org: StartingPeople) -> None:
    other = StartingPeople(sqlite_org.db, "org-2")
    other.plan({"start_date": SOON})
    list_them(other)
    sqlite_org.plan({"employee_id": "e9", "start_date": SOON})
    list_them(sqlite_org, NOW + days(1))
    assert set(day_one(sqlite_org)) == {"e9"}
    assert {key: row.last_seen_at for key, row in day_one(other).items()} == {"e1": NOW}


# -- whom to chase -----------------------------------------------------------------------------------------------------


def test_invitations_are_chased_by_start_and_by_expiry(org: StartingPeople) -> None:
    near, far = NOW.date() + days(7), NOW.date() + days(8)
    org.plan(
        {"employee_id": "starts", "start_date": near},
        {"employee_id": "later", "start_date": far},
        {"employee_id": "both", "start_date": near},
        {"employee_id": "expires"},
        {"employee_id": "joined", "start_date": near},
    )
    org.invite("starts", expires_at=NOW + days(20))
    org.invite("later", expires_at=NOW + days(20))
    org.invite("both", expires_at=NOW + days(1))
    org.invite("expires", expires_at=datetime(2028, 2, 26, 23, 59, tzinfo=timezone.utc))
    org.invite("longer", expires_at=datetime(2028, 2, 27, tzinfo=timezone.utc))
    org.invite("joined", state="accepted", expires_at=NOW + days(1))
    org.invite(None, email="hand@example.com", state="adopted", dag_id=None, expires_at=NOW + days(1))
    list_them(org)
    assert chased(org) == {
        "starts@example.com": "starts",
        "both@example.com": "both",
        "expires@example.com": "expires",
        "hand@example.com": "expires",
    }
    rows = org.rows("m3ter_onboarding_chase", "email")
    assert (rows["both@example.com"].start_date, rows["hand@example.com"].start_date) == (near, None)


@pytest.mark.parametrize(
    ("state", "after", "why"),
    [
        ("accepted", days(1), "accepted"),
        ("expired", days(1), "expired"),
        ("superseded", days(1), "over"),
        ("sent", days(5), "started"),
        ("sent", days(40), "expired"),
    ],
)
def test_chase_ends_with_a_reason(sqlite_org: StartingPeople, state: str, after: timedelta, why: str) -> None:
    sqlite_org.plan({"start_date": date(2028, 2, 24)})
    number = sqlite_org.invite(expires_at=NOW + days(30))
    list_them(sqlite_org)
    assert chased(sqlite_org) == {"e1@example.com": "starts"}
    invitation = sqlite_org.db.tables.invitation
    with sqlite_org.db.engine.begin() as connection:
        connection.execute(update(invitation).where(invitation.c.invitation_id == number).values(state=state))
    list_them(sqlite_org, NOW + after)
    (row,) = sqlite_org.rows("m3ter_onboarding_chase", "email").values()
    assert (row.ended_at, row.ended_why) == (NOW + after, why)


# -- days and time zones -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "at", "start", "expires", "standing"),
    [
        # Before and after midnight in Sydney, on 29 February.
        ("Australia/Sydney", "2028-02-28T12:59", "2028-02-29", "2028-02-28T13:00", "expires_before_start"),
        ("Australia/Sydney", "2028-02-28T12:59", "2028-02-29", "2028-02-28T13:01", "pending"),
        # New York, in the nights in which clocks go forward and back.
        ("America/New_York", "2028-03-11T12:00", "2028-03-12", "2028-03-12T05:00", "expires_before_start"),
        ("America/New_York", "2028-03-11T12:00", "2028-03-13", "2028-03-13T04:01", "pending"),
        ("America/New_York", "2028-11-04T12:00", "2028-11-06", "2028-11-06T04:30", "expires_before_start"),
        ("America/New_York", "2028-11-04T12:00", "2028-11-06", "2028-11-06T05:01", "pending"),
    ],
)
def test_first_day_begins_at_midnight_of_the_time_zone(
    sqlite_org: StartingPeople, zone: str, at: str, start: str, expires: str, standing: str
) -> None:
    instant = datetime.fromisoformat(f"{at}+00:00")
    sqlite_org.plan({"start_date": date.fromisoformat(start)}, end=instant - days(1))
    sqlite_org.invite(expires_at=datetime.fromisoformat(f"{expires}+00:00"))
    assert list_them(sqlite_org, instant, ZoneInfo(zone)) == {"e1": standing}


def test_today_is_the_day_of_the_time_zone(sqlite_org: StartingPeople) -> None:
    sqlite_org.plan({"start_date": SOON})
    sydney = ZoneInfo("Australia/Sydney")
    assert list_them(sqlite_org, datetime(2028, 2, 29, 12, tzinfo=timezone.utc), sydney) == {"e1": "not_invited"}
    assert list_them(sqlite_org, datetime(2028, 2, 29, 13, tzinfo=timezone.utc), sydney) == {}
    assert ended(sqlite_org) == "started"


# -- the digest --------------------------------------------------------------------------------------------------------


def figures(org: StartingPeople, at: datetime = NOW, zone: ZoneInfo = UTC) -> DigestFigures:
    return digest_figures(org.db, org.org_id, Moment(at, zone), 3)


def test_figures_of_a_digest(org: StartingPeople) -> None:
    org.plan(
        {"employee_id": "e1", "start_date": SOON, "decision": "skip", "reason": "too_early"},
        {"employee_id": "e2", "start_date": SOON, "decision": "review", "reason": "rehire"},
        {"employee_id": "e3", "start_date": NOW.date()},
    )
    org.invite("e3", sent_at=NOW, expires_at=NOW + days(10))
    org.invite("e4", sent_at=datetime(2028, 2, 21, tzinfo=timezone.utc), expires_at=NOW + days(29))
    org.invite("e5", sent_at=datetime(2028, 2, 20, 23, 59, tzinfo=timezone.utc), state="accepted")
    list_them(org)
    assert figures(org) == DigestFigures({"not_invited": 2, "pending": 1}, 1, 1, 2, None)
    # It is already the 22nd in Auckland.
    assert figures(org, NOW + days(0.2), ZoneInfo("Pacific/Auckland")).sent_today == 0


def test_days_without_a_success_count_from_the_last_one(org: StartingPeople) -> None:
    org.plan()
    org.plan(end=END + days(5), only_employee="e1")
    list_them(org)
    assert [figures(org, END + days(n)).days_without_success for n in (2.9, 3, 9.5)] == [None, 3, 9]
    run = org.db.tables.run
    with org.db.engine.begin() as connection:
        connection.execute(update(run).values(outcome="failed"))
    assert figures(org, END + days(4)).days_without_success == 4


def test_organisation_without_any_run_is_named_after_as_many_days(org: StartingPeople) -> None:
    list_them(org)
    assert figures(org, NOW + days(2)).days_without_success is None
    list_them(org, NOW + days(3))
    assert figures(org, NOW + days(3)).days_without_success == 3


def test_digest_is_claimed_once_a_day_by_the_time_zone(org: StartingPeople) -> None:
    list_them(org)
    sydney = ZoneInfo("Australia/Sydney")

    def claims(at: datetime, token: str) -> bool:
        return claim_digest(org.db, org.org_id, Moment(at, sydney), token)

    begin = datetime(2028, 2, 28, 12, 59, tzinfo=timezone.utc)
    assert claims(begin, "a")
    assert claims(begin, "a")  # the COMMIT's answer was lost
    assert not claims(begin, "b")
    assert claims(begin + timedelta(minutes=1), "c")
    assert not claims(begin, "d")


# -- effort ------------------------------------------------------------------------------------------------------------


def test_no_statement_reads_a_whole_table(sqlite_org: StartingPeople) -> None:
    sqlite_org.plan(*people(SOON, 3))
    sqlite_org.invite("p1", expires_at=NOW + days(2))
    sqlite_org.plan(*people(SOON, 1), end=END + days(1))
    list_them(sqlite_org)
    with statements_of(Engine) as watched:
        list_them(sqlite_org, NOW + days(1))
        figures(sqlite_org)
    watched.ran = [one for one in watched.ran if "ORDER BY" not in one[0]]  # the test's own
    assert len(watched.ran) > 10
    assert scans_of_sqlite(sqlite_org.db.engine, watched) == []


@pytest.mark.slow
def test_history_costs_nothing(sqlite_org: StartingPeople) -> None:
    """100,000 decisions and invitations of people who started long ago, beside three who start soon."""
    old = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)"
    sqlite_org.plan(end=END - days(900))
    at = "2025-01-01 00:00:00"
    decision = "plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, start_date, decided_at"
    invitation = "org_id, email_key, email, generation, employee_id, state, origin, sent_at, created_at, updated_at"
    name = "'old' || i"
    with sqlite_org.db.engine.begin() as connection:
        for into, values in (
            (
                f"m3ter_onboarding_decision ({decision})",
                f"'plan-{ORG}-1', i, '{ORG}', {name}, {name}, {name}, 'skip', 'already_member', '2020-01-01', '{at}'",
            ),
            (
                f"m3ter_invitation ({invitation})",
                f"'{ORG}', {name}, {name}, 1, {name}, 'accepted', 'claimed', '{at}', '{at}', '{at}'",
            ),
        ):
            connection.execute(text(f"INSERT INTO {into} {old} SELECT {values} FROM n"))
    sqlite_org.plan(*people(SOON, 3))
    sqlite_org.invite("p1", expires_at=NOW + days(2))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with sqlite_org.db.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.set_progress_handler(count, 100)
    assert set(list_them(sqlite_org)) == {"p0", "p1", "p2"}
    figures(sqlite_org)
    assert 0 < steps * 100 < 20_000  # of SQLite's own steps: a scan of one table would take 300,000
