"""The outbox: answers reach the ledger in small groups, and are kept where it does not take them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.outbox import COMMIT_EVERY, MOST_WAITING, Outbox
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_onboarding.sending.recurring_checks import RecurringChecks
from m3ter_onboarding.sending.stop_signals import Stop
from tests.support.world import World

#: What the sender says of an attempt that ended so.
WHY = {
    InvitationState.SENT: "answered",
    InvitationState.FAILED: "refused",
    InvitationState.UNKNOWN: "no_answer",
    InvitationState.UNSENT: "not_begun",
}


@dataclass
class Claim:
    """A sender's claim of two invitations, and its outbox."""

    world: World
    token: str
    row_ids: dict[str, int]
    seconds: float = 0.0

    def outcome(self, employee: str, state: InvitationState, **values: Any) -> Outcome:
        if state is InvitationState.SENT:
            values["m3ter_id"] = f"id-of-{employee}"
        return Outcome(self.row_ids[employee], state, WHY[state], **values)

    def play(self, act: Callable[[Outbox, Gate], Awaitable[None]]) -> Gate:
        """Let *act* use the outbox; return its gate."""
        gate = Gate(Stop())

        async def work(org: MirroredOrganisation) -> None:
            def clock() -> float:
                return self.seconds

            checks = RecurringChecks(org, PauseSwitch("test", read=lambda: None), gate, clock)
            await act(Outbox(org, checks, gate, clock), gate)

        self.world.with_m3ter(work)
        return gate


@pytest.fixture
def claim(sqlite_world: World) -> Claim:
    """Claim two invitations, and record that they begin."""
    sqlite_world.hire("e1", "e2")
    sqlite_world.snapshot()
    claimed = sqlite_world.claim(sqlite_world.plan())
    token = sqlite_world.row("e1")["claim_token"]
    return Claim(sqlite_world, token, {str(one.employee_id): one.invitation_id for one in claimed})


def test_answers_wait_until_a_commit_is_due(claim: Claim) -> None:
    seen: list[str] = []

    async def act(outbox: Outbox, _gate: Gate) -> None:
        outbox.add(claim.token, claim.outcome("e1", InvitationState.SENT))
        await outbox.commit_if_due()
        seen.append(claim.world.state("e1").value)
        claim.seconds += COMMIT_EVERY
        await outbox.commit_if_due()
        seen.append(claim.world.state("e1").value)
        assert len(outbox) == 0

    claim.play(act)
    assert seen == ["sending", "sent"]
    assert claim.world.state("e2") is InvitationState.SENDING


def test_many_answers_do_not_wait(claim: Claim) -> None:
    async def act(outbox: Outbox, _gate: Gate) -> None:
        for _ in range(MOST_WAITING):
            outbox.add(claim.token, claim.outcome("e1", InvitationState.SENT))
        await outbox.commit_if_due()
        assert len(outbox) == 0

    claim.play(act)
    assert claim.world.state("e1") is InvitationState.SENT


def test_answers_that_the_ledger_does_not_take_are_kept_and_nothing_more_begins(claim: Claim) -> None:
    def rename(old: str, new: str) -> None:
        with claim.world.db.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    async def act(outbox: Outbox, gate: Gate) -> None:
        outbox.add(claim.token, claim.outcome("e1", InvitationState.SENT))
        outbox.add("another claim", claim.outcome("e2", InvitationState.UNSENT))
        rename("m3ter_invitation_event", "away")
        try:
            await outbox.commit()
        finally:
            rename("away", "m3ter_invitation_event")
        assert len(outbox) == 2
        assert not gate.is_open
        await outbox.commit_at_the_end()
        assert len(outbox) == 0

    gate = claim.play(act)
    assert "recording answers" in str(gate.failure)
    assert claim.world.state("e1") is InvitationState.SENT
    assert claim.world.state("e2") is InvitationState.SENDING, "its claim is another one"


def test_refused_is_failed_unless_a_look_finds_it(claim: Claim) -> None:
    claim.world.arrive("e1@example.com")

    async def act(outbox: Outbox, _gate: Gate) -> None:
        for employee in ("e1", "e2"):
            outbox.add(claim.token, claim.outcome(employee, InvitationState.FAILED, http_status=409))
        await outbox.commit()

    gate = claim.play(act)
    assert gate.is_open
    assert (claim.world.state("e1"), claim.world.state("e2")) == ("sent", "failed")


def test_refused_is_unknown_where_m3ter_cannot_be_read(claim: Claim) -> None:
    claim.world.m3ter.faults(method="GET", path="/users$", kind="status", status=404)

    async def act(outbox: Outbox, _gate: Gate) -> None:
        outbox.add(claim.token, claim.outcome("e1", InvitationState.FAILED, http_status=400))
        await outbox.commit()

    gate = claim.play(act)
    assert "looking whether they exist failed" in str(gate.failure)
    assert claim.world.state("e1") is InvitationState.UNKNOWN


def test_refused_is_left_to_settling_where_the_stop_is_urgent(claim: Claim) -> None:
    async def act(outbox: Outbox, gate: Gate) -> None:
        requests = len(claim.world.m3ter.requests())
        outbox.add(claim.token, claim.outcome("e1", InvitationState.FAILED, http_status=400))
        gate.stop.request("SIGTERM", grace=1.0)
        await outbox.commit_at_the_end()
        assert len(claim.world.m3ter.requests()) == requests, "no time to look"

    claim.play(act)
    assert claim.world.state("e1") is InvitationState.UNKNOWN
    assert claim.world.events("e1")[-1][2] == "refused_not_looked"
