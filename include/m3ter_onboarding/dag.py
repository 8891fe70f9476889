"""The DAG of one organisation: ``snapshot → plan → approve → send → report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from m3ter_onboarding.config import OnboardingConfig, load_config
from m3ter_onboarding.operators import (
    OnboardingApproveOperator,
    OnboardingPlanOperator,
    OnboardingReportOperator,
    OnboardingSendOperator,
    OnboardingSnapshotOperator,
)
from m3ter_onboarding.window import Mode

_DOC = """
**Invites new hires into m3ter, each exactly once.**

1. `snapshot` mirrors m3ter and settles what earlier runs left open; `plan` reads the warehouse and decides about every
   row; `send` e-mails those who need it; `report` sums up and decides the run's colour.
2. See what would happen first: trigger with mode `dry_run`. Nothing is sent, every decision is in
   `m3ter_onboarding_decision`.
3. A backfill only plans, unless `allow_backfill_send` is set; nobody who was invited before is invited again.
4. A day that failed needs nothing: the next run reads back to where the last finished one ended.
5. The Airflow variable `m3ter_onboarding_paused` (`all`, or the configuration's name) stops sending.
"""


def onboarding_dag(config: str | Path | OnboardingConfig) -> DAG:
    """Return the onboarding DAG of one organisation.

    Nothing is connected to, and nothing but the YAML and the SQL file is read.

    :param config: the YAML file, absolute or relative to the DAG file that calls this; or a loaded configuration.
    :raises ConfigurationError: naming the file and the key; Airflow shows it as an import error of this DAG file alone.
    """
    caller = Path(sys._getframe(1).f_code.co_filename)
    if not isinstance(config, OnboardingConfig):
        config = load_config(caller.parent / config)
    settings = config.dag
    dag_id = f"m3ter_onboarding__{config.name}"
    dag = DAG(
        dag_id=dag_id,
        dag_display_name=settings.display_name or dag_id,
        description=settings.description,
        doc_md=settings.doc_md or _DOC,
        schedule=_timetable(config),
        start_date=config.start_at,
        catchup=False,
        is_paused_upon_creation=True,
        max_active_runs=settings.max_active_runs,
        dagrun_timeout=settings.dagrun_timeout,
        tags=set(settings.tags),
        access_control=settings.granted(),
        default_args=settings.task_arguments(),
        params=run_parameters(),
        render_template_as_native_obj=False,
    )
    dag.fileloc = str(caller)
    with dag:
        snapshot = OnboardingSnapshotOperator(task_id="snapshot", config=config)
        plan = OnboardingPlanOperator(task_id="plan", config=config)
        approve = OnboardingApproveOperator(task_id="approve", config=config)
        send = OnboardingSendOperator(
            task_id="send",
            config=config,
            execution_timeout=settings.send_timeout,
            trigger_rule="none_failed",  # `approve` is skipped where nobody has to be asked
        )
        report = OnboardingReportOperator(task_id="report", config=config)
        snapshot >> plan >> approve >> send >> report.as_teardown(on_failure_fail_dagrun=True)
    return dag


def _timetable(config: OnboardingConfig) -> Any:
    """Return a timetable with data intervals: Airflow's own ``@daily`` has empty ones."""
    if config.schedule is None:
        return None
    return CronDataIntervalTimetable(config.schedule, timezone=config.time_zone)


def run_parameters() -> dict[str, Param]:
    """Return the parameters of a run, as the trigger dialogue shows them."""
    return {
        "mode": Param(
            Mode.NORMAL.value,
            type="string",
            enum=[mode.value for mode in Mode],
            title="Mode",
            description="normal: plan and send. dry_run: plan only, nothing is sent.",
        ),
        "max_invitations": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            title="At most this many invitations",
            description="More in the plan: nothing at all is sent. Empty: as configured.",
        ),
        "only_employee": Param(
            None,
            type=["null", "string"],
            maxLength=250,
            title="Only this employee_id",
            description="Run parameters are visible to many: give the employee_id, never an address.",
        ),
        "interval_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Interval from",
            description="With a time zone. With 'Interval to': the days to read, instead of the schedule's.",
        ),
        "interval_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Interval to (not included)",
        ),
        "allow_backfill_send": Param(
            False,
            type="boolean",
            title="A backfill may send",
            description="Without it a backfill plans only.",
        ),
    }
