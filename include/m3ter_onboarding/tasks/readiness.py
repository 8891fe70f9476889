"""The task ``readiness`` of the day-one DAG: who starts soon, and where each of them stands."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.reporting.lineage import UsedTables
from m3ter_onboarding.tasks.assets import day_one_asset
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: The XCom by which the digest knows that the lists are made, published or not.
LISTED = "listed"


class ReadinessOperator(OnboardingTask, BaseOperator):
    """List who starts soon and which invitations to chase, in the ledger and in the warehouse; nothing is sent.

    :param config: the organisation's configuration.
    """

    ui_color = "#e8f3fb"
    used_tables = UsedTables(
        reads=("plan", "decision", "invitation"), writes=("day_one", "chase"), publishes=("day_one", "chase")
    )

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(outlets=[day_one_asset(config.name)], **kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of both lists; the asset's event has the same."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger.chase import ChaseDays
        from m3ter_onboarding.ledger.day_one import STANDINGS, Moment
        from m3ter_onboarding.ledger.day_one_pass import DayOnePass, list_who_starts
        from m3ter_onboarding.ledger.schema import prepare_tables
        from m3ter_onboarding.reporting.publication import publish_organisation
        from m3ter_provider import __version__

        config = self.config
        with errors_as_sentences(context):
            settings = self._connection_settings()
            org_id = settings.org_id
            with closing(self._open_ledger()) as db:
                now = utc_now()
                prepare_tables(db, create_tables=config.create_tables, now=now, package_version=__version__)
                self._check_admitted(db, settings)
                made = DayOnePass(
                    org_id=org_id,
                    dag_id=self._run_key(context).dag_id,
                    config_name=config.name,
                    now=Moment(now, config.zone),
                    starts_within=config.day_one.starts_within_days,
                    chase=ChaseDays(config.chase.starts_within_days, config.chase.expires_within_days),
                    no_successful_run_days=config.chase.no_successful_run_days,
                )
                counted = list_who_starts(db, made)
                counts = {standing.value: many for standing, many in counted.standings.items()}
                counts["chase"] = sum(counted.chase.values())
                listed = [f"{many} {STANDINGS[standing]}" for standing, many in counted.standings.items()]
                log.info(
                    "Start within %d days: %s.", made.starts_within, "; ".join((*listed, f"{counts['chase']} to chase"))
                )
                context["ti"].xcom_push(key=LISTED, value=counts)  # before it may fail: the digest needs no warehouse
                publish_organisation(db, org_id, config, only_day_one=True)
            events = context.get("outlet_events")
            if events is not None:
                events[day_one_asset(config.name)].extra = dict(counts)
            return counts
