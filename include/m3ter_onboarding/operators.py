"""The tasks of the onboarding DAG, each a step that a hire passes: snapshot, plan, approve, send, report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseAsyncOperator, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode, RunParameters
from m3ter_onboarding.errors import OnboardingError, PlanError
from m3ter_onboarding.planning.window import Window, resolve_interval, resolve_window
from m3ter_onboarding.right_to_send import NotAllowedError
from m3ter_onboarding.step import OnboardingStep, explained, text_of
from m3ter_provider import __version__

if TYPE_CHECKING:
    from airflow.sdk import Context

    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.ledger.runs import RunKey

log = logging.getLogger(__name__)


class OnboardingSnapshotOperator(OnboardingStep, BaseOperator):
    """Check the run's parameters, mirror m3ter into the ledger, and settle what dead runs left behind.

    :param config: the organisation's configuration.
    """

    ui_color = "#e8f3fb"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, int]:
        """Return counts of what was read and found."""
        with explained():
            parameters = self._parameters(context)
            settings = self._settings()
            with closing(self._open_ledger()) as db:
                self._begin_run(context, db, parameters, settings.org_id)
                return asyncio.run(self._snapshot(db, parameters.mode))

    def _begin_run(self, context: Context, db: LedgerDatabase, parameters: RunParameters, org_id: str) -> None:
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import catch_up, runs
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
        db.prepare(create_tables=config.create_tables, now=now, package_version=__version__)
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
            {
                "config_name": config.name,
                "org_id": org_id,
                "run_type": run_type,
                "triggered_by": getattr(dag_run, "triggering_user_name", None),
                "mode": parameters.mode.value,
                "only_employee": parameters.only_employee,
                "interval_start": interval.start,
                "interval_end": interval.end,
                "window_start": window.start,
                "window_end": window.end,
                "config_hash": config.hash,
                "package_version": __version__,
                "may_invite": may_invite(run_type, parameters)[0],
                "started_at": now,
            },
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


class OnboardingPlanOperator(OnboardingStep, BaseOperator):
    """Read the new hires, decide about each of them, and seal the plan.

    :param config: the organisation's configuration.
    """

    ui_color = "#fdf3d8"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the plan's id and its counts."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import runs
        from m3ter_onboarding.planning.sealed_plan import make_plan, may_invite

        with explained():
            parameters = self._parameters(context)
            settings = self._settings()
            run = self._run_key(context)
            with closing(self._open_ledger()) as db:
                begun = runs.read_run(db, run)
                if begun is None or begun["org_id"] != settings.org_id:
                    raise PlanError(
                        "This run has not read the organisation that the m3ter connection names; nothing is planned."
                        " Clear the task `snapshot` too."
                    )
                may, because = may_invite(text_of(context["dag_run"].run_type), parameters)
                planned = make_plan(
                    self.config,
                    db,
                    run=run,
                    org_id=settings.org_id,
                    allowed_domains=tuple(settings.allowed_domains or ()),
                    window=Window(begun["window_start"], begun["window_end"]),
                    parameters=parameters,
                    may_invite=may,
                    not_because=because,
                    now=utc_now(),
                    answers_within=timedelta(seconds=settings.timeout_seconds),
                )
        return planned.summary()


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
        from m3ter_onboarding import approval
        from m3ter_onboarding.ledger import plans
        from m3ter_onboarding.links import run_page
        from m3ter_onboarding.right_to_send import check_caps, check_connection, check_plan

        planned = _planned(context["ti"].xcom_pull(task_ids="plan"))
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
            check_caps(plan, self._caps(context), still_to_send=0, attempted_in_a_day=0)
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
        from m3ter_onboarding import approval
        from m3ter_onboarding.clock import utc_now

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


class OnboardingSendOperator(OnboardingStep, BaseAsyncOperator):
    """Send what was planned, each invitation exactly once, and wait until nothing of it is open.

    :param config: the organisation's configuration.
    """

    ui_color = "#dff2e1"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    async def aexecute(self, context: Context) -> dict[str, int]:
        """Return counts of what was sent and what is left."""
        from m3ter_onboarding.stopping import Stop, signals_taken_over

        stop = Stop()
        with explained(), signals_taken_over(stop):
            sending = asyncio.create_task(self._send(context, stop))
            try:
                return await asyncio.shield(sending)
            except asyncio.CancelledError:
                # Airflow's time-out: begin nothing more, finish what has begun, and only then leave.
                stop.request("the task's execution_timeout has passed")
                await asyncio.gather(sending, return_exceptions=True)
                raise

    async def _send(self, context: Context, stop: Any) -> dict[str, int]:
        from m3ter_onboarding.breaker import Breaker
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.delivery import Sender
        from m3ter_onboarding.ledger import runs
        from m3ter_onboarding.pause import PauseSwitch
        from m3ter_provider.hooks.m3ter import M3terAsyncHook

        run = self._run_key(context)
        planned = _planned(await asyncio.to_thread(context["ti"].xcom_pull, task_ids="plan"))
        if not planned.get("sendable"):
            raise AirflowSkipException("This run plans only; nothing is sent. The plan's task says why.")
        config = self.config
        db = await asyncio.to_thread(self._open_ledger)
        with closing(db):
            async with M3terAsyncHook(config.m3ter_conn_id) as hook:
                sender = Sender(
                    org=self._organisation(hook, db),
                    run=run,
                    plan_id=str(planned["plan_id"]),
                    caps=self._caps(context),
                    breaker=Breaker(config.stop_after_failures, config.stop_at_failure_percent),
                    stop=stop,
                    pause=PauseSwitch(config.name),
                )
                done = await sender.send()
            await asyncio.to_thread(runs.mark_delivered, db, run, str(planned["plan_id"]), utc_now())
        summary = done.summary()
        log.info("Done: %s.", ", ".join(f"{count} {name}" for name, count in summary.items()))
        return summary


class OnboardingReportOperator(OnboardingStep, BaseOperator):
    """Sum up the run from the ledger, and decide its colour: it fails where somebody is left.

    :param config: the organisation's configuration.
    """

    ui_color = "#f0e9f7"

    def __init__(self, *, config: OnboardingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._works_for(config)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the report's counts.

        :raises AirflowFailException: when the run is not a success; the report was written all the same.
        """
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger import runs
        from m3ter_onboarding.report import make_report

        with explained():
            run = self._run_key(context)
            settings = self._settings()
            with closing(self._open_ledger()) as db:
                db.prepare(create_tables=self.config.create_tables, now=utc_now(), package_version=__version__)
                begun = runs.read_run(db, run)
                report = make_report(
                    db,
                    run,
                    org_id=settings.org_id,
                    may_send=settings.allow_invitations,
                    mode=begun["mode"] if begun else "unknown",
                    fail_on_refused=self.config.fail_on_refused,
                    task_states=_task_states(run),
                )
                for line in report.lines():
                    log.info("%s", line)
                summary = report.summary()
                if begun is not None:
                    runs.update_run(
                        db,
                        run,
                        finished_at=utc_now(),
                        outcome=summary["outcome"],
                        counts={**_counts_of(summary), "allow_invitations": settings.allow_invitations},
                    )
                self._publish(db, run)
            context["ti"].xcom_push(key="report", value=summary)
            if report.for_review and begun is not None and begun["may_invite"]:
                self._tell_reviewers(context, run, report.for_review)
            if report.problems:
                raise AirflowFailException(" ".join(report.problems))
        return summary

    def _tell_reviewers(self, context: Context, run: RunKey, count: int) -> None:
        from m3ter_onboarding.reporting.alerts import tell

        what = f"has {count} for a person to decide about"
        tell(self.config.alerts.on_review, self.config.name, run.dag_id, run.run_id, what, dict(context))

    def _publish(self, db: LedgerDatabase, run: RunKey) -> None:
        from m3ter_onboarding.ledger.plan_counts import plans_of_run
        from m3ter_onboarding.publish import publish
        from m3ter_onboarding.source.warehouse import warehouse_engine

        if self.config.ledger_conn_id == self.config.warehouse_conn_id:
            return
        warehouse = warehouse_engine(self.config.warehouse_conn_id)
        try:
            plan_ids = plans_of_run(db, run.dag_id, run.run_id)
            written = publish(db, warehouse, plan_ids, create_tables=self.config.create_tables)
        finally:
            warehouse.dispose()
        if written is None:
            log.info("The warehouse holds the ledger itself; there is nothing to publish.")
            return
        log.info("Published %d rows to the warehouse (connection %s).", written, self.config.warehouse_conn_id)


def _planned(xcom: Any) -> Mapping[str, Any]:
    """Return what the task ``plan`` left."""
    if not isinstance(xcom, Mapping) or not xcom.get("plan_id"):
        raise NotAllowedError(
            "The task `plan` left no plan (it may have been marked successful by hand); nothing is sent. Clear it."
        )
    return xcom


def _counts_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {"rows": summary["rows"], **summary["decisions"], "invitations": summary["invitations"]}


def _task_states(run: RunKey) -> dict[str, str | None]:
    """Return the states of the run's tasks; nothing where Airflow cannot tell (the ledger decides then)."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    try:
        states = RuntimeTaskInstance.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id])
    except Exception as error:  # noqa: BLE001  (a report without them is better than none)
        log.info("Airflow could not tell the states of the other tasks (%s).", type(error).__name__)
        return {}
    of_run = states.get(run.run_id, states)
    return {str(task): None if state is None else str(state) for task, state in of_run.items()}
