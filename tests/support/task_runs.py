"""The tasks of a run by their own operators, outside Airflow: the context is made here, everything else is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from m3ter_onboarding.tasks.approve import OnboardingApproveOperator
from m3ter_onboarding.tasks.plan import OnboardingPlanOperator
from m3ter_onboarding.tasks.report import OnboardingReportOperator
from m3ter_onboarding.tasks.send import OnboardingSendOperator
from m3ter_onboarding.tasks.snapshot import OnboardingSnapshotOperator
from m3ter_onboarding.tasks.task_errors import errors_as_sentences
from tests.support.databases import airflow_connection_named
from tests.support.first_looks import look_first
from tests.support.world import World


@dataclass
class TaskRun:
    """One DAG run.

    :param values: configuration.
    :param params: the run's parameters.
    :param answer_is: the answer of the person who is asked, unless one is given; None: nobody answers.
    :param answers: who that is; None: a default.
    :param looked_at: whether a dry run came before it, see :mod:`tests.support.first_looks`.
    """

    world: World
    run_id: str
    interval: tuple[datetime, datetime]
    run_type: str = "manual"
    params: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    dag_id: str = "m3ter_onboarding__test"
    answer_is: str | None = "Approve"
    answers: str | None = "olga"
    looked_at: bool = True
    xcoms: dict[str, Any] = field(default_factory=dict)
    logical_date: datetime | None = None

    def snapshot(self) -> dict[str, int]:
        """Run the task ``snapshot``."""
        counts = OnboardingSnapshotOperator(**self._arguments("snapshot")).execute(self._context)
        self.xcoms["snapshot"] = counts
        return counts

    def plan(self) -> dict[str, Any]:
        """Run the task ``plan``."""
        if self.looked_at:
            world = self.world
            look_first(world.db, world.config(**self.values).name, world.m3ter.org_id, world.now())
        planned = OnboardingPlanOperator(**self._arguments("plan")).execute(self._context)
        self.xcoms["plan"] = planned
        return planned

    def approve(self, answer: str | None = "as the run says", by: str | None = "as the run says") -> str:
        """Run the task ``approve``, and let somebody answer at once.

        :param answer: what is chosen; None: nobody answers in time.
        :param by: who does; None: a default.
        :returns: the text of the question.
        """
        asked, says = self.ask(), "as the run says"
        if asked:
            self.answer(self.answer_is if answer == says else answer, self.answers if by == says else by)
        return asked

    def ask(self) -> str:
        """Run the task ``approve`` until it waits, and return the text of the question; empty: it asks nobody."""
        operator = OnboardingApproveOperator(**self._arguments("approve"))
        with errors_as_sentences():
            if not operator.write_question(self._context):
                return ""
            operator.record_question(self._context)
        return f"{operator.subject}\n\n{operator.body}"

    def answer_to_what_was_shown(self) -> None:
        """Let the question be answered that ``approve`` had asked before something else happened."""
        self.answer(self.answer_is, self.answers)

    def answer(self, answer: str | None, by: str | None = "olga") -> None:
        """Let somebody answer what ``approve`` has asked, in a process of its own."""
        event: dict[str, Any] = {
            "chosen_options": [answer],
            "params_input": {},
            "responded_at": datetime.now(timezone.utc),
            "responded_by_user": by and {"id": by, "name": by},
        }
        if answer is None:
            event = {"error": "too late", "error_type": "timeout"}
        OnboardingApproveOperator(**self._arguments("approve")).execute_complete(self._context, event)

    async def asend(self) -> dict[str, int]:
        """Run the task ``send`` in the running loop."""
        counts = await OnboardingSendOperator(**self._arguments("send")).aexecute(self._context)
        self.xcoms["send"] = counts
        return counts

    def send(self) -> dict[str, int]:
        """Run the task ``send``."""
        return asyncio.run(self.asend())

    def report(self) -> dict[str, Any]:
        """Run the task ``report``."""
        summary = OnboardingReportOperator(**self._arguments("report")).execute(self._context)
        self.xcoms["report"] = summary
        return summary

    def all(self) -> TaskRun:
        """Run one task after the other as the DAG does: ``report`` in any case.

        :raises AirflowException: the first that a task raised.
        """
        failed: AirflowException | None = None
        try:
            self.snapshot()
            self.plan()
            with suppress(AirflowSkipException):
                self.approve()
            self.send()
        except AirflowSkipException:
            pass
        except AirflowException as error:
            failed = error
        try:
            self.report()
        except AirflowException as error:
            failed = failed or error
        if failed is not None:
            raise failed
        return self

    def _arguments(self, task_id: str) -> dict[str, Any]:
        return {"task_id": task_id, "config": self.world.config(**self.values)}

    @property
    def _context(self) -> Any:
        return {
            "dag_run": SimpleNamespace(
                dag_id=self.dag_id,
                run_id=self.run_id,
                run_type=self.run_type,
                triggering_user_name="tester",
            ),
            "params": dict(self.params),
            "data_interval_start": self.interval[0],
            "data_interval_end": self.interval[1],
            "logical_date": self.logical_date,
            "ti": SimpleNamespace(
                xcom_pull=lambda task_ids, key=None: self.xcoms.get(f"pushed:{key}" if key else task_ids),
                xcom_push=lambda key, value: self.xcoms.__setitem__(f"pushed:{key}", value),
            ),
        }


@contextmanager
def m3ter_connection(world: World, **extra: Any) -> Iterator[None]:
    """Define the Airflow connection ``m3ter_default``."""
    content = world.m3ter.airflow_connection(**{"timeout_seconds": 2, "requests_per_second": 500, **extra})
    with airflow_connection_named(content, "m3ter_default"):
        yield
