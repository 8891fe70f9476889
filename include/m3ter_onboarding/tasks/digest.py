"""The task ``digest`` of the day-one DAG: one message a day with counts and a link, where somebody should look."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.readiness import LISTED
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class DigestOperator(OnboardingTask, BaseOperator):
    """Notify people of who is not ready and what is to be chased: at most once a day for each organisation.

    :param config: the organisation's configuration.
    """

    ui_color = "#f0e9f7"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return whether a digest was sent, and its figures.

        :raises AirflowFailException: when the lists were not made or not published; of lists that were made, the digest
            was sent all the same.
        """
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger.day_one import Moment
        from m3ter_onboarding.ledger.day_one_pass import claim_digest, digest_figures
        from m3ter_onboarding.reporting.alerts import notify_digest
        from m3ter_onboarding.reporting.digest_text import Digest

        config, ti = self.config, context["ti"]
        if not ti.xcom_pull(task_ids="readiness", key=LISTED):
            raise AirflowFailException(
                "The lists of this day were not made: see the log of readiness. No digest is sent."
            )
        notifiers = config.alerts.on_failure if config.chase.notifiers is None else config.chase.notifiers
        with errors_as_sentences(context):
            settings, now = self._connection_settings(), Moment(utc_now(), config.zone)
            org_id = settings.org_id
            with closing(self._open_ledger()) as db:
                self._check_admitted(db, settings)
                figures = digest_figures(db, org_id, now, config.chase.no_successful_run_days)
                digest = Digest(figures, config.day_one.starts_within_days)
                log.info("%s", digest.text())
                sends = bool(notifiers) and digest.is_needed and claim_digest(db, org_id, now, str(uuid4()))
            if sends:
                notify_digest(notifiers, config.name, now.today, digest.text())
            elif not notifiers:
                log.info("There is no notifier for the digest: neither `chase.notifiers` nor `alerts.on_failure`.")
            elif digest.is_needed:
                log.info("The digest of this day was sent before; there is one a day.")
            else:
                log.info("Nobody has to look; no digest is sent.")
        if ti.xcom_pull(task_ids="readiness") is None:
            raise AirflowFailException(
                "The lists of this day were not published: see the log of readiness. The digest needs only the ledger,"
                " and was not held back."
            )
        return {
            "sent": sends,
            **figures.standings,
            "chase": figures.chase,
            "sent_today": figures.sent_today,
            "days_without_success": figures.days_without_success,
        }
