"""D14 and D15: what a sender releases when it must stop, and what counts as left."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.ledger.manual_decisions import DecidedOtherwiseError, ManualDecision, decide_by_hand
from m3ter_onboarding.ledger.remaining import remaining
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.reporting.publication import publish
from m3ter_onboarding.sending.attempt import post
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_provider.errors import M3terRequestRejectedError
from tests.support.sealed_plans import BOUND, claimed_for
from tests.support.world import World, run_sql

POST = "CreateOrgUserInvitation"


def test_d14_stopped_between_recording_and_posting_is_certainly_not_begun(world: World) -> None:
    """The stop comes in the moment in which attempts are recorded and their tasks have not taken a step."""
    world.hire("e1", "e2", "e3")
    world.snapshot()
    plan = world.plan()

    class AsSoonAsRecorded(Stop):
        @property
        def reason(self) -> str | None:
            if any(row["attempt_started_ms"] for row in world.invitations().values()):
                self.request("a test says so")
            return super().reason

    with pytest.raises(DeliveryError, match="3 unsent, 0 open"):
        world.send(plan, stop=AsSoonAsRecorded)
    assert world.posts() == 0
    assert set(world.states().values()) == {"unsent"}
    assert {row["attempt_started_ms"] for row in world.invitations().values()} == {None}, "none of them counts"
    world.send(plan)
    assert set(world.emails().values()) == {1}


def test_d15_a_refused_request_that_changed_is_left_to_be_sent(world: World) -> None:
    world.hire("e1", "e2")
    world.m3ter.faults(operation=POST, kind="status", status=400, email="e1@example.com", count=1)
    world.whole_run()
    assert (world.state("e1"), world.state("e2")) == ("failed", "sent")

    world.snapshot()
    same = world.plan("run-2")
    assert world.decisions(same)["e1"] == "skip:refused_before"
    left = remaining(world.db, same.plan_id, world.m3ter.org_id)
    assert (left.unsent, left.failed, left.nothing_left) == (0, 1, True)

    world.correct("e1", last_name="Corrected")
    changed = world.plan("run-3")
    left = remaining(world.db, changed.plan_id, world.m3ter.org_id)
    assert (left.unsent, left.failed, left.nothing_left) == (1, 0, False)
    world.send(changed, "run-3")
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}


def test_d15_what_m3ter_has_is_not_left_to_be_sent_whatever_the_row_says(world: World) -> None:
    """A row that was put to `review` by hand still holds m3ter's id of the e-mail that was sent."""
    world.hire("e1")
    world.whole_run()
    world.snapshot()
    run_sql(world, "UPDATE m3ter_invitation SET state = 'review'")
    row = world.row("e1")
    not_sent = ManualDecision(row["invitation_id"], seen="review", to="unsent", who="olga")
    with pytest.raises(DecidedOtherwiseError, match="has an active invitation or a member of this address"):
        decide_by_hand(world.db, not_sent, world.now())
    assert world.state("e1") == InvitationState.REVIEW, "nothing was written"

    run_sql(world, "UPDATE m3ter_invitation SET state = 'unsent'")
    plan = world.plan("run-2")
    assert world.decisions(plan) == {"e1": "skip:already_invited"}
    assert remaining(world.db, plan.plan_id, world.m3ter.org_id).nothing_left, "no run would send it"

    world.snapshot()
    assert world.state("e1") == InvitationState.SENT, "the ledger says again what m3ter says"
    assert world.decisions(world.plan("run-3")) == {"e1": "skip:already_invited"}
    assert world.emails() == {"e1@example.com": 1}


def test_d15_not_sent_by_a_persons_word_and_sent_by_m3ters_is_sent(world: World) -> None:
    """m3ter was not read since: the next run that reads it finds the e-mail, and its report is not red."""
    world.hire("e1")
    world.whole_run()
    run_sql(world, "UPDATE m3ter_invitation SET state = 'review'")
    row = world.row("e1")
    decide_by_hand(world.db, ManualDecision(row["invitation_id"], seen="review", to="unsent", who="olga"), world.now())
    world.whole_run("run-2")
    assert world.state("e1") == InvitationState.SENT
    assert world.events("e1")[-2:] == [("review", "unsent", "decided"), ("unsent", "sent", "found_late")]
    assert world.emails() == {"e1@example.com": 1}


def test_d15_who_lost_m3ters_invitation_is_not_forgotten_after_it_was_not_sent(world: World) -> None:
    """Deleted in the console: the decision holds, and the next run sends."""
    world.hire("e1")
    world.whole_run()
    run_sql(world, "UPDATE m3ter_invitation SET state = 'review'")
    world.m3ter.reset()
    world.now = lambda: datetime.now(timezone.utc) + timedelta(days=8)
    assert world.snapshot().full
    row = world.row("e1")
    decide_by_hand(world.db, ManualDecision(row["invitation_id"], seen="review", to="unsent", who="olga"), world.now())
    plan = world.plan("run-2")
    assert world.decisions(plan) == {"e1": "invite:new"}
    assert remaining(world.db, plan.plan_id, world.m3ter.org_id).unsent == 1
    assert world.whole_run("run-3").sent == 1
    assert world.emails() == {"e1@example.com": 1}


def test_d10_what_an_older_plan_of_the_run_never_began_is_planned_anew(world: World) -> None:
    world.hire("e1", "e2")
    world.snapshot()
    old = world.plan()
    world.claim(old, begin=False)
    new = world.plan()
    assert set(world.decisions(new).values()) == {"invite:new"}
    assert set(world.decisions(world.plan("run-2")).values()) == {"skip:already_invited"}, "another run may begin them"
    world.pass_time(61)
    world.send(new)
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}


def test_d17_the_ledgers_own_rows_are_never_published_over(world: World) -> None:
    """The warehouse under another connection id is the ledger's database all the same."""
    world.hire("e1")
    world.snapshot()
    world.plan()
    assert publish(world.db, world.db.engine, world.m3ter.org_id) is None


def test_d13_a_refused_token_is_nobodys_refusal() -> None:
    class NoToken:
        async def create_invitation(self, request: Any, before_post: Any) -> Any:
            raise M3terRequestRejectedError("The token request was refused (422).", status_code=422)

    request = {"email": "e1@example.com", "firstName": "A", "lastName": "B"}
    ended = asyncio.run(post(cast("Any", NoToken()), claimed_for(1, request), BOUND, lambda: None))
    assert (ended.outcome.state, ended.stop_because is not None) == (InvitationState.UNSENT, True)


def test_d13_a_stored_request_that_is_not_valid_concerns_one_person() -> None:
    ended = asyncio.run(post(cast("Any", None), claimed_for(1, {"email": "e1@example.com"}), BOUND, lambda: None))
    assert (ended.outcome.state, ended.stop_because) == (InvitationState.FAILED, None)
