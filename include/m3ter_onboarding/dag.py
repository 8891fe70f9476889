"""The DAG of one organisation: ``snapshot → plan → approve → send → report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.operators import (
    OnboardingApproveOperator,
    OnboardingPlanOperator,
    OnboardingReportOperator,
    OnboardingSendOperator,
    OnboardingSnapshotOperator,
)
from m3ter_onboarding.reporting.alerts import FailureAlert

_DOC = """
**Invites new hires into m3ter, each exactly once.**

`snapshot` mirrors m3ter and settles what earlier runs left; `plan` reads the warehouse and decides about every row;
`approve` asks a person where the plan is large or makes administrators, and is skipped else; `send` e-mails those who
need it; `report` sums up and decides the run's colour.

- See what would happen first: trigger with mode *Dry run*. Nothing is sent; the tab *m3ter onboarding* of the run shows
  every decision.
- A day that failed needs nothing: the next run reads back to where the last finished one ended.
- The Airflow variable `m3ter_onboarding_paused` (`all`, or the configuration's name) stops sending.

**Backfill**

1. It plans the chosen days and sends nothing, unless *A backfill may send* is switched on in its dialogue.
2. Whoever was invited before, or is a member, is not invited again: over days already sent it sends nothing.
3. Whoever started more than `max_age_days` ago is not invited.
4. `max_invitations` counts for all of its runs in 24 hours together, and above `approval_above` each run asks first.
5. You need none for days that failed or were paused: the next daily run reads them by itself.
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
        **_alerts(config, dag_id),
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


def _alerts(config: OnboardingConfig, dag_id: str) -> dict[str, Any]:
    """Return the DAG's arguments for alerts."""
    alerts, arguments = config.alerts, dict[str, Any]()
    if alerts.on_failure:
        arguments["on_failure_callback"] = FailureAlert(config.name, dag_id, alerts.on_failure)
    if alerts.deadline is not None:
        arguments["deadline"] = DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=alerts.deadline,
            callback=SyncCallback(
                "m3ter_onboarding.reporting.alerts.deadline_missed",
                kwargs={
                    "config_name": config.name,
                    "notifiers": [notifier.model_dump(mode="json") for notifier in alerts.on_failure],
                    "within": str(alerts.deadline),
                },
            ),
        )
    return arguments


def _timetable(config: OnboardingConfig) -> Any:
    """Return a timetable with data intervals: Airflow's own ``@daily`` has empty ones."""
    if config.schedule is None:
        return None
    return CronDataIntervalTimetable(config.schedule, timezone=config.time_zone)


#: What the trigger dialogue calls the modes.
_MODES = {
    Mode.NORMAL: "Invite: plan, then send",
    Mode.DRY_RUN: "Dry run: plan only, send nothing",
    Mode.BASELINE: "Baseline: take over what m3ter has, send nothing",
    Mode.FULL: "Full: plan everybody again, then send",
    Mode.RETRY_FAILED: "Retry: also those whom m3ter refused",
}
_DAYS, _LIMITS = "Other days", "Limits and backfill"
#: As far as Airflow checks it before the run starts; ``snapshot`` checks the rest. Empty is as good as not given.
_INSTANT = r"^(|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2}))$"


def run_parameters() -> dict[str, Param]:
    """Return the parameters of a run, as the trigger dialogue shows them.

    What has no section is open at once; sections are closed, and nobody needs one for an ordinary run. No code in
    the texts: the form draws its box over the line above.
    """
    return {
        "mode": Param(
            Mode.NORMAL.value,
            type="string",
            enum=[mode.value for mode in Mode],
            values_display={mode.value: name for mode, name in _MODES.items()},
            title="What to do",
            description_md=(
                "**Invite** is the ordinary run. **Dry run**: decides about every row, nothing is sent."
                " **Baseline**: before the first run, takes over what m3ter has already. **Full**: reads all of m3ter"
                " and the query from 1970 on; max_age_days still holds for rows with a start date. **Retry**: also"
                " invites those whom m3ter refused; with one employee, also if the invitation has expired."
            ),
        ),
        "only_employee": Param(
            None,
            type=["null", "string"],
            maxLength=250,
            title="Only this employee",
            description_md=(
                "The employee_id, as in the warehouse. The log of the task plan then tells step by step what is decided"
                " and why. Many can see this form's values: never an address. Empty: everybody."
            ),
        ),
        "interval_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=_INSTANT,
            section=_DAYS,
            title="From",
            description_md="Empty: the days of the schedule. In JSON with a time zone, such as 2026-11-10T00:00:00Z.",
        ),
        "interval_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=_INSTANT,
            section=_DAYS,
            title="To (not included)",
            description_md="Both, or none.",
        ),
        "max_invitations": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            section=_LIMITS,
            title="At most this many invitations",
            description_md=(
                "If the plan has more, nothing at all is sent. In a backfill it counts for all of its runs together."
                " Empty: as configured."
            ),
        ),
        "allow_backfill_send": Param(
            False,
            type="boolean",
            section=_LIMITS,
            title="A backfill may send",
            description_md="Without it a backfill plans only. It means nothing for other runs.",
        ),
    }
