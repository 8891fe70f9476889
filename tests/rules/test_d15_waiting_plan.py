"""docs/delivery.md, rules 14 and 15: a plan waits until what is under way is settled, before it looks people up."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from demo.airflow_api import wait_until
from m3ter_onboarding.config.run_parameters import Mode
from m3ter_onboarding.mirroring.lost_answers import settle_before_planning
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.planning.sealed_plan import Planned
from tests.support.world import World


def ready(world: World, *employees: str) -> Planned:
    world.hire(*employees)
    world.snapshot()
    return world.plan()


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "only claimed"])
def test_d15_the_run_after_a_kill_plans_those_whom_the_dead_one_had_claimed(world: World, begun: bool) -> None:
    # They were skipped as on their way by another run; once released they were in no plan, and the run was red.
    world.values["settle_after"] = "0.1s"
    plan = ready(world, "arrived", "lost", "late")
    world.claim(plan, begin=begun, lease_ms=300)
    if begun:
        world.arrive("arrived@example.com")
    world.snapshot()
    after = world.plan("run-2", settles=True)
    lost = {"invite:new": 2, "skip:already_invited": 1} if begun else {"invite:new": 3}
    assert after.counts == lost
    who = ["lost", "late"] if begun else ["arrived", "lost", "late"]
    world.send(after, "run-2")
    assert world.emails() == {f"{name}@example.com": 1 for name in who}


def test_d15_a_plan_leaves_to_another_sender_what_that_claims_meanwhile(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.claim(ready(world, "e1"), lease_ms=600_000)
    caplog.set_level("INFO")
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        planning = pool.submit(world.plan, "run-2", settles=True)
        wait_until(lambda: "are under way" in caplog.text, "the plan that waits", 20, 0.01)
        invitation = world.db.tables.invitation
        with world.db.engine.begin() as connection:
            connection.execute(update(invitation).values(claim_token="another sender's"))
        after = planning.result()
    assert after.counts == {"skip:already_invited": 1}
    assert time.monotonic() - began < 60, "it did not wait for the other's lease"


def test_d15_a_plan_waits_no_longer_than_leases_and_looks_take(world: World) -> None:
    world.claim(ready(world, "e1"), lease_ms=60_000)

    async def impatient(org: MirroredOrganisation) -> None:
        await settle_before_planning(replace(org, settle_after=timedelta(0)), looks_take=-59.5)

    began = time.monotonic()
    world.with_m3ter(impatient)
    assert 0.2 < time.monotonic() - began < 10
    assert world.state("e1") == "sending"


def test_d15_a_dry_run_waits_for_nobody(world: World) -> None:
    world.claim(ready(world, "e1"))
    began = time.monotonic()
    assert world.plan("dry", mode=Mode.DRY_RUN, may_invite=False, settles=True).counts == {"skip:already_invited": 1}
    assert time.monotonic() - began < 5
