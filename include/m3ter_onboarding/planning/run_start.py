"""A run begins: its days, the window of its query and whether it may send are decided and recorded."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode, RunParameters
from m3ter_onboarding.config.schedule import next_time
from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.ledger import catch_up, runs, worklist
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.source.warehouse import check_source
from m3ter_onboarding.source.window import EarlierRuns, Interval, Window, resolve_interval, resolve_window
from m3ter_provider import __version__

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AirflowRun:
    """A DAG run as Airflow started it.

    :param run_type: Airflow's word for it, such as ``scheduled``.
    :param data_interval_start: with *data_interval_end*: Airflow's, aware; None if the run has none.
    :param logical_date: Airflow's, aware; None if the run has none.
    :param triggered_by: the person who started it; None: nobody did.
    """

    key: RunKey
    run_type: str
    parameters: RunParameters
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    logical_date: datetime | None = None
    triggered_by: str | None = field(default=None, repr=False)

    @property
    def plans_only_because(self) -> str | None:
        """Why a run of this kind sends nothing; None: it may send."""
        return plans_only_because(self.run_type, self.parameters)


def plans_only_because(run_type: str, parameters: RunParameters) -> str | None:
    """Return why a run of this kind sends nothing; None: it may send."""
    if not parameters.mode.may_send:
        return f"it is a run with mode `{parameters.mode.value}`."
    if run_type == "backfill" and not parameters.allow_backfill_send:
        return "it is a backfill, which plans only unless `allow_backfill_send` is set."
    return None


def start_run(config: OnboardingConfig, db: LedgerDatabase, run: AirflowRun, *, org_id: str, now: datetime) -> None:
    """Make the ledger ready, decide the window of the run's query, record the run, and check the query.

    :param org_id: the organisation that the m3ter connection names.
    :raises LedgerError: when the ledger cannot be used.
    :raises SourceError: when the query cannot be run, or its columns break the contract.
    """
    parameters = run.parameters
    interval = _interval_of(config, run, now)
    prepare_tables(db, create_tables=config.create_tables, now=now, package_version=__version__)
    window = resolve_window(
        interval,
        earlier_runs(config, db, run, org_id, now),
        look_back=config.look_back,
        max_age=config.max_age,
        now=now,
        everybody=parameters.mode is Mode.FULL,
    )
    record = runs.RunRecord(
        config_name=config.name,
        org_id=org_id,
        run_type=run.run_type,
        triggered_by=run.triggered_by,
        mode=parameters.mode.value,
        only_employee=parameters.only_employee,
        interval_start=interval.start,
        interval_end=interval.end,
        window_start=window.start,
        window_end=window.end,
        config_hash=config.hash,
        package_version=__version__,
        may_invite=run.plans_only_because is None,
        started_at=now,
    )
    if runs.is_first_of_organisation(db, org_id):
        log.warning(
            "This ledger holds no earlier run of organisation %s: it does not know who waited in another ledger."
            " The query reads %s; people loaded before are not read. To see them, start a run with mode `dry_run` and"
            " an earlier interval_start, or with mode `full`.",
            org_id,
            window,
        )
    runs.record_run(db, run.key, record)
    # After the run was recorded: the next one then knows of the days of a run whose query was wrong.
    check_source(
        config.warehouse_conn_id,
        config.query_text,
        interval.end,
        extra_columns=config.extra_columns,
        organisation=config.organisation,
    )
    log.info(
        "Run of type %s, mode %s, for %s to %s; the query reads %s to %s (UTC).",
        run.run_type,
        parameters.mode.value,
        *(f"{instant:%Y-%m-%d %H:%M}" for instant in (interval.start, interval.end, window.start, window.end)),
    )


def _interval_of(config: OnboardingConfig, run: AirflowRun, now: datetime) -> Interval:
    start, end = run.data_interval_start, run.data_interval_end
    at = _by_hand_at(config, run)
    return resolve_interval(start, end, run.parameters, now=now, look_back=config.look_back, by_hand_at=at)


def _by_hand_at(config: OnboardingConfig, run: AirflowRun) -> datetime | None:
    """Return the logical date of a run by hand whose interval Airflow took from the schedule; None: of any other run.

    An interval that a person wrote into Airflow's form is for exactly those days.
    """
    at, end = run.logical_date, run.data_interval_end
    if run.run_type != "manual" or at is None or end is None:
        return None
    following = next_time(config.schedule, config.time_zone, end)
    return at if following is not None and end <= at < following else None


def earlier_runs(
    config: OnboardingConfig, db: LedgerDatabase, run: AirflowRun, org_id: str, now: datetime
) -> EarlierRuns:
    """Return what earlier runs left that widens the window of a run."""
    not_before, parameters = now - config.max_age, run.parameters
    asks_again = parameters.mode is Mode.RETRY_FAILED
    return EarlierRuns(
        caught_up_until=catch_up.caught_up_until(db, run.key, org_id, not_before),
        waiting_since=catch_up.waiting_since(db, org_id, not_before, now),
        asked_since=worklist.open_since(db, org_id),
        failed_since=catch_up.failed_since(db, org_id, parameters.only_employee) if asks_again else None,
    )


def window_of_run(db: LedgerDatabase, run: RunKey, org_id: str) -> Window:
    """Return the window of a run's query, as it was recorded when the run began.

    :param org_id: the organisation that the m3ter connection names.
    :raises PlanError: when the run has not begun, or began for another organisation.
    """
    begun = runs.read_run(db, run)
    if begun is None or begun.org_id != org_id:
        raise PlanError(
            "This run has not read the organisation that the m3ter connection names; nothing is planned."
            " Clear the task `snapshot` too."
        )
    return Window(begun.window_start, begun.window_end)
