"""Addresses that may be aliases of another one are pointed out, and invited all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.planning.employee_spellings import other_spellings, spelling_key
from m3ter_provider.email_identity import alias_key
from tests.support.hire_table import HIRES
from tests.support.world import World


@pytest.mark.parametrize(
    ("key", "alias"),
    [
        ("ann@example.com", "ann@example.com"),
        ("ann+m3ter@example.com", "ann@example.com"),
        ("a.n.n+x+y@example.com", "ann@example.com"),
        ("no address", "no address"),
    ],
)
def test_an_alias_key_leaves_out_tags_and_dots(key: str, alias: str) -> None:
    assert alias_key(key) == alias


def details(world: World, plan_id: str) -> dict[str, str]:
    d = world.db.tables.decision.c
    with world.db.engine.connect() as connection:
        rows = connection.execute(select(d.employee_id, d.detail).where(d.plan_id == plan_id)).all()
    return {row.employee_id: row.detail for row in rows}


def test_aliases_of_members_and_invited_people_are_pointed_out(world: World) -> None:
    world.m3ter.seed(
        users=[{"email": "ann@example.com"}, {"email": "left@example.com", "dtEndAccess": "2020-01-01T00:00:00Z"}]
    )
    world.m3ter.seed(invitations=[{"email": "bo.b@example.com"}])
    world.hire("e1", email="ann+m3ter@example.com")
    world.hire("e2", email="b.ob@example.com")
    world.hire("e3", email="left+again@example.com")
    world.hire("e4", email="carl@example.com")
    world.hire("e5", email="c.arl@example.com")
    world.hire("e6", email="ann@example.org")
    world.snapshot()
    plan = world.plan("run")
    assert set(world.decisions(plan).values()) == {"invite:new"}
    found = {employee: detail for employee, detail in details(world, plan.plan_id).items() if "alias" in detail}
    assert {key: detail.partition("alias ")[2] for key, detail in found.items()} == {
        "e1": "of one that m3ter has invited or made a member.",
        "e2": "of one that m3ter has invited or made a member.",
        "e4": "of the one in row 5.",
        "e5": "of the one in row 4.",
    }


def test_an_invitation_that_expired_is_no_double(sqlite_world: World) -> None:
    world = sqlite_world
    world.m3ter.seed(invitations=[{"email": "bob@example.com"}])
    world.hire("e2", email="b.ob@example.com")
    world.snapshot()
    later = replace(world, now=lambda: utc_now() + timedelta(days=40))
    assert "alias" not in details(world, later.plan("run").plan_id)["e2"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("00123", "123"), ("E1", "e1"), ("123", "123.0"), ("00e1", "E1"), ("00123", "0123.0"), ("0", "000"), ("0", "0.0")],
)
def test_spellings_of_an_id_are_found_from_each_other(one: str, other: str) -> None:
    assert spelling_key(one) == spelling_key(other)
    assert other in other_spellings(one)
    assert one in other_spellings(other)
    assert one not in other_spellings(one)


def test_other_ids_are_other_employees() -> None:
    assert len({spelling_key(one) for one in ("123", "1230", "1.23", "A-1", "A1", "1A", "12.30", "0x1")}) == 8
    assert other_spellings("x" * 250) == frozenset()
    assert len(other_spellings("1")) < 60


def test_an_employee_under_another_spelling_and_address_is_pointed_out(world: World) -> None:
    for employee in ("00123", "E1", "777", "9"):
        world.hire(employee)
    world.snapshot()
    world.send(world.plan("yesterday"), "yesterday")
    world.snapshot()
    with world.db.engine.begin() as connection:
        connection.execute(HIRES.delete())  # loaded anew
    for employee in ("123", "e1", "777.0", "10", "5", "05", "8"):
        world.hire(employee, email=f"new.{employee.strip('.')}@example.com")
    world.hire("008", email="no address")
    found = details(world, world.plan("today", exclude={"employee_ids": ["010"]}).plan_id)
    said = {employee: detail.partition("employee_id may be another spelling ")[2] for employee, detail in found.items()}
    before = "of one that was invited or is a member."
    assert {employee: end for employee, end in said.items() if end} == {
        "123": before,
        "e1": before,
        "777.0": before,
        "10": "of one that is excluded.",
        "5": "of the one in row 2.",
        "05": "of the one in row 5.",
        "8": "of the one in row 1.",
    }
