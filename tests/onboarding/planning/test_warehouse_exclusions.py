"""Exclusions that the warehouse names: until when they last, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.errors import ConfigurationError, SourceError
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.planning.explanation import explain
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.source.columns import SourceRow, check_exclusion_columns
from m3ter_onboarding.source.excluded_people import excluded_people
from tests.support.hire_rows import NOW, decide_rows, row
from tests.support.world import QUERY, World

TODAY = NOW.date()


def plan(*rows: SourceRow, now: datetime = NOW) -> list[Decision]:
    return decide_rows(rows, Facts(), PlanSettings(), now=now)


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
    sqlite_world: World,
) -> None:
    world, until = sqlite_world, (utc_now() + timedelta(days=5)).date()
    excluding = f"SELECT 'On leave' AS exclude, '{until}' AS exclude_until,"
    world.query_text = QUERY.replace("SELECT", excluding, 1)
    world.hire("e1")
    world.whole_run()
    d, w = world.db.tables.decision, world.db.tables.worklist
    with world.db.engine.connect() as connection:
        assert connection.execute(select(d.c.reason, d.c.extra)).all() == [("excluded", {"exclude": "On leave"})]
        assert connection.execute(select(w.c.reason, w.c.closed_at)).all() == [("excluded", None)]
    later = replace(world, now=lambda: utc_now() + timedelta(days=7))
    assert later.decisions(later.plan("later")) == {"e1": "invite:new"}


# -- the query of `exclude` --------------------------------------------------------------------------------------------


def listed(*people: dict[str, Any], hires: Sequence[SourceRow], now: datetime = NOW) -> dict[int, Decision]:
    rows = [SourceRow(number, values) for number, values in enumerate(people, start=1)]
    facts = Facts(excluded_people=excluded_people(rows, time_zone="UTC"))
    return {one.row_no: one for one in decide_rows(hires, facts, PlanSettings(), now=now)}


def test_people_of_the_list_are_excluded_by_either_name() -> None:
    found = listed(
        {"employee_id": "E1", "reason": "leaving"},
        {"email": " PERSON2@example.com"},
        {"employee_id": 3},
        hires=[
            *(row(1), row(2), row(3, employee_id="3"), row(4)),
            row(5, email="person1@example.com"),  # E1's address
            row(6, employee_id="E2"),  # the employee of the second address
        ],
    )
    assert {number for number, one in found.items() if one.name == "skip:excluded"} == {1, 2, 3, 5, 6}
    assert found[4].name == "invite:new"
    assert found[1].extra == {"exclude": "leaving"}
    assert found[1].detail == "The warehouse excludes this person (query of exclude)."


def test_people_of_the_list_are_invited_after_its_last_day_where_they_are() -> None:
    late = datetime(2026, 11, 24, 20, tzinfo=timezone.utc)  # the 25th in Sydney
    hires = [row(1), row(2, time_zone="Australia/Sydney")]
    found = listed(
        *({"employee_id": employee, "until": "2026-11-24"} for employee in ("E1", "E2")), hires=hires, now=late
    )
    assert [found[1].name, found[2].name] == ["skip:excluded", "invite:new"]
    assert "until the end of 2026-11-24" in (found[1].detail or "")


def test_a_row_of_the_list_that_is_wrong_excludes_for_good_or_says_so(caplog: pytest.LogCaptureFixture) -> None:
    found = listed({"employee_id": "E1", "until": "soon"}, {"employee_id": None, "email": " "}, hires=[row(1), row(2)])
    assert [found[1].name, found[2].name] == ["skip:excluded", "invite:new"]
    assert "1 row(s) of the query of `exclude` have neither" in caplog.text
    assert "1 row(s) of the query of `exclude` have an `until` that is no date" in caplog.text


def test_a_name_of_the_list_is_read_without_marks_and_one_that_cannot_be_read_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = listed(
        *({"employee_id": "E\u200b1\u200e"}, {"email": "per\u00adson2@example.com\ufeff"}, {"email": b"\xff"}),
        {"employee_id": 1.5, "email": "person3@example.com"},
        hires=[row(1), row(2), row(3), row(4)],
    )
    assert [found[number].decision for number in (1, 2, 3, 4)] == ["skip", "skip", "skip", "invite"]
    assert "2 row(s) of the query of `exclude` have an employee_id or email that cannot be read" in caplog.text
    assert "person" not in caplog.text


@pytest.mark.parametrize("columns", [("reason",), ("email", "Email"), ("employee_id", "who")])
def test_columns_of_the_list_are_checked(columns: tuple[str, ...]) -> None:
    with pytest.raises(SourceError, match="must have employee_id or email"):
        check_exclusion_columns(columns)
    assert check_exclusion_columns(("EMAIL", "Until")) == ("email", "until")


def test_a_plan_reads_the_list_and_fails_where_it_cannot(sqlite_world: World) -> None:
    world = sqlite_world
    world.hire("e1", "e2")
    world.values["exclude"] = {"query": "left.sql"}
    world.exclusions_text = "SELECT 'e1' AS employee_id, 'left' AS reason;"
    world.whole_run()
    assert world.m3ter.emails() == {"e2@example.com": 1}
    world.exclusions_text = "SELECT employee_id FROM no_such_table"
    with pytest.raises(SourceError, match="refused the query of `exclude`"):
        world.plan("next")


# -- columns of one's own ----------------------------------------------------------------------------------------------


def test_columns_of_ones_own_ride_along_whatever_becomes_of_the_row(sqlite_world: World) -> None:
    world = sqlite_world
    columns = "'Sales' AS Department, 7 AS level, date('2026-01-02') AS since, NULL AS manager,"
    world.query_text = QUERY.replace("SELECT", f"SELECT {columns}", 1)
    world.values["extra_columns"] = ["department", "Level", "since", "manager"]
    world.hire("e1")
    world.hire("e2", first_name="")
    world.snapshot()
    assert set(world.decisions(world.plan("run")).values()) == {"invite:new", "invalid:first_name"}
    with world.db.engine.connect() as connection:
        extra = connection.execute(select(world.db.tables.decision.c.extra)).scalars().all()
    assert extra == [{"department": "Sales", "level": "7", "since": "2026-01-02"}] * 2


def test_a_column_of_ones_own_must_be_listed_and_there(sqlite_world: World) -> None:
    world = sqlite_world
    world.hire("e1")
    world.snapshot()
    world.values["extra_columns"] = ["department"]
    with pytest.raises(SourceError, match="lacks department"):
        world.plan("run")
    world.query_text, world.values["extra_columns"] = QUERY.replace("SELECT", "SELECT 1 AS team,", 1), []
    with pytest.raises(SourceError, match=r"has 'team', which the contract does not know.*extra_columns"):
        world.plan("run")


@pytest.mark.parametrize("names", [["email"], ["a b"], ["x", "X"], [f"c{n}" for n in range(21)]])
def test_names_of_ones_own_columns_are_checked(sqlite_world: World, names: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="extra_columns"):
        sqlite_world.config(extra_columns=names)
