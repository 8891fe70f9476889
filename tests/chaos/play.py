"""One case as it is played: people, runs of forked tasks as Airflow would run them, and the verdict at the end."""

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
from sqlalchemy import insert, inspect

from tests.chaos.forked import Ended, Forked
from tests.chaos.ledger import OPEN, ViolationError, check_ledger, check_replaced_plans, story
from tests.chaos.points import FaultPoints, Point, Strike, watch
from tests.chaos.theatre import Theatre
from tests.support.task_runs import TaskRun
from tests.support.world import HIRES, World

#: Midnight (UTC) of the first day for which people are loaded.
FIRST_DAY = datetime.combine(datetime.now(timezone.utc).date(), clock_time(), timezone.utc) - timedelta(days=20)

TASKS = ("snapshot", "plan", "approve", "send", "report")
#: Airflow's ``retries`` and ``retry_delay`` of the DAG.
TRIES = 3
RETRY_DELAY = 60.0
#: So many ordinary runs must suffice until everybody is invited and nothing is open.
RUNS_UNTIL_QUIET = 6


@dataclass
class Play:
    """One case.

    :param rng: every random number of the case.
    :param log: where the tasks' output goes; None: nowhere.
    """

    theatre: Theatre
    database: str
    world: World
    rng: random.Random
    log: Path | None = None
    #: How many e-mails each address must have at the end; whoever is not here must have none.
    expected: dict[str, int] = field(default_factory=dict)
    #: States in which a row may stay although it is open otherwise, by address.
    may_stay: dict[str, str] = field(default_factory=dict)
    day: int = 0
    #: Whether all processes have the same clock, so that what they wrote down can be put in order.
    one_clock: bool = True
    #: Real seconds that m3ter may take to finish what it has begun: clocks jump ahead only after that.
    late_seconds: float = 0.0
    #: Addresses that needed a person: two attempts without an answer, and no trace of either.
    asked_for: list[str] = field(default_factory=list)
    ended: list[tuple[str, Ended]] = field(default_factory=list)
    _runs: int = 0
    _forked: list[Forked] = field(default_factory=list)

    # -- people -----------------------------------------------------------------------------------------------------

    def hire(self, *employees: str, day: int | None = None, expected: int = 1, **columns: Any) -> None:
        """Load people, and say how many e-mails each of them is to have."""
        loaded_at = FIRST_DAY + timedelta(days=self.day if day is None else day, hours=12)
        rows = [
            {
                "employee_id": employee,
                "email": f"{employee.lower()}@example.com",
                "first_name": "Given",
                "last_name": "Family",
                "loaded_at": loaded_at,
                **columns,
            }
            for employee in employees
        ]
        with self.world.db.engine.begin() as connection:
            connection.execute(insert(HIRES), rows)
        for row in rows:
            if expected:
                self.expected[str(row["email"]).casefold()] = expected

    def connect(self, **extra: Any) -> None:
        """Define the connection to m3ter for the tasks that start from now on."""
        os.environ["AIRFLOW_CONN_M3TER_DEFAULT"] = self.theatre.m3ter.airflow_connection(
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
        strikes: Mapping[Point, Strike] | None = None,
        *,
        before_any: Strike | None = None,
        around: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> Forked:
        """Start a task of a run as a process; its result goes into the run's XComs by :meth:`collect`.

        :param around: runs the task in the child; by default it is just called.
        """
        self.theatre.let_go()

        def work() -> Any:
            points = FaultPoints(strikes, before_any)
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

    def task(self, run: TaskRun, task: str, strikes: Mapping[Point, Strike] | None = None, **options: Any) -> Ended:
        """Run one try of a task to its end."""
        return self.collect(run, task, self.fork(run, task, strikes, **options).wait())

    def tries(self, run: TaskRun, task: str, strikes: Mapping[Point, Strike] | None = None, **options: Any) -> Ended:
        """Run a task as Airflow does: again after a delay when it failed, unless it failed for good.

        :param strikes: for the first try alone.
        """
        ended = self.task(run, task, strikes, **options)
        for _ in range(TRIES - 1):
            if ended.well or _final(ended):
                break
            self.pass_time(RETRY_DELAY)
            ended = self.task(run, task)
        return ended

    def run(self, run: TaskRun, strikes: Mapping[str, Mapping[Point, Strike]] | None = None, **options: Any) -> bool:
        """Run the tasks of a run, each tried again as Airflow does, the report whatever happened.

        :param strikes: by task, for its first try.
        :returns: whether every task did well.
        """
        well = True
        for task in TASKS[:-1]:
            ended = self.tries(run, task, (strikes or {}).get(task), **options)
            if ended.error is not None and ended.error.startswith(AirflowSkipException.__name__):
                continue  # what follows is skipped, too, or need not ask
            if not ended.well:
                well = False
                break
        return self.tries(run, "report", (strikes or {}).get("report"), **options).well and well

    def pass_time(self, seconds: float) -> None:
        """Let time pass for everybody: the ledger's database, m3ter, and processes that stand still."""
        time.sleep(self.late_seconds)
        self.theatre.shared.set(self.theatre.shared.ahead + seconds)
        self.theatre.m3ter.advance(seconds)
        if inspect(self.world.db.engine).has_table("m3ter_onboarding_schema"):
            self.world.pass_time(seconds)

    def end_all(self) -> None:
        """End every process that a case left behind."""
        for process in self._forked:
            process.kill()

    # -- the verdict ------------------------------------------------------------------------------------------------

    def until_quiet(self) -> int:
        """Switch every fault off and let ordinary daily runs work until a run had nothing to do.

        :returns: how many it took.
        :raises ViolationError: it took too many.
        """
        self.theatre.m3ter.clear_faults()
        for number in range(1, RUNS_UNTIL_QUIET + 1):
            self.pass_time(RETRY_DELAY)
            self.day += 1
            posts = self.posts()
            run = self.begin()
            ended = self.task(run, "all")
            if ended.killed_by is not None:
                raise ViolationError(f"ordinary run {number} was ended by {ended.killed_by.name}")
            if self._asked_for_those_absent_twice():
                continue
            if ended.well and self.posts() == posts and not self._stuck():
                return number
        last = ended.error or f"{self.posts() - posts} invitations in the last run; open: {self._stuck()}"
        raise ViolationError(f"not quiet after {RUNS_UNTIL_QUIET} ordinary runs: {last}")

    def _asked_for_those_absent_twice(self) -> bool:
        """Do what rule 12 leaves to a person: mend the row of those of whom two attempts left no trace."""
        asked = False
        for key, row in self.world.invitations().items():
            wanted = self.expected.get(key) and not self.theatre.m3ter.emails().get(key)
            if row["state"] == "failed" and row["http_status"] is None and wanted and key not in self.asked_for:
                self.asked_for.append(key)
                self.world.correct(str(row["employee_id"]), first_name="Asked")
                asked = True
        return asked

    def posts(self) -> int:
        """Return how many invitations m3ter was asked for."""
        return int(self.theatre.m3ter.counts()["requests"].get("POST /organizations/{orgId}/invitations", 0))

    def _stuck(self) -> dict[str, str]:
        states = self.world.states()
        return {k: state for k, state in states.items() if state in OPEN and self.may_stay.get(k) != state}

    def verdict(self) -> None:
        """Check what is promised.

        :raises ViolationError: it does not hold.
        """
        emails = self.theatre.m3ter.emails()
        doubled = {k: n for k, n in emails.items() if n > self.expected.get(k, 0)}
        if doubled:
            raise ViolationError(f"e-mailed too often: {doubled}{story(self.world.db, doubled)}")
        lost = {k: emails.get(k, 0) for k, n in self.expected.items() if emails.get(k, 0) < n}
        if lost:
            raise ViolationError(f"never e-mailed: {lost}{story(self.world.db, lost)}")
        if stuck := self._stuck():
            raise ViolationError(f"left open: {stuck}{story(self.world.db, stuck)}")
        check_ledger(self.world.db)
        if self.one_clock:
            check_replaced_plans(self.world.db)


def _final(ended: Ended) -> bool:
    error = ended.error or ""
    return error.startswith((AirflowFailException.__name__, AirflowSkipException.__name__))
