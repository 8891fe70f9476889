"""Step two: read the new hires, decide about each of them, write the decisions and seal the plan.

Planning reserves nothing (docs/delivery.md, rule 5): what is written here takes nobody from another run.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode, RunParameters
from m3ter_onboarding.errors import PlanError, SourceError
from m3ter_onboarding.ledger import attempts, mirror, people, plans
from m3ter_onboarding.ledger.claims import attempted_by_run
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision, write_decisions
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.planning.explanation import explain
from m3ter_onboarding.planning.facts import Known
from m3ter_onboarding.planning.fingerprint import fingerprint
from m3ter_onboarding.planning.planner import plan_invitations, select_employee
from m3ter_onboarding.planning.rules import PlanRules
from m3ter_onboarding.planning.window import Window
from m3ter_onboarding.privacy import mask_employee_id
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.new_hire import email_key_of, employee_id_of
from m3ter_onboarding.source.warehouse import read_rows, warehouse_engine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planned:
    """A sealed plan; counts only.

    :param counts: rows by ``decision:reason``.
    :param sendable: whether this run may send it.
    """

    plan_id: str
    rows: int
    invitations: int
    counts: dict[str, int]
    sendable: bool
    not_sendable_because: str | None
    needs_approval: bool
    fingerprint: str

    def summary(self) -> dict[str, Any]:
        """Return what goes into XCom: ids and counts."""
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
    *,
    run: RunKey,
    org_id: str,
    allowed_domains: tuple[str, ...],
    window: Window,
    parameters: RunParameters,
    may_invite: bool,
    not_because: str | None,
    now: datetime,
    answers_within: timedelta = timedelta(0),
) -> Planned:
    """Read, decide, write and seal.

    :param may_invite: whether a run of this kind may send at all; *not_because* says why not.
    :param answers_within: the longest that one POST takes: so long the results of what an older plan of this run has
        begun are waited for.
    :raises SourceError: when the new hires cannot be read.
    :raises PlanError: when no plan can be made: the mirror is incomplete, a policy is missing or ambiguous.
    """
    _require_mirror(db, org_id, config.plan_valid_for)
    plan_id = str(uuid.uuid4())
    plans.begin_plan(
        db,
        run,
        plan_id,
        plans.PlanBeginning(
            org_id=org_id,
            mode=parameters.mode.value,
            window_start=window.start,
            window_end=window.end,
            created_at=now,
        ),
    )
    rows = _read(config, window, parameters)
    _await_older_sender(db, run, answers_within)
    rules = rules_of(config, parameters, allowed_domains)
    decisions = decide(db, rows, run=run, org_id=org_id, rules=rules, now=now)
    if len(decisions) != len(rows):
        raise PlanError(f"{len(rows)} rows were read and {len(decisions)} decisions made; nothing is sent.")
    write_decisions(db, plan_id, decisions, now)

    policies = mirror.policies_of(db, org_id)
    asked_for = {
        policy_id
        for decision in decisions
        if decision.request is not None
        for policy_id in decision.request.permission_policy_ids or ()
    }
    used = [policy for policy in policies if policy.m3ter_id in asked_for]
    invitations = sum(decision.decision == "invite" for decision in decisions)
    # A run whose plan is made again is still one run: what it has sent already counts.
    before = attempted_by_run(db, run, other_than=plan_id)
    planned = Planned(
        plan_id=plan_id,
        rows=len(rows),
        invitations=invitations,
        counts=dict(sorted(Counter(decision.name for decision in decisions).items())),
        sendable=may_invite,
        not_sendable_because=not_because,
        needs_approval=_needs_approval(config, invitations, before, used),
        fingerprint=fingerprint(decisions, used, org_id=org_id),
    )
    plans.seal_plan(
        db,
        plan_id,
        plans.PlanSeal(
            fingerprint=planned.fingerprint,
            rows_read=planned.rows,
            invitations=planned.invitations,
            counts=planned.counts,
            policies=[plans.PlannedPolicy(p.m3ter_id, p.name, p.version, p.administrator_like) for p in used],
            sendable=planned.sendable,
            not_sendable_because=planned.not_sendable_because,
            needs_approval=planned.needs_approval,
            sealed_at=now,
            valid_for=config.plan_valid_for,
        ),
    )
    _log(config, planned, window, parameters, decisions, {policy.m3ter_id: policy.name for policy in policies})
    return planned


def _await_older_sender(db: LedgerDatabase, run: RunKey, longest: timedelta) -> None:
    """Let the sender of an older plan of this run end, which begins nothing new any more.

    Airflow starts a cleared `plan` while it still ends the old `send`. Whom that sender then lets go would be in no
    plan: when this one was made, they were on their way.
    """
    last, told = time.monotonic() + longest.total_seconds(), False
    while time.monotonic() < last and (many := attempts.under_way(db, run, longest)):
        if not told:
            log.info("An older plan of this run is still being sent; waiting for %d answer(s) of m3ter.", many)
            told = True
        time.sleep(0.5)  # only the ledger tells when they are there, and it can only be asked


def _needs_approval(config: OnboardingConfig, invitations: int, before: int, used: list[M3terPolicy]) -> bool:
    """Tell whether a person must approve: many are invited, or somebody is to become an administrator."""
    many = config.approval_above is not None and invitations > 0 and before + invitations > config.approval_above
    return many or any(policy.administrator_like for policy in used)


def _require_mirror(db: LedgerDatabase, org_id: str, valid_for: timedelta) -> None:
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


def check_source(config: OnboardingConfig, window: Window) -> None:
    """Run the query over no time at all: are its columns those of the contract?

    :raises SourceError: naming the column, or why the warehouse cannot be read.
    """
    engine = warehouse_engine(config.warehouse_conn_id)
    try:
        read_rows(engine, config.query_text, Window(window.end, window.end))
    finally:
        engine.dispose()


def _read(config: OnboardingConfig, window: Window, parameters: RunParameters) -> list[SourceRow]:
    engine = warehouse_engine(config.warehouse_conn_id)
    try:
        rows = read_rows(engine, config.query_text, window)
    finally:
        engine.dispose()
    if len(rows) < config.min_expected_rows:
        raise SourceError(
            f"The query returned {len(rows)} rows for {_said(window)}, and `min_expected_rows` is"
            f" {config.min_expected_rows}; nothing is sent. Look whether the warehouse was loaded."
        )
    if not rows:
        log.info("The query returned no rows for %s: there is nobody to invite.", _said(window))
    if parameters.only_employee is None:
        return rows
    chosen = select_employee(rows, parameters.only_employee)
    log.info(
        "Only employee %s: %d of %d rows selected.",
        mask_employee_id(parameters.only_employee),
        len(chosen),
        len(rows),
    )
    if not chosen:
        log.warning(
            "No row of %s has this employee_id; nobody is invited. Set interval_start and interval_end to the days in"
            " which the row was loaded.",
            _said(window),
        )
    return chosen


def rules_of(config: OnboardingConfig, parameters: RunParameters, allowed_domains: tuple[str, ...]) -> PlanRules:
    """Return the rules of one run's plan."""
    again = parameters.mode is Mode.RETRY_FAILED
    return PlanRules.from_config(
        config,
        allowed_domains=allowed_domains,
        retry_failed=again,
        invite_again=again and parameters.only_employee is not None,
    )


