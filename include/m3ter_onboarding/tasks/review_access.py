"""The task ``review_access`` of the access review's DAG: who has access in m3ter, compared with who has a job."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.reporting.lineage import UsedTables
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Context

    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.mirroring.user_policies import PolicyReads

log = logging.getLogger(__name__)


class AccessReviewOperator(OnboardingTask, BaseOperator):
    """Compare access in m3ter with the jobs in the warehouse, and record what differs; m3ter is only read.

    :param config: the organisation's configuration.
    """

    ui_color = "#e8f3fb"
    used_tables = UsedTables(
        queries=("jobs",),
        reads=("mirror_user", "mirror_policy"),
        writes=("access_read", "access_job", "access_review"),
    )

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of what was read, and of the findings by kind."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger.access_findings import Finding
        from m3ter_onboarding.ledger.schema import prepare_tables
        from m3ter_onboarding.reporting.access_review import Reviewing, review_access
        from m3ter_onboarding.reporting.publication import publish_organisation
        from m3ter_onboarding.source.warehouse import warehouse_engine
        from m3ter_provider import __version__

        with errors_as_sentences(context), closing(self._open_ledger()) as db:
            org_id = self._connection_settings().org_id
            prepare_tables(db, create_tables=self.config.create_tables, now=utc_now(), package_version=__version__)
            warehouse = warehouse_engine(self.config.warehouse_conn_id)
            try:
                counts = review_access(
                    Reviewing(
                        db=db,
                        org_id=org_id,
                        config=self.config,
                        run=self._run_key(context),
                        warehouse=warehouse,
                        mirror_m3ter=lambda policies: self._mirror(db, policies),
                        now=utc_now,
                        accept_shrunken=(context.get("params") or {}).get("accept_shrunken_read") is True,
                    )
                )
            finally:
                warehouse.dispose()
            log.info(
                "Compared %d users with access in m3ter with %d people who have a job.",
                counts["users"],
                counts["people"],
            )
            if counts["users_asked_about_policies"] or counts["users_left_to_ask"]:
                log.info(
                    "Asked m3ter for the permission policies of %d users; %d are left for the next run.",
                    counts["users_asked_about_policies"],
                    counts["users_left_to_ask"],
                )
            log.info(
                "Findings: %s; %d are new, %d have ended.",
                ", ".join(f"{counts[finding.value]} {finding.value}" for finding in Finding),
                counts["new_findings"],
                counts["ended_findings"],
            )
            publish_organisation(db, org_id, self.config)
            return counts

    async def _mirror(self, db: LedgerDatabase, policies_of_users: bool) -> PolicyReads:
        from m3ter_onboarding.mirroring.m3ter_lists import take_snapshot
        from m3ter_onboarding.mirroring.user_policies import PolicyReads, read_user_policies
        from m3ter_provider.hooks.m3ter_async import M3terAsyncHook

        async with M3terAsyncHook(self.config.m3ter_conn_id) as hook:
            # To the end: what m3ter has no more must not be taken for access.
            org = replace(self._organisation(hook, db), full_snapshot_every=timedelta(0))
            await take_snapshot(org)
            self._record_reading(db, hook.settings)
            if not policies_of_users:
                return PolicyReads()
            review = self.config.access_review
            return await read_user_policies(org, reread_after=review.reread_after, most=review.policy_reads_per_run)
