"""What people do in Airflow: tasks cleared, plans made anew, tasks marked successful, runs deleted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from tests.chaos.cases import Case, NotReachedError
from tests.chaos.forked import Ended
from tests.chaos.moments import CLAIMED, MOMENTS, POSTED, RECORDED, kill_sender, planned, the_next_day
from tests.chaos.play import TASKS, Play
from tests.chaos.points import Point, Strike, at_nth
from tests.chaos.recording import Recording
from tests.chaos.scenarios import ASKED, SCENARIOS
from tests.chaos.standstill import BEGINS, SLOWLY, StandStill, let_go_on
from tests.chaos.theatre import DATABASES
from tests.support.task_runs import TaskRun

CLEARED = "task cleared at a random time"
PLAN_CLEARED = "plan cleared while send is under way"
MARKED = "task marked successful by hand"
DELETED = "run deleted in mid-send"


def cases(recording: Recording) -> Iterator[Case]:
    """Yield them all."""
    yield from _cleared(recording)
    yield from _plan_cleared()
    yield from _marked()
    yield from _deleted()


# -- clear ------------------------------------------------------------------------------------------------------------


def _cleared(recording: Recording) -> Iterator[Case]:
    databases = cycle(DATABASES)
    for scenario in (*SCENARIOS, *ASKED):
        for how in ("SIGTERM", "SIGKILL"):
            for number, killed in enumerate(TASKS[:-1]):
                if (killed == "approve") != (scenario in ASKED):
                    continue
                for cleared in TASKS[: number + 1]:
                    for count in (1, 2) if killed == cleared == "send" else (1,):
                        database = next(databases)
                        points = recording[scenario.name, database, killed]
                        act = _Cleared(killed, cleared, how, len(points))
                        name = f"{killed} ended by {how}, {cleared} and what follows cleared, {count}"
                        yield scenario.case(CLEARED, name, database, act)
        next(databases)


@dataclass(frozen=True)
class _Cleared:
    """A task is ended somewhere, and it, or one before it, is cleared with what follows.

    :param points: how many it has.
    """

    killed: str
    cleared: str
    how: str
    points: int

    def __call__(self, play: Play, run: TaskRun) -> None:
        for task in TASKS[: TASKS.index(self.killed)]:
            play.tries(run, task)
        play.theatre.shared.note(False)
        play.task(run, self.killed, before_any=self._strike(play))
        if not play.theatre.shared.noted:
            raise NotReachedError
        play.pass_time(play.rng.choice((0.0, 10.0, 60.0)))
        for task in TASKS[TASKS.index(self.cleared) :]:
            play.tries(run, task)

    def _strike(self, play: Play) -> Strike:
        number = getattr(signal, self.how)

        def strike(_connection: Any) -> None:
            play.theatre.shared.note(True)
            os.kill(os.getpid(), number)

        return at_nth(play.rng.randrange(1, max(2, self.points * 9 // 10)), strike)


# -- the plan is cleared while its sender is at work ------------------------------------------------------------------


def _plan_cleared() -> Iterator[Case]:
    for turn, database in enumerate(DATABASES):
        for number, moment in enumerate(MOMENTS):
            for offset, how in enumerate(_HOW):
                if how == _HOW[2] and moment.label == BEGINS:
                    continue
                if (number + offset + turn) % 2 == 0:
                    yield Case(PLAN_CLEARED, f"at {moment}, {how}", database, _PlanCleared(moment, how))


_HOW = ("then its sender ends", "beside its new sender", "its sender wakes up after the new one")


@dataclass(frozen=True)
class _PlanCleared:
    """A new plan of a run is made while the sender of the old one stands still."""

    moment: Point
    how: str

    def __call__(self, play: Play) -> None:
        play.hire("e1", "e2", "e3", "e4", "e5")
        run = planned(play)
        play.connect(**SLOWLY)
        old = StandStill(self.moment).begin(play, run)
        play.connect()
        if self.how == _HOW[2]:
            play.pass_time(600.0)
        play.world.correct("e5", first_name="Mended")
        play.tries(run, "plan")
        if self.how == _HOW[0]:
            self._end(play, run, let_go_on(old).wait())
            play.tries(run, "send")
        elif self.how == _HOW[1]:
            new = play.fork(run, "send")
            new.stands_still(0.3)
            self._end(play, run, let_go_on(old).wait())
            if not play.collect(run, "send", new.wait()).well:
                play.tries(run, "send")
        else:
            play.tries(run, "send")
            self._end(play, run, let_go_on(old).wait())
        play.tries(run, "report")

    def _end(self, play: Play, run: TaskRun, ended: Ended) -> None:
        plan = run.xcoms["plan"]
        play.collect(run, "send", ended)
        run.xcoms["plan"] = plan  # Airflow's is the new one


# -- marked successful ------------------------------------------------------------------------------------------------


def _marked() -> Iterator[Case]:
    for database in DATABASES:
        for first in (True, False):
            for skipped in (("send",), ("plan",), ("plan", "send"), ("snapshot",)):
                if first and skipped == ("snapshot",):
                    continue  # then the ledger knows nothing of the run, nor of any before it
                name = f"{' and '.join(skipped)} of {'the first' if first else 'a later'} run"
                yield Case(MARKED, name, database, _Marked(skipped, first))
        for moment in MOMENTS[2 + DATABASES.index(database) :: 2]:
            yield Case(MARKED, f"send, killed at {moment}", database, _Marked(("send",), False, moment))


@dataclass(frozen=True)
class _Marked:
    """Somebody marks a task successful that did not run, or not to its end."""

    skipped: Sequence[str]
    first: bool
    moment: Point | None = None

    def __call__(self, play: Play) -> None:
        if not self.first:
            play.hire("d1", "d2")
            play.run(play.begin())
            the_next_day(play)
            play.day += 1
        play.hire("e1", "e2", "e3")
        run = play.begin()
        for task in TASKS:
            if task not in self.skipped:
                play.tries(run, task)
            elif self.moment is not None:
                kill_sender(play, run, self.moment)


# -- a run that never comes back --------------------------------------------------------------------------------------


def _deleted() -> Iterator[Case]:
    for database in DATABASES:
        for moment in MOMENTS:
            yield Case(DELETED, f"killed at {moment}", database, _Deleted(moment, False))
        for moment in (CLAIMED, POSTED, RECORDED):
            yield Case(DELETED, f"at {moment}, while its sender lives on", database, _Deleted(moment, True))


@dataclass(frozen=True)
class _Deleted:
    """A run is deleted while its sender is at work; only later runs can do the rest.

    :param lives_on: its sender stands still, and goes on when the next day's run has begun.
    """

    moment: Point
    lives_on: bool

    def __call__(self, play: Play) -> None:
        play.hire("e1", "e2", "e3", "e4", "e5")
        run = planned(play)
        if not self.lives_on:
            kill_sender(play, run, self.moment)
            return
        play.connect(**SLOWLY)
        process = StandStill(self.moment).begin(play, run)
        play.connect()
        play.day += 1
        following = planned(play)
        sender = play.fork(following, "send")
        sender.stands_still(0.3)
        play.collect(run, "send", let_go_on(process).wait())
        if not play.collect(following, "send", sender.wait()).well:
            play.tries(following, "send")
