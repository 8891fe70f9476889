"""Runs as Airflow's own database has them: their steps, a question that waits, and runs that the ledger never saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import func, select

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.sending.approval_question import approvers_named

#: The steps of a run, in their order.
STEPS = ("snapshot", "plan", "approve", "send", "report")
#: Of a task that waits for a person's answer.
_WAITING = ("awaiting_input", TaskInstanceState.DEFERRED)
#: DAGs that one statement asks for.
_TOGETHER = 500


@dataclass(frozen=True)
class Step:
    """One task of a run.

    :param state: Airflow's word for it; None: it has not begun.
    :param tries: how often it was begun.
    """

    task_id: str
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None
    tries: int


@dataclass(frozen=True, repr=False)
class AskedApproval:
    """The question whether a plan may be sent, which waits for an answer in Airflow.

    :param asked_at: when it was asked.
    :param approvers: those whose approval counts, as the question names them; empty: any who may answer in Airflow.
    :param not_the_starter: whether the approval of the user who started the run does not count.
    """

    subject: str
    asked_at: datetime
    approvers: list[str]
    not_the_starter: bool


@dataclass(frozen=True, repr=False)
class RunInAirflow:
    """A run as Airflow has it.

    :param state: Airflow's word for it.
    :param started_by: the user who started it; None: nobody did.
    :param read_at: when this was read: durations of what still runs end there.
    :param question: None: none waits for an answer, or the reader may not see it.
    """

    state: str
    started_at: datetime | None
    ended_at: datetime | None
    started_by: str | None
    read_at: datetime
    steps: list[Step]
    question: AskedApproval | None


@dataclass(frozen=True)
class FailedRun:
    """A run that failed."""

    dag_id: str
    run_id: str
    ended_at: datetime | None


def run_in_airflow(run: RunKey, *, with_question: bool) -> RunInAirflow | None:
    """Return a run with its steps; None: Airflow has no such run.

    :param with_question: whether the reader may see the question.
    """
    with create_session() as session:
        found = session.scalar(select(DagRun).where(DagRun.dag_id == run.dag_id, DagRun.run_id == run.run_id))
        if found is None:
            return None
        tasks = {
            task.task_id: task
            for task in session.scalars(
                select(TaskInstance).where(
                    TaskInstance.dag_id == run.dag_id,
                    TaskInstance.run_id == run.run_id,
                    TaskInstance.task_id.in_(STEPS),
                )
            )
        }
        asked = None
        # Not before the task waits: Airflow fails one whose question was answered while it was still asking.
        if with_question and "approve" in tasks and tasks["approve"].state in _WAITING:
            asked = session.scalar(
                select(HITLDetail).where(HITLDetail.ti_id == tasks["approve"].id, HITLDetail.responded_at.is_(None))
            )
        return RunInAirflow(
            state=str(found.state),
            started_at=found.start_date,
            ended_at=found.end_date,
            started_by=found.triggering_user_name,
            read_at=utc_now(),
            steps=[_step(name, tasks[name]) for name in STEPS if name in tasks],
            question=None if asked is None else _question(asked),
        )


def _step(name: str, task: TaskInstance) -> Step:
    return Step(
        task_id=name,
        state=None if task.state is None else str(task.state),
        started_at=task.start_date,
        ended_at=task.end_date,
        tries=task.try_number,
    )


def _question(asked: HITLDetail) -> AskedApproval:
    approvers, not_the_starter = approvers_named(asked.body or "")
    return AskedApproval(asked.subject, asked.created_at, approvers, not_the_starter)


def last_runs_that_failed(dag_ids: Sequence[str]) -> list[FailedRun]:
    """Return those of the DAGs' newest runs that failed."""
    failed: list[FailedRun] = []
    with create_session() as session:
        for begin in range(0, len(dag_ids), _TOGETHER):
            some = dag_ids[begin : begin + _TOGETHER]
            newest = select(func.max(DagRun.id)).where(DagRun.dag_id.in_(some)).group_by(DagRun.dag_id)
            rows = session.execute(
                select(DagRun.dag_id, DagRun.run_id, DagRun.end_date).where(
                    DagRun.id.in_(newest.scalar_subquery()), DagRun.state == DagRunState.FAILED
                )
            )
            failed += [FailedRun(row.dag_id, row.run_id, row.end_date) for row in rows]
    return failed


def by_dag(runs: Iterable[FailedRun]) -> Mapping[str, FailedRun]:
    """Return runs by their DAG, of which each has one."""
    return {run.dag_id: run for run in runs}
