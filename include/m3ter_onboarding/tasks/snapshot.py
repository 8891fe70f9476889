"""The task ``snapshot``: mirror m3ter, and settle what dead runs left behind."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode, RunParameters
from m3ter_onboarding.planning.window import Window, resolve_interval, resolve_window
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask, text_of
from m3ter_onboarding.tasks.task_errors import errors_as_sentences
from m3ter_provider import __version__

if TYPE_CHECKING:
    from airflow.sdk import Context

    from m3ter_onboarding.ledger.database import LedgerDatabase


log = logging.getLogger(__name__)


class OnboardingSnapshotOperator(OnboardingTask, BaseOperator):
    """Check the run's parameters, mirror m3ter into the ledger, and settle what dead runs left behind.

    :param config: the organisation's configuration.
    """

    ui_color = "#e8f3fb"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, int]:
        """Return counts of what was read and found."""
        with errors_as_sentences():
            parameters = self._parameters(context)
            settings = self._connection_settings()
            with closing(self._open_ledger()) as db:
                self._begin_run(context, db, parameters, settings.org_id)
                return asyncio.run(self._snapshot(db, parameters.mode))

    def _begin_run(self, context: Context, db: LedgerDatabase, parameters: RunParameters, org_id: str) -> None:
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import catch_up, runs
        from m3ter_onboarding.ledger.schema import prepare_tables
        from m3ter_onboarding.planning.sealed_plan import check_source, may_invite

        now = utc_now()
        config, run, dag_run = self.config, self._run_key(context), context["dag_run"]
        interval = resolve_interval(
            context.get("data_interval_start"),
            context.get("data_interval_end"),
            parameters,
            now=now,
            look_back=config.look_back,
        )
        prepare_tables(db, create_tables=config.create_tables, now=now, package_version=__version__)
        window = resolve_window(
            interval,
            look_back=config.look_back,
            worked_off_until=catch_up.worked_off_until(db, run, org_id, now - config.max_age),
            waiting_since=catch_up.waiting_since(db, run, org_id, now - config.max_age),
            max_age=config.max_age,
            now=now,
            failed_since=(
                catch_up.failed_since(db, run, org_id, parameters.only_employee)
                if parameters.mode is Mode.RETRY_FAILED
                else None
            ),
            everybody=parameters.mode is Mode.FULL,
        )
        run_type = text_of(dag_run.run_type)
        runs.record_run(
            db,
            run,
            runs.RunRecord(
                config_name=config.name,
                org_id=org_id,
                run_type=run_type,
                triggered_by=getattr(dag_run, "triggering_user_name", None),
                mode=parameters.mode.value,
                only_employee=parameters.only_employee,
                interval_start=interval.start,
                interval_end=interval.end,
                window_start=window.start,
                window_end=window.end,
                config_hash=config.hash,
                package_version=__version__,
                may_invite=may_invite(run_type, parameters)[0],
                started_at=now,
            ),
        )
        # After the run was recorded: the next one then knows of the days of a run whose query was wrong.
        check_source(config, Window(interval.start, interval.end))
        log.info(
            "Run of type %s, mode %s, for %s to %s; the query reads %s to %s (UTC).",
            run_type,
            parameters.mode.value,
            *(f"{instant:%Y-%m-%d %H:%M}" for instant in (interval.start, interval.end, window.start, window.end)),
        )

    async def _snapshot(self, db: LedgerDatabase, mode: Mode) -> dict[str, int]:
        from m3ter_onboarding.mirroring.lost_answers import settle_due
        from m3ter_onboarding.mirroring.m3ter_lists import take_snapshot
        from m3ter_provider.hooks.m3ter import M3terAsyncHook

        async with M3terAsyncHook(self.config.m3ter_conn_id) as hook:
            org = self._organisation(hook, db)
            if mode.reads_all_of_m3ter:
                org = replace(org, full_snapshot_every=timedelta(0))
            looked = await take_snapshot(org)
            log.info(
                "Read m3ter organisation %s%s: %d invitations%s, %d users, %d permission policies.",
                org.org_id,
                "" if hook.settings.allow_invitations else " (this connection may not send invitations)",
                looked.invitations_read,
                "" if looked.full else " (the newest)",
                looked.users_read,
                looked.policies_read,
            )
            log.info(
                "New in the ledger: %d adopted, %d found sent, %d accepted, %d expired.",
                looked.adopted,
                looked.sent,
                looked.accepted,
                looked.expired,
            )
            if looked.ours_unknown:
                log.warning(
                    "%d adopted invitation(s) were made by our own service user, and this ledger did not know them: it"
                    " was restored from a backup, or a second ledger sends for this organisation.",
                    looked.ours_unknown,
                )
            settled = await settle_due(org)
            if settled.waiting + settled.held:
                log.info("%d invitation(s) are open; they are settled when their time has come.", settled.waiting)
            return {
                "invitations": looked.invitations_read,
                "users": looked.users_read,
                "policies": looked.policies_read,
                "adopted": looked.adopted,
                "settled": settled.changed,
                "open": settled.waiting + settled.held,
            }
