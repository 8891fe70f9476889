"""What people do in Airflow: tasks cleared, plans made anew, tasks marked successful, runs deleted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from tests.chaos.case_run import TASKS, CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import Fault, FaultPoint, at_nth
from tests.chaos.forked import Ended
from tests.chaos.process_freeze import BEGINS, SLOW, FrozenSender, resume
from tests.chaos.recorded_points import Recording
from tests.chaos.scenarios import ASKED, SCENARIOS
from tests.chaos.sender_points import CLAIMED, POSTED, RECORDED, SENDER_POINTS, kill_sender, planned, the_next_day
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

    def __call__(self, case: CaseRun, run: TaskRun) -> None:
        for task in TASKS[: TASKS.index(self.killed)]:
            case.tries(run, task)
        case.environment.shared.mark(False)
        case.task(run, self.killed, before_any=self._fault(case))
        if not case.environment.shared.marked:
            raise NotReachedError
        case.pass_time(case.rng.choice((0.0, 10.0, 60.0)))
        for task in TASKS[TASKS.index(self.cleared) :]:
            case.tries(run, task)

    def _fault(self, case: CaseRun) -> Fault:
        number = getattr(signal, self.how)

        def fault(_connection: Any) -> None:
            case.environment.shared.mark(True)
            os.kill(os.getpid(), number)

        return at_nth(case.rng.randrange(1, max(2, self.points * 9 // 10)), fault)


# -- the plan is cleared while its sender is at work ------------------------------------------------------------------


def _plan_cleared() -> Iterator[Case]:
    for turn, database in enumerate(DATABASES):
        for number, point in enumerate(SENDER_POINTS):
            for offset, how in enumerate(_HOW):
                if how == _HOW[2] and point.label == BEGINS:
                    continue
                if (number + offset + turn) % 2 == 0:
                    yield Case(PLAN_CLEARED, f"at {point}, {how}", database, _PlanCleared(point, how))


_HOW = ("then its sender ends", "beside its new sender", "its sender wakes up after the new one")


@dataclass(frozen=True)
class _PlanCleared:
    """A new plan of a run is made while the sender of the old one is frozen."""

    point: FaultPoint
    how: str

    def __call__(self, case: CaseRun) -> None:
        case.hire("e1", "e2", "e3", "e4", "e5")
        run = planned(case)
        case.connect(**SLOW)
        old = FrozenSender(self.point).begin(case, run)
        case.connect()
        if self.how == _HOW[2]:
            case.pass_time(600.0)
        case.world.correct("e5", first_name="Mended")
        case.tries(run, "plan")
        if self.how == _HOW[0]:
            self._end(case, run, resume(old).wait())
            case.tries(run, "send")
        elif self.how == _HOW[1]:
            new = case.fork(run, "send")
            new.freezes_within(0.3)
            self._end(case, run, resume(old).wait())
            if not case.collect(run, "send", new.wait()).well:
                case.tries(run, "send")
        else:
            case.tries(run, "send")
            self._end(case, run, resume(old).wait())
        case.tries(run, "report")

    def _end(self, case: CaseRun, run: TaskRun, ended: Ended) -> None:
        plan = run.xcoms["plan"]
        case.collect(run, "send", ended)
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
        for point in SENDER_POINTS[2 + DATABASES.index(database) :: 2]:
            yield Case(MARKED, f"send, killed at {point}", database, _Marked(("send",), False, point))


@dataclass(frozen=True)
class _Marked:
    """Somebody marks a task successful that did not run, or not to its end."""

    skipped: Sequence[str]
    first: bool
    point: FaultPoint | None = None

    def __call__(self, case: CaseRun) -> None:
        if not self.first:
            case.hire("d1", "d2")
            case.run(case.begin())
            the_next_day(case)
            case.day += 1
        case.hire("e1", "e2", "e3")
        run = case.begin()
        for task in TASKS:
            if task not in self.skipped:
                case.tries(run, task)
            elif self.point is not None:
                kill_sender(case, run, self.point)


# -- a run that never comes back --------------------------------------------------------------------------------------


def _deleted() -> Iterator[Case]:
    for database in DATABASES:
        for point in SENDER_POINTS:
            yield Case(DELETED, f"killed at {point}", database, _Deleted(point, False))
        for point in (CLAIMED, POSTED, RECORDED):
            yield Case(DELETED, f"at {point}, while its sender lives on", database, _Deleted(point, True))


@dataclass(frozen=True)
class _Deleted:
    """A run is deleted while its sender is at work; only later runs can do the rest.

    :param lives_on: its sender is frozen, and is resumed when the next day's run has begun.
    """

    point: FaultPoint
    lives_on: bool

    def __call__(self, case: CaseRun) -> None:
        case.hire("e1", "e2", "e3", "e4", "e5")
        run = planned(case)
        if not self.lives_on:
            kill_sender(case, run, self.point)
            return
        case.connect(**SLOW)
        process = FrozenSender(self.point).begin(case, run)
        case.connect()
        case.day += 1
        following = planned(case)
        sender = case.fork(following, "send")
        sender.freezes_within(0.3)
        case.collect(run, "send", resume(process).wait())
        if not case.collect(following, "send", sender.wait()).well:
            case.tries(following, "send")
