"""The plan of one run: the new hires are read and decided about, the decisions are written, and the plan is sealed.

Planning reserves nothing (docs/delivery.md, rule 5): a plan takes nobody from another run.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode
from m3ter_onboarding.databases.spool import Spool
from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.ledger import mirror, plans
from m3ter_onboarding.ledger.claims import attempted_by_run, attempted_for_approval, attempted_in_a_day
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decision_rows import DecisionRow, DecisionRows, write_decisions
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.rejections import rejected_people
from m3ter_onboarding.ledger.worklist import PlanRead, Questions, update_worklist
from m3ter_onboarding.planning.approval_rule import ApprovalRule, ToApprove
from m3ter_onboarding.planning.decided_rows import PlanningRun, decide_rows
from m3ter_onboarding.planning.erased_rows import unless_erased_meanwhile
from m3ter_onboarding.planning.explanation import explain
from m3ter_onboarding.planning.plan_contents import PlanContents

log = logging.getLogger(__name__)

#: The end of "Nothing of it will be sent: …", where the run may send only the plan that somebody looked at.
OTHER_THAN_SEEN = (
    "it is not the plan that was looked at (`only_plan`): warehouse, m3ter or configuration changed since. The run's"
    " page shows what is different; to send this plan, look at it, and start another run."
)


@dataclass(frozen=True)
class Planned:
    """A sealed plan; counts only.

    :param counts: rows by ``decision:reason``.
    :param sendable: whether this run may send it.
    :param approval_because: why a person must approve it; empty: nobody has to.
    :param no_approval_because: why nobody has to; None: somebody has to, or it invites nobody.
    """

    plan_id: str
    rows: int
    invitations: int
    counts: dict[str, int]
    sendable: bool
    not_sendable_because: str | None
    approval_because: tuple[str, ...]
    no_approval_because: str | None
    fingerprint: str

    @property
    def needs_approval(self) -> bool:
        """Whether a person must approve it."""
        return bool(self.approval_because)

    def summary(self) -> dict[str, Any]:
        """Return the ids and counts that go into XCom."""
        return {
            "plan_id": self.plan_id,
            "fingerprint": self.fingerprint,
            "rows": self.rows,
            "count": self.invitations,
            "counts": self.counts,
            "sendable": self.sendable,
            "needs_approval": self.needs_approval,
        }


def make_plan(
    config: OnboardingConfig,
    db: LedgerDatabase,
    run: PlanningRun,
    *,
    now: datetime,
    settle: Callable[[], None] | None = None,
) -> Planned:
    """Read, validate, look up, decide, write and seal; each is done once.

    :param settle: called before anybody is looked up; waits for invitations that are under way. Older plans of this
        run begin nothing new by then.
    :raises SourceError: when the new hires cannot be read.
    :raises PlanError: when no plan can be made: the mirror is incomplete, a policy is missing or ambiguous, the secret
        of the hashes of erased people is missing.
    """
    state = _current_mirror(db, run.org_id, config.plan_valid_for)
    plan_id = _begin(db, run, now)
    rows = DecisionRows(db, plan_id, run.org_id, now, run.seals)
    settle = settle if run.plans_only_because is None else None
    with (
        Spool[DecisionRow]() as spool,
        decide_rows(config, db, run, mirror_full_at=state.invitations_full_at, now=now, settle=settle) as decided,
    ):
        contents = PlanContents(run.org_id, keeps_decisions=run.parameters.only_employee is not None)
        for part in decided.parts:
            spool.append([rows.of(decision, request) for decision, request in contents.with_requests(part)])
        if contents.rows != decided.rows:
            raise PlanError(f"{decided.rows} rows were read and {contents.rows} decisions made; nothing is sent.")
        write_decisions(db, rows, spool)

    used = contents.used_among(decided.policies)
    hashed = contents.fingerprint(used)
    plans_only_because = run.plans_only_because or _other_than_seen(run, hashed)
    rule = ApprovalRule.of_run(config, run.parameters, now)
    to_approve = _to_approve(db, run, plan_id, contents.invitations, used)
    planned = Planned(
        plan_id=plan_id,
        rows=contents.rows,
        invitations=contents.invitations,
        counts=contents.counts,
        sendable=plans_only_because is None,
        not_sendable_because=plans_only_because,
        approval_because=rule.reasons(to_approve),
        no_approval_because=rule.reason_for_none(to_approve),
        fingerprint=hashed,
    )
    seal = _seal_of(planned, used, valid_for=config.plan_valid_for, now=now)
    worklist = _change_of_worklist(config, db, run, planned, contents.questions, now)
    plans.seal_plan(db, plan_id, seal, run.seals, unless_erased_meanwhile(db, run.org_id, decided.erased, worklist))
    _log(config, planned, run, contents, {policy.m3ter_id: policy.name for policy in decided.policies})
    return planned


def _current_mirror(db: LedgerDatabase, org_id: str, valid_for: timedelta) -> mirror.MirrorState:
    state = mirror.read_state(db, org_id)
    if state.complete_ms is None:
        raise PlanError(
            "m3ter was never read to the end for this organisation by this version of the ledger, so nobody can be"
            " compared with it; nothing is planned. Clear the task `snapshot`."
        )
    age = timedelta(milliseconds=db.now_ms() - state.complete_ms)
    if age > valid_for:
        raise PlanError(
            f"m3ter was last read to the end {age.total_seconds() / 3600:.0f} hours ago, longer than `plan_valid_for`;"
            " nothing is planned. Clear the task `snapshot` too."
        )
    return state


def _begin(db: LedgerDatabase, run: PlanningRun, now: datetime) -> str:
    plan_id = str(uuid.uuid4())
    beginning = plans.PlanBeginning(
        org_id=run.org_id,
        mode=run.parameters.mode.value,
        window_start=run.window.start,
        window_end=run.window.end,
        created_at=now,
    )
    plans.begin_plan(db, run.key, plan_id, beginning)
    return plan_id


def _other_than_seen(run: PlanningRun, hashed: str) -> str | None:
    """Return why a run sends nothing that may send only the plan that somebody looked at; None: this is that plan."""
    seen = run.parameters.only_plan
    return None if seen is None or seen == hashed else OTHER_THAN_SEEN


def _to_approve(
    db: LedgerDatabase, run: PlanningRun, plan_id: str, invitations: int, used: Sequence[M3terPolicy]
) -> ToApprove:
    """Return what the plan adds to what was sent already."""
    return ToApprove(
        invitations=invitations,
        # A run whose plan is made again is still one run: its earlier attempts count.
        by_run_before=attempted_by_run(db, run.key, other_than=plan_id),
        in_a_day=attempted_for_approval(db, run.org_id),
        by_backfills=attempted_in_a_day(db, run.org_id, run.key.dag_id) if run.is_backfill else 0,
        administrators=any(policy.administrator_like for policy in used),
        rejected=rejected_people(db, plan_id, run.org_id) if run.plans_only_because is None else 0,
    )


def _seal_of(planned: Planned, used: Sequence[M3terPolicy], *, valid_for: timedelta, now: datetime) -> plans.PlanSeal:
    return plans.PlanSeal(
        fingerprint=planned.fingerprint,
        rows_read=planned.rows,
        invitations=planned.invitations,
        counts=planned.counts,
        policies=[
            plans.PlannedPolicy(p.m3ter_id, p.name, p.version, p.administrator_like, p.statements_shown) for p in used
        ],
        sendable=planned.sendable,
        not_sendable_because=planned.not_sendable_because,
        approval_because=planned.approval_because,
        no_approval_because=planned.no_approval_because,
        sealed_at=now,
        valid_for=valid_for,
    )


def _change_of_worklist(
    config: OnboardingConfig,
    db: LedgerDatabase,
    run: PlanningRun,
    planned: Planned,
    questions: Questions,
    now: datetime,
) -> Callable[[Connection], None] | None:
    """Return what the plan changes in the worklist; None: it only looks at days, and neither asks nor answers."""
    if not planned.sendable and run.parameters.mode is not Mode.BASELINE:
        return None
    read = PlanRead(
        plan_id=planned.plan_id,
        dag_id=run.key.dag_id,
        org_id=run.org_id,
        config_name=config.name,
        everybody=run.parameters.only_employee is None,
        window_start=run.window.start,
        window_end=run.window.end,
    )
    return lambda connection: update_worklist(connection, db, read, questions, now=now, max_age=config.max_age)


def _log(
    config: OnboardingConfig,
    planned: Planned,
    run: PlanningRun,
    contents: PlanContents,
    policy_names: Mapping[str, str],
) -> None:
    parameters = run.parameters
    log.info("%d rows in, %d decisions out, for %s.", planned.rows, contents.rows, run.window)
    for name, count in planned.counts.items():
        log.info("  %6d  %s", count, name)
    log.info("This is plan %s.", planned.plan_id)
    if planned.rows:
        log.info("Who, and why: the tab `m3ter onboarding` of this run.")
    for decision in contents.decisions:
        for line in explain(decision, policy_names, sendable=planned.sendable):
            log.info("  %s", line)
    if parameters.mode is Mode.BASELINE:
        log.info(
            "Baseline: nothing is sent. %d of the people in the query are not in m3ter yet; the next run with mode"
            " `normal` invites them. The ledger now knows those who are in m3ter already.",
            planned.invitations,
        )
    elif not planned.sendable:
        log.info("Nothing of it will be sent: %s", planned.not_sendable_because)
    cap = config.max_invitations if parameters.max_invitations is None else parameters.max_invitations
    if cap is not None and planned.invitations > cap:
        log.warning(
            "The plan has %d invitations, more than `max_invitations` (%d): sending it will be refused.",
            planned.invitations,
            cap,
        )
