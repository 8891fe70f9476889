"""D14 and D15: what a sender lets go of when it must stop, and what counts as left."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from m3ter_onboarding.attempt import post
from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.known import InvitationState
from m3ter_onboarding.ledger import runs
from m3ter_onboarding.ledger.claims import Claimed
from m3ter_onboarding.ledger.counts import remaining
from m3ter_onboarding.publish import publish
from m3ter_onboarding.right_to_send import NotAllowedError
from m3ter_onboarding.stopping import Stop
from m3ter_onboarding.window import Window
from m3ter_provider.errors import M3terRequestRejectedError
from tests.onboarding.world import WINDOW, World

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


def test_d04_whom_m3ter_refused_keeps_the_window_open(world: World) -> None:
    world.hire("e1")
    world.m3ter.faults(operation=POST, kind="status", status=400)
    world.begin_run(world.run("run-1"))
    world.whole_run()
    now = datetime.now(timezone.utc)
    runs.update_run(world.db, world.run("run-1"), delivered_at=now)
    max_age = world.config().max_age
    assert runs.waiting_since(world.db, world.run("run-2"), world.m3ter.org_id, now, max_age) == WINDOW.start
    world.m3ter.clear_faults()
    world.correct("e1", last_name="Corrected")
    world.whole_run("run-2")
    assert runs.waiting_since(world.db, world.run("run-3"), world.m3ter.org_id, now, max_age) is None


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


def waits_since(world: World, run: str) -> datetime | None:
    return runs.waiting_since(
        world.db, world.run(run), world.m3ter.org_id, datetime.now(timezone.utc), world.config().max_age
    )


def test_d04_an_address_corrected_while_the_first_was_open_keeps_the_window_open(world: World) -> None:
    """The review of a changed address may have been for an e-mail that turns out never to have been sent."""
    world.hire("e1")
    world.snapshot()
    world.claim(world.plan())
    world.correct("e1", email="mended@example.com")
    world.pass_time(61)
    world.snapshot()
    assert world.decisions(world.plan("run-2"))["e1"] == "review:email_changed"
    assert waits_since(world, "run-3") == WINDOW.start, "perhaps nothing was sent"
    for _ in range(2):
        world.pass_time(61)
        world.settle()
    assert world.state("e1") is InvitationState.UNSENT
    assert waits_since(world, "run-3") == WINDOW.start, "nothing was"
    assert world.whole_run("run-3").sent == 1
    assert waits_since(world, "run-4") is None
    assert world.emails() == {"mended@example.com": 1}


def test_d04_an_address_corrected_after_the_first_was_sent_waits_for_a_person_only(world: World) -> None:
    world.hire("e1")
    world.whole_run()
    world.correct("e1", email="mended@example.com")
    assert world.decisions(world.plan("run-2"))["e1"] == "review:email_changed"
    assert waits_since(world, "run-3") is None


def test_d04_too_early_then_to_be_invited_but_not_delivered(world: World) -> None:
    """A decision to invite is no invitation: the window stays open until there is one."""
    start = (datetime.now(timezone.utc) + timedelta(days=30)).date().isoformat()
    world.hire("e1", start_date=start)
    world.snapshot()
    assert set(world.decisions(world.plan(invite_days_before_start=14)).values()) == {"skip:too_early"}
    assert waits_since(world, "run-2") == WINDOW.start
    plan = world.plan("run-2", invite_days_before_start=60)
    assert set(world.decisions(plan).values()) == {"invite:new"}
    with pytest.raises(NotAllowedError, match="paused"):
        world.send(plan, "run-2", paused=lambda: "all")
    assert waits_since(world, "run-3") == WINDOW.start
    world.send(plan, "run-2")
    assert waits_since(world, "run-3") is None


def test_d04_mended_claimed_and_released_again(world: World) -> None:
    world.hire("e1")
    world.m3ter.faults(operation=POST, kind="status", status=400, count=1)
    world.whole_run()
    world.correct("e1", last_name="Corrected")
    plan = world.plan("run-2")
    world.claim(plan, "run-2", begin=False)
    world.pass_time(61)
    world.settle()
    assert world.state("e1") == "unsent"
    assert waits_since(world, "run-3") == WINDOW.start


def test_d04_another_organisation_finishes_no_days_of_this_one(world: World) -> None:
    run = world.run("run-1")
    world.begin_run(run, org_id="another")
    runs.update_run(world.db, run, delivered_at=datetime.now(timezone.utc))
    assert runs.last_finished_end(world.db, world.run("run-2"), world.m3ter.org_id) is None
    assert runs.last_finished_end(world.db, world.run("run-2"), "another") is not None


def test_d17_the_ledgers_own_rows_are_never_published_over(world: World) -> None:
    """The warehouse under another connection id is the ledger's database all the same."""
    world.hire("e1")
    world.snapshot()
    plan = world.plan()
    assert publish(world.db, world.db.engine, [plan.plan_id]) is None


def test_d13_a_refused_token_is_nobodys_refusal() -> None:
    class NoToken:
        async def create_invitation(self, request: Any, before_post: Any) -> Any:
            raise M3terRequestRejectedError("The token request was refused (422).", status_code=422)

    request = {"email": "e1@example.com", "firstName": "A", "lastName": "B"}
    claimed = Claimed(1, "e1", "e1@example.com", request)
    ended = asyncio.run(post(cast("Any", NoToken()), claimed, lambda: None))
    assert (ended.outcome.state, ended.stop_because is not None) == (InvitationState.UNSENT, True)


def test_d13_a_stored_request_that_is_not_valid_concerns_one_person() -> None:
    ended = asyncio.run(post(cast("Any", None), Claimed(1, "e1", "k", {"email": "e1@example.com"}), lambda: None))
    assert (ended.outcome.state, ended.stop_because) == (InvitationState.FAILED, None)


def test_d04_days_of_a_backfill_that_failed_before_its_plan_are_read_by_the_next_run(world: World) -> None:
    """They lie long before the last finished run, which therefore does not reach back to them."""
    now, day = datetime.now(timezone.utc), timedelta(days=1)
    old, yesterday = Window(now - 40 * day, now - 39 * day), Window(now - 2 * day, now - day)

    def since() -> datetime | None:
        return runs.waiting_since(world.db, world.run("next"), world.m3ter.org_id, now, 90 * day)

    world.begin_run(world.run("daily"), yesterday)
    assert since() == yesterday.start, "not delivered yet"
    runs.update_run(world.db, world.run("daily"), delivered_at=now)
    assert since() is None
    world.begin_run(world.run("plans only"), old, may_invite=False)
    world.begin_run(world.run("one person"), old, only_employee="e1")
    assert since() is None
    world.begin_run(world.run("backfill"), old)
    assert since() == old.start
    world.begin_run(world.run("later"), Window(old.start, now))
    runs.update_run(world.db, world.run("later"), delivered_at=datetime.now(timezone.utc) + timedelta(seconds=1))
    assert since() is None
