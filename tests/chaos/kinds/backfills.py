"""Backfills of 90 days with several active runs, allowed to send and not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from tests.chaos.case_run import CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import at_nth, die
from tests.chaos.forked import Forked
from tests.chaos.ledger_checks import ViolationError
from tests.chaos.scenarios import CREATE, SHORT_LEASE
from tests.support.task_runs import TaskRun

BACKFILLS = "90-day backfill"

_DAYS = 90


def cases() -> Iterator[Case]:
    """Yield them all."""
    for turn, database in enumerate(DATABASES):
        for number, (at_once, order) in enumerate(
            ((1, "oldest first"), (3, "oldest first"), (4, "newest first"), (4, "in any order"))
        ):
            for fault in ("", "one is killed", "a daily run beside it", "answers are lost"):
                days = 5 if fault == "answers are lost" or at_once == 1 else 7
                name = f"{order}, {at_once} at once, of {days} days each" + (fault and f", {fault}")
                act = _Backfill(days, at_once, order, fault)
                if (number + turn) % 2 == 0 or fault == "one is killed":
                    yield Case(BACKFILLS, f"may send, {name}", database, act, connection=SHORT_LEASE)
        yield Case(BACKFILLS, "may send, daily, 4 at once", database, _Backfill(1, 4, "oldest first", ""))
        for at_once in (1, 4):
            for afterwards in (False, True):
                name = f"may not send, {at_once} at once" + (", then one that may" if afterwards else "")
                yield Case(BACKFILLS, name, database, _BackfillThatPlansOnly(at_once, afterwards))


@dataclass(frozen=True)
class _Backfill:
    """People of 90 days, and runs over them of which several are active at once."""

    days: int
    at_once: int
    order: str
    fault: str

    def __call__(self, case: CaseRun) -> None:
        hire_over_90_days(case)
        if self.fault == "answers are lost":
            case.m3ter.faults(kind="status", status=504, when="after", operation=CREATE, count=2)
        runs = backfill(case, self.days, allow_backfill_send=True)
        if self.order == "newest first":
            runs.reverse()
        elif self.order == "in any order":
            case.rng.shuffle(runs)
        daily = [case.begin()] if self.fault == "a daily run beside it" else []
        victim = case.rng.choice(runs) if self.fault == "one is killed" else None
        killed = run_all(case, [*daily, *runs], self.at_once, victim)
        if victim is not None and not killed:
            raise NotReachedError


@dataclass(frozen=True)
class _BackfillThatPlansOnly:
    """A backfill sends only when that is asked for.

    :param afterwards: then the same days again, asked for.
    """

    at_once: int
    afterwards: bool

    def __call__(self, case: CaseRun) -> None:
        hire_over_90_days(case, expected=int(self.afterwards))
        run_all(case, backfill(case, 7), self.at_once)
        if case.posts():
            raise ViolationError(f"a backfill that may not send sent {case.posts()} invitations")
        if not all(
            ended.error and AirflowSkipException.__name__ in ended.error for _, ended in case.ended if ended.error
        ):
            raise ViolationError("a backfill that may not send failed")
        if self.afterwards:
            run_all(case, backfill(case, 7, allow_backfill_send=True), self.at_once)


def hire_over_90_days(case: CaseRun, expected: int = 1) -> None:
    """Load people over 90 days."""
    for day in range(0, _DAYS, 3):
        case.hire(f"b{day}", day=day - _DAYS, expected=expected)


def backfill(case: CaseRun, days: int, **params: Any) -> list[TaskRun]:
    """Return the runs of a backfill over 90 days, the oldest first."""
    runs = []
    for first in range(-_DAYS, 0, days):
        run = case.begin(first, run_type="backfill", **params)
        run.interval = (run.interval[0], run.interval[0] + timedelta(days=min(days, -first)))
        runs.append(run)
    return runs


def run_all(case: CaseRun, runs: Sequence[TaskRun], at_once: int, victim: TaskRun | None = None) -> bool:
    """Run whole runs, so many at once; one that did not end well is tried again when all others have ended.

    :param victim: is killed somewhere.
    :returns: whether it was.
    """
    waiting, active, again = list(runs), list[tuple[TaskRun, Forked]](), list[TaskRun]()
    killed = False
    while waiting or active:
        while waiting and len(active) < at_once:
            run = waiting.pop(0)
            killing = at_nth(case.rng.randrange(1, 90), die) if run is victim else None
            active.append((run, case.fork(run, "all", before_any=killing)))
        run, process = active.pop(0)
        ended = case.collect(run, "all", process.wait())
        killed = killed or ended.killed_by is not None
        if not ended.well:
            again.append(run)
    for run in again:
        case.pass_time(60.0)
        case.run(run)
    return killed
