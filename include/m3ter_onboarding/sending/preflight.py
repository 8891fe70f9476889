"""The checks before the first e-mail, at every start of a sender, a retry included (docs/delivery.md, rules 8, 9)."""

from __future__ import annotations

import asyncio

from m3ter_onboarding.errors import NotAllowedError
from m3ter_onboarding.ledger import plans
from m3ter_onboarding.ledger.claims import attempted_by_run, attempted_for_approval, attempted_in_a_day
from m3ter_onboarding.ledger.guard_proof import prove_guard
from m3ter_onboarding.ledger.rejections import rejected_people
from m3ter_onboarding.ledger.remaining import remaining
from m3ter_onboarding.ledger.sealing import SealingKey
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.sending.bound_plan import BoundPlan
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_onboarding.sending.recurring_checks import RecurringChecks
from m3ter_onboarding.sending.right_to_send import (
    PlanToSend,
    Usage,
    check_caps,
    check_connection,
    check_needs_no_approval,
    check_plan,
    check_policies,
)
from m3ter_onboarding.sending.todays_settings import TodaysSettings


async def read_plan_that_may_be_sent(org: MirroredOrganisation, to_send: PlanToSend) -> BoundPlan:
    """Return the plan, checked by the ledger alone.

    :raises NotAllowedError: when it may not be sent.
    """
    plan = await asyncio.to_thread(plans.read_plan, org.db, to_send.plan_id, to_send.run)
    plan = check_plan(plan, to_send.plan_id, org.org_id)
    return BoundPlan.of(plan, SealingKey.of_connection(org.m3ter.settings))


async def look_and_check(
    org: MirroredOrganisation,
    bound: BoundPlan,
    to_send: PlanToSend,
    checks: RecurringChecks,
    pause: PauseSwitch,
    today: TodaysSettings | None,
) -> int:
    """Check ledger, m3ter, settings, caps and pause switch; return how many invitations of the plan are unsent.

    :param today: the settings of now.
    :raises NotAllowedError: when the plan may not be sent.
    :raises M3terError: when m3ter cannot be read.
    """
    plan = bound.plan
    check_connection(plan, allow_invitations=org.m3ter.settings.allow_invitations)
    if not plan.sendable:
        raise NotAllowedError(f"Plan {to_send.plan_id} may not be sent: {plan.not_sendable_because}")
    bound.check_head()
    requests = await asyncio.to_thread(bound.check_requests, org.db)
    await asyncio.to_thread(prove_guard, org.db)
    policies = await checks.look_before_sending()
    check_policies(plan.policies, policies)
    if today is not None:
        await asyncio.to_thread(today.hold_back, org.db, plan, requests, policies, org.now())
    unsent = (await asyncio.to_thread(remaining, org.db, to_send.plan_id, org.org_id)).unsent
    usage = await _usage(org, to_send, unsent)
    check_needs_no_approval(plan, to_send.caps, usage)
    check_caps(plan, to_send.caps, usage)
    reason = await pause.reason()
    if reason is not None:
        raise NotAllowedError(f"Sending is paused: {reason}. Nothing is sent, nobody is lost.")
    return unsent


async def _usage(org: MirroredOrganisation, to_send: PlanToSend, unsent: int) -> Usage:
    db, run = org.db, to_send.run
    return Usage(
        still_to_send=unsent,
        by_run_before=await asyncio.to_thread(attempted_by_run, db, run, other_than=to_send.plan_id),
        in_a_day=await asyncio.to_thread(attempted_in_a_day, db, org.org_id),
        for_approval=await asyncio.to_thread(attempted_for_approval, db, org.org_id),
        rejected=await asyncio.to_thread(rejected_people, db, to_send.plan_id, org.org_id),
        by_backfills_in_a_day=(
            0
            if to_send.caps.backfill is None
            else await asyncio.to_thread(attempted_in_a_day, db, org.org_id, run.dag_id)
        ),
    )
