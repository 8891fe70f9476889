"""The task ``report``: sum up the run from the ledger, and decide its colour."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from m3ter_onboarding.config.names import dag_id_of
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.reporting.lineage import UsedTables
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.task_errors import LoggedFailure, errors_as_sentences, log_sentences
from m3ter_onboarding.tasks.task_states import task_states
from m3ter_provider import __version__

if TYPE_CHECKING:
    from airflow.sdk import Context

    from m3ter_onboarding.errors import OnboardingError
    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.reporting.run_report import Report

log = logging.getLogger(__name__)

#: The tasks before this one, in their order.
_EARLIER = ("snapshot", "plan", "approve", "send")


class OnboardingReportOperator(OnboardingTask, BaseOperator):
    """Sum up the run from the ledger, and decide its colour: it fails where somebody is left.

    :param config: the organisation's configuration.
    """

    ui_color = "#f0e9f7"
    used_tables = UsedTables(
        reads=("run", "plan", "decision", "invitation", "event", "worklist"),
        publishes=("run", "plan", "decision", "invitation", "event", "worklist", "access_read", "access_review"),
    )

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the report's counts.

        :raises AirflowFailException: when the run is not a success; the report was written all the same.
        """
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import runs
        from m3ter_onboarding.ledger.known_hosts import is_admitted
        from m3ter_onboarding.ledger.request_differences import note_differences
        from m3ter_onboarding.ledger.schema import prepare_tables
        from m3ter_onboarding.reporting.alerts import notify_of_review
        from m3ter_onboarding.reporting.failure_cause import cause_left
        from m3ter_onboarding.reporting.metrics import RUNS, report_standing
        from m3ter_onboarding.reporting.run_report import BesideTheLedger, make_report
        from m3ter_provider import metrics

        config = self.config
        with errors_as_sentences(context):
            run, settings = self._run_key(context), self._connection_settings()
            with closing(self._open_ledger()) as db:
                prepare_tables(db, create_tables=config.create_tables, now=utc_now(), package_version=__version__)
                # A run that m3ter did not let in changes nobody's list, and copies nobody's data into its warehouse.
                admitted = is_admitted(db, dag_id_of(config.name), settings.org_id)
                if admitted:
                    note_differences(db, settings.org_id, utc_now())  # in m3ter's answers to this run
                begun = runs.read_run(db, run)
                beside = BesideTheLedger(
                    org_id=settings.org_id,
                    may_send=settings.allow_invitations,
                    mode=begun.mode if begun else "unknown",
                    fail_on_refused=config.fail_on_refused,
                    task_states=task_states(run),
                    base_url=settings.base_url,
                    cause=cause_left(context["ti"], _EARLIER),
                )
                report = make_report(db, run, beside)
                _log(report)
                if begun is not None:
                    if report.for_review and not report.plans_only_because and not report.notified_before(begun):
                        names = config.name, run.dag_id, run.run_id
                        notify_of_review(config.alerts.on_review, *names, report.for_review)
                    runs.finish_run(db, run, report.run_outcome(utc_now()))
                context["ti"].xcom_push(key="report", value=report.summary())
                # The last of all: nobody waits for an alert because the warehouse may not be written.
                failure = self._publish(db, settings.org_id) if admitted else None
                if failure is not None:
                    if report.problems:
                        log_sentences(f"Problem: {failure}")
                    report = report.with_problem(str(failure))
                    if begun is not None:
                        runs.finish_run(db, run, report.run_outcome(utc_now()))
                    context["ti"].xcom_push(key="report", value=report.summary())
                metrics.add(RUNS, organisation=config.name, outcome=report.outcome)
                report_standing(db, settings.org_id, config.name, utc_now())
            if failure is not None and report.problems == (str(failure),):
                raise failure  # alone, it may pass by itself
            if report.problems:
                raise LoggedFailure(" ".join(report.problems))
        return report.summary()

    def _publish(self, db: LedgerDatabase, org_id: str) -> OnboardingError | None:
        """Publish, and return why that failed."""
        from m3ter_onboarding.errors import OnboardingError
        from m3ter_onboarding.reporting.publication import publish_organisation
        from m3ter_onboarding.reporting.spans import PUBLISH
        from m3ter_provider.spans import span

        try:
            with span(PUBLISH, {"organisation": self.config.name}):
                publish_organisation(db, org_id, self.config)
        except OnboardingError as error:
            return error
        except Exception as error:  # noqa: BLE001  (whatever it is, the ledger's outcome must say so)
            return OnboardingError(
                f"The results could not be published to the warehouse: an unexpected {type(error).__name__}. The ledger"
                " holds them; the next run publishes them. Please report it."
            )
        return None


def _log(report: Report) -> None:
    for problem in report.problem_lines():
        log_sentences(problem)
    for line in report.lines():
        log.info("%s", line)
