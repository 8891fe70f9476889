"""Why somebody of a plan is left when its sender ends, and whether trying again may help."""

from __future__ import annotations

import asyncio

from m3ter_onboarding.errors import DeliveryError, NotAllowedError
from m3ter_onboarding.ledger import plans
from m3ter_onboarding.ledger.claims import attempted_for_approval, attempted_in_a_day
from m3ter_onboarding.ledger.plans import PlanRow
from m3ter_onboarding.ledger.remaining import Remaining
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.right_to_send import PlanToSend, check_plan


async def why_left(
    org: MirroredOrganisation, to_send: PlanToSend, gate: Gate, *, sent: int, left: Remaining
) -> DeliveryError:
    """Return the error of the task; a :class:`NotAllowedError` where trying again changes nothing.

    :param sent: how many invitations this sender sent.
    :param left: of the plan.
    """
    waiting = f"Sent {sent}; {left.unsent + left.fallen_back} unsent, {left.open + left.held} open."
    if gate.stop.reason is not None:
        return DeliveryError(f"Stopped: {gate.stop.reason}. {waiting} Nobody is lost: the next try goes on.")
    if gate.failure is not None:
        # One that is not allowed is not tried again by Airflow.
        after = "run" if isinstance(gate.failure, NotAllowedError) else "try"
        return type(gate.failure)(f"{gate.failure} {waiting} Nobody is lost: the next {after} goes on.")
    try:
        plan = await asyncio.to_thread(plans.read_plan, org.db, to_send.plan_id, to_send.run)
        check_plan(plan, to_send.plan_id, org.org_id)
    except NotAllowedError as error:
        return NotAllowedError(f"{error} {waiting}")
    if left.unsent and (reached := await _cap_reached(org, to_send, plan, waiting)) is not None:
        return reached
    if left.fallen_back and not left.unsent + left.open + left.held:
        return NotAllowedError(
            f"{left.fallen_back} people were on their way by another run when this plan was made, and were not sent"
            f" after all. {waiting} Clear the task `plan`, or let the next run invite them."
        )
    if times := org.m3ter.times_throttled:
        return DeliveryError(
            f"m3ter limited the rate of requests (429) {times} time(s), so that not everybody could be sent in time."
            f" {waiting} The next try goes on from here; where it happens often, lower `requests_per_second` of the"
            " m3ter connection."
        )
    return DeliveryError(f"Not everybody of the plan could be settled. {waiting} The next try goes on from here.")


async def _cap_reached(
    org: MirroredOrganisation, to_send: PlanToSend, plan: PlanRow | None, waiting: str
) -> NotAllowedError | None:
    caps = to_send.caps
    if plan is not None and (most := caps.others_without_approval(plan)) is not None:
        others = await asyncio.to_thread(attempted_for_approval, org.db, org.org_id, other_than=to_send.plan_id)
        if others > most:
            return NotAllowedError(
                f"Meanwhile other plans attempted {others} invitations without an approval, which is with the"
                f" {plan.invitations} of this one more than `approval.above`. {waiting} Clear the task `plan`, so that"
                " somebody is asked."
            )
    if caps.backfill is not None:
        used = await asyncio.to_thread(attempted_in_a_day, org.db, org.org_id, to_send.run.dag_id)
        if used >= caps.backfill:
            return NotAllowedError(
                f"Runs of backfills attempted {used} invitations in the last 24 hours, as many as a backfill may"
                f" (`max_invitations` counts for all of its runs together). {waiting} The next daily run sends the"
                " rest, or a backfill with a higher `max_invitations`."
            )
    if caps.per_day is not None:
        used = await asyncio.to_thread(attempted_in_a_day, org.db, org.org_id)
        if used >= caps.per_day:
            return NotAllowedError(
                f"{used} invitations were attempted for this organisation in the last 24 hours"
                f" (`max_invitations_per_day` is {caps.per_day}). {waiting} A later run sends the rest."
            )
    return None
