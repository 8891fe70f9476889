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
from m3ter_onboarding.sending.right_to_send import NotAllowedError
from m3ter_onboarding.tasks.onboarding_task import OnboardingStep, explained, planned_by

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class OnboardingApproveOperator(OnboardingStep, ApprovalOperator):
    """Ask a person whether the plan may be sent, where it needs that; else be skipped, so that nothing waits.

    Marking this task successful approves nothing: the answer counts by what is recorded in the ledger.

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
        with explained():
            if not self.ask(context):
                return None
            self._show(context)
            self.asked(context)
            return super().execute(context)

    def ask(self, context: Context) -> bool:
        """Write the question; False: it was answered before.

        :raises AirflowSkipException: when nobody has to be asked.
        :raises NotAllowedError: when the plan may not be sent whatever the answer.
        """
        from m3ter_onboarding.ledger import plans
        from m3ter_onboarding.reporting.run_links import run_page
        from m3ter_onboarding.sending import approval
        from m3ter_onboarding.sending.right_to_send import Usage, check_caps, check_connection, check_plan

        planned = planned_by(context["ti"].xcom_pull(task_ids="plan"))
        if not planned.get("sendable"):
            raise AirflowSkipException("This run plans only; nobody is asked.")
        run, settings, plan_id = self._run_key(context), self._settings(), str(planned["plan_id"])
        with closing(self._open_ledger()) as db:
            plan = check_plan(plans.read_plan(db, plan_id, run), plan_id, settings.org_id, asking=True)
            if not plan.needs_approval:
                raise AirflowSkipException(f"The plan has {plan.invitations} invitations; nobody has to approve it.")
            if plan.approved:
                log.info(
                    "%s approved this plan before; that holds until the task `plan` makes a new one.", plan.approved_by
                )
                return False
            # Nobody is asked for what would be refused afterwards.
            check_connection(plan, allow_invitations=settings.allow_invitations)
            check_caps(plan, self._caps(context), Usage())
            question = approval.ask(
                db,
                plan,
                config_name=self.config.name,
                approval_above=self.config.approval_above,
                link=run_page(run.dag_id, run.run_id),
            )
        self._plan_id, self._fingerprint = plan_id, str(plan.fingerprint)
        self.subject, self.body = question.subject, question.body
        self.response_timeout = min(self.config.plan_valid_for, timedelta(seconds=plan.seconds_left))
        log.info("Plan %s: %d invitations wait until somebody approves them here.", plan_id, plan.invitations)
        return True

    def _show(self, context: Context) -> None:
        """Hand the question to Airflow, and see that this is the one that it shows.

        Airflow keeps the text of a task's first question when the task is cleared. Whoever answers an old text would
        approve what she has not seen.

        :raises NotAllowedError: when the text that is shown is of another plan.
        """
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

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
        if self._fingerprint not in (getattr(answer, "body", None) or ""):
            raise NotAllowedError(
                "Airflow still shows the question about an older plan of this run (it renews none when a task is"
                " cleared), and nobody can approve what she does not see. Nothing is sent. Nobody is lost: the next run"
                " plans these people again, and asks; trigger one now if it is urgent."
            )

    def asked(self, context: Context) -> None:
        """Record in the ledger, which no user of Airflow can change, about which plan people are asked."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import plans

        with closing(self._open_ledger()) as db:
            plans.record_question(db, self._run_key(context), self._plan_id, utc_now())

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the answer in the ledger, which is what makes it count.

        :raises AirflowFailException: when nobody answered in time, or the answer does not count.
        """
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.sending import approval

        with explained():
            run = self._run_key(context)
            with closing(self._open_ledger()) as db:
                if event.get("error_type") == "timeout":
                    raise approval.not_answered(db, run, utc_now())
                if "error" in event:
                    raise OnboardingError("Airflow could not take the answer; the question is asked again.")
                user, at = event.get("responded_by_user"), event.get("responded_at")
                if list(event["chosen_options"]) == [self.APPROVE]:
                    approval.approved(db, run, user, at)
                else:
                    approval.rejected(db, run, user, at)
            return super().execute_complete(context, event)
