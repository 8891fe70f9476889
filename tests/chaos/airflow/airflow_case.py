"""One organisation under faults: its people, what is done to its runs, and the check of the promise at the end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psutil

from demo.airflow_api import FINISHED, FINISHED_TASK, AirflowApiError, wait_until
from demo.airflow_stack import TaskProcess
from tests.chaos.ledger_checks import (
    ViolationError,
    check_emails,
    check_ledger,
    check_nothing_open,
    history_of,
    left_open,
)
from tests.support.airflow_organisation import Organisation, is_gone, patiently
from tests.support.ledger_rows import states

#: So many ordinary daily runs must suffice until everybody is invited and nothing is open.
RUNS_UNTIL_QUIET = 4
#: Seconds between two questions to Airflow, for a run and for a process: a dozen trials ask at once.
PAUSE, PAUSE_FOR_PROCESS = 2.0, 0.7

CREATE = "CreateOrgUserInvitation"
SENDING_TAKES = {"kind": "latency", "operation": CREATE, "seconds": 0.2, "jitter": 0.5}


@dataclass
class AirflowCase:
    """One organisation under faults.

    :param rng: every random number of the case.
    :param deadline: when nothing is waited for any more, in monotonic seconds.
    """

    org: Organisation
    rng: random.Random
    deadline: float
    #: Addresses that must have one e-mail at the end; nobody else may have any.
    expected: list[str] = field(default_factory=list)
    #: The day of the newest ordinary run.
    day: int = 0
    #: How many faults were injected.
    faults_injected: int = 0
    _hired: int = 0

    # -- people and runs --------------------------------------------------------------------------------------------

    def hire(self, fewest: int, most: int, *, day: int = 0, eligible: bool = True) -> None:
        """Load people.

        :param eligible: whether they are to be invited.
        """
        count = self.rng.randint(fewest, most)
        people = self.org.hire(count, day=day, first=self._hired + 1)
        self._hired += count
        if eligible:
            self.expected += people

    def begin(self) -> str:
        """Load people, and start a run that takes some seconds to send to them."""
        self.org.m3ter.faults(**SENDING_TAKES, seed=self.rng.randrange(1000))
        self.hire(12, 18)
        return self.org.trigger()

    def end_of(self, run_id: str) -> str:
        """Wait for the end of a run, and return its state."""

        def look() -> str | None:
            state: str = patiently(lambda: self.org.stack.api.run(self.org.dag_id, run_id))["state"]
            return state if state in FINISHED else None

        return wait_until(look, f"the end of run {run_id} of {self.org.name}", self.seconds_left, PAUSE)

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return max(0.0, self.deadline - time.monotonic())

    def posts(self) -> int:
        """Return how many invitations m3ter was asked for."""
        return self.org.m3ter.posts()

    # -- faults ---------------------------------------------------------------------------------------------------

    def process(self, run_id: str, task_id: str, *, after_try: int = 0) -> TaskProcess | None:
        """Wait for the next try of a task and return its process; None: there is no other try."""

        def look() -> TaskProcess | str | None:
            entry = self.org.stack.api.task_instances(self.org.dag_id, run_id).get(task_id)
            if entry is None or entry["state"] in FINISHED_TASK:
                return "there is none"
            if entry["state"] != "running" or not entry["pid"] or entry["try_number"] <= after_try:
                return None
            try:
                pid = int(entry["pid"])
                return TaskProcess(pid, psutil.Process(pid).ppid(), entry["id"], entry["try_number"])
            except psutil.Error:
                return None

        found = wait_until(look, f"{task_id} of {run_id} of {self.org.name}", self.seconds_left, PAUSE_FOR_PROCESS)
        return found if isinstance(found, TaskProcess) else None

    def mid_send(self, run_id: str, *, after_try: int = 0) -> TaskProcess | None:
        """Wait until a try of ``send`` has begun some more POSTs; None: there is none, or it ended before."""
        process = self.process(run_id, "send", after_try=after_try)
        if process is None:
            return None
        enough = self.posts() + self.rng.randint(1, max(1, len(self.expected) // 2))
        wait_until(
            lambda: is_gone(process.pid) or self.posts() >= enough, f"POSTs of {self.org.name}", self.seconds_left, 0.1
        )
        self.wait(0, 0.5)
        return None if is_gone(process.pid) else process

    def wait(self, shortest: float, longest: float) -> None:
        """Let some time pass, in seconds."""
        time.sleep(self.rng.uniform(shortest, longest))

    def send_signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a process, if it is there."""
        if not is_gone(pid):
            os.kill(pid, number)
            self.faults_injected += 1

    def signal_tries(
        self, run_id: str, task_id: str, signals: Iterable[signal.Signals], *, latest: float = 3.0
    ) -> TaskProcess | None:
        """Send one signal to each of the next tries of a task, at some moment of it; return the last such try.

        :param latest: seconds after its start; ``send`` gets it in mid-send.
        """
        process: TaskProcess | None = None
        for number in signals:
            after = process.try_number if process else 0
            if task_id == "send":
                found = self.mid_send(run_id, after_try=after)
            else:
                found = self.process(run_id, task_id, after_try=after)
                self.wait(0, latest)
            if found is None:
                return process
            process = found
            self.send_signal(process.pid, number)
        return process

    def by_hand(self, method: str, *arguments: Any, **options: Any) -> bool:
        """Do what a person does in Airflow's UI; False: Airflow refused, as the run has moved on."""
        try:
            getattr(self.org.stack.api, method)(*arguments, **options)
        except AirflowApiError as error:
            if error.status not in {404, 409}:
                raise
            return False
        self.faults_injected += 1
        return True

    # -- the promise ------------------------------------------------------------------------------------------------

    def until_quiet(self) -> None:
        """Switch every fault off and let ordinary daily runs work until a run had nothing to do.

        :raises ViolationError: it took too many.
        """
        self.org.m3ter.clear_faults()
        self.org.m3ter.switches(list_lag_seconds=0, user_list_lag_seconds=0)
        what = ""
        for _ in range(RUNS_UNTIL_QUIET):
            self.day += 1
            posts = self.posts()
            run_id = self.org.trigger(self.day)
            state = self.end_of(run_id)
            sent = self.posts() - posts
            if state == "success" and not sent and not left_open(self.org.ledger):
                return
            what = f"the last run: {state}, {sent} invitations, open {left_open(self.org.ledger)}"
        history = history_of(self.org.ledger, left_open(self.org.ledger))
        raise ViolationError(f"not quiet after {RUNS_UNTIL_QUIET} ordinary runs: {what}{history}")

    def check_promise(self) -> None:
        """Check what is promised.

        :raises ViolationError: it does not hold.
        """
        wanted = {address.casefold() for address in self.expected}
        check_emails(self.org.ledger, self.org.m3ter.emails(), dict.fromkeys(wanted, 1))
        found = states(self.org.ledger)
        if wrong := {key: found.get(key) for key in wanted if found.get(key) not in ("sent", "adopted", "accepted")}:
            raise ViolationError(f"the ledger does not know what happened: {wrong}{history_of(self.org.ledger, wrong)}")
        check_nothing_open(self.org.ledger)
        check_ledger(self.org.ledger)
