"""The task ``snapshot``: mirror m3ter, and settle the open invitations of dead runs."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.reporting.lineage import UsedTables
from m3ter_onboarding.tasks.assets import accepted_asset, if_any, update_if_any
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from m3ter_onboarding.config.run_parameters import Mode
    from m3ter_onboarding.ledger.database import LedgerDatabase


class OnboardingSnapshotOperator(OnboardingTask, BaseOperator):
    """Check the run's parameters, mirror m3ter into the ledger, and settle the open invitations of dead runs.

    :param config: the organisation's configuration.
    """

    ui_color = "#e8f3fb"
    used_tables = UsedTables(writes=("mirror_invitation", "mirror_user", "mirror_policy", "invitation", "event", "run"))

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(outlets=[if_any(accepted_asset(config.name))], **kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of entries read and found."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.planning.run_start import start_run
        from m3ter_onboarding.reporting.metrics import report_changes
        from m3ter_provider.connection import connection_settings

        with errors_as_sentences(context):
            run = self._airflow_run(context)
            connection = self._m3ter_connection()
            org_id = connection_settings(connection).org_id
            with closing(self._open_ledger()) as db:
                start_run(self.config, db, run, org_id=org_id, now=utc_now())
                counts = asyncio.run(self._mirror(db, connection, run.parameters.mode))
            update_if_any(context, accepted_asset(self.config.name), {"accepted": counts["accepted"]})
            report_changes(self.config.name, counts)
            return counts

    async def _mirror(self, db: LedgerDatabase, connection: Connection, mode: Mode) -> dict[str, int]:
        from m3ter_onboarding.mirroring.mirror_pass import mirror_and_settle
        from m3ter_onboarding.reporting.spans import MIRROR
        from m3ter_provider.hooks.m3ter_async import M3terAsyncHook
        from m3ter_provider.spans import span

        with span(MIRROR, {"organisation": self.config.name}) as mirroring:
            async with M3terAsyncHook(self.config.m3ter_conn_id, connection=connection) as hook:
                counts = await mirror_and_settle(self._organisation(hook, db), everything=mode.reads_all_of_m3ter)
                mirroring.note(counts)
                self._record_reading(db, hook.settings)
                return counts
