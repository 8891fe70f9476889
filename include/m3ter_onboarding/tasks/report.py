"""The task ``report``: sum up the run from the ledger, and decide its colour."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.tasks.onboarding_task import OnboardingStep, explained
from m3ter_provider import __version__

if TYPE_CHECKING:
    from airflow.sdk import Context

    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.ledger.runs import RunKey

log = logging.getLogger(__name__)


class OnboardingReportOperator(OnboardingStep, BaseOperator):
    """Sum up the run from the ledger, and decide its colour: it fails where somebody is left.

    :param config: the organisation's configuration.
    """

    ui_color = "#f0e9f7"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the report's counts.

        :raises AirflowFailException: when the run is not a success; the report was written all the same.
        """
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import runs
        from m3ter_onboarding.reporting.run_report import make_report

        with explained():
            run = self._run_key(context)
            settings = self._settings()
            with closing(self._open_ledger()) as db:
                db.prepare(create_tables=self.config.create_tables, now=utc_now(), package_version=__version__)
                begun = runs.read_run(db, run)
                report = make_report(
                    db,
                    run,
                    org_id=settings.org_id,
                    may_send=settings.allow_invitations,
                    mode=begun.mode if begun else "unknown",
                    fail_on_refused=self.config.fail_on_refused,
                    task_states=_task_states(run),
                )
                for line in report.lines():
                    log.info("%s", line)
                summary = report.summary()
                if begun is not None:
                    counts = {**_counts_of(summary), "allow_invitations": settings.allow_invitations}
                    runs.finish_run(db, run, runs.RunOutcome(utc_now(), summary["outcome"], counts))
                self._publish(db, run)
            context["ti"].xcom_push(key="report", value=summary)
            if report.for_review and begun is not None and begun.may_invite:
                self._tell_reviewers(context, run, report.for_review)
            if report.problems:
                raise AirflowFailException(" ".join(report.problems))
        return summary

    def _tell_reviewers(self, context: Context, run: RunKey, count: int) -> None:
        from m3ter_onboarding.reporting.alerts import tell

        what = f"has {count} for a person to decide about"
        tell(self.config.alerts.on_review, self.config.name, run.dag_id, run.run_id, what, dict(context))

    def _publish(self, db: LedgerDatabase, run: RunKey) -> None:
        from m3ter_onboarding.ledger.plan_counts import plans_of_run
        from m3ter_onboarding.reporting.published_tables import publish
        from m3ter_onboarding.source.warehouse import warehouse_engine

        if self.config.ledger_conn_id == self.config.warehouse_conn_id:
            return
        warehouse = warehouse_engine(self.config.warehouse_conn_id)
        try:
            plan_ids = plans_of_run(db, run.dag_id, run.run_id)
            written = publish(db, warehouse, plan_ids, create_tables=self.config.create_tables)
        finally:
            warehouse.dispose()
        if written is None:
            log.info("The warehouse holds the ledger itself; there is nothing to publish.")
            return
        log.info("Published %d rows to the warehouse (connection %s).", written, self.config.warehouse_conn_id)


def _counts_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {"rows": summary["rows"], **summary["decisions"], "invitations": summary["invitations"]}


def _task_states(run: RunKey) -> dict[str, str | None]:
    """Return the states of the run's tasks; nothing where Airflow cannot tell (the ledger decides then)."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    try:
        states = RuntimeTaskInstance.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id])
    except Exception as error:  # noqa: BLE001  (a report without them is better than none)
        log.info("Airflow could not tell the states of the other tasks (%s).", type(error).__name__)
        return {}
    of_run = states.get(run.run_id, states)
    return {str(task): None if state is None else str(state) for task, state in of_run.items()}
