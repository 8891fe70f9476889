"""The demo's people: the labels written by hand agree with the planner, for any day."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from demo.expectation import compare, expect
from demo.people import Person, people_of
from demo.run import midnight
from demo.scene import ROOT
from demo.start_state import POLICIES
from demo.warehouse import Warehouse
from m3ter_onboarding.config.query_text import for_sqlalchemy
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terPolicy, M3terUser
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.source.columns import SourceRow, check_columns
from m3ter_provider.email_identity import email_key
from tests.support.hire_rows import decide_rows

CONFIG = load_config(ROOT / "include" / "config" / "demo.yaml")


def facts_of(people: list[Person], now: datetime) -> Facts:
    """Return what m3ter holds of the people, as the sandbox is given it."""
    users, invitations = [], []
    for number, person in enumerate(people):
        name, key = f"id-{number}", email_key(str(person.email))
        if person.in_m3ter in {"member", "left"}:
            ended = now - timedelta(days=30) if person.in_m3ter == "left" else None
            users.append(M3terUser(name, key, ended))
        elif person.in_m3ter:
            days = 25 if person.in_m3ter == "invited" else -15
            expires = now + timedelta(days=days)
            invitations.append(M3terInvitation(name, key, False, expires, expires - timedelta(days=30)))
    policies = [M3terPolicy(f"policy-{name}", name, 1) for name in POLICIES]
    return Facts(invitations=invitations, users=users, policies=policies, mirror_full_at=now)


def decide(warehouse: Warehouse, people: list[Person], day: date) -> list[Decision]:
    """Plan one day as the DAG would: read the warehouse by the demo's query, and decide."""
    window = {
        "window_start": f"{midnight(day):%Y-%m-%d %H:%M:%S}",
        "window_end": f"{midnight(day + timedelta(days=1)):%Y-%m-%d %H:%M:%S}",
    }
    with warehouse.connection() as connection:
        cursor = connection.execute(for_sqlalchemy(CONFIG.query_text), window)
        columns = check_columns([column[0] for column in cursor.description])
        rows = [SourceRow(number, dict(zip(columns, row, strict=True))) for number, row in enumerate(cursor, 1)]
    now = midnight(day + timedelta(days=1, hours=6))
    return decide_rows(rows, facts_of(people, now), PlanSettings.from_config(CONFIG), now=now)


@pytest.mark.parametrize("day", [date(2026, 11, 23), date(2028, 2, 29), date(2027, 3, 28), date(2026, 1, 1)])
def test_the_labels_are_what_the_planner_decides(tmp_path: Path, day: date) -> None:
    people = people_of(day, follows=False)
    warehouse = Warehouse(tmp_path / "warehouse.db")
    warehouse.load_day(day, False, people)
    assert warehouse.loaded_days() == {day: False}
    decisions = decide(warehouse, people, day)
    rows = sorted(people, key=lambda person: (person.loaded_at, people.index(person)))
    wanted = Counter(person.label for person in rows if person.either_of is None)
    groups = {person.either_of for person in rows if person.either_of}
    rivals = sum(person.either_of is not None for person in rows)
    wanted["invite:new"] += len(groups)
    wanted["invalid:duplicate_in_batch"] += rivals - len(groups)
    assert Counter(decision.name for decision in decisions) == wanted


def test_a_plan_sends_exactly_the_expected_emails(tmp_path: Path) -> None:
    day = date(2026, 11, 23)
    people = people_of(day, follows=False)
    warehouse = Warehouse(tmp_path / "warehouse.db")
    warehouse.load_day(day, False, people)
    emails = Counter(d.request.email.casefold() for d in decide(warehouse, people, day) if d.request)
    expectation = expect(people)
    assert compare(expectation, emails) == []
    assert emails.total() == expectation.emails > 130


def test_each_difference_is_named() -> None:
    expectation = expect(people_of(date(2026, 11, 23), follows=False))
    right = dict.fromkeys(expectation.one_each, 1) | {min(group): 1 for group in expectation.one_of}
    assert compare(expectation, right) == []
    someone = min(expectation.one_each)
    assert "got no e-mail" in compare(expectation, {**right, someone: 0})[0]
    assert "more than one" in compare(expectation, {**right, someone: 2})[0]
    assert "should not have" in compare(expectation, {**right, "stranger@example.com": 1})[0]
    two = sorted(expectation.one_each)[:2]
    one_of_them = replace(
        expectation, one_each=expectation.one_each - set(two), one_of=(*expectation.one_of, frozenset(two))
    )
    assert compare(one_of_them, {**right, two[0]: 0}) == []
    assert "more than one" in compare(one_of_them, right)[0]


def test_people_follow_from_the_date_alone() -> None:
    day = date(2026, 11, 23)
    assert people_of(day, True) == people_of(day, True)
    addresses = Counter(p.mailbox for offset in range(4) for p in people_of(day + timedelta(days=offset), False))
    assert all(number <= 2 for mailbox, number in addresses.items() if mailbox)
    assert {p.loaded_at.date() for p in people_of(day, True)} == {day}
    assert all(p.loaded_at.tzinfo is timezone.utc for p in people_of(day, True))
