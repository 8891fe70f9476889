"""Tasks and their supervisors are killed, ended and stopped at random moments."""

from __future__ import annotations

import signal
import time

from demo.airflow_api import wait_until
from tests.chaos.airflow.trial import Trial
from tests.integration.test_interrupted import freeze
from tests.support.airflow_organisation import is_gone

KILL, END = signal.SIGKILL, signal.SIGTERM
#: Reading m3ter takes some seconds.
READING_TAKES = {"kind": "latency", "method": "GET", "seconds": 0.3, "jitter": 0.5}
#: Longer than a lease, in seconds.
LONGER_THAN_A_LEASE = 30.0


def struck(trial: Trial, task_id: str, *signals: signal.Signals) -> None:
    """The first tries of one task are struck, one by one."""
    if task_id == "snapshot":
        trial.org.m3ter.faults(**READING_TAKES, seed=trial.rng.randrange(1000))
    run_id = trial.begin()
    trial.strike(run_id, task_id, signals)
    trial.end_of(run_id)


def every_task_struck(trial: Trial) -> None:
    """The first try of every task is killed or ended."""
    run_id = trial.begin()
    for task_id in ("snapshot", "plan", "approve", "send", "report"):
        trial.strike(run_id, task_id, [trial.rng.choice((KILL, END))])
    trial.end_of(run_id)


def supervisor_killed(trial: Trial) -> None:
    """The orphan has to find out, since Airflow's retry starts beside it."""
    run_id = trial.begin()
    if process := trial.mid_send(run_id):
        trial.send_signal(process.supervisor_pid, KILL)
    trial.end_of(run_id)


def stopped_past_its_lease(trial: Trial) -> None:
    """A sender stands still until its lease is over and another run has done its work; then it wakes up."""
    run_id = trial.begin()
    process = trial.mid_send(run_id)
    other = trial.org.trigger()
    if process is not None:
        freeze(trial.org, process.pid)
        try:
            trial.troubles += 1
            awake_at = time.monotonic() + LONGER_THAN_A_LEASE + trial.rng.uniform(0, 15)
            wait_until(
                lambda: time.monotonic() > awake_at or trial.org.is_finished(other), "its lease", trial.seconds_left, 1
            )
        finally:
            trial.send_signal(process.pid, signal.SIGCONT)
    trial.end_of(run_id)
    trial.end_of(other)


def stopped_for_moments(trial: Trial) -> None:
    """A sender stands still for some seconds, again and again."""
    run_id = trial.begin()
    process = trial.mid_send(run_id)
    for _ in range(3):
        if process is None or is_gone(process.pid):
            break
        trial.send_signal(process.pid, signal.SIGSTOP)
        trial.wait(0.5, 5)
        trial.send_signal(process.pid, signal.SIGCONT)
        trial.wait(0.1, 1)
    trial.end_of(run_id)
