"""Whether a plan may be sent now (docs/delivery.md, rules 6, 8, 9); asked at every start of a sender, a retry included.

The right is in the ledger, not in Airflow's graph: a sealed plan, its run's newest, not too old, under its caps,
approved if it needs approval, with every permission policy as it was planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.errors import NotAllowedError
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.plans import PlannedPolicy, PlanRow
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.planning.approval_rule import ApprovalRule, ToApprove


@dataclass(frozen=True)
class Caps:
    """The most that may be sent; None: no limit.

    :param invitations: by one run.
    :param percent: by one run, in percent of the rows that its query returned.
    :param per_day: for the organisation in 24 hours, whichever runs send.
    :param backfill: by all runs of backfills of one DAG in 24 hours together; set where this run is one.
    :param approval: what needs an approval: as it is set now, not as it was when the plan was made.
    """

    invitations: int | None = None
    percent: float | None = None
    per_day: int | None = None
    backfill: int | None = None
    approval: ApprovalRule = field(default_factory=ApprovalRule)

    def others_without_approval(self, plan: PlanRow) -> int | None:
        """Return how much others may attempt in 23 hours without an approval beside a plan; None: any number."""
        if plan.approved or self.approval.above is None or not self.approval.per_day:
            return None
        return self.approval.above - plan.invitations


def caps_of(config: OnboardingConfig, parameters: RunParameters, run_type: str, now: datetime) -> Caps:
    """Return the caps of a run.

    :param run_type: Airflow's word for it, such as ``backfill``.
    :param now: UTC.
    """
    most = config.max_invitations if parameters.max_invitations is None else parameters.max_invitations
    return Caps(
        invitations=most,
        percent=None if parameters.only_employee else config.max_percent,  # one of one is no mass mailing
        per_day=config.max_invitations_per_day,
        backfill=most if run_type == "backfill" else None,
        approval=ApprovalRule.of_run(config, parameters, now),
    )


@dataclass(frozen=True)
class Usage:
    """How much was attempted already under the caps, and what a plan adds.

    :param still_to_send: invitations of the plan that were not sent yet.
    :param in_a_day: attempted for the organisation in the last 24 hours.
    :param by_run_before: attempted by this run under earlier plans.
    :param by_backfills_in_a_day: attempted by runs of backfills of this DAG in the last 24 hours.
    :param for_approval: attempted for the organisation without an approval in the last 23 hours.
    :param rejected: how many of the plan's people are in one that was rejected, and in none approved since.
    """

    still_to_send: int = 0
    in_a_day: int = 0
    by_run_before: int = 0
    by_backfills_in_a_day: int = 0
    for_approval: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class PlanToSend:
    """Which plan a sender sends, and the most of it that may be sent.

    :param run: the DAG run.
    :param plan_id: its plan.
    """

    run: RunKey
    plan_id: str
    caps: Caps


def check_plan(plan: PlanRow | None, plan_id: str, org_id: str, *, asking: bool = False) -> PlanRow:
    """Return the plan if it is one that may be sent.

    :param asking: a person is about to be asked, so that an approval may be missing.
    :raises NotAllowedError: with the reason, and what to do.
    """
    again = "Clear the task `plan` to make a new one."
    if plan is None:
        raise NotAllowedError(f"Plan {plan_id} is not in the ledger; nothing is sent. {again}")
    if plan.org_id != org_id:
        raise NotAllowedError(
            f"Plan {plan_id} was made for the organisation {plan.org_id}, and the m3ter connection now names {org_id};"
            f" nothing is sent. {again}"
        )
    if plan.state != "sealed":
        raise NotAllowedError(f"Plan {plan_id} was never completed; nothing is sent. {again}")
    if not plan.newest:
        raise NotAllowedError(f"Plan {plan_id} was replaced by a newer one of this run; it is not sent.")
    if plan.expired:
        raise NotAllowedError(f"Plan {plan_id} is older than `plan_valid_for`; nothing is sent. {again}")
    if plan.rejected_at is not None:
        raise NotAllowedError(
            f"Plan {plan_id} was rejected by {plan.rejected_by}; it is not sent. The next run plans these people again."
            if plan.rejected_by
            else f"Nobody approved plan {plan_id} in time; nothing is sent. The next run plans these people again."
        )
    if plan.needs_approval and not plan.approved and not asking:
        raise NotAllowedError(
            f"Plan {plan_id} needs a person's approval{_because(plan.approval_because)}, and nobody approved it;"
            " nothing is sent. A task `approve` that was marked successful is no approval: clear it, and answer its"
            " question."
        )
    return plan


def check_needs_no_approval(plan: PlanRow, caps: Caps, usage: Usage) -> None:
    """Check that a plan without an approval still needs none: settings, other runs or a rejection may have changed it.

    :raises NotAllowedError: if it needs one now.
    """
    if plan.approved or not usage.still_to_send:
        return
    by_plan_before = plan.invitations - usage.still_to_send
    reasons = caps.approval.reasons(
        ToApprove(
            invitations=plan.invitations,
            by_run_before=usage.by_run_before,
            in_a_day=max(0, usage.for_approval - by_plan_before),
            by_backfills=max(0, usage.by_backfills_in_a_day - by_plan_before),
            rejected=usage.rejected,
        )
    )
    if reasons:
        raise NotAllowedError(
            f"Plan {plan.plan_id} needs a person's approval now{_because(reasons)}, and nobody approved it; nothing is"
            " sent. Clear the task `plan`, so that somebody is asked."
        )


def _because(reasons: Sequence[str]) -> str:
    return f" ({', and '.join(reasons)})" if reasons else ""


def check_connection(plan: PlanRow, *, allow_invitations: bool) -> None:
    """Check that the m3ter connection may send at all.

    :raises NotAllowedError: naming where that is set.
    """
    if plan.invitations and not allow_invitations:
        raise NotAllowedError(
            f"The m3ter connection does not allow invitations (`allow_invitations` is false), and the plan has"
            f" {plan.invitations}: nothing is sent. Set it in the connection's extras where real people may be"
            " e-mailed, or run with mode `dry_run`."
        )


def check_caps(plan: PlanRow, caps: Caps, usage: Usage) -> None:
    """Check the caps before the first e-mail.

    :raises NotAllowedError: naming the cap and the figure.
    """
    to_send = usage.still_to_send
    kept = "nothing is sent and the decisions are kept"
    if caps.invitations is not None and plan.invitations and usage.by_run_before + plan.invitations > caps.invitations:
        already = (
            f", and {usage.by_run_before} were sent under earlier plans of this run" if usage.by_run_before else ""
        )
        raise NotAllowedError(
            f"The plan has {plan.invitations} invitations, and at most {caps.invitations} may be sent by one run"
            f" (`max_invitations`){already}: {kept}. Look at the plan; if it is right, choose *Send exactly this*"
            " on its page, or start the run again with a higher `max_invitations` (*At most this many invitations*)."
        )
    if caps.backfill is not None and to_send and usage.by_backfills_in_a_day + to_send > caps.backfill:
        raise NotAllowedError(
            f"Runs of backfills attempted {usage.by_backfills_in_a_day} invitations in the last 24 hours and this plan"
            f" adds {to_send}, more than the {caps.backfill} that a backfill may send (`max_invitations` counts for"
            f" all of its runs together): {kept}. Look at the plans; if they are right, start the backfill again with a"
            " higher `max_invitations`."
        )
    if caps.percent is not None and plan.rows_read and plan.invitations * 100 > caps.percent * plan.rows_read:
        raise NotAllowedError(
            f"The plan invites {plan.invitations} of {plan.rows_read} rows, more than {caps.percent:g} percent"
            f" (`max_percent`): {kept}. Look at the plan; if it is right, raise `max_percent`."
        )
    if caps.per_day is not None and to_send and usage.in_a_day + to_send > caps.per_day:
        raise NotAllowedError(
            f"{usage.in_a_day} invitations were attempted for this organisation in the last 24 hours and the plan"
            f" adds {to_send}, more than {caps.per_day} (`max_invitations_per_day`): {kept}. Run again later, or"
            " raise the limit."
        )


def _became_powerful(planned: PlannedPolicy, found: M3terPolicy) -> bool:
    """Return whether a policy decides about access now; one that was trusted by its id is, as long as it is hidden."""
    trusted = not planned.statements_shown and not found.statements_shown
    return found.administrator_like and not trusted


def check_policies(planned: Iterable[PlannedPolicy], current: Iterable[M3terPolicy]) -> None:
    """Check that every permission policy of the plan is as it was.

    :param planned: as the plan recorded them.
    :param current: m3ter's policies, as just read.
    :raises NotAllowedError: naming the policy that changed.
    """
    now = {policy.m3ter_id: policy for policy in current}
    for policy in planned:
        found = now.get(policy.id)
        # Also where m3ter gives no version: nobody becomes an administrator without having been planned as one.
        if (
            found is not None
            and (found.name, found.version) == (policy.name, policy.version)
            and (policy.administrator_like or not _became_powerful(policy, found))
        ):
            continue
        what = "is not in m3ter any more" if found is None else "was changed in m3ter"
        raise NotAllowedError(
            f"The permission policy {policy.name!r} ({policy.id}) {what} since the plan was made; nothing is"
            " sent. Clear the task `plan`, so that people get what was decided for them."
        )
