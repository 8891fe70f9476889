"""What follows when a person has decided: the next plan."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from m3ter_onboarding.ledger.manual_decisions import DecidedOtherwiseError, ManualDecision, decide_by_hand
from tests.support.world import World


def test_a_member_missing_in_m3ter_is_invited_again_when_a_person_superseded_the_old_invitation(world: World) -> None:
    def replace(invitation_id: int) -> None:
        now = datetime.now(timezone.utc)
        decide_by_hand(world.db, ManualDecision(invitation_id, seen="accepted", to="superseded", who="anna"), now)

    world.hire("e1")
    world.whole_run()
    world.m3ter.reset()
    world.m3ter.seed(users=[{"email": "e1@example.com"}])
    world.now = lambda: datetime.now(timezone.utc) + timedelta(days=8)
    assert world.snapshot().full
    old = world.invitations()["e1@example.com"]
    assert old["state"] == "accepted"
    with pytest.raises(DecidedOtherwiseError, match="still lists"):
        replace(old["invitation_id"])

    world.m3ter.reset()
    world.now = lambda: datetime.now(timezone.utc) + timedelta(days=16)
    assert world.snapshot().full
    assert world.decisions(world.plan("next")) == {"e1": "review:missing_in_m3ter"}
    replace(old["invitation_id"])
    assert world.decisions(world.plan("then")) == {"e1": "invite:new"}
