"""The DAGs of one organisation: ``snapshot → plan → approve → send → report``, and those that only read m3ter."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, AssetAll, AssetOrTimeSchedule, CronDataIntervalTimetable
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from m3ter_onboarding.config.names import access_dag_id_of, dag_id_of, day_one_dag_id_of, status_dag_id_of
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.schedule import AssetSchedule
from m3ter_onboarding.config.trigger_form import access_parameters, run_parameters, status_parameters
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.reporting.alerts import FailureAlert
from m3ter_onboarding.reporting.notifier_classes import check_notifiers
from m3ter_onboarding.tasks.approve import OnboardingApproveOperator
from m3ter_onboarding.tasks.digest import DigestOperator
from m3ter_onboarding.tasks.erase_people import ErasureOperator
from m3ter_onboarding.tasks.follow import InvitationStatusOperator
from m3ter_onboarding.tasks.plan import OnboardingPlanOperator
from m3ter_onboarding.tasks.readiness import ReadinessOperator
from m3ter_onboarding.tasks.report import OnboardingReportOperator
from m3ter_onboarding.tasks.review_access import AccessReviewOperator
from m3ter_onboarding.tasks.send import OnboardingSendOperator
from m3ter_onboarding.tasks.snapshot import OnboardingSnapshotOperator

_DOC = """
**Invites new hires into m3ter, each exactly once.**

`snapshot` mirrors m3ter and settles the open invitations of earlier runs; `plan` reads the warehouse and decides about
every row; `approve` asks a person where the plan is large or makes administrators, and is skipped else; `send` e-mails
those who need it; `report` sums up and decides the run's colour.

- For a preview trigger it with mode *Dry run*. Nothing is sent; the tab *m3ter onboarding* of the run shows
  every decision.
