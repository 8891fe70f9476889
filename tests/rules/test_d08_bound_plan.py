"""D8: what is POSTed is what was planned and approved, whatever others write into the ledger meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from m3ter_onboarding.ledger import plans
from m3ter_onboarding.planning.fingerprint import hash_plan
from m3ter_onboarding.planning.sealed_plan import Planned
from m3ter_onboarding.sending.right_to_send import NotAllowedError
from m3ter_provider.models import InvitationRequest
from tests.support.console import Console
from tests.support.world import World

POST = "CreateOrgUserInvitation"


@pytest.fixture
def planned(world: World) -> Planned:
    """Return a plan of three invitations that nobody has sent."""
    world.hire("e1", "e2", "e3")
    world.snapshot()
    return world.plan()


def requests_of(world: World, plan: Planned) -> dict[int, dict[str, Any]]:
    d = world.db.tables.decision
    with world.db.engine.begin() as connection:
        rows = connection.execute(select(d.c.row_no, d.c.request).where(d.c.plan_id == plan.plan_id)).all()
    return {row.row_no: dict(row.request) for row in rows}


def write(world: World, table: str, plan: Planned, row_no: int | None = None, **values: Any) -> None:
    """Change rows of the ledger as somebody with a database client does."""
    t = getattr(world.db.tables, table)
    statement = update(t).where(t.c.plan_id == plan.plan_id)
    if row_no is not None:
        statement = statement.where(t.c.row_no == row_no)
    with world.db.engine.begin() as connection:
        assert connection.execute(statement.values(**values)).rowcount


def change_request(world: World, plan: Planned, **fields: Any) -> int:
    row_no, request = sorted(requests_of(world, plan).items())[1]
    write(world, "decision", plan, row_no, request={**request, **fields})
    return row_no


def approve(world: World, plan: Planned) -> None:
    shown = world.shown(plan.plan_id, plan.fingerprint)
    now = datetime.now(timezone.utc)
    assert plans.record_approval(world.db, world.run("run-1"), shown, world.seals, by="olga", at=now)


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "somebody.else@example.org"},
        {"permissionPolicyIds": ["another-policy"]},
        {"firstName": "Another"},
        {"dtEndAccess": "2099-01-01T00:00:00Z"},
    ],
)
def test_d08_a_request_that_was_changed_after_the_approval_is_not_sent(world: World, fields: Mapping[str, Any]) -> None:
    world.hire("e1", "e2", "e3")
    world.snapshot()
    plan = world.plan(approval_above=0)
    approve(world, plan)
    row_no = change_request(world, plan, **fields)
    with pytest.raises(NotAllowedError, match=f"Row {row_no} of plan .* is not as it was planned"):
        world.send(plan)
    assert world.posts() == 0


def test_d08_the_address_that_people_see_is_the_one_that_is_sent(world: World, planned: Planned) -> None:
    row_no = sorted(requests_of(world, planned))[1]
    write(world, "decision", planned, row_no, email="a.colleague@example.com")
    with pytest.raises(NotAllowedError, match=f"Row {row_no} of plan .* is not as it was planned"):
        world.send(planned)
    assert world.posts() == 0


def test_d08_hashes_made_anew_by_others_do_not_help(world: World, planned: Planned) -> None:
    row_no = change_request(world, planned, email="somebody.else@example.org")
    d = world.db.tables.decision.c
    with world.db.engine.begin() as connection:
        rows = connection.execute(
            select(d.employee_id, d.email_key, d.request).where(d.plan_id == planned.plan_id)
        ).all()
    fingerprint = hash_plan([tuple(row) for row in rows], [], org_id=world.m3ter.org_id)
    write(world, "decision", planned, row_no, request_hash="1" * 64)
    write(world, "plan", planned, fingerprint=fingerprint, approved_fingerprint=fingerprint)
    with pytest.raises(NotAllowedError, match="is not as it was sealed"):
        world.send(planned)
    assert world.posts() == 0


@pytest.mark.parametrize(
    "values",
    [
        {"needs_approval": False},
        {"policies": [{"id": "p", "name": "p", "version": 1}]},
        {"valid_until_ms": 4_000_000_000_000},
        {"seal": None},
        {"rows_read": 7},
    ],
    ids=str,
)
def test_d08_a_head_that_was_changed_is_not_sent(world: World, values: Mapping[str, Any]) -> None:
    world.hire("e1")
    world.snapshot()
    plan = world.plan(approval_above=0)
    approve(world, plan)
    write(world, "plan", plan, **values)
    with pytest.raises(NotAllowedError, match="is not as it was sealed"):
        world.send(plan)
    assert world.posts() == 0


def test_d08_a_dry_run_cannot_be_made_sendable(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    plan = world.plan(may_invite=False)
    write(world, "plan", plan, sendable=True, not_sendable_because=None)
    with pytest.raises(NotAllowedError, match="is not as it was sealed"):
        world.send(plan)
    assert world.posts() == 0


def test_d08_an_approval_that_was_written_by_hand_is_none(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    plan = world.plan(approval_above=0)
    at = datetime.now(timezone.utc)
    by_hand: dict[str, Any] = {"approved_by": "olga", "approved_at": at, "approved_fingerprint": plan.fingerprint}
    write(world, "plan", plan, **by_hand)
    with pytest.raises(NotAllowedError, match="was not recorded by the task `approve`"):
        world.send(plan)
    write(world, "plan", plan, **dict.fromkeys(by_hand))
    approve(world, plan)
    write(world, "plan", plan, approved_by="paul")
    with pytest.raises(NotAllowedError, match="was not recorded by the task `approve`"):
        world.send(plan)
    assert world.posts() == 0


def test_d08_a_row_that_was_added_or_taken_away_stops_the_plan(world: World, planned: Planned) -> None:
    d = world.db.tables.decision
    with world.db.engine.begin() as connection:
        row = dict(connection.execute(select(d).where(d.c.plan_id == planned.plan_id)).first()._mapping)  # type: ignore[union-attr]
        added = {**row, "row_no": 99, "employee_id": "e9", "email_key": "e9@example.com"}
        connection.execute(insert(d).values(**added))
    with pytest.raises(NotAllowedError, match="Row 99 of plan"):
        world.send(planned)
    with world.db.engine.begin() as connection:
        connection.execute(delete(d).where(d.c.plan_id == planned.plan_id, d.c.row_no.in_([99, row["row_no"]])))
    with pytest.raises(NotAllowedError, match="sealed with 3 invitations, and the ledger now holds 2"):
        world.send(planned)
    assert world.posts() == 0


def test_d08_a_row_of_another_plan_does_not_count(world: World, planned: Planned) -> None:
    world.hire("e4")
    other = world.plan("run-2")
    d = world.db.tables.decision
    with world.db.engine.begin() as connection:
        rows = connection.execute(select(d).where(d.c.plan_id == other.plan_id, d.c.employee_id == "e4")).all()
        connection.execute(insert(d).values(**{**rows[0]._mapping, "plan_id": planned.plan_id, "row_no": 50}))
    with pytest.raises(NotAllowedError, match="Row 50 of plan"):
        world.send(planned)
    assert world.posts() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda request: {**request, "email": "somebody.else@example.org"},
        lambda request: {**request, "permissionPolicyIds": ["another-policy"]},
        lambda request: {},
        lambda request: None,
    ],
)
def test_d08_a_request_that_is_changed_while_it_is_sent_stops_the_sender(
    world: World, planned: Planned, change: Callable[[Any], Any]
) -> None:
    """The whole plan was checked a moment before: the pause switch is asked after that."""
    row_no, request = sorted(requests_of(world, planned).items())[-1]

    def meanwhile() -> None:
        write(world, "decision", planned, row_no, request=change(request))

    with pytest.raises(NotAllowedError, match=f"Row {row_no} of plan"):
        world.send(planned, paused=meanwhile)
    assert "e3@example.com" not in [mail["email"] for mail in world.m3ter.invitations()]
    assert "somebody.else@example.org" not in [mail["email"] for mail in world.m3ter.invitations()]
    assert world.whole_run("run-2").left.nothing_left
    assert world.posts() == 3


def test_d08_another_api_secret_needs_a_new_plan(world: World, planned: Planned) -> None:
    write(world, "plan", planned, seal="0" * 64)
    with pytest.raises(NotAllowedError, match="clear it now"):
        world.send(planned)
    world.plan()
    assert world.posts() == 0


def test_d08_nobody_is_asked_about_a_plan_that_was_changed(world: World) -> None:
    from m3ter_onboarding.sending.approval import plan_to_approve
    from m3ter_onboarding.sending.right_to_send import Caps, PlanToSend
    from m3ter_provider.connection import connection_settings

    world.hire("e1", "e2", "e3")
    world.snapshot()
    plan = world.plan(approval_above=0)
    change_request(world, plan, email="somebody.else@example.org")
    settings = connection_settings(world.connection(allow_invitations=True))
    with pytest.raises(NotAllowedError, match="is not as it was planned"):
        plan_to_approve(world.db, PlanToSend(world.run("run-1"), plan.plan_id, Caps()), settings)


def test_a_stored_request_reads_as_what_is_posted(world: World, planned: Planned) -> None:
    for request in requests_of(world, planned).values():
        assert InvitationRequest.model_validate(request).to_json() == request


def test_d08_a_mirror_that_lies_about_policies_makes_no_administrator(sqlite_world: World) -> None:
    """A writer of the ledger can exchange the names of two policies, and do so again after each reading."""
    world = sqlite_world
    console = Console(world.m3ter)
    console.make_policy("Viewer")
    administrator = console.policies("Administrator")[0]["id"]
    world.hire("e1")
    world.snapshot()
    lie = (
        "UPDATE m3ter_mirror_policy SET name = CASE name WHEN 'Viewer' THEN 'Other' ELSE 'Viewer' END,"
        " administrator_like = 0 WHERE name IN ('Viewer', 'Administrator')"
    )
    with world.db.engine.begin() as connection:
        connection.exec_driver_sql(lie)
        connection.exec_driver_sql(
            f"CREATE TRIGGER lie AFTER UPDATE ON m3ter_mirror_policy WHEN NEW.name = 'Administrator' BEGIN {lie}; END"
        )
    try:
        plan = world.plan(permission_policies=["Viewer"])
        [request] = requests_of(world, plan).values()
        assert request["permissionPolicyIds"] == [administrator]
        with pytest.raises(NotAllowedError, match="was changed in m3ter"):
            world.send(plan)
        assert world.posts() == 0
    finally:
        with world.db.engine.begin() as connection:  # other tests have the same database
            connection.exec_driver_sql("DROP TRIGGER lie")
