"""Decisions are stored as they were made, whatever stands in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger import plans
from m3ter_onboarding.ledger.decision_rows import COLUMNS, DecisionRow, DecisionRows, write_decisions
from m3ter_onboarding.ledger.decisions import Decision, sealed_request
from m3ter_onboarding.ledger.sealing import canonical
from m3ter_provider.models import InvitationRequest
from tests.support.world import WINDOW, World

NOW = datetime(2030, 1, 2, 3, 4, 5, 678900, tzinfo=timezone.utc)
REQUEST = InvitationRequest(email="ann@example.com", first_name="Ähn", last_name="O'Hara")
PLAIN = Decision(1, "skip", "excluded", "E1", "ann@example.com", "ann@example.com", detail="As is.")


def begin(world: World, at: datetime = NOW) -> DecisionRows:
    plan_id, org_id = str(uuid4()), world.m3ter.org_id
    beginning = plans.PlanBeginning(org_id, "normal", WINDOW.start, WINDOW.end, at)
    plans.begin_plan(world.db, world.run("run-1"), plan_id, beginning)
    return DecisionRows(world.db, plan_id, org_id, at, world.seals)


def write(world: World, rows: DecisionRows, *parts: Sequence[Decision]) -> None:
    made = [[rows.of(one, canonical(one.request.to_json()) if one.request else None) for one in part] for part in parts]
    write_decisions(world.db, rows, made)


def stored(world: World, rows: DecisionRows) -> list[tuple[object, ...]]:
    d = world.db.tables.decision
    with world.db.engine.connect() as connection:
        return [
            tuple(row) for row in connection.execute(select(d).where(d.c.plan_id == rows.plan_id).order_by("row_no"))
        ]


def test_a_whole_second_is_found_as_every_instant_is(world: World) -> None:
    at = NOW.replace(microsecond=0)
    rows = begin(world, at)
    write(world, rows, [PLAIN])
    d = world.db.tables.decision.c
    with world.db.engine.connect() as connection:
        assert connection.execute(select(d.row_no).where(d.decided_at == at)).scalars().all() == [1]
        assert connection.execute(select(d.row_no).where(d.decided_at < at)).scalars().all() == []


def test_every_column_comes_back(world: World) -> None:
    rows = begin(world)
    extra = {"note": "tab\t\\N {a,\"b\"} 'c' NULL %s :x"}
    full = Decision(
        *(7, "invite", "new", "E7", "Ann@example.com", "ann@example.com", REQUEST, "f" * 64, "Nothing.\nAt all."),
        *(date(2030, 2, 1), 12, extra),
        person_name="Ann O'Hara",
        wrong_value="%s {,}",
    )
    write(world, rows, [PLAIN], [], [full])
    first, last = stored(world, rows)
    plan = (rows.plan_id, 1, world.m3ter.org_id)
    assert first == (
        *plan,
        *("E1", "ann@example.com", "ann@example.com", "skip", "excluded", "As is."),
        *[None] * 8,
        NOW,
    )
    d = world.db.tables.decision
    named = dict(zip(d.c.keys(), last, strict=True))
    assert named["request"] == REQUEST.to_json()
    assert (named["extra"], named["start_date"], named["invitation_id"]) == (extra, date(2030, 2, 1), 12)
    assert (named["person_name"], named["wrong_value"]) == ("Ann O'Hara", "%s {,}")
    assert (named["email"], named["detail"], named["decided_at"]) == ("Ann@example.com", "Nothing.\nAt all.", NOW)
    assert world.seals.holds(str(named["seal"]), world.seals.of_request(sealed_request(named)))


def test_what_no_database_stores_is_made_storable(world: World) -> None:
    rows = begin(world)
    strange = Decision(1, "invalid", "email", "a\0b", "\ud800" + "x" * 500, "y" * 500, detail="\0")
    write(world, rows, [strange])
    [row] = stored(world, rows)
    assert str(row[3]).startswith("unreadable:")
    assert row[4] == "\ufffd" + "x" * 399
    assert str(row[5]).startswith("unreadable:")
    assert row[8] == "\ufffd"


@pytest.mark.parametrize(
    ("column", "given", "kept"),
    [
        ("employee_id", "a\0b", "unreadable:"),
        ("employee_id", "y" * 300, "unreadable:"),
        ("email", "\ud800" + "x" * 500, "\ufffd" + "x" * 399),
        ("email_key", "é\ud800", "unreadable:"),
        ("email_key", "y" * 500, "unreadable:"),
        ("detail", "\0", "\ufffd"),
    ],
)
def test_one_value_that_no_database_stores_is_enough(sqlite_world: World, column: str, given: str, kept: str) -> None:
    rows = begin(sqlite_world)
    one = PLAIN._replace(**{column: given})
    made = dict(zip(COLUMNS, rows.of(one, None), strict=True))
    plain = dict(zip(COLUMNS, rows.of(PLAIN, None), strict=True))
    assert str(made.pop(column)).startswith(kept)
    plain.pop(column)
    assert made == plain


def test_they_are_written_anew_where_the_transaction_is_repeated(sqlite_world: World) -> None:
    rows, tries = begin(sqlite_world), list[int]()

    class Parts:
        def __iter__(self) -> Iterator[Sequence[DecisionRow]]:
            tries.append(1)
            yield [rows.of(PLAIN, None)]
            if len(tries) == 1:
                raise OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))

    write_decisions(sqlite_world.db, rows, Parts())  # type: ignore[arg-type]
    assert len(stored(sqlite_world, rows)) == 1
    assert len(tries) == 2


def invite(row_no: int, employee: str, address: str) -> Decision:
    return Decision(row_no, "invite", "new", employee, address, address, REQUEST, "f" * 64)


@pytest.mark.parametrize("second", [("E2", "a@example.com"), ("E1", "b@example.com")], ids=["address", "employee"])
def test_a_second_invitation_of_one_person_is_refused_by_the_database(world: World, second: tuple[str, str]) -> None:
    rows = begin(world)
    with pytest.raises(LedgerError, match="writing decisions"):
        write(world, rows, [invite(1, "E1", "a@example.com"), invite(2, *second)])
    assert stored(world, rows) == []


def test_other_rows_of_an_invited_person_are_written_and_so_is_another_plan(world: World) -> None:
    one = invite(1, "E1", "a@example.com")
    others = [
        Decision(number, "invalid", "duplicate_in_batch", "E1", "a@example.com", "a@example.com") for number in (2, 3)
    ]
    first = begin(world)
    write(world, first, [one, *others])
    second = begin(world)
    write(world, second, [one, *others])
    assert [len(stored(world, rows)) for rows in (first, second)] == [3, 3]
