"""A task is killed, ended, timed out or cancelled at every write and every call."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowTaskTimeout

from tests.chaos.case_run import TASKS, CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import Fault, FaultPoint, die
from tests.chaos.recorded_points import Recording, changes_something, draw_number, inside_transaction
from tests.chaos.scenarios import ASKED, SCENARIOS
from tests.support.task_runs import TaskRun


def cases(recording: Recording) -> Iterator[Case]:
    """Yield them all."""
    for scenario in (*SCENARIOS, *ASKED):
        for database in DATABASES:
            for task in ("approve", "send") if scenario in ASKED else TASKS:
                for point in filter(changes_something, recording[scenario.name, database, task]):
                    # Inside a transaction each point on one of the databases; each COMMIT and each call on both.
                    if inside_transaction(point) and draw_number(point, 2) != DATABASES.index(database):
                        continue
                    name = f"{task}, {point}"
                    yield scenario.case("SIGKILL at every write and call", name, database, _Killed(task, point))
    for scenario in (SCENARIOS[0], SCENARIOS[2]):
        for database in DATABASES:
            points = [point for point in recording[scenario.name, database, "send"] if changes_something(point)]
            for point in points:
                number = draw_number(point, 12)
                for offset, (kind, interrupt) in enumerate(INTERRUPTS.items()):
                    # Each sixth point: others with another signal, and on the other database.
                    if (number + 2 * offset + DATABASES.index(database)) % 6 == 0:
                        yield scenario.case(kind, str(point), database, interrupt(point))
                if number == 0:
                    yield scenario.case("SIGTERM, then SIGKILL", str(point), database, _TerminatedAndKilled(point))


class _Killed:
    """A power cut, at one point of a task's first try."""

    def __init__(self, task: str, point: FaultPoint) -> None:
        self.task, self.point = task, point

    def __call__(self, case: CaseRun, run: TaskRun) -> None:
        case.run(run, {self.task: {self.point: die}})
        if not any(ended.killed_by for task, ended in case.ended if task == self.task):
            raise NotReachedError


class _Interrupted:
    """A signal to the sender, at one point of its first try."""

    number = signal.SIGTERM

    def __init__(self, point: FaultPoint) -> None:
        self.point = point

    def __call__(self, case: CaseRun, run: TaskRun) -> None:
        case.environment.shared.mark(False)
        case.run(run, {"send": self.faults(case)}, around=self.around)
        if not case.environment.shared.marked:
            raise NotReachedError

    def faults(self, case: CaseRun) -> Mapping[FaultPoint, Fault]:
        def fault(_connection: Any) -> None:
            case.environment.shared.mark(True)
            self.interrupt()

        return {self.point: fault}

    def interrupt(self) -> None:
        """Do it."""
        os.kill(os.getpid(), self.number)

    def around(self, call: Callable[[], Any]) -> Any:
        return call()


class _Terminated(_Interrupted):
    """Airflow ends the task."""


class _TimedOut(_Interrupted):
    """The task's ``execution_timeout`` passes; Airflow's handler raises out of wherever the process is."""

    number = signal.SIGALRM

    def around(self, call: Callable[[], Any]) -> Any:
        def raised(number: int, frame: object) -> None:
            raise AirflowTaskTimeout("Timeout")

        signal.signal(signal.SIGALRM, raised)
        return call()


class _Cancelled(_Interrupted):
    """The sender's coroutine is cancelled, as by ``asyncio.wait_for`` around it."""

    def __init__(self, point: FaultPoint) -> None:
        super().__init__(point)
        self._cancel: Callable[[], object] = lambda: None

    def interrupt(self) -> None:
        self._cancel()

    def around(self, call: Callable[[], Any]) -> Any:
        send = call.__self__.asend if call.__name__ == "send" else None  # type: ignore[attr-defined]
        if send is None:
            return call()

        async def cancelled_from_outside() -> Any:
            loop = asyncio.get_running_loop()
            sending = asyncio.create_task(send())
            self._cancel = lambda: loop.call_soon_threadsafe(sending.cancel)
            return await sending

        return asyncio.run(cancelled_from_outside())


class _TerminatedAndKilled(_Interrupted):
    """Airflow ends the task, and five seconds later, before it has finished, by force."""

    def faults(self, case: CaseRun) -> Mapping[FaultPoint, Fault]:
        terminated = False
        left = case.rng.randrange(1, 25)

        def fault(_connection: Any) -> None:
            nonlocal terminated
            terminated = True
            case.environment.shared.mark(True)
            os.kill(os.getpid(), signal.SIGTERM)

        def later(_connection: Any) -> None:
            nonlocal left
            if terminated:
                left -= 1
                if left <= 0:
                    die(None)

        self._later = later
        return {self.point: fault}

    def __call__(self, case: CaseRun, run: TaskRun) -> None:
        case.environment.shared.mark(False)
        faults = self.faults(case)
        case.tries(run, "snapshot")
        case.tries(run, "plan")
        case.tries(run, "send", faults, before_any=self._later)
        case.tries(run, "report")
        if not case.environment.shared.marked:
            raise NotReachedError


INTERRUPTS: Mapping[str, Callable[[FaultPoint], _Interrupted]] = {
    "SIGTERM in mid-send": _Terminated,
    "execution_timeout in mid-send": _TimedOut,
    "cancelled in mid-send": _Cancelled,
}
