"""The points of a sender at which it is killed or frozen, and the steps around them that many cases share."""

from __future__ import annotations

from demo.airflow_api import wait_until
from tests.chaos.case_run import CaseRun
from tests.chaos.cases import NotReachedError
from tests.chaos.fault_points import FaultPoint, die
from tests.chaos.process_freeze import BEGINS, SLOW
from tests.support.task_runs import TaskRun

CLAIMED = FaultPoint("COMMITTED claiming invitations", 1)
BEGUN = FaultPoint("COMMITTED beginning attempts", 1)
POSTED = FaultPoint("POST invitations: sent", 1)
ANSWERED = FaultPoint("POST invitations: answered", 1)
RECORDED = FaultPoint("COMMITTED recording answers", 1)
#: Where a sender is killed or frozen.
SENDER_POINTS = (
    FaultPoint("POST token: begins", 1),
    FaultPoint("GET invitations: answered", 1),
    CLAIMED,
    BEGUN,
    FaultPoint(BEGINS, 1),
    POSTED,
    ANSWERED,
    FaultPoint("POST invitations: sent", 3),
    RECORDED,
)


def let_m3ter_finish(case: CaseRun) -> None:
    """Wait until m3ter has done what it was asked for, also by those who cannot hear its answers any more."""

    def finished() -> bool:
        return all(request["outcome"] for request in case.m3ter.requests())

    wait_until(finished, "the end of m3ter's requests", 5, 0.005)


def emails_of(case: CaseRun, employee: str) -> int:
    """Return how many e-mails an employee's own address has, when m3ter has finished what was begun."""
    let_m3ter_finish(case)
    return int(case.m3ter.emails().get(f"{employee}@example.com", 0))


def planned(case: CaseRun) -> TaskRun:
    """Return a run whose plan is made."""
    run = case.begin()
    case.tries(run, "snapshot")
    case.tries(run, "plan")
    return run


def kill_sender(case: CaseRun, run: TaskRun, point: FaultPoint) -> None:
    """Start a sender that is killed at a point.

    :raises NotReachedError: it did not reach it.
    """
    case.connect(**SLOW)
    if not case.task(run, "send", {point: die}).killed_by:
        raise NotReachedError
    case.connect()


def the_next_day(case: CaseRun) -> None:
    """Run the next daily run."""
    case.pass_time(3600.0)
    case.day += 1
    case.run(case.begin())
