"""The task ``send``: send the plan, each invitation exactly once."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator
from airflow.sdk.exceptions import AirflowSkipException

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.reporting.lineage import UsedTables
from m3ter_onboarding.tasks.assets import if_any, invited_asset, update_if_any
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.planned_summary import PlannedSummary
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class OnboardingSendOperator(OnboardingTask, BaseAsyncOperator):
    """Send the plan, each invitation exactly once, and wait until none of them is open.

    :param config: the organisation's configuration.
    """

    ui_color = "#dff2e1"
    used_tables = UsedTables(reads=("plan", "decision"), writes=("invitation", "event"))

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(outlets=[if_any(invited_asset(config.name))], **kwargs)
        self._works_for(config)

    async def aexecute(self, context: Context) -> dict[str, int]:
        """Return counts of the invitations by their state."""
        from m3ter_onboarding.sending.stop_signals import Stop, signals_taken_over

        stop = Stop()
        with errors_as_sentences(context), signals_taken_over(stop):
            sending = asyncio.create_task(self._send(context, stop))
            try:
                return await asyncio.shield(sending)
            except asyncio.CancelledError:
                # Airflow's time-out: begin nothing more, finish the POSTs that have begun, and only then leave.
                stop.request("the task's execution_timeout has passed")
                await asyncio.gather(sending, return_exceptions=True)
                raise

    async def _send(self, context: Context, stop: Any) -> dict[str, int]:
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import runs
        from m3ter_onboarding.reporting.metrics import INVITATIONS
        from m3ter_onboarding.reporting.spans import SEND
        from m3ter_onboarding.sending.circuit_breaker import Breaker
        from m3ter_onboarding.sending.pause_switch import PauseSwitch
        from m3ter_onboarding.sending.right_to_send import PlanToSend
        from m3ter_onboarding.sending.sender import Sender
        from m3ter_onboarding.sending.todays_settings import TodaysSettings
        from m3ter_provider import metrics
        from m3ter_provider.hooks.m3ter_async import M3terAsyncHook
        from m3ter_provider.spans import span

        run = self._run_key(context)
        planned = PlannedSummary.from_xcom(await asyncio.to_thread(context["ti"].xcom_pull, task_ids="plan"))
        if not planned.sendable:
            raise AirflowSkipException("This run plans only; nothing is sent. The plan's task says why.")
        config = self.config
        db = await asyncio.to_thread(self._open_ledger)
        with closing(db):
            async with M3terAsyncHook(config.m3ter_conn_id) as hook:
                sender = Sender(
                    org=self._organisation(hook, db),
                    to_send=PlanToSend(run, planned.plan_id, self._caps(context)),
                    stop=stop,
                    pause=PauseSwitch(config.name),
                    today=TodaysSettings(config, self._parameters(context), hook.settings.allowed_domains),
                    breaker=Breaker(config.stop_after_failures, config.stop_at_failure_percent),
                    told=lambda outcome: metrics.add(
                        INVITATIONS, organisation=config.name, outcome=outcome.state.value
                    ),
                )
                with span(SEND, {"organisation": config.name}) as sending:
                    done = await sender.send()
                    sending.note(done.summary())
            await asyncio.to_thread(runs.mark_delivered, db, run, planned.plan_id, utc_now())
        summary = done.summary()
        update_if_any(context, invited_asset(config.name), {"sent": done.sent})
        log.info("Done: %s.", ", ".join(f"{count} {name}" for name, count in summary.items()))
        return summary
