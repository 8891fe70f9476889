"""The task ``plan``: read the new hires, decide about each of them, and seal the plan."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.reporting.lineage import UsedTables
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from m3ter_onboarding.ledger.database import LedgerDatabase


class OnboardingPlanOperator(OnboardingTask, BaseOperator):
    """Read the new hires, decide about each of them, and seal the plan.

    :param config: the organisation's configuration.
    """

    ui_color = "#fdf3d8"
    used_tables = UsedTables(
        queries=("query", "exclusions"),
        reads=("mirror_invitation", "mirror_user", "mirror_policy", "invitation"),
        writes=("plan", "decision", "worklist"),
    )

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the plan's id and its counts."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger.first_look import NO_FIRST_LOOK, was_looked_at
        from m3ter_onboarding.ledger.sealing import SealingKey
        from m3ter_onboarding.planning.decided_rows import PlanningRun
        from m3ter_onboarding.planning.run_start import window_of_run
        from m3ter_onboarding.planning.sealed_plan import make_plan
        from m3ter_onboarding.reporting.metrics import report_decisions
        from m3ter_onboarding.reporting.spans import PLAN
        from m3ter_provider.connection import connection_settings
        from m3ter_provider.spans import span

        with errors_as_sentences(context):
            run, connection = self._airflow_run(context), self._m3ter_connection()
            settings = connection_settings(connection)
            with closing(self._open_ledger()) as db:
                self._check_admitted(db, settings)
                plans_only_because = run.plans_only_because
                looked_at = was_looked_at(
                    db, self.config.name, settings.org_id, self.config.hash, run.parameters.only_employee
                )
                if plans_only_because is None and not looked_at:
                    plans_only_because = NO_FIRST_LOOK
                planning = PlanningRun(
                    key=run.key,
                    org_id=settings.org_id,
                    window=window_of_run(db, run.key, settings.org_id),
                    parameters=run.parameters,
                    seals=SealingKey.of_connection(settings),
                    plans_only_because=plans_only_because,
                    is_backfill=run.run_type == "backfill",
                    allowed_domains=tuple(settings.allowed_domains or ()),
                )
                with span(PLAN, {"organisation": self.config.name}) as recorded:
                    planned = make_plan(
                        self.config,
                        db,
                        planning,
                        now=utc_now(),
                        settle=lambda: asyncio.run(self._settle(db, connection)),
                    )
                    recorded.note({"rows": planned.rows, "count": planned.invitations})
                report_decisions(self.config.name, planned.counts)
                return planned.summary()

    async def _settle(self, db: LedgerDatabase, connection: Connection) -> None:
        from m3ter_onboarding.mirroring.lost_answers import settle_before_planning
        from m3ter_provider.hooks.m3ter_async import M3terAsyncHook

        async with M3terAsyncHook(self.config.m3ter_conn_id, connection=connection) as hook:
            await settle_before_planning(self._organisation(hook, db))
