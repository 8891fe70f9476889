"""What m3ter holds of an invitation, compared with what was asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.request_differences import differing_fields, note_differences
from m3ter_onboarding.ledger.worklist import open_since
from m3ter_onboarding.source.window import Window
from tests.support.world import DAY, World

ASKED = {
    "email": "ann@example.com",
    "firstName": "Ann",
    "lastName": "Grove",
    "permissionPolicyIds": ["p1", "p2"],
    "dtEndAccess": "2030-01-31T23:59:59.999Z",
}
HELD = {"id": "i1", "version": 1, **ASKED}


@pytest.mark.parametrize(
    ("held", "fields"),
    [
        ({}, ()),
        ({"email": "ANN@Example.com"}, ()),
        ({"email": "other@example.com"}, ("email",)),
        ({"firstName": "Anna", "lastName": "Groves"}, ("first name", "last name")),
        ({"firstName": " Ann "}, ()),
        ({"permissionPolicyIds": ["p2", "p1"]}, ()),
        ({"permissionPolicyIds": ["p1"]}, ("permission policies",)),
        ({"permissionPolicyIds": []}, ("permission policies",)),
        ({"dtEndAccess": None}, ("end of access",)),
        ({"dtEndAccess": "2030-01-31T23:59:00Z"}, ()),
        ({"dtEndAccess": "2030-02-01T23:59:59Z"}, ("end of access",)),
        ({"id": ""}, None),
    ],
)
def test_fields_that_differ_are_named(held: dict[str, Any], fields: tuple[str, ...] | None) -> None:
    assert differing_fields(ASKED, {**HELD, **held}) == fields


def test_what_m3ter_leaves_out_differs_only_where_that_is_an_answer() -> None:
    assert differing_fields(ASKED, {"id": "i1", "email": "ann@example.com"}) == ("end of access",)
    without_end = {name: value for name, value in ASKED.items() if name != "dtEndAccess"}
    assert differing_fields(without_end, {"id": "i1", "email": "ann@example.com"}) == ()
    assert differing_fields(without_end, HELD) == ("end of access",)


def entries(world: World) -> list[Any]:
    with world.db.engine.connect() as connection:
        return list(connection.execute(select(world.db.tables.worklist)))


def m3ter_changes(world: World, **fields: Any) -> None:
    """Let the mirror hold other values, until m3ter is read again."""
    table = world.db.tables.mirror_invitation
    with world.db.engine.begin() as connection:
        entry = connection.execute(select(table.c.entry)).scalar_one()
        connection.execute(update(table).values(entry={**entry, **fields}))


def note(world: World) -> int:
    return note_differences(world.db, world.m3ter.org_id, utc_now())


@pytest.fixture
def invited(world: World) -> World:
    """Somebody was invited, and m3ter lists it as it was asked."""
    world.m3ter.seed(policies=[{"name": "Reader"}])
    world.values["allowed_permission_policies"] = ["Reader"]
    world.hire("e1", permission_policies="Reader")
    world.begin_run(world.run("run-1"))
    world.whole_run()
    world.snapshot()
    assert entries(world) == []
    return world


def test_a_difference_is_open_until_a_later_reading_shows_none(invited: World) -> None:
    m3ter_changes(invited, lastName="Other", permissionPolicyIds=["px"])
    assert note(invited) == 1
    (entry,) = entries(invited)
    assert (entry.person_key, entry.decision, entry.reason) == ("employee:e1", "review", "differs_in_m3ter")
    assert entry.detail == "m3ter has other values than were asked for: last name, permission policies."
    assert (entry.invitation_id, entry.config_name) == (invited.row("e1")["invitation_id"], "test")
    assert note(invited) == 1
    assert len(entries(invited)) == 1
    invited.snapshot()
    (entry,) = entries(invited)
    assert entry.closed_why == "answered"
    m3ter_changes(invited, lastName="Other")
    assert note(invited) == 1
    (entry,) = entries(invited)
    assert (entry.closed_at, entry.closed_why) == (None, None)


def test_d04_no_later_plan_closes_or_ages_a_difference_or_reaches_back_for_it(invited: World) -> None:
    m3ter_changes(invited, lastName="Other")
    note(invited)
    before = entries(invited)
    plan = invited.plan("run-2")
    assert invited.decisions(plan) == {"e1": "skip:already_invited"}
    invited.now = lambda: utc_now() + timedelta(days=3100)
    invited.plan("run-3", window=Window(DAY, DAY + timedelta(days=1)))
    assert entries(invited) == before
    assert open_since(invited.db, invited.m3ter.org_id) is None


def test_a_difference_that_a_person_decided_is_asked_again_only_if_others_differ(invited: World) -> None:
    table = invited.db.tables.worklist
    m3ter_changes(invited, lastName="Other")
    note(invited)
    with invited.db.engine.begin() as connection:
        connection.execute(update(table).values(closed_at=utc_now(), closed_why="decided", closed_by="olga"))
    assert note(invited) == 0
    assert entries(invited)[0].closed_by == "olga"
    m3ter_changes(invited, firstName="Other")
    assert note(invited) == 1
    assert entries(invited)[0].closed_at is None


def test_a_difference_is_over_with_its_invitation(invited: World) -> None:
    m3ter_changes(invited, lastName="Other")
    note(invited)
    invited.m3ter.accept("e1@example.com")
    m3ter_changes(invited, lastName="Other")
    with invited.db.engine.begin() as connection:
        connection.execute(update(invited.db.tables.invitation).values(state="accepted"))
    assert note(invited) == 1, "a member may have other rights than was asked"
    with invited.db.engine.begin() as connection:
        connection.execute(update(invited.db.tables.invitation).values(state="expired"))
    assert note(invited) == 0
    assert entries(invited)[0].closed_why == "answered"


def test_an_answer_that_differs_is_noticed_without_a_list(world: World) -> None:
    world.m3ter.switches(email_stored_as="without_tag")
    world.hire("e1", email="ann+tag@example.com")
    world.whole_run()
    assert note(world) == 1
    (entry,) = entries(world)
    assert entry.detail == "m3ter has other values than were asked for: email."
