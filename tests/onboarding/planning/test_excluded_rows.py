"""Exclusions that the warehouse names: until when they last, and for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.planning.explanation import explain
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.rules import PlanRules
from m3ter_onboarding.source.columns import SourceRow
from tests.support.hire_rows import NOW, decide_rows, row
from tests.support.world import QUERY, World

TODAY = NOW.date()


def plan(*rows: SourceRow, now: datetime = NOW) -> list[Decision]:
    return decide_rows(rows, Facts(), PlanRules(), now=now)


def decided(now: datetime = NOW, **values: Any) -> Decision:
    [decision] = plan(row(**values), now=now)
    return decision


@pytest.mark.parametrize("value", [True, 1, "true", "Yes", "on parental leave"])
def test_a_row_that_excludes_is_excluded(value: Any) -> None:
    decision = decided(exclude=value)
    assert decision.name == "skip:excluded"
    assert "warehouse" in (decision.detail or "")


@pytest.mark.parametrize("value", [None, False, 0, "", " ", "false", "No", float("nan")])
def test_a_row_that_does_not_exclude_is_invited(value: Any) -> None:
    assert decided(exclude=value, exclude_until="2099-01-01").name == "invite:new"


def test_an_exclusion_lasts_to_the_end_of_its_day_where_the_hire_is() -> None:
    late = datetime(2026, 11, 24, 20, tzinfo=timezone.utc)  # the 25th in Sydney
    until = date(2026, 11, 24)
    assert decided(late, exclude="x", exclude_until=until).name == "skip:excluded"
    assert decided(late, exclude="x", exclude_until=until, time_zone="Australia/Sydney").name == "invite:new"
    assert decided(late, exclude="x", exclude_until="9999-12-31").name == "skip:excluded"


def test_the_reason_is_kept_and_neither_shown_nor_explained() -> None:
    decision = decided(exclude="Leave of Ann", exclude_until=TODAY)
    assert decision.extra == {"exclude": "Leave of Ann"}
    assert "Ann" not in repr(decision)
    assert "Ann" not in "".join(explain(decision))
    assert TODAY.isoformat() in (decision.detail or "")


@pytest.mark.parametrize("values", [{"exclude": ["x"]}, {"exclude": "x" * 201}, {"exclude": "x\u202ey"}])
def test_an_exclusion_that_cannot_be_read_is_invalid(values: dict[str, Any]) -> None:
    assert decided(**values).name == "invalid:exclude"


def test_an_end_that_is_no_day_invites_nobody() -> None:
    assert decided(exclude="x", exclude_until="soon").name == "invalid:dates"


@pytest.mark.parametrize("turned", [False, True])
def test_another_row_of_the_person_is_excluded_too(turned: bool) -> None:
    rows = [
        row(1, exclude="x", exclude_until=TODAY),
        row(2, email="person1@example.com"),
        row(3, employee_id="E1"),
        row(4),
        row(5, exclude="y", exclude_until=TODAY - timedelta(days=1)),
    ]
    names = {one.row_no: one.name for one in plan(*(reversed(rows) if turned else rows))}
    assert names == {**dict.fromkeys((1, 2, 3), "skip:excluded"), 4: "invite:new", 5: "invite:new"}


def test_an_exclusion_is_in_ledger_and_worklist_until_it_ends(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, until = sqlite_world, (utc_now() + timedelta(days=5)).date()
    excluding = f"SELECT 'On leave' AS exclude, '{until}' AS exclude_until,"
    monkeypatch.setattr("tests.support.world.QUERY", QUERY.replace("SELECT", excluding, 1))
    world.hire("e1")
    world.whole_run()
    d, w = world.db.tables.decision, world.db.tables.worklist
    with world.db.engine.connect() as connection:
        assert connection.execute(select(d.c.reason, d.c.extra)).all() == [("excluded", {"exclude": "On leave"})]
        assert connection.execute(select(w.c.reason, w.c.closed_at)).all() == [("excluded", None)]
    later = replace(world, now=lambda: utc_now() + timedelta(days=7))
    assert later.decisions(later.plan("later")) == {"e1": "invite:new"}
