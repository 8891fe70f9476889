"""docs/delivery.md, rule 7: two people whose addresses differ only in ß and ss are neither e-mailed twice nor one."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from tests.support.world import World

REVIEW = "review:address_looks_alike"
STRAUSZ, STRAUSS = "strauß@example.com", "strauss@example.com"


def open_questions(world: World) -> dict[str, str]:
    w = world.db.tables.worklist.c
    with world.db.engine.connect() as connection:
        rows = connection.execute(select(w.employee_id, w.decision, w.reason).where(w.closed_at.is_(None)))
        return {row.employee_id: f"{row.decision}:{row.reason}" for row in rows}


@pytest.mark.parametrize(("first", "second"), [(STRAUSZ, STRAUSS), (STRAUSS, STRAUSZ), ("ﬁona@x.com", "FIONA@x.com")])
def test_d07_the_second_of_two_people_is_a_question(world: World, first: str, second: str) -> None:
    world.hire("e1", email=first)
    world.whole_run("run-1")
    world.hire("e2", email=second)
    world.snapshot()
    plan = world.plan("run-2")
    assert world.decisions(plan) == {"e1": "skip:already_invited", "e2": REVIEW}
    assert open_questions(world) == {"e2": REVIEW}
    world.send(plan, "run-2")
    assert sum(world.emails().values()) == 1

    # A person invites the second by hand: m3ter has exactly this address.
    world.m3ter.seed(invitations=[{"email": second}])
    world.snapshot()
    assert world.decisions(world.plan("run-3"))["e2"] == "skip:already_invited"
    assert open_questions(world) == {}


def test_d07_two_people_in_one_batch_are_a_question(world: World) -> None:
    world.hire("e1", email=STRAUSZ)
    world.hire("e2", email=STRAUSS)
    world.hire("e3", email="Strauss@Example.com")
    world.snapshot()
    plan = world.plan()
    decisions = world.decisions(plan)
    assert sorted(decisions.values()) in (
        sorted(["invite:new", REVIEW, REVIEW]),
        sorted(["invite:new", REVIEW, "invalid:duplicate_in_batch"]),
    )
    world.send(plan)
    assert sum(world.emails().values()) == 1


@pytest.mark.parametrize("known", ["users", "invitations"])
def test_d07_somebody_else_in_m3ter_is_a_question(world: World, known: str) -> None:
    world.m3ter.seed(**{known: [{"email": STRAUSS}]})
    world.hire("e1", email=STRAUSZ)
    world.snapshot()
    assert world.decisions(world.plan()) == {"e1": REVIEW}


def test_d07_a_person_whom_we_invited_is_known_though_m3ter_spells_them_otherwise(world: World) -> None:
    world.hire("e1", email=STRAUSZ)
    world.whole_run("run-1")
    world.m3ter.seed(users=[{"email": STRAUSS}])
    world.snapshot()
    assert world.decisions(world.plan("run-2")) == {"e1": "skip:already_member"}


def test_d07_keys_of_older_ledgers_are_found(world: World) -> None:
    # Older versions wrote the same keys; what they had merged is a question now.
    world.hire("e1", email=STRAUSS)
    world.whole_run("run-1")
    i = world.db.tables.invitation
    with world.db.engine.begin() as connection:
        assert connection.execute(select(i.c.email_key)).scalars().all() == [STRAUSS]
        connection.execute(update(i).values(generation=3))
    world.hire("e2", email=STRAUSZ)
    world.snapshot()
    assert world.decisions(world.plan("run-2")) == {"e1": "skip:already_invited", "e2": REVIEW}