- A day that failed needs nothing: the next run reads back to where the last finished one ended.
- The Airflow variable `m3ter_onboarding_paused` (`all`, or the configuration's name) stops sending.

**Backfill**

1. It plans the chosen days and sends nothing, unless *A backfill may send* is switched on in its dialogue.
2. Members, and people who were invited before, are not invited again: over days already sent it sends nothing.
3. People who started more than `max_age_days` ago are not invited.
4. `max_invitations` counts for all of its runs in 24 hours together, and above `approval.above` a person is asked.
5. You need none for days that failed or were paused: the next daily run reads them by itself.
"""

_STATUS_DOC = """
**Follows what became of invitations: accepted, expired, made by hand, joined another way.**

It reads m3ter and writes to the ledger. It sends nothing, runs no query, and goes on while sending is paused. Requests
grow with what is open and new; *Read everything* reads both lists to their end.

`erase` is skipped unless the run is asked to erase somebody's data.
"""

_ACCESS_DOC = """
**Compares who has access in m3ter with who has a job in the warehouse.**

It reads both and changes nothing in m3ter: people without a job, ends of access and permission policies that differ,
invitations of people who have left. An empty, failed or shrunken read changes no finding.
"""


_DAY_ONE_DOC = """
**Lists who starts soon and where each of them stands, and which invitations nobody has accepted.**

`readiness` reads the ledger alone: it sends nothing, runs no query, and asks m3ter nothing. `digest` notifies people,
once a day, with counts and a link, where somebody should look.
"""


def onboarding_dag(config: str | Path | OnboardingConfig) -> DAG:
    """Return the onboarding DAG of one organisation.

    Nothing is connected to, and nothing but the YAML and the SQL file is read.

    :param config: the YAML file, absolute or relative to the DAG file that calls this; or a loaded configuration.
    :raises ConfigurationError: naming the file and the key; Airflow shows it as an import error of this DAG file alone.
    """
    config, caller = _loaded(config)
    settings = config.dag
    dag_id = dag_id_of(config.name)
    dag = DAG(
        dag_id=dag_id,
        dag_display_name=settings.display_name or dag_id,
        description=settings.description,
        doc_md=settings.doc_md or _DOC,
        schedule=_timetable(config.schedule, config.time_zone),
        start_date=config.start_at,
        catchup=False,
        is_paused_upon_creation=True,
        max_active_runs=settings.max_active_runs,
        dagrun_timeout=settings.dagrun_timeout,
        tags=set(settings.tags),
        access_control=settings.granted(),
        default_args=settings.task_arguments(),
        **_alerts(config, dag_id),
        render_template_as_native_obj=False,
        # A plan may wait a day for its approval: what was excluded since then must reach `send` (docs/delivery.md, 8).
        disable_bundle_versioning=True,
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
            **({} if settings.send_pool is None else {"pool": settings.send_pool}),
        )
        report = OnboardingReportOperator(task_id="report", config=config)
        snapshot >> plan >> approve >> send >> report.as_teardown(on_failure_fail_dagrun=True)
    # After the tasks: Airflow copies what is there before into each of them, many times, and merges both in a run.
    dag.params.update(run_parameters())
    return dag


def invitation_status_dag(config: str | Path | OnboardingConfig) -> DAG:
    """Return the DAG that follows what became of an organisation's invitations; it sends nothing.

    Nothing is connected to, and nothing but the YAML and the SQL file is read.

    :param config: as :func:`onboarding_dag` takes it, and the same.
    :raises ConfigurationError: naming the file and the key; Airflow shows it as an import error of this DAG file alone.
    """
    config, caller = _loaded(config)
    dag = _reading_dag(
        config,
        caller,
        dag_id=status_dag_id_of(config.name),
        description="Follows what became of invitations to m3ter; sends nothing.",
        doc_md=_STATUS_DOC,
        schedule=config.status.schedule,
        params=status_parameters(),
    )
    with dag:
        follow = InvitationStatusOperator(task_id="follow", config=config)
        follow >> ErasureOperator(task_id="erase", config=config)
    return dag


def access_review_dag(config: str | Path | OnboardingConfig) -> DAG:
    """Return the DAG that compares access in m3ter with the jobs in the warehouse; it only reads m3ter.

    Nothing is connected to, and nothing but the YAML and the SQL files is read.

    :param config: as :func:`onboarding_dag` takes it, and the same.
    :raises ConfigurationError: naming the file and the key, ``access_review.query`` if it is missing.
    """
    config, caller = _loaded(config)
    if config.access_review.query is None:
        raise ConfigurationError(
            f"{config.path}: access_review_dag needs the key 'access_review.query', the path of an SQL file that"
            " selects everybody who has a job now. Add it, or leave the call out."
        )
    dag = _reading_dag(
        config,
        caller,
        dag_id=access_dag_id_of(config.name),
        description="Compares access in m3ter with the jobs in the warehouse; changes nothing in m3ter.",
        doc_md=_ACCESS_DOC,
        schedule=config.access_review.schedule,
        params=access_parameters(),
    )
    with dag:
        AccessReviewOperator(task_id="review_access", config=config)
    return dag


def day_one_dag(config: str | Path | OnboardingConfig) -> DAG:
    """Return the DAG that lists who starts soon, and where each of them stands; it sends no invitation.

    Nothing is connected to, and nothing but the YAML and the SQL files is read.

    :param config: as :func:`onboarding_dag` takes it, and the same.
    :raises ConfigurationError: naming the file and the key; Airflow shows it as an import error of this DAG file alone.
    """
    config, caller = _loaded(config)
    dag = _reading_dag(
        config,
        caller,
        dag_id=day_one_dag_id_of(config.name),
        description="Lists who starts soon and where each of them stands; sends no invitation.",
        doc_md=_DAY_ONE_DOC,
        schedule=config.day_one.schedule,
    )
    with dag:
        readiness = ReadinessOperator(task_id="readiness", config=config)
        # Whether the warehouse may be written decides about the colour of the run, and not about the digest.
        readiness >> DigestOperator(task_id="digest", config=config, trigger_rule="all_done")
    return dag


def _loaded(config: str | Path | OnboardingConfig) -> tuple[OnboardingConfig, Path]:
    """Return the configuration, and the DAG file that calls the function that calls this one."""
    caller = Path(sys._getframe(2).f_code.co_filename)
    loaded = config if isinstance(config, OnboardingConfig) else load_config(caller.parent / config)
    check_notifiers(loaded)
    return loaded, caller


def _reading_dag(config: OnboardingConfig, caller: Path, *, dag_id: str, schedule: str | None, **arguments: Any) -> DAG:
    """Return a DAG beside the onboarding DAG: what the configuration says of that one holds for it, too."""
    settings, alerts = config.dag, config.alerts.on_failure
    dag = DAG(
        dag_id=dag_id,
        schedule=_timetable(schedule, config.time_zone),
        start_date=config.start_at,
        catchup=False,
        is_paused_upon_creation=True,
        max_active_runs=1,
        dagrun_timeout=settings.dagrun_timeout,
        tags=set(settings.tags),
        access_control=settings.granted(),
        default_args=settings.task_arguments(),
        on_failure_callback=FailureAlert(config.name, dag_id, alerts) if alerts else None,
        render_template_as_native_obj=False,
        **arguments,
    )
    dag.fileloc = str(caller)
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


def _timetable(schedule: str | AssetSchedule | None, time_zone: str) -> Any:
    """Return a timetable with data intervals: Airflow's own ``@daily`` has empty ones.

    A run that assets begin has no interval: it is for the look-back up to now, and for what earlier runs left.
    """
    if isinstance(schedule, AssetSchedule):
        assets = [Asset.ref(uri=one) if "://" in one else Asset.ref(name=one) for one in schedule.assets]
        if schedule.cron is None:
            return assets
        return AssetOrTimeSchedule(timetable=_timetable(schedule.cron, time_zone), assets=AssetAll(*assets))
    if schedule is None:
        return None
    return CronDataIntervalTimetable(schedule, timezone=time_zone)
