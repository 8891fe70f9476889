"""The task ``erase`` of the status DAG: where a run is asked to, data of people leave ledger and published tables."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.status_parameters import StatusParameters
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Context


class ErasureOperator(OnboardingTask, BaseOperator):
    """Erase the data of one employee, or everything older than a day, as the run's parameters ask; else it is skipped.

    :param config: the organisation's configuration.
    """

    ui_color = "#e8f3fb"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many rows were erased, by where."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.reporting.erasure_everywhere import ErasureContext, erase_before, erase_person

        with errors_as_sentences(context):
            parameters = StatusParameters.parse(dict(context.get("params") or {}))
            if not parameters.erases:
                raise AirflowSkipException("This run is not asked to erase anything.")
            settings = self._connection_settings()
            with closing(self._open_ledger()) as db:
                self._check_admitted(db, settings)
                erasure = ErasureContext(
                    config=self.config,
                    db=db,
                    org_id=settings.org_id,
                    by=getattr(context["dag_run"], "triggering_user_name", None) or "a run of Airflow",
                    now=utc_now(),
                    still_in_m3ter=parameters.erase_still_in_m3ter,
                )
                if parameters.erase_before is None:
                    return dict(erase_person(erasure, employee_id=parameters.erase_employee))
                day = parameters.erase_before
                return dict(erase_before(erasure, datetime(day.year, day.month, day.day, tzinfo=timezone.utc)))
