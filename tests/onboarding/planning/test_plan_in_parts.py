"""A plan that is made in parts is the plan that is made at once, in a real ledger."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from m3ter_onboarding.planning import read_rows
from tests.support.world import World


def stored(world: World, plan_id: str) -> list[tuple[Any, ...]]:
    d = world.db.tables.decision
    columns = [column for column in d.c if column.name not in ("plan_id", "decided_at", "seal")]
    with world.db.engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(select(*columns).where(d.c.plan_id == plan_id).order_by(d.c.row_no))
        ]


def asked(world: World) -> set[tuple[Any, ...]]:
    w = world.db.tables.worklist
    with world.db.engine.connect() as connection:
        rows = connection.execute(select(w.c.person_key, w.c.decision, w.c.reason, w.c.closed_why))
        return {tuple(row) for row in rows}


def load(world: World) -> None:
    world.m3ter.seed(
        users=[{"email": "e1@example.com"}, {"email": "old@example.com", "dtEndAccess": "2020-01-01T00:00:00Z"}]
    )
    world.m3ter.seed(invitations=[{"email": "e2@example.com"}])
    world.hire(*(f"e{number}" for number in range(1, 10)))
    world.hire("e4", email="another@example.com")
    world.hire("e10", email="e5@example.com")
    world.hire("e11", email="e.6+work@example.com")
    world.hire("007", "7", email=None)
    world.hire("e12", email="old@example.com")
    world.hire("e13", first_name="")
    world.snapshot()


@pytest.mark.parametrize("at_once", [1, 3])
def test_decisions_fingerprint_and_questions_are_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    load(world)
    whole = world.plan("run-1")
    questions = asked(world)
    assert len(whole.counts) >= 6
    monkeypatch.setattr(read_rows, "AT_ONCE", at_once)
    in_parts = world.plan("run-2")
    assert in_parts.counts == whole.counts
    assert in_parts.fingerprint == whole.fingerprint
    assert stored(world, in_parts.plan_id) == stored(world, whole.plan_id)
    assert asked(world) == questions


def test_answered_questions_are_closed_by_whichever_part_names_the_person(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_rows, "AT_ONCE", 1)
    world.hire("e1", "e2", "e3", first_name="")
    world.snapshot()
    world.plan("run-1")
    assert {(person, closed) for person, _, _, closed in asked(world)} == {(f"employee:e{n}", None) for n in (1, 2, 3)}
    world.correct("e1", first_name="Ann")
    world.correct("e3", first_name="Cy")
    world.plan("run-2")
    closed = {person: why for person, _, _, why in asked(world)}
    assert closed == {"employee:e1": "answered", "employee:e2": None, "employee:e3": "answered"}
