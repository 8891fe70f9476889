"""The report of a run: counts from the ledger alone, and the lines that the log shows.

It is made whatever happened before it, also while a killed ``send`` still posts: then rows under a live lease are open,
not lost, and are not settled here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger import mirror_comparison, plan_counts, plans, remaining
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.plans import PlanRow
from m3ter_onboarding.ledger.runs import FAILED_TASK, FAILURE, Counts, RunKey, RunOutcome, RunRow
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.worklist_counts import WorklistCounts, count_worklist
from m3ter_onboarding.reporting.failure_cause import FailureCause
from m3ter_onboarding.reporting.run_outcome import problems_of

log = logging.getLogger(__name__)

#: The task whose log has the report.
REPORT = "report"
_UNFINISHED = ("failed", "upstream_failed", "up_for_retry", "removed")


@dataclass(frozen=True)
class BesideTheLedger:
    """Facts of a run that the ledger does not hold.

    :param org_id: of the m3ter connection.
    :param may_send: whether the m3ter connection may send.
    :param task_states: of the run's other tasks, as far as Airflow answers.
    :param base_url: of m3ter, by the connection; None: it is not named.
    :param cause: what the task that failed first left in Airflow.
    """

    org_id: str
    may_send: bool
    mode: str
    fail_on_refused: bool
    task_states: Mapping[str, str | None]
    base_url: str | None = None
    cause: FailureCause | None = None


@dataclass(frozen=True)
class Report:
    """The result of a run; counts only.

    :param withheld: people of the plan whom narrower settings held back.
    :param approval: whether a person had to approve the plan, and what they answered.
    :param problems: sentences, each a reason why the run is not a success.
    :param plans_only_because: why nothing of the plan may be sent; None: it may, or there is no plan.
    :param cause: what the task that failed first left; None: none did.
    """

    organisation: str
    may_send: bool
    mode: str
    plan_id: str | None = None
    rows: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[str, int] = field(default_factory=dict)
    ledger: Mapping[str, int] = field(default_factory=dict)
    worklist: WorklistCounts = field(default_factory=WorklistCounts)
    withheld: int = 0
    approval: str = "not needed"
    problems: tuple[str, ...] = ()
    base_url: str | None = None
    plans_only_because: str | None = None
    cause: FailureCause | None = None

    @property
    def outcome(self) -> str:
        """The run's colour, in a word."""
        return "failed" if self.problems else "success"

    @property
    def for_review(self) -> int:
        """How many rows or invitations wait for a person."""
        return _for_review(self.decisions, self.states)

    def notified_before(self, begun: RunRow) -> bool:
        """Return whether an earlier try of the report found the same number for review, and notified of it.

        :param begun: the run's row, as that try left it.
        """
        states = begun.counts.get("invitations")
        decisions = {name: count for name, count in begun.counts.items() if isinstance(count, int)}
        earlier = _for_review(decisions, states if isinstance(states, Mapping) else {})
        return begun.finished_at is not None and earlier == self.for_review

    def with_problem(self, problem: str) -> Report:
        """Return this report with one problem more."""
        return replace(self, problems=(*self.problems, problem))

    def summary(self) -> dict[str, Any]:
        """Return ids and counts for XCom."""
        return {
            "plan_id": self.plan_id,
            "rows": self.rows,
            "decisions": dict(self.decisions),
            "invitations": dict(self.states),
            "ledger": dict(self.ledger),
            "worklist": dict(self.worklist.open),
            "withheld": self.withheld,
            "plans_only": self.plans_only_because is not None,
            "approval": self.approval,
            "outcome": self.outcome,
        }

    def run_outcome(self, finished_at: datetime) -> RunOutcome:
        """Return the run's end as the ledger records it."""
        counts: Counts = {
            "rows": self.rows,
            **self.decisions,
            "invitations": dict(self.states),
            "allow_invitations": self.may_send,
        }
        if self.problems:
            cause = self.cause or FailureCause(" ".join(self.problems), REPORT)
            counts = {**counts, FAILURE: cause.sentence, FAILED_TASK: cause.task_id or REPORT}
        return RunOutcome(finished_at, self.outcome, counts)

    def problem_lines(self) -> list[str]:
        """Return why the run is not a success, as it is logged before everything else."""
        return [f"Problem: {problem}" for problem in self.problems]

    def lines(self) -> list[str]:
        """Return the report as it is logged, below its problems: counts first, ids last."""
        right = "may send invitations" if self.may_send else "may not send invitations"
        where = f" at {self.base_url}" if self.base_url else ""
        planned = f"{self.rows} rows in, {sum(self.decisions.values())} decisions out." if self.plan_id else "No plan."
        lines = [planned, *(f"  {count:6d}  {name}" for name, count in self.decisions.items())]
        if self.plans_only_because:
            lines.append(f"Nothing of it was sent: {self.plans_only_because}")
        if self.approval != "not needed":
            lines.append(f"Approval: {self.approval}.")
        if self.states:
            lines.append("Invitations of the people in this plan now, earlier ones included:")
            lines += [f"  {count:6d}  {state}" for state, count in sorted(self.states.items())]
        if self.withheld:
            lines.append(
                f"Held back: {self.withheld} people of this plan, since settings became narrower after it was made;"
                " they are in the worklist."
            )
        lines += self._worklist_lines()
        lines.append("The ledger holds for this organisation:")
        lines += [f"  {count:6d}  {state}" for state, count in self.ledger.items()] or ["  nothing yet"]
        lines.append(f"Organisation {self.organisation}{where}; this connection {right}; mode {self.mode}.")
        return lines + ([f"The plan is {self.plan_id}."] if self.plan_id else [])

    def _worklist_lines(self) -> list[str]:
        worklist, lines = self.worklist, []
        if worklist.open:
            oldest = f"{worklist.oldest:%Y-%m-%d}" if worklist.oldest else "unknown"
            lines.append(
                "The worklist of this organisation: every run reads these rows again until a setting, the warehouse or"
                f" a person answers them; the oldest is of {oldest}."
            )
            lines += [f"  {count:6d}  {name}" for name, count in worklist.open.items()]
        if worklist.answered:
            lines.append(f"Answered by this plan: {worklist.answered} of the worklist.")
        if worklist.gone:
            lines.append(f"Not in the query any more: the rows of {worklist.gone} further entries of the worklist.")
        if worklist.too_old:
            lines.append(
                f"Given up by this plan: {worklist.too_old} of the worklist, unanswered for longer than `max_age_days`;"
                " m3ter_onboarding_worklist has them as `too_old`."
            )
        return lines


