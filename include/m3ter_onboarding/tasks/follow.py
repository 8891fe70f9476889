"""The task ``follow`` of the status DAG: read what became of invitations, and record it in the ledger."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.status_parameters import StatusParameters
from m3ter_onboarding.reporting.lineage import UsedTables
from m3ter_onboarding.tasks.assets import accepted_asset, if_any, update_if_any
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Context

    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.mirroring.status_pass import StatusRead

log = logging.getLogger(__name__)


class InvitationStatusOperator(OnboardingTask, BaseOperator):
    """Read m3ter's invitations and users, and record what became of them; nothing is sent.

    :param config: the organisation's configuration.
    """

    ui_color = "#e8f3fb"
    used_tables = UsedTables(writes=("mirror_invitation", "mirror_user", "invitation", "event"))

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(outlets=[if_any(accepted_asset(config.name))], **kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of what was read and what changed, and of the open worklist."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger.schema import prepare_tables
        from m3ter_onboarding.ledger.worklist_counts import count_worklist
        from m3ter_onboarding.reporting.metrics import report_changes, report_standing
        from m3ter_provider import __version__

        with errors_as_sentences(context):
            org_id = self._connection_settings().org_id
            parameters = StatusParameters.parse(dict(context.get("params") or {}))
            with closing(self._open_ledger()) as db:
                now = utc_now()
                prepare_tables(db, create_tables=self.config.create_tables, now=now, package_version=__version__)
                read = asyncio.run(self._follow(db, parameters.everything))
                worklist = count_worklist(db, org_id, None, now)
                report_standing(db, org_id, self.config.name, now)
            looked = read.looked
            update_if_any(context, accepted_asset(self.config.name), {"accepted": looked.accepted})
            report_changes(self.config.name, read.counts())
            log.info(
                "Read %d invitations and %d users from m3ter's lists%s, and %d entries by themselves (%d of them are no"
                " longer there).",
                looked.invitations_read,
                looked.users_read,
                "" if looked.full else " (the newest)",
                read.read_singly,
                read.missing,
            )
            log.info(
                "Changes: %d accepted or joined, %d expired, %d adopted, %d found sent. Open questions of the worklist:"
                " %d, the oldest %s day(s) old.",
                looked.accepted,
                looked.expired,
                looked.adopted,
                looked.sent,
                worklist.all,
                (now - worklist.oldest).days if worklist.oldest else 0,
            )
            return {**read.counts(), "open_questions": worklist.all}

    async def _follow(self, db: LedgerDatabase, everything: bool) -> StatusRead:
        from m3ter_onboarding.mirroring.status_pass import follow_invitations
        from m3ter_onboarding.reporting.spans import FOLLOW
        from m3ter_provider.hooks.m3ter_async import M3terAsyncHook
        from m3ter_provider.spans import span

        with span(FOLLOW, {"organisation": self.config.name}) as following:
            async with M3terAsyncHook(self.config.m3ter_conn_id) as hook:
                read = await follow_invitations(self._organisation(hook, db), everything=everything)
                following.note(read.counts())
                return read