def decide(
    db: LedgerDatabase, rows: list[SourceRow], *, run: RunKey, org_id: str, rules: PlanRules, now: datetime
) -> list[Decision]:
    """Compare rows with what is known, and decide about each.

    :raises PlanError: when a policy of the configuration is missing or ambiguous in m3ter.
    """
    policies = mirror.policies_of(db, org_id)
    keys = {key for row in rows if (key := email_key_of(row))}
    employees = {employee for row in rows if (employee := employee_id_of(row))}
    previous = people.previous_addresses(db, org_id, employees)
    keys.update(previous.values())
    ledger = people.read_ledger(db, org_id, keys, employees, planning=run)
    keys.update(entry.email_key for entry in ledger)
    known = Known(
        ledger=ledger,
        invitations=mirror.invitations_of(db, org_id, keys),
        users=mirror.users_of(db, org_id, keys),
        policies=policies,
        mirror_full_at=mirror.read_state(db, org_id).invitations_full_at,
        previous_addresses=previous,
    )
    return plan_invitations(rows, known=known, rules=rules, now=now)


def _log(
    config: OnboardingConfig,
    planned: Planned,
    window: Window,
    parameters: RunParameters,
    decisions: list[Decision],
    policy_names: dict[str, str],
) -> None:
    log.info(
        "Plan %s for %s: %d rows in, %d decisions out.", planned.plan_id, _said(window), planned.rows, len(decisions)
    )
    for name, count in planned.counts.items():
        log.info("  %6d  %s", count, name)
    if decisions:
        log.info("Who, and why: the tab `m3ter onboarding` of this run.")
    if parameters.only_employee is not None:
        for decision in decisions:
            for line in explain(decision, policy_names, sendable=planned.sendable):
                log.info("  %s", line)
    if parameters.mode is Mode.BASELINE:
        log.info(
            "Baseline: nothing is sent. %d of the people in the query are not in m3ter yet; the next run with mode"
            " `normal` invites them. Whoever is there already is known to the ledger now.",
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


def _said(window: Window) -> str:
    return f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"


def may_invite(run_type: str, parameters: RunParameters) -> tuple[bool, str | None]:
    """Tell whether a run of this kind may send, and if not, why."""
    if not parameters.mode.may_send:
        return False, f"it is a run with mode `{parameters.mode.value}`."
    if run_type == "backfill" and not parameters.allow_backfill_send:
        return False, "it is a backfill, which plans only unless `allow_backfill_send` is set."
    return True, None
