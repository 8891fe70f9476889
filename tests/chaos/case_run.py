"""The run of one case: people, forked tasks in the order of Airflow, and the check of the promise at the end."""

from __future__ import annotations

import os
import random
import time
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from datetime import time as clock_time
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from sqlalchemy import inspect

from m3ter_sandbox.testing import SandboxServer
from tests.chaos.environment import Environment
from tests.chaos.fault_points import Fault, FaultInjector, FaultPoint, watch
from tests.chaos.forked import Ended, Forked
from tests.chaos.ledger_checks import (
    ViolationError,
    check_emails,
    check_ledger,
    check_nothing_open,
    check_replaced_plans,
    left_open,
)
from tests.support.task_runs import TaskRun
from tests.support.world import World

#: Midnight (UTC) of the first day for which people are loaded.
FIRST_DAY = datetime.combine(datetime.now(timezone.utc).date(), clock_time(), timezone.utc) - timedelta(days=20)

TASKS = ("snapshot", "plan", "approve", "send", "report")
#: Airflow's ``retries`` and ``retry_delay`` of the DAG.
TRIES = 3
RETRY_DELAY = 60.0
#: So many ordinary runs must suffice until everybody is invited and nothing is open.
RUNS_UNTIL_QUIET = 6


@dataclass
class CaseRun:
    """One case.

    :param rng: every random number of the case.
    :param log: where the tasks' output goes; None: nowhere.
    """

    environment: Environment
    database: str
    world: World
    rng: random.Random
    log: Path | None = None
    #: How many e-mails each address must have at the end; others must have none.
    expected: dict[str, int] = field(default_factory=dict)
    #: States in which a row may stay although it is open otherwise, by address.
    may_stay: dict[str, str] = field(default_factory=dict)
    day: int = 0
    #: Whether all processes have the same clock, so that what they wrote down can be put in order.
    one_clock: bool = True
    #: Real seconds that m3ter may take to finish what it has begun: clocks jump ahead only after that.
    late_seconds: float = 0.0
    ended: list[tuple[str, Ended]] = field(default_factory=list)
    _runs: int = 0
    _forked: list[Forked] = field(default_factory=list)

    @property
    def m3ter(self) -> SandboxServer:
        """The local m3ter."""
        return self.environment.m3ter

    # -- people -----------------------------------------------------------------------------------------------------

    def hire(self, *employees: str, day: int | None = None, expected: int = 1, **columns: Any) -> None:
        """Load people, and say how many e-mails each of them is to have."""
        loaded_at = FIRST_DAY + timedelta(days=self.day if day is None else day, hours=12)
        for email in self.world.hire(*employees, loaded_at=loaded_at, **columns):
            if expected:
                self.expected[email.casefold()] = expected

    def connect(self, **extra: Any) -> None:
        """Define the connection to m3ter for the tasks that start from now on."""
        os.environ["AIRFLOW_CONN_M3TER_DEFAULT"] = self.m3ter.airflow_connection(
            **{"timeout_seconds": 5, "requests_per_second": 500, **extra}
        )

    # -- runs -------------------------------------------------------------------------------------------------------

    def begin(self, day: int | None = None, *, run_type: str = "scheduled", **params: Any) -> TaskRun:
        """Return a new run over one day."""
        self._runs += 1
        start = FIRST_DAY + timedelta(days=self.day if day is None else day)
        return TaskRun(
            self.world, f"run-{self._runs}", (start, start + timedelta(days=1)), run_type=run_type, params=params
        )

    def fork(
        self,
        run: TaskRun,
        task: str,
        faults: Mapping[FaultPoint, Fault] | None = None,
        *,
        before_any: Fault | None = None,
        around: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> Forked:
        """Start a task of a run as a process; its result goes into the run's XComs by :meth:`collect`.

        :param around: runs the task in the child; by default it is just called.
        """
        self.environment.dispose_engines()

        def work() -> Any:
            points = FaultInjector(faults, before_any)
            watch(points)
            call = getattr(run, task)
            error = None
            try:
                (around or (lambda call: call()))(call)
            except (Exception, CancelledError) as raised:
                traceback.print_exc()
                error = f"{type(raised).__name__}: {raised}"
            return error, run.xcoms, points.reached

        forked = Forked(work, self.log).start()
        self._forked.append(forked)
        return forked

    def collect(self, run: TaskRun, task: str, ended: Ended) -> Ended:
        """Take what a task left for the run's next one."""
        if ended.well:
            error, xcoms, points = ended.value
            ended = Ended(error=error, points=tuple(points))
            run.xcoms.update(xcoms)
        self.ended.append((task, ended))
        return ended

    def task(self, run: TaskRun, task: str, faults: Mapping[FaultPoint, Fault] | None = None, **options: Any) -> Ended:
        """Run one try of a task to its end."""
        return self.collect(run, task, self.fork(run, task, faults, **options).wait())

    def tries(self, run: TaskRun, task: str, faults: Mapping[FaultPoint, Fault] | None = None, **options: Any) -> Ended:
        """Run a task as Airflow does: again after a delay when it failed, unless it failed for good.

        :param faults: for the first try alone.
        """
        ended = self.task(run, task, faults, **options)
        for _ in range(TRIES - 1):
            if ended.well or _final(ended):
                break
            self.pass_time(RETRY_DELAY)
            ended = self.task(run, task)
        return ended

    def run(self, run: TaskRun, faults: Mapping[str, Mapping[FaultPoint, Fault]] | None = None, **options: Any) -> bool:
        """Run the tasks of a run, each tried again as Airflow does, the report in any case.

        :param faults: by task, for its first try.
        :returns: whether every task did well.
        """
        well = True
        for task in TASKS[:-1]:
            ended = self.tries(run, task, (faults or {}).get(task), **options)
            if ended.error is not None and ended.error.startswith(AirflowSkipException.__name__):
                continue  # what follows is skipped, too, or need not ask
            if not ended.well:
                well = False
                break
        return self.tries(run, "report", (faults or {}).get("report"), **options).well and well

    def pass_time(self, seconds: float) -> None:
        """Let time pass for all: the ledger's database, m3ter, and frozen processes."""
        time.sleep(self.late_seconds)
        self.environment.shared.set_ahead(self.environment.shared.ahead + seconds)
        self.m3ter.advance(seconds)
        if inspect(self.world.db.engine).has_table("m3ter_onboarding_schema"):
            self.world.pass_time(seconds)

    def end_all(self) -> None:
        """End every process that a case left behind."""
        for process in self._forked:
            process.kill()

    # -- the promise ------------------------------------------------------------------------------------------------

    def until_quiet(self) -> int:
        """Switch every fault off and let ordinary daily runs work until a run had nothing to do.

        :returns: how many it took.
        :raises ViolationError: it took too many.
        """
        self.m3ter.clear_faults()
        for number in range(1, RUNS_UNTIL_QUIET + 1):
            self.pass_time(RETRY_DELAY)
            self.day += 1
            posts = self.posts()
            run = self.begin()
            ended = self.task(run, "all")
            if ended.killed_by is not None:
                raise ViolationError(f"ordinary run {number} was ended by {ended.killed_by.name}")
            if ended.well and self.posts() == posts and not self._stuck():
                return number
        last = ended.error or f"{self.posts() - posts} invitations in the last run; open: {self._stuck()}"
        raise ViolationError(f"not quiet after {RUNS_UNTIL_QUIET} ordinary runs: {last}")

    def posts(self) -> int:
        """Return how many invitations m3ter was asked for."""
        return self.m3ter.posts()

    def _stuck(self) -> dict[str, str]:
        return left_open(self.world.db, self.may_stay)

    def check_promise(self) -> None:
        """Check what is promised.

        :raises ViolationError: it does not hold.
        """
        check_emails(self.world.db, self.m3ter.emails(), self.expected)
        check_nothing_open(self.world.db, self.may_stay)
        check_ledger(self.world.db)
        if self.one_clock:
            check_replaced_plans(self.world.db)


def _final(ended: Ended) -> bool:
    error = ended.error or ""
    return error.startswith((AirflowFailException.__name__, AirflowSkipException.__name__))
