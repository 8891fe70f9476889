"""The task ``plan``: read the new hires, decide about each of them, and seal the plan."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.planning.window import Window
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask, text_of
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Context


class OnboardingPlanOperator(OnboardingTask, BaseOperator):
    """Read the new hires, decide about each of them, and seal the plan.

    :param config: the organisation's configuration.
    """

    ui_color = "#fdf3d8"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the plan's id and its counts."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import runs
        from m3ter_onboarding.planning.sealed_plan import make_plan, may_invite

        with errors_as_sentences():
            parameters = self._parameters(context)
            settings = self._connection_settings()
            run = self._run_key(context)
            with closing(self._open_ledger()) as db:
                begun = runs.read_run(db, run)
                if begun is None or begun.org_id != settings.org_id:
                    raise PlanError(
                        "This run has not read the organisation that the m3ter connection names; nothing is planned."
                        " Clear the task `snapshot` too."
                    )
                may, because = may_invite(text_of(context["dag_run"].run_type), parameters)
                planned = make_plan(
                    self.config,
                    db,
                    run=run,
                    org_id=settings.org_id,
                    allowed_domains=tuple(settings.allowed_domains or ()),
                    window=Window(begun.window_start, begun.window_end),
                    parameters=parameters,
                    may_invite=may,
                    not_because=because,
                    now=utc_now(),
                    answers_within=timedelta(seconds=settings.timeout_seconds),
                )
        return planned.summary()
