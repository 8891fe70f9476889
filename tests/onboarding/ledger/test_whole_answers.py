"""m3ter's answers and entries are kept whole: of the POST in the invitation, of the lists in the mirror."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select

from tests.support.world import World


def entries(world: World, table: Table) -> dict[str, Any]:
    with world.db.engine.connect() as connection:
        return {row.email_key: row.entry for row in connection.execute(select(table.c.email_key, table.c.entry))}


def test_the_answer_to_a_post_is_kept_whole(world: World) -> None:
    world.m3ter.seed(policies=[{"name": "Reader"}])
    world.values["allowed_permission_policies"] = ["Reader"]
    world.hire("e1", permission_policies="Reader")
    world.whole_run()
    answer = world.row("e1")["answer"]
    assert answer["version"] == 1
    assert len(answer["permissionPolicyIds"]) == 1
    assert (answer["firstName"], answer["lastName"]) == ("Given", "Family")
    assert {"id", "dtExpiry", "createdBy", "lastModifiedBy", "dtCreated", "dtLastModified"} <= set(answer)


def test_entries_of_the_lists_are_kept_whole_and_renewed(world: World) -> None:
    world.hire("e1")
    world.whole_run()
    world.m3ter.seed(users=[{"email": "member@example.com", "firstName": "Mem"}])
    world.snapshot()
    assert entries(world, world.db.tables.mirror_invitation)["e1@example.com"]["accepted"] is False
    assert entries(world, world.db.tables.mirror_user)["member@example.com"]["firstName"] == "Mem"
    world.m3ter.accept("e1@example.com")
    world.snapshot()
    assert entries(world, world.db.tables.mirror_invitation)["e1@example.com"]["accepted"] is True
    assert world.row("e1")["answer"]["accepted"] is False


def test_a_lost_answer_leaves_the_entry_of_the_list(world: World) -> None:
    world.hire("e1")
    world.m3ter.faults(operation="CreateOrgUserInvitation", kind="status", status=504, when="after", count=1)
    world.whole_run()
    assert world.row("e1")["state"] == "sent"
    assert world.row("e1")["answer"] is None
    assert entries(world, world.db.tables.mirror_invitation)["e1@example.com"]["version"] == 1
