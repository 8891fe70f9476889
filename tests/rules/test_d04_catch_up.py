"""docs/delivery.md, rule 4: how far back a run must read, so that nobody is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import update

from m3ter_onboarding.ledger import catch_up, worklist
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.sending.right_to_send import NotAllowedError
from m3ter_onboarding.source.window import Window
from tests.support.world import WINDOW, World

POST = "CreateOrgUserInvitation"


def not_before(world: World) -> datetime:
    return datetime.now(timezone.utc) - world.config().max_age


def waits_since(world: World, run: str) -> datetime | None:
    return catch_up.waiting_since(world.db, world.m3ter.org_id, not_before(world), datetime.now(timezone.utc))


def deliver(world: World, run: RunKey, at: datetime) -> None:
    """Let a run have delivered, without a plan."""
    table = world.db.tables.run
    with world.db.engine.begin() as connection:
        connection.execute(update(table).where(table.c.run_id == run.run_id).values(delivered_at=at))


def caught_up(world: World, org_id: str | None = None) -> datetime | None:
    return catch_up.caught_up_until(world.db, world.run("next"), org_id or world.m3ter.org_id, not_before(world))


def test_d04_a_refused_person_keeps_the_window_open(world: World) -> None:
    world.hire("e1")
    world.m3ter.faults(operation=POST, kind="status", status=400)
    world.begin_run(world.run("run-1"))
    world.whole_run()
    assert waits_since(world, "run-2") == WINDOW.start
    world.m3ter.clear_faults()
    world.correct("e1", last_name="Corrected")
    world.whole_run("run-2")
    assert waits_since(world, "run-3") is None


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
    deliver(world, run, datetime.now(timezone.utc))
    assert caught_up(world) is None
    assert caught_up(world, "another") is not None


def test_d04_days_of_a_backfill_that_failed_before_its_plan_are_read_by_the_next_run(world: World) -> None:
    """They lie long before the last finished run, which therefore does not reach back to them."""
    now, day = datetime.now(timezone.utc), timedelta(days=1)
    old, yesterday = Window(now - 40 * day, now - 39 * day), Window(now - 2 * day, now - day)
    world.values["max_age_days"] = 60

    world.begin_run(world.run("daily"), yesterday)
    assert caught_up(world) == yesterday.start, "not delivered yet"
    deliver(world, world.run("daily"), now)
    assert caught_up(world) == yesterday.end
    world.begin_run(world.run("plans only"), old, may_invite=False)
    world.begin_run(world.run("one person"), old, only_employee="e1")
    world.begin_run(world.run("too old"), Window(now - 70 * day, now - 61 * day))
    assert caught_up(world) == yesterday.end
    world.begin_run(world.run("backfill"), old)
    assert caught_up(world) == old.start
    world.begin_run(world.run("partly too old"), Window(now - 70 * day, now - 50 * day))
    assert caught_up(world) == now - 70 * day

    # As far back as a window ever reaches; what is older is nobody's any more.
    later = world.run("later")
    world.begin_run(later, Window(now - 60 * day, now - timedelta(hours=1)))
    deliver(world, later, datetime.now(timezone.utc) + timedelta(seconds=1))
    assert caught_up(world) == now - timedelta(hours=1)


@pytest.mark.parametrize("by_hand", [True, False], ids=["made by hand", "sent"])
def test_d04_an_invitation_past_its_end_is_read_by_the_run_that_finds_it_expired(world: World, by_hand: bool) -> None:
    """Otherwise the question about it, or the second invitation, would come a day late."""
    world.hire("e1")
    if by_hand:
        world.m3ter.seed(invitations=[{"email": "e1@example.com"}])
    world.whole_run()
    world.whole_run("run-2")
    assert waits_since(world, "run-3") is None
    now = datetime.now(timezone.utc)
    month_later = catch_up.waiting_since(world.db, world.m3ter.org_id, not_before(world), now + timedelta(days=31))
    assert month_later == WINDOW.start


@pytest.mark.parametrize("looked", [{"may_invite": False}, {"only_employee": "e1"}], ids=["plans only", "one person"])
def test_d04_a_plan_that_asks_no_question_ends_nobodys_waiting(world: World, looked: dict[str, Any]) -> None:
    """A backfill decided that a person must, and opened no question: the days of that person were not read again."""
    start = (datetime.now(timezone.utc) + timedelta(days=30)).date().isoformat()
    world.m3ter.seed(policies=[{"name": "Later"}])
    world.hire("e1", start_date=start, permission_policies="Later")
    world.begin_run(world.run("run-1"))
    world.snapshot()
    assert set(world.decisions(world.plan(invite_days_before_start=14)).values()) == {"skip:too_early"}
    run = world.run("run-2")
    world.begin_run(run, only_employee=looked.get("only_employee"))
    plan = world.plan(run, allowed_permission_policies=[], invite_days_before_start=60, **looked)
    assert set(world.decisions(plan).values()) == {"review:policy_not_allowed"}
    assert waits_since(world, "run-3") == WINDOW.start
    world.begin_run(world.run("run-3"))
    world.plan("run-3", allowed_permission_policies=[], invite_days_before_start=60)
    assert waits_since(world, "run-4") is None
    assert worklist.open_since(world.db, world.m3ter.org_id) == WINDOW.start
