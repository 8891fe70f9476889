"""Which employee an invitation made by hand belongs to, by what earlier plans saw."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert

from m3ter_onboarding.ledger.people import previous_addresses
from tests.support.world import World


def invited_by_hand(world: World, address: str, **values: Any) -> None:
    """Write an invitation as the mirror's comparison adopts it: with an address, and of no employee."""
    row = {"org_id": world.m3ter.org_id, "email_key": address, "email": address, "generation": 1, "state": "adopted"}
    times = {"origin": "found", "created_at": world.now(), "updated_at": world.now()}
    with world.db.engine.begin() as connection:
        connection.execute(insert(world.db.tables.invitation).values({**row, **times, **values}))


def seen(world: World, employee: str, address: str, *, days_ago: int, row_no: int = 1, **values: Any) -> None:
    """Write the decision of a plan that skipped an employee with an address."""
    row = {"plan_id": str(uuid4()), "org_id": world.m3ter.org_id, "row_no": row_no, "employee_id": employee}
    decided = {"decision": "skip", "reason": "already_invited", "decided_at": world.now() - timedelta(days=days_ago)}
    with world.db.engine.begin() as connection:
        connection.execute(insert(world.db.tables.decision).values({**row, "email_key": address, **decided, **values}))


@pytest.fixture
def org(world: World) -> World:
    for address in ("old@example.com", "new@example.com", "another@example.com"):
        invited_by_hand(world, address)
    return world


def previous(world: World, *employees: str) -> dict[str, str]:
    return previous_addresses(world.db, world.m3ter.org_id, employees)


def test_the_latest_decision_says_which_address_is_an_employees(org: World) -> None:
    seen(org, "e1", "new@example.com", days_ago=1)
    seen(org, "e1", "old@example.com", days_ago=2)
    seen(org, "e2", "another@example.com", days_ago=3)
    assert previous(org, "e1", "e2", "e3") == {"e1": "new@example.com", "e2": "another@example.com"}
    assert previous(org, "e2") == {"e2": "another@example.com"}
    assert previous(org) == {}


@pytest.mark.parametrize(
    ("address", "values"),
    [
        ("old@example.com", {"decision": "invite"}),
        ("old@example.com", {"org_id": "another-organisation"}),
        ("unknown@example.com", {}),
    ],
)
def test_other_decisions_say_nothing(org: World, address: str, values: dict[str, str]) -> None:
    seen(org, "e1", address, days_ago=1, **values)
    assert previous(org, "e1") == {}


@pytest.mark.parametrize("values", [{"employee_id": "e9"}, {"state": "expired"}])
def test_an_invitation_that_is_somebodys_or_over_is_nobodys_previous(world: World, values: dict[str, str]) -> None:
    invited_by_hand(world, "old@example.com", **values)
    seen(world, "e1", "old@example.com", days_ago=1)
    assert previous(world, "e1") == {}


def test_many_adopted_invitations_are_asked_about_by_the_few_employees(world: World) -> None:
    addresses = [f"a{number}@example.com" for number in range(5)]
    for address in addresses:
        invited_by_hand(world, address)
    invited_by_hand(world, "e1s@example.com", employee_id="e1")
    for days, address in enumerate(["e1s@example.com", *addresses]):  # the newest is somebody's
        seen(world, "e1", address, days_ago=days)
        seen(world, "e2", address, days_ago=9 - days)
    assert previous(world, "e1") == {"e1": "a0@example.com"}
    assert previous(world, "e2", "e3") == {"e2": "a4@example.com"}
    everybody = previous(world, *(f"e{number}" for number in range(1, 10)))
    assert everybody == {"e1": "a0@example.com", "e2": "a4@example.com"}


def test_of_two_rows_of_one_plan_the_later_counts_either_way(org: World) -> None:
    now = org.now()
    for row_no, address in enumerate(("new@example.com", "old@example.com"), start=1):
        seen(org, "e1", address, days_ago=0, row_no=row_no, plan_id="p", decided_at=now)
    assert previous(org, "e1") == {"e1": "old@example.com"}
    assert previous(org, "e1", "e2", "e3", "e4") == {"e1": "old@example.com"}
