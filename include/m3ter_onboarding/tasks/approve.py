"""The task ``approve``: ask a person whether the plan may be sent."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import OnboardingError
from m3ter_onboarding.tasks.onboarding_task import OnboardingTask
from m3ter_onboarding.tasks.planned_summary import PlannedSummary
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class OnboardingApproveOperator(OnboardingTask, ApprovalOperator):
    """Ask a person whether the plan may be sent, where it needs that; else be skipped, so that nothing waits.

    Marking this task successful approves nothing: the answer counts by its record in the ledger.

    :param config: the organisation's configuration.
    """

    ui_color = "#fbe3d6"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(
            subject="Send the invitations of this plan?",
            body="",  # written when the plan is known
            response_timeout=config.plan_valid_for,
            execution_timeout=None,  # it would count while a person thinks
            **kwargs,
        )
        self._works_for(config)

    def execute(self, context: Context) -> Any:
        """Ask, and wait without holding a worker.

        :raises AirflowSkipException: when nobody has to be asked.
        """
        with errors_as_sentences(context):
            if not self.write_question(context):
                return None
            self._show_question(context)
            self.record_question(context)
            return super().execute(context)

    def write_question(self, context: Context) -> bool:
        """Write the question; False: it was answered before.

        :raises AirflowSkipException: when nobody has to be asked.
        :raises NotAllowedError: when the plan may not be sent whatever the answer.
        """
        from m3ter_onboarding.reporting.run_links import run_page
        from m3ter_onboarding.sending import approval
        from m3ter_onboarding.sending.approval_question import write_question
        from m3ter_onboarding.sending.right_to_send import PlanToSend

        planned = PlannedSummary.from_xcom(context["ti"].xcom_pull(task_ids="plan"))
        if not planned.sendable:
            raise AirflowSkipException("This run plans only; nobody is asked.")
        run, settings = self._run_key(context), self._connection_settings()
        to_send = PlanToSend(run, planned.plan_id, self._caps(context))
        with closing(self._open_ledger()) as db:
            self._check_host(db, settings)
            plan = approval.plan_to_approve(db, to_send, settings)
            if not plan.needs_approval:
                raise AirflowSkipException(f"The plan has {plan.invitations} invitations; nobody has to approve it.")
            if plan.approved:
                log.info(
                    "%s approved this plan before; that holds until the task `plan` makes a new one.", plan.approved_by
                )
                return False
            link = run_page(run.dag_id, run.run_id)
            question = write_question(db, plan, config_name=self.config.name, approval=self.config.approval, link=link)
        self._plan = plan
        self.subject, self.body = question.subject, question.body
        self.response_timeout = min(self.config.plan_valid_for, timedelta(seconds=plan.seconds_left))
        log.info("Plan %s: %d invitations wait until somebody approves them here.", plan.plan_id, plan.invitations)
        return True

    def _show_question(self, context: Context) -> None:
        """Hand the question to Airflow, and check that Airflow shows this one.

        :raises NotAllowedError: when the text that is shown is of another plan.
        """
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        from m3ter_onboarding.sending.approval import check_question_is_shown

        answer: Any = SUPERVISOR_COMMS.send(
            CreateHITLDetailPayload(
                ti_id=context["ti"].id,
                options=self.options,
                subject=self.subject,
                body=self.body,
                params=self.serialized_params,
                multiple=False,
                assigned_users=[],
            )
        )
        check_question_is_shown(self._plan, getattr(answer, "body", None) or "")

    def record_question(self, context: Context) -> None:
        """Record in the ledger, which no user of Airflow can change, about which plan people are asked.

        The record carries a seal, which nobody can make who may only write in the ledger.
        """
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import plans
        from m3ter_onboarding.ledger.sealing import SealingKey

        key = SealingKey.of_connection(self._connection_settings())
        with closing(self._open_ledger()) as db:
            plans.record_question(db, self._run_key(context), self._plan, key, utc_now())

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the answer in the ledger; by that it counts.

        :raises AirflowFailException: when nobody answered in time, or the answer does not count.
        """
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger.sealing import SealingKey
        from m3ter_onboarding.sending import approval

        with errors_as_sentences(context):
            started = self._airflow_run(context)
            run = started.key
            with closing(self._open_ledger()) as db:
                if event.get("error_type") == "timeout":
                    raise approval.record_no_answer(db, run, utc_now())
                if "error" in event:
                    raise OnboardingError("Airflow could not take the answer; the question is asked again.")
                answer = approval.Answer.from_airflow(event, approve=self.APPROVE)
                approval.check_may_approve(answer, self.config.approval, triggered_by=started.triggered_by)
                approval.record_answer(db, run, answer, SealingKey.of_connection(self._connection_settings()))
            return super().execute_complete(context, event)
