"""Why somebody is left: what the task fails with, and whether another try may help."""

from __future__ import annotations

import pytest

from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.ledger.remaining import Remaining
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.planning.sealed_plan import Planned
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.right_to_send import Caps, NotAllowedError, PlanToSend
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_onboarding.sending.unsent_reasons import why_left
from tests.support.world import World


def left_over(**counts: int) -> Remaining:
    none = dict.fromkeys(("held", "open", "unsent", "fallen_back", "no_trace", "failed", "review"), 0)
    return Remaining(**{**none, **counts})


UNSENT = left_over(unsent=2)


@pytest.fixture
def plan(sqlite_world: World) -> Planned:
    """Plan two invitations, one of which is claimed."""
    sqlite_world.hire("e1", "e2")
    sqlite_world.snapshot()
    plan = sqlite_world.plan()
    sqlite_world.claim(plan)
    return plan


def reason(
    world: World, plan: Planned, *, left: Remaining = UNSENT, gate: Gate | None = None, caps: Caps | None = None
) -> DeliveryError:
    to_send = PlanToSend(world.run("run-1"), plan.plan_id, caps or Caps())

    async def work(org: MirroredOrganisation) -> DeliveryError:
        return await why_left(org, to_send, gate or Gate(Stop()), sent=1, left=left)

    error = world.with_m3ter(work)
    assert isinstance(error, DeliveryError)
    return error


def test_a_stop_comes_before_every_other_reason(sqlite_world: World, plan: Planned) -> None:
    gate = Gate(Stop())
    gate.close(NotAllowedError("too much fails"))
    gate.stop.request("SIGTERM")
    error = reason(sqlite_world, plan, gate=gate)
    assert type(error) is DeliveryError
    assert str(error).startswith("Stopped: SIGTERM. Sent 1; 2 unsent, 0 open.")


@pytest.mark.parametrize(("kind", "next_one"), [(DeliveryError, "try"), (NotAllowedError, "run")])
def test_a_failure_keeps_its_class(
    sqlite_world: World, plan: Planned, kind: type[DeliveryError], next_one: str
) -> None:
    gate = Gate(Stop())
    gate.close(kind("too much fails."))
    error = reason(sqlite_world, plan, gate=gate)
    assert type(error) is kind
    assert str(error).startswith("too much fails. Sent 1;")
    assert str(error).endswith(f"Nobody is lost: the next {next_one} goes on.")


def test_a_plan_that_was_replaced_is_named(sqlite_world: World, plan: Planned) -> None:
    sqlite_world.plan()
    error = reason(sqlite_world, plan)
    assert isinstance(error, NotAllowedError)
    assert "replaced by a newer one" in str(error)


@pytest.mark.parametrize(
    ("caps", "named"),
    [(Caps(per_day=2), "max_invitations_per_day"), (Caps(per_day=3), None)],
    ids=["used up", "room left"],
)
def test_a_cap_that_is_used_up_is_named(sqlite_world: World, plan: Planned, caps: Caps, named: str | None) -> None:
    error = reason(sqlite_world, plan, caps=caps)
    assert isinstance(error, NotAllowedError) is (named is not None)
    assert named is None or named in str(error)
    assert not isinstance(reason(sqlite_world, plan, left=left_over(open=1), caps=caps), NotAllowedError)


def test_the_cap_of_backfills_counts_those_of_backfills_alone(sqlite_world: World, plan: Planned) -> None:
    assert not isinstance(reason(sqlite_world, plan, caps=Caps(backfill=2)), NotAllowedError)
    error = reason(sqlite_world, plan, caps=Caps(backfill=0))
    assert isinstance(error, NotAllowedError)
    assert "Runs of backfills attempted 0" in str(error)


def test_people_of_another_run_need_another_plan(sqlite_world: World, plan: Planned) -> None:
    error = reason(sqlite_world, plan, left=left_over(fallen_back=1))
    assert isinstance(error, NotAllowedError)
    assert "on their way by another run" in str(error)
    assert not isinstance(reason(sqlite_world, plan, left=left_over(fallen_back=1, held=1)), NotAllowedError)


def test_anything_else_may_go_better_next_time(sqlite_world: World, plan: Planned) -> None:
    error = reason(sqlite_world, plan, left=left_over(open=1))
    assert type(error) is DeliveryError
    assert "Not everybody of the plan could be settled" in str(error)


def test_a_limited_rate_is_named_where_it_left_people(sqlite_world: World, plan: Planned) -> None:
    to_send = PlanToSend(sqlite_world.run("run-1"), plan.plan_id, Caps())
    sqlite_world.m3ter.faults(kind="status", status=429, count=2)

    async def work(org: MirroredOrganisation) -> DeliveryError:
        [_ async for _ in org.m3ter.iter_users()]
        return await why_left(org, to_send, Gate(Stop()), sent=1, left=UNSENT)

    error = sqlite_world.with_m3ter(work)
    assert str(error).startswith("m3ter limited the rate of requests (429)")
    assert "Sent 1; 2 unsent" in str(error)
    assert not isinstance(error, NotAllowedError)