def _for_review(decisions: Mapping[str, int], states: Mapping[str, int]) -> int:
    rows = sum(count for name, count in decisions.items() if name.startswith("review:"))
    # One whose outcome is unknown is both.
    return max(rows, rows - decisions.get("review:unknown_outcome", 0) + states.get(InvitationState.REVIEW.value, 0))


def make_report(db: LedgerDatabase, run: RunKey, beside: BesideTheLedger) -> Report:
    """Count the results of a run."""
    plan_id = plans.newest_plan_id(db, run)
    plan = plans.read_plan(db, plan_id) if plan_id else None
    unfinished = [name for name in ("snapshot", "plan") if beside.task_states.get(name) in _UNFINISHED]
    left = remaining.remaining(db, plan.plan_id, beside.org_id) if plan and plan.state == "sealed" else None
    return Report(
        organisation=beside.org_id,
        base_url=beside.base_url,
        may_send=beside.may_send,
        mode=beside.mode,
        plan_id=plan_id,
        rows=plan.rows_read if plan else 0,
        decisions=plan_counts.decisions_by_reason(db, plan_id) if plan_id else {},
        states=left.states if left else {},
        ledger=mirror_comparison.count_rows(db, beside.org_id),
        worklist=count_worklist(db, beside.org_id, plan_id, utc_now()),
        withheld=left.withheld if left else 0,
        approval=_approval(plan),
        problems=tuple(problems_of(plan, left, unfinished, beside.fail_on_refused)),
        plans_only_because=plan.not_sendable_because if plan and left else None,
        cause=beside.cause,
    )


def _approval(plan: PlanRow | None) -> str:
    if plan is None or not plan.needs_approval or not plan.sendable:
        return "not needed"
    if plan.rejected_at is not None:
        if plan.rejected_by:
            return f"rejected by {plan.rejected_by}; the plan was not sent, and the next run plans these people again"
        return "nobody answered in time"
    return f"approved by {plan.approved_by}" if plan.approved else "missing"
