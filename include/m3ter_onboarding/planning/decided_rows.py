"""The rows of a run's query, each with its decision; nothing is written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.errors import PlanError, SourceError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.erased_people import ErasedPeople
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sealing import SealingKey
from m3ter_onboarding.planning.aliases import point_out_aliases
from m3ter_onboarding.planning.erased_rows import decide_erased
from m3ter_onboarding.planning.facts import Facts, read_facts
from m3ter_onboarding.planning.plan_settings import PlanSettings, trusted_by_id
from m3ter_onboarding.planning.planner import decide
from m3ter_onboarding.planning.warehouse_exclusions import read_excluded
from m3ter_onboarding.privacy import mask_employee_id
from m3ter_onboarding.source.new_hire import NewHire, ValidatedRow, select_employee, validate_rows
from m3ter_onboarding.source.routing import route_rows
from m3ter_onboarding.source.warehouse import read_new_hires
from m3ter_onboarding.source.window import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlanningRun:
    """The run that a plan is made for.

    :param window: the days that its query reads.
    :param seals: the key of the seals over what the plan may send.
    :param plans_only_because: why nothing of the plan may be sent; None: it may.
    :param is_backfill: whether the run is one of a backfill, which share one cap.
    :param allowed_domains: of the m3ter connection; empty: any.
    """

    key: RunKey
    org_id: str
    window: Window
    parameters: RunParameters
    seals: SealingKey = field(repr=False)
    plans_only_because: str | None = None
    is_backfill: bool = False
    allowed_domains: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecidedRows:
    """What was decided, and by which facts.

    :param decisions: one for each row.
    :param erased: who was erased when they were looked up.
    """

    decisions: Sequence[Decision] = field(repr=False)
    facts: Facts = field(repr=False)
    erased: ErasedPeople = field(repr=False)


def decide_rows(
    config: OnboardingConfig,
    db: LedgerDatabase,
    run: PlanningRun,
    *,
    mirror_full_at: datetime | None,
    now: datetime,
    settle: Callable[[], None] | None = None,
) -> DecidedRows:
    """Read, validate, look up and decide.

    :param mirror_full_at: when m3ter's invitations were last read to the end.
    :param settle: called before anybody is looked up.
    :raises SourceError: when the new hires cannot be read.
    :raises PlanError: when a policy is missing or ambiguous, or the secret of the hashes of erased people is missing.
    """
    rows, erased = decide_erased(db, run.org_id, _read(config, run, now))
    if settle is not None:
        settle()
    facts = read_facts(
        db,
        [row for row in rows if isinstance(row, NewHire)],
        read_excluded(config),
        run=run.key,
        org_id=run.org_id,
        mirror_full_at=mirror_full_at,
    )
    facts = replace(facts, policies=trusted_by_id(facts.policies, config))
    rules = PlanSettings.of_run(config, run.parameters, allowed_domains=run.allowed_domains)
    excluded = {*rules.excluded_employees, *(one.employee_id for one in facts.excluded_people if one.employee_id)}
    decisions = decide(rows, facts, rules, now=now)
    decisions = point_out_aliases(db, run.org_id, decisions, now, excluded_employees=excluded)
    if len(decisions) != len(rows):
        raise PlanError(f"{len(rows)} rows were read and {len(decisions)} decisions made; nothing is sent.")
    return DecidedRows(decisions, facts, erased)


def _read(config: OnboardingConfig, run: PlanningRun, now: datetime) -> list[ValidatedRow]:
    extra = config.extra_columns
    found = read_new_hires(
        config.warehouse_conn_id,
        config.query_text,
        run.window,
        extra_columns=extra,
        organisation=config.organisation,
    )
    routed = route_rows(found, config)
    many = len(routed.own) + len(routed.unclear)
    if many < config.min_expected_rows:
        raise SourceError(
            f"The query returned {many} rows for {run.window}, and `min_expected_rows` is"
            f" {config.min_expected_rows}; nothing is sent. Look whether the warehouse was loaded."
        )
    if not found:
        log.info("The query returned no rows for %s: there is nobody to invite.", run.window)
    validated = validate_rows(
        routed.own, default_time_zone=config.time_zone, now=now, extra_columns=extra, placeholders=config.placeholders
    )
    validated = [*validated, *routed.unclear]
    if run.parameters.only_employee is None:
        return validated
    chosen = select_employee(validated, run.parameters.only_employee)
    log.info(
        "Only employee %s: %d of %d rows selected.",
        mask_employee_id(run.parameters.only_employee),
        len(chosen),
        many,
    )
    if not chosen:
        log.warning(
            "No row of %s has this employee_id; nobody is invited. Set interval_start and interval_end to the days in"
            " which the row was loaded.",
            run.window,
        )
    return chosen
