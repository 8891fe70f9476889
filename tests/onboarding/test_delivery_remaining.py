"""D14 and D15: what a sender lets go of when it must stop, and what counts as left."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.ledger import runs
from m3ter_onboarding.ledger.counts import remaining
from m3ter_onboarding.stopping import Stop
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
    max_age = world.config().max_age
    assert runs.waiting_since(world.db, world.run("run-2"), now, max_age) == WINDOW.start
    world.m3ter.clear_faults()
    world.correct("e1", last_name="Corrected")
    world.whole_run("run-2")
    assert runs.waiting_since(world.db, world.run("run-3"), now, max_age) is None


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
