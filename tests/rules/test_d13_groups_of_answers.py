"""D13, answers that are committed in groups: as quickly as they come, and each as if it had come alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import event, select

from m3ter_onboarding.ledger.answer_groups import record_answers
from m3ter_onboarding.ledger.claims import Claimed, begin_attempts
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.states import InvitationState
from tests.support.world import World

NOW = datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=timezone.utc)
EXPIRES = datetime(2026, 4, 3, 2, 1, 0, 120000, tzinfo=timezone.utc)


def begun(world: World, *employees: str) -> tuple[list[Claimed], str]:
    """Claim people and begin their attempts; return the claim's rows and its token."""
    for employee in employees:
        world.hire(employee)
    world.snapshot()
    plan = world.plan()
    claimed = world.claim(plan)
    token = str(world.row(employees[0])["claim_token"])
    ids = [one.invitation_id for one in claimed]
    assert begin_attempts(world.db, token=token, invitation_ids=ids, plan_id=plan.plan_id) == frozenset(ids)
    return claimed, token


def answered(claimed: Claimed, m3ter_id: str) -> Outcome:
    return Outcome(
        claimed.invitation_id,
        InvitationState.SENT,
        "answered",
        m3ter_id=m3ter_id,
        inviting_principal_id="somebody",
        expires_at=EXPIRES,
        answer={"id": m3ter_id, "lastName": "Núñez 🙂", "more": {"a": [1, 2.5, None, True]}},
        http_status=200,
    )


def events(world: World) -> list[dict[str, Any]]:
    with world.db.engine.connect() as connection:
        rows = connection.execute(select(world.db.tables.event).order_by(world.db.tables.event.c.event_id))
        return [dict(row._mapping) for row in rows]


def statements(world: World, token: str, outcomes: list[Outcome]) -> int:
    ran: list[str] = []

    def keep(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        ran.append(statement)

    event.listen(world.db.engine, "before_cursor_execute", keep)
    assert record_answers(world.db, token, outcomes, NOW) == len(outcomes)
    event.remove(world.db.engine, "before_cursor_execute", keep)
    return len([statement for statement in ran if "m3ter_" in statement])


def test_d13_a_group_of_answers_takes_as_many_statements_as_one(world: World) -> None:
    claimed, token = begun(world, *(f"e{number}" for number in range(9)))
    outcomes = [answered(one, f"m3ter-{one.invitation_id}") for one in claimed]
    assert statements(world, token, outcomes[:1]) == statements(world, token, outcomes[1:]) == 3
    assert set(world.states().values()) == {"sent"}


def test_d13_an_answer_of_a_group_is_written_as_if_it_had_come_alone(world: World) -> None:
    (one, other), token = begun(world, "e1", "e2")
    record_answers(world.db, token, [answered(one, "m1")], NOW)
    # That it names its claim makes no difference but that it is written by itself.
    record_answers(world.db, token, [replace(answered(other, "m2"), claim=token)], NOW)
    own = {"invitation_id", "email_key", "email", "employee_id", "row_no", "request_hash", "m3ter_id", "answer"}
    own |= {"attempt_started_ms", "created_at", "lease_until_ms"}
    rows = [world.row("e1"), world.row("e2")]
    first, second = ({name: value for name, value in row.items() if name not in own} for row in rows)
    assert first == second
    assert (first["state"], first["sent_at"], first["expires_at"]) == ("sent", NOW, EXPIRES)
    assert [row["answer"] for row in rows] == [answered(one, "m1").answer, answered(other, "m2").answer]
    first, second = (
        {name: value for name, value in row.items() if name not in {"event_id", "invitation_id", "m3ter_id"}}
        for row in events(world)[-2:]
    )
    assert first == second
    assert [row["m3ter_id"] for row in events(world)[-2:]] == ["m1", "m2"]


@pytest.mark.parametrize("state", ["unsent", "unknown", "review", "adopted"])
def test_d13_a_row_that_changed_meanwhile_keeps_no_other_answer_out(world: World, state: str) -> None:
    claimed, token = begun(world, "e1", "e2", "e3")
    set_state(world, "e2", state)
    record_answers(world.db, token, [answered(one, f"m-{one.invitation_id}") for one in claimed], NOW)
    kept = "adopted" if state == "adopted" else "sent"
    assert [world.state(employee) for employee in ("e1", "e2", "e3")] == ["sent", kept, "sent"]
    assert [row["why"] for row in events(world)].count("answered") == (2 if state == "adopted" else 3)


def test_d13_a_row_of_another_claim_is_not_answered_with_the_group(world: World) -> None:
    claimed, token = begun(world, "e1", "e2")
    set_state(world, "e2", "sending", claim_token="another")
    record_answers(world.db, token, [answered(one, f"m-{one.invitation_id}") for one in claimed], NOW)
    # A success wins, also under another claim; its event says so by the compare-and-set of the row itself.
    assert world.states() == {"e1@example.com": "sent", "e2@example.com": "sent"}
    assert len([row for row in events(world) if row["why"] == "answered"]) == 2


def test_d13_an_id_that_another_invitation_has_spoils_no_group(world: World) -> None:
    claimed, token = begun(world, "e1", "e2", "e3")
    record_answers(world.db, token, [answered(claimed[0], "same")], NOW)
    record_answers(world.db, token, [answered(claimed[1], "same"), answered(claimed[2], "other")], NOW)
    assert [world.state(employee) for employee in ("e1", "e2", "e3")] == ["sent"] * 3
    assert [world.row(employee)["m3ter_id"] for employee in ("e1", "e2", "e3")] == ["same", None, "other"]


def set_state(world: World, employee: str, state: str, **more: Any) -> None:
    table = world.db.tables.invitation
    with world.db.engine.begin() as connection:
        connection.execute(table.update().where(table.c.employee_id == employee).values(state=state, **more))
