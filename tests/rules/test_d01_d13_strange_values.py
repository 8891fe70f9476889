"""docs/delivery.md, rules 1 and 13: whatever m3ter writes can be recorded, and one strange entry stops nobody else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from m3ter_onboarding.ledger.mirror import read_state
from m3ter_provider.answer_values import SUBSTITUTE
from m3ter_provider.errors import M3terResponseError
from tests.support.scripted_server import answer
from tests.support.strange_m3ter import StrangeAnswers, StrangeWorld, strange_world
from tests.support.world import World

HALF, NUL = "\ud800", "\0"
LONG = "x" * 10_000
STRANGE_TEXTS = (f"a{HALF}b", f"a{NUL}b", LONG, "\u202eevil")


@pytest.fixture
def strange(world: World) -> Iterator[tuple[StrangeWorld, StrangeAnswers]]:
    """Return an organisation on both databases, and what its m3ter answers."""
    with strange_world(world.db, world.warehouse_conn_id) as found:
        yield found


def mirrored(world: World, table: str = "mirror_invitation") -> list[dict[str, Any]]:
    rows = getattr(world.db.tables, table)
    with world.db.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(select(rows).order_by(rows.c.m3ter_id))]


def test_d13_answers_with_strange_texts_are_recorded_beside_the_others(
    strange: tuple[StrangeWorld, StrangeAnswers],
) -> None:
    world, m3ter = strange
    keys = ("id", "invitingPrincipalId", "createdBy", "firstName", "more")
    made = {f"e{n}": {key: text} for n, (key, text) in enumerate(product(keys, STRANGE_TEXTS), start=1)}

    def post(body: dict[str, Any]) -> bytes:
        return answer(
            200, {"id": f"i-{body['email']}", "email": body["email"], **made.get(body["email"].split("@")[0], {})}
        )

    m3ter.post = post
    world.hire("e0", *made)
    world.snapshot()
    world.send(world.plan())
    assert sorted(m3ter.posts) == sorted(f"{employee}@example.com" for employee in ("e0", *made))
    assert set(world.states().values()) == {"sent"}


@pytest.mark.parametrize(
    ("organisation", "known"),
    [
        ({"organizationName": "Acme Ltd"}, "Acme Ltd"),
        ({"organizationName": "  \u200bAcme\u202e Ltd\u2069 "}, "Acme\u202e Ltd"),
        ({"organizationName": "a" * 5000}, "a" * 200),
        ({"organizationName": "<b>\x00\ud800"}, "<b>\ufffd\ufffd"),
        *(
            (one, "before")
            for one in ({}, None, [], "Acme Ltd", {"organizationName": 7}, {"organizationName": " \u200b"})
        ),
    ],
)
def test_d01_an_organisations_name_is_kept_as_m3ter_last_gave_it(
    strange: tuple[StrangeWorld, StrangeAnswers], organisation: Any, known: str
) -> None:
    world, m3ter = strange
    for m3ter.me in ({"organization": {"organizationName": "before"}}, {"organization": organisation}):
        world.snapshot()
    assert read_state(world.db, world.m3ter.org_id).name == known


def test_d13_answers_with_strange_dates_and_numbers_are_recorded(strange: tuple[StrangeWorld, StrangeAnswers]) -> None:
    world, m3ter = strange
    ends: list[Any] = [
        *("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "soon", 1e300, 10**40, -(10**40)),
        *([1], {"a": 1}, True, "1e400", ""),
    ]

    def post(body: dict[str, Any]) -> bytes:
        end = ends[int(body["email"][1:].split("@")[0])]
        return answer(
            200,
            {"id": body["email"], "email": body["email"], "dtExpiry": end, "dtCreated": end, "version": 10**400},
        )

    m3ter.post = post
    world.hire(*(f"e{n}" for n in range(len(ends))))
    world.snapshot()
    world.send(world.plan())
    assert len(m3ter.posts) == len(ends)
    assert set(world.states().values()) == {"sent"}


def test_d13_m3ters_message_about_a_refusal_may_hold_anything(
    strange: tuple[StrangeWorld, StrangeAnswers],
) -> None:
    world, m3ter = strange
    m3ter.post = lambda body: answer(400, {"message": f"no {HALF}{NUL}{LONG}"})
    world.hire("e1", "e2")
    world.snapshot()
    world.send(world.plan())
    assert set(world.states().values()) == {"failed"}
    assert world.row("e1")["message"].startswith("no \ufffd\ufffdx")


def test_d01_an_entry_with_an_address_nobody_can_have_stops_no_run(
    strange: tuple[StrangeWorld, StrangeAnswers],
) -> None:
    world, m3ter = strange
    strange_addresses = [f"{'l' * 390}@example.com", f"{'l' * 390}@example.org", f"h{HALF}@x.com", f"n{NUL}@x.com"]
    m3ter.lists = {
        "invitations": [
            *({"id": f"i{n}", "email": address} for n, address in enumerate(strange_addresses)),
            {"id": "i9", "email": "e1@example.com", "dtExpiry": "2999-01-01T00:00:00Z"},
        ],
        "users": [{"id": f"u{n}", "email": address} for n, address in enumerate(strange_addresses)],
    }
    world.hire("e1", "e2")
    plan_1 = (world.snapshot(), world.plan())[1]
    assert world.decisions(plan_1) == {"e1": "skip:already_invited", "e2": "invite:new"}
    keys = [row["email_key"] for row in mirrored(world)]
    assert len(keys) == len(set(keys)) == 5, "no two addresses become one"
    assert sum(key.startswith(SUBSTITUTE) for key in keys) == 4
    assert set(world.states()) == {"e1@example.com"}, "they are nobody's invitation"


def test_d01_a_person_whose_entry_has_a_strange_id_is_not_invited_again(
    strange: tuple[StrangeWorld, StrangeAnswers], caplog: pytest.LogCaptureFixture
) -> None:
    world, m3ter = strange
    ids: list[Any] = [None, 5, "", f"i{HALF}", f"i{NUL}", LONG]
    invited, members = [f"e{n}" for n in range(6)], [f"m{n}" for n in range(6)]
    m3ter.lists = {
        "invitations": [{"id": ids[n], "email": f"{one}@example.com"} for n, one in enumerate(invited)],
        "users": [{"id": ids[n], "email": f"{one}@example.com"} for n, one in enumerate(members)],
    }
    world.hire(*invited, *members, "x")
    with caplog.at_level(logging.WARNING):
        world.snapshot()
    assert world.decisions(world.plan()) == {
        **dict.fromkeys(invited, "skip:already_invited"),
        **dict.fromkeys(members, "skip:already_member"),
        "x": "invite:new",
    }
    assert caplog.text.count("3 entries of m3ter's lists have no id or no address") == 2


def test_d01_entries_that_are_none_hide_no_other(strange: tuple[StrangeWorld, StrangeAnswers]) -> None:
    world, m3ter = strange
    entries: list[Any] = [None, "text", 5, [], {}, {"id": "i1"}, {"id": "i1", "email": None}, {"email": 5}]
    employees = [f"e{n}" for n in range(10)]
    m3ter.lists = {
        "invitations": [*entries, *({"id": f"i-{one}", "email": f"{one}@example.com"} for one in employees)],
        "users": [*entries, *({"id": f"u-{one}", "email": f"{one}@example.com"} for one in employees)],
        "permissionpolicies": [*entries, *({"id": f"p-{one}", "name": one} for one in employees)],
    }
    world.hire(*employees)
    world.snapshot()
    assert set(world.decisions(world.plan()).values()) == {"skip:already_member"}
    assert {row["name"] for row in mirrored(world, "mirror_policy")} >= set(employees)


def test_d01_a_list_of_which_nothing_can_be_read_is_refused(strange: tuple[StrangeWorld, StrangeAnswers]) -> None:
    world, m3ter = strange
    m3ter.lists = {"invitations": [{"id": "i1", "emailAddress": "e1@example.com"}] * 2}
    with pytest.raises(M3terResponseError, match="is not as documented"):
        world.snapshot()


def test_d12_a_lost_answer_beside_an_unreadable_entry_is_for_a_person(
    strange: tuple[StrangeWorld, StrangeAnswers],
) -> None:
    world, m3ter = strange
    world.hire("e1")
    world.snapshot()
    world.claim(world.plan())
    m3ter.lists = {"invitations": [{"id": "i1", "email": None}, {"id": "i2", "email": "z@example.org"}]}
    world.pass_time(3600)
    world.settle()
    assert world.states()["e1@example.com"] == "review"


@pytest.mark.parametrize("kind", ["invitations", "users", "permissionpolicies"])
def test_d01_no_field_of_an_entry_stops_a_run(strange: tuple[StrangeWorld, StrangeAnswers], kind: str) -> None:
    world, m3ter = strange
    values: list[Any] = [HALF, NUL, LONG, 10**400, -1e308, [[[[]]]], {"a": {"b": HALF}}, "9999-12-31T23:59:59-14:00"]
    fields = {
        "invitations": (
            "firstName",
            "accepted",
            "dtCreated",
            "dtExpiry",
            "createdBy",
            "permissionPolicyIds",
            "version",
        ),
        "users": ("dtEndAccess", "dtCreated", "contactNumber", "permissionPolicyIds", "createdBy"),
        "permissionpolicies": ("name", "version", "managedPolicy", "permissionPolicy"),
    }[kind]
    m3ter.lists = {
        kind: [
            {"id": f"i{n}", "email": f"e{n}@example.com", "name": "Read only", **dict.fromkeys(fields, value)}
            for n, value in enumerate(values)
        ]
    }
    m3ter.me = {"serviceUser": {"id": LONG, "name": HALF}, "organization": NUL}
    employees = [f"e{n}" for n in range(len(values))]
    world.hire(*employees)
    world.snapshot()
    expected = {"invitations": "skip:already_invited", "users": "skip:already_member"}.get(kind, "invite:new")
    assert world.decisions(world.plan()) == dict.fromkeys(employees, expected)


@pytest.mark.parametrize(
    "date",
    ["Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "x", "1 2 3 4 5 99999999999999999999"],
)
def test_d01_a_strange_date_header_stops_no_run(strange: tuple[StrangeWorld, StrangeAnswers], date: str) -> None:
    world, m3ter = strange
    m3ter.server_time = date
    world.hire("e1")
    world.snapshot()
    world.send(world.plan())
    assert world.states() == {"e1@example.com": "sent"}


def test_d13_the_columns_themselves_take_whatever_reaches_them(world: World) -> None:
    # Also where the code that writes has not repaired a text: nothing makes a commit fail.
    t = world.db.tables
    ids = (f"i{HALF}", f"i{NUL}", LONG, LONG + "y", "i\ufffd")
    base = {"org_id": "o", "first_seen_ms": 1, "last_seen_ms": 1, "gone": False, "managed": False}
    rows = [{**base, "m3ter_id": one, "name": LONG + HALF + NUL, "version": 10**30} for one in ids]
    event = {"invitation_id": 1, "org_id": "o", "to_state": "sent", "why": "answered"}
    early, late = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (1, 9999))

    def work(connection: Connection) -> tuple[list[Any], list[Any]]:
        connection.execute(insert(t.mirror_policy), rows)
        connection.execute(insert(t.event), [{**event, "at": at, "message": f"{HALF}{NUL}"} for at in (early, late)])
        return (
            list(connection.execute(select(t.mirror_policy))),
            list(connection.execute(select(t.event.c.message, t.event.c.at).where(t.event.c.org_id == "o"))),
        )

    policies, events = world.db.rehearse(work, doing="testing")
    assert len({row.m3ter_id for row in policies}) == 5, "no two ids become one"
    assert {(len(row.name), row.version) for row in policies} == {(200, None)}
    assert {row.message for row in events} == {"\ufffd\ufffd"}
    assert {row.at.year for row in events} == {2, 9998}
