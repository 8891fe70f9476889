"""Several runs at once over the same people, with one and with two worker clocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import time_machine

from tests.chaos.case_run import CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import Fault, at_nth, die
from tests.chaos.scenarios import CREATE, SHORT_LEASE
from tests.support.task_runs import TaskRun

AT_ONCE = "runs at once over the same people"
CLOCKS = "runs at once, on other clocks"

#: The system's own, before a case's clocks take its place: what moves time replaces this one, in C.
_CLOCK_GETTIME = time.clock_gettime

Around = Callable[[Callable[[], Any]], Any]
#: So few at a time that a claim takes ten people.
_SMALL_CLAIMS = {**SHORT_LEASE, "requests_per_second": 2}


def cases() -> Iterator[Case]:
    """Yield them all."""
    yield from _at_once()
    yield from _on_other_clocks()


TOGETHER = ("whole runs", "each step", "senders", "retries of one run", "one run cleared", "windows that overlap")
FAULTS = ("", "answers are lost", "one is killed")


def _at_once() -> Iterator[Case]:
    for database in DATABASES:
        for count in (2, 5):
            for together in TOGETHER:
                for fault in FAULTS:
                    name = f"{count} at once, {together}" + (fault and f", {fault}")
                    act = _AtOnce(count, together, fault)
                    yield Case(AT_ONCE, name, database, act, _values(together), connection=SHORT_LEASE)
            act = _AtOnce(count, "senders", people=24)
            yield Case(AT_ONCE, f"{count} at once, senders that share", database, act, connection=_SMALL_CLAIMS)


def _on_other_clocks() -> Iterator[Case]:
    for number, together in enumerate(TOGETHER):
        for ahead in (-90, 90):
            for turn, fault in enumerate(("", "answers are lost")):
                database = DATABASES[(number + turn + (ahead > 0)) % 2]
                count = 5 if (number + turn) % 3 == 0 else 2
                name = f"{count} at once, {together}, one worker {ahead:+d} s" + (fault and f", {fault}")
                act = _AtOnce(count, together, fault, ahead)
                yield Case(CLOCKS, name, database, act, _values(together), connection=SHORT_LEASE)


def _values(together: str) -> Mapping[str, Any]:
    return {"look_back_days": 2} if together == "windows that overlap" else {}


def at_other_clocks(seconds: float, booted_earlier: float) -> Around:
    """Return what runs a task on a worker whose clock is ahead, and that was booted at another time."""

    def around(call: Callable[[], Any]) -> Any:
        of_the_case = time.clock_gettime

        def clock_gettime(clock: int) -> float:
            return of_the_case(clock) + (booted_earlier if clock == time.CLOCK_BOOTTIME else 0.0)

        time.clock_gettime = _CLOCK_GETTIME
        now = datetime.now(timezone.utc)
        with time_machine.travel(now + timedelta(seconds=seconds), tick=True):
            time.clock_gettime = clock_gettime
            return call()

    return around


@dataclass(frozen=True)
class _AtOnce:
    """Runs over the same people, as processes that run at the same time.

    :param together: what of them.
    :param ahead: seconds by which the clock of the last worker is ahead.
    """

    count: int
    together: str
    fault: str = ""
    ahead: float = 0.0
    people: int = 12

    def __call__(self, case: CaseRun) -> None:
        case.one_clock = not self.ahead
        people = [f"e{n}" for n in range(1, self.people + 1)]
        if self.together == "windows that overlap":
            for number, employee in enumerate(people):
                case.hire(employee, day=number % min(self.count, 3))
            case.day = min(self.count, 3) - 1
        else:
            case.hire(*people)
        if self.fault == "answers are lost":
            for employee, when in (("e2", "after"), ("e5", "before"), ("e9", "after")):
                email = f"{employee}@example.com"
                case.m3ter.faults(kind="status", status=504, when=when, operation=CREATE, email=email, count=1)
        runs = self._runs(case)
        for tasks in self._tasks(case, runs):
            self._at_once(case, runs, tasks)

    def _runs(self, case: CaseRun) -> list[TaskRun]:
        if self.together in ("retries of one run", "one run cleared"):
            return [case.begin()] * self.count
        if self.together == "windows that overlap":
            return [case.begin(number % 3) for number in range(self.count)]
        return [case.begin() for _ in range(self.count)]

    def _tasks(self, case: CaseRun, runs: list[TaskRun]) -> Sequence[str]:
        if self.together == "each step":
            return ("snapshot", "plan", "approve", "send", "report")
        if self.together in ("senders", "retries of one run"):
            for run in runs if self.together == "senders" else runs[:1]:
                case.tries(run, "snapshot")
                case.tries(run, "plan")
            return ("send",)
        return ("all",)

    def _at_once(self, case: CaseRun, runs: list[TaskRun], task: str) -> None:
        processes = [
            (run, case.fork(run, task, before_any=self._fault(case, number, task), around=self._around(case, number)))
            for number, run in enumerate(runs)
        ]
        killed = False
        failed = []
        for run, process in processes:
            ended = case.collect(run, task, process.wait())
            killed = killed or ended.killed_by is not None
            if not ended.well and run not in failed:
                failed.append(run)
        if self.fault == "one is killed" and task in ("send", "all") and not killed:
            raise NotReachedError
        for run in failed:
            if task == "all":
                case.pass_time(60.0)
                case.run(run)
            else:
                case.pass_time(60.0)
                case.tries(run, task)

    def _fault(self, case: CaseRun, number: int, task: str) -> Fault | None:
        if self.fault != "one is killed" or number or task not in ("send", "all"):
            return None
        return at_nth(case.rng.randrange(1, 100 if task == "all" else 40), die)

    def _around(self, case: CaseRun, number: int) -> Around | None:
        if not self.ahead:
            return None
        booted_earlier = case.rng.uniform(-1000.0, 1e7)
        return at_other_clocks(self.ahead if number == self.count - 1 else 0.0, booted_earlier)
