"""The approval of a plan by a person (docs/delivery.md, rule 8).

An answer counts by its record in the ledger, never by the state of Airflow's task.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from m3ter_onboarding.clock import in_utc, parse_iso, utc_now
from m3ter_onboarding.errors import NotAllowedError, OnboardingError
from m3ter_onboarding.ledger import plans
from m3ter_onboarding.ledger.sealing import SealingKey
from m3ter_onboarding.sending.bound_plan import BoundPlan
from m3ter_onboarding.sending.right_to_send import PlanToSend, Usage, check_caps, check_connection, check_plan

if TYPE_CHECKING:
    from m3ter_onboarding.config.approval_section import ApprovalSettings
    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.ledger.plans import PlanRow
    from m3ter_onboarding.ledger.runs import RunKey
    from m3ter_provider.connection import ConnectionSettings


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """An answer to the question about a plan.

    :param user: the name of the user of Airflow who answered; None: no user did, but a default or a time-out.
    :param at: when, in UTC.
    :param user_id: the user's id in Airflow, where that is something else.
    """

    approves: bool
    user: str | None
    at: datetime
    user_id: str | None = None

    @classmethod
    def from_airflow(cls, event: Mapping[str, Any], *, approve: str) -> Answer:
        """Read the answer that Airflow hands to the task.

        :param approve: the option that approves.
        """
        approves = list(event["chosen_options"]) == [approve]
        user = event.get("responded_by_user")
        return cls(approves, _name_of(user, "name", "id"), _instant(event.get("responded_at")), _name_of(user, "id"))

    @property
    def names(self) -> frozenset[str]:
        """The names that the user goes by."""
        return frozenset(name for name in (self.user, self.user_id) if name is not None)


def plan_to_approve(db: LedgerDatabase, to_send: PlanToSend, settings: ConnectionSettings) -> PlanRow:
    """Return the plan that may have to be approved; nobody is asked about one that would not be sent afterwards.

    :param settings: of the m3ter connection.
    :raises NotAllowedError: when the plan may not be sent whatever the answer.
    """
    plan = plans.read_plan(db, to_send.plan_id, to_send.run)
    plan = check_plan(plan, to_send.plan_id, settings.org_id, asking=True)
    bound = BoundPlan.of(plan, SealingKey.of_connection(settings))
    bound.check_head()
    if plan.needs_approval and not plan.approved:
        check_connection(plan, allow_invitations=settings.allow_invitations)
        check_caps(plan, to_send.caps, Usage())
        bound.check_requests(db)
    return plan


def check_question_is_shown(plan: PlanRow, shown: str) -> None:
    """Check that people see the question about this plan.

    Airflow keeps the text of a task's first question when the task is cleared; people who answer an old text would
    approve what they have not seen.

    :param shown: the text that Airflow shows.
    :raises NotAllowedError: when it is about another plan.
    """
    if str(plan.fingerprint) not in shown:
        raise NotAllowedError(
            "Airflow still shows the question about an older plan of this run (it renews none when a task is"
            " cleared), and nobody can approve a plan that they do not see. Nothing is sent. Nobody is lost: the next"
            " run plans these people again, and asks; trigger one now if it is urgent."
        )


def check_may_approve(answer: Answer, settings: ApprovalSettings, *, triggered_by: str | None) -> None:
    """Check that the approval of this user counts; anybody whom Airflow lets answer may reject.

    :param triggered_by: the user of Airflow who started the run; None: nobody did.
    :raises OnboardingError: if not; Airflow's retry of the task asks again.
    """
    if not answer.approves or answer.user is None:
        return
    again = "That does not count, and nothing is sent: the question is asked again."
    if settings.approvers and not answer.names & set(settings.approvers):
        may = ", ".join(settings.approvers)
        raise OnboardingError(f"{answer.user} approved the plan, and only {may} may (`approval.approvers`). {again}")
    if settings.not_by_who_triggered and triggered_by in answer.names:
        raise OnboardingError(
            f"{answer.user} approved the plan and started its run, and somebody else must approve"
            f" (`approval.not_by_who_triggered`). {again}"
        )


def record_answer(db: LedgerDatabase, run: RunKey, answer: Answer, seals: SealingKey) -> None:
    """Record an answer to the question about a plan.

    :param seals: the key of the seal over an approval.
    :raises NotAllowedError: when an approval does not count.
    """
    if answer.approves:
        _record_approval(db, run, answer, seals)
    else:
        _record_rejection(db, run, answer)


def record_no_answer(db: LedgerDatabase, run: RunKey, now: datetime) -> NotAllowedError:
    """Record that nobody answered in time, and return the error of the task."""
    if shown := plans.plan_in_question(db, run):
        plans.record_rejection(db, run, shown.plan_id, by=None, at=now)
    return NotAllowedError(
        "Nobody answered whether this plan may be sent before it became too old (`plan_valid_for`), so it is not sent."
        " Nobody is lost: the next run plans these people again; trigger one to plan them now."
    )


def _record_approval(db: LedgerDatabase, run: RunKey, answer: Answer, seals: SealingKey) -> None:
    who = answer.user
    again = "Nothing is sent, and nobody is lost: the next run plans these people again; trigger one if it is urgent."
    if who is None:
        raise NotAllowedError(f"The plan was approved, but by no user of Airflow, so that does not count. {again}")
    shown = plans.plan_in_question(db, run)
    if shown is None:
        raise NotAllowedError(
            f"The ledger does not know which plan {who} was shown, so the approval does not count. {again}"
        )
    if not plans.record_approval(db, run, shown, seals, by=who, at=answer.at):
        raise NotAllowedError(
            f"{who} approved plan {shown.plan_id} with the fingerprint {shown.fingerprint[:12]}. That is not the newest"
            " plan of this run any more, or it was rejected, is older than `plan_valid_for`, or the ledger's record of"
            f" the question was changed. {again}"
        )
    log.info("%s approved plan %s; it is sent now.", who, shown.plan_id)


def _record_rejection(db: LedgerDatabase, run: RunKey, answer: Answer) -> None:
    who = answer.user or "nobody known"
    if shown := plans.plan_in_question(db, run):
        plans.record_rejection(db, run, shown.plan_id, by=who, at=answer.at)
    log.warning(
        "%s rejected the plan: it is not sent. Nobody is lost: the next run plans these people again; trigger one to"
        " plan them today.",
        who,
    )


def _name_of(user: Any, *keys: str) -> str | None:
    if not isinstance(user, Mapping):
        return None
    name = next((str(user[key]).strip() for key in keys if user.get(key)), "")
    return name[:250] or None


def _instant(value: Any) -> datetime:
    """Return when somebody answered; now, where Airflow does not say."""
    if isinstance(value, str):
        try:
            value = parse_iso(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return utc_now()
    try:
        return in_utc(value)
    except OverflowError:
        return utc_now()
