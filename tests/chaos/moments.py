"""Moments of a sender, and the steps around one that many cases share."""

from __future__ import annotations

from demo.airflow_api import wait_until
from tests.chaos.cases import NotReachedError
from tests.chaos.play import Play
from tests.chaos.points import Point, die
from tests.chaos.standstill import BEGINS, SLOWLY
from tests.support.task_runs import TaskRun

CLAIMED = Point("COMMITTED claiming invitations", 1)
BEGUN = Point("COMMITTED beginning attempts", 1)
POSTED = Point("POST invitations: sent", 1)
ANSWERED = Point("POST invitations: answered", 1)
RECORDED = Point("COMMITTED recording answers", 1)
#: Where a sender is killed.
MOMENTS = (
    Point("POST token: begins", 1),
    Point("GET invitations: answered", 1),
    CLAIMED,
    BEGUN,
    Point(BEGINS, 1),
    POSTED,
    ANSWERED,
    Point("POST invitations: sent", 3),
    RECORDED,
)


def let_m3ter_finish(play: Play) -> None:
    """Wait until m3ter has done what it was asked for, also by those who cannot hear its answers any more."""

    def finished() -> bool:
        return all(request["outcome"] for request in play.theatre.m3ter.requests())

    wait_until(finished, "the end of m3ter's requests", 5, 0.005)


def emails_of(play: Play, employee: str) -> int:
    """Return how many e-mails an employee's own address has, when m3ter has finished what was begun."""
    let_m3ter_finish(play)
    return int(play.theatre.m3ter.emails().get(f"{employee}@example.com", 0))


def planned(play: Play) -> TaskRun:
    """Return a run whose plan is made."""
    run = play.begin()
    play.tries(run, "snapshot")
    play.tries(run, "plan")
    return run


def kill_sender(play: Play, run: TaskRun, moment: Point) -> None:
    """Let a sender be killed.

    :raises NotReachedError: it was not there.
    """
    play.connect(**SLOWLY)
    if not play.task(run, "send", {moment: die}).killed_by:
        raise NotReachedError
    play.connect()


def the_next_day(play: Play) -> None:
    """Play the next daily run."""
    play.pass_time(3600.0)
    play.day += 1
    play.run(play.begin())
