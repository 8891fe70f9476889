"""Tasks and their supervisors are killed, ended and stopped at random moments."""

from __future__ import annotations

import signal
import time

from demo.airflow_api import wait_until
from tests.chaos.airflow.airflow_case import AirflowCase
from tests.integration.test_interrupted import freeze
from tests.support.airflow_organisation import is_gone

KILL, END = signal.SIGKILL, signal.SIGTERM
#: Reading m3ter takes some seconds.
READING_TAKES = {"kind": "latency", "method": "GET", "seconds": 0.3, "jitter": 0.5}
#: Longer than a lease, in seconds.
LONGER_THAN_A_LEASE = 30.0


def signalled(case: AirflowCase, task_id: str, *signals: signal.Signals) -> None:
    """The first tries of one task get a signal each, one by one."""
    if task_id == "snapshot":
        case.org.m3ter.faults(**READING_TAKES, seed=case.rng.randrange(1000))
    run_id = case.begin()
    case.signal_tries(run_id, task_id, signals)
    case.end_of(run_id)


def every_task_signalled(case: AirflowCase) -> None:
    """The first try of every task is killed or ended."""
    run_id = case.begin()
    for task_id in ("snapshot", "plan", "approve", "send", "report"):
        case.signal_tries(run_id, task_id, [case.rng.choice((KILL, END))])
    case.end_of(run_id)


def supervisor_killed(case: AirflowCase) -> None:
    """The orphan has to find out, since Airflow's retry starts beside it."""
    run_id = case.begin()
    if process := case.mid_send(run_id):
        case.send_signal(process.supervisor_pid, KILL)
    case.end_of(run_id)


def stopped_past_its_lease(case: AirflowCase) -> None:
    """A sender is frozen until its lease is over and another run has done its work; then it is resumed."""
    run_id = case.begin()
    process = case.mid_send(run_id)
    other = case.org.trigger()
    if process is not None:
        freeze(case.org, process.pid)
        try:
            case.faults_injected += 1
            awake_at = time.monotonic() + LONGER_THAN_A_LEASE + case.rng.uniform(0, 15)
            wait_until(
                lambda: time.monotonic() > awake_at or case.org.is_finished(other), "its lease", case.seconds_left, 1
            )
        finally:
            case.send_signal(process.pid, signal.SIGCONT)
    case.end_of(run_id)
    case.end_of(other)


def stopped_for_seconds(case: AirflowCase) -> None:
    """A sender is frozen for some seconds, again and again."""
    run_id = case.begin()
    process = case.mid_send(run_id)
    for _ in range(3):
        if process is None or is_gone(process.pid):
            break
        case.send_signal(process.pid, signal.SIGSTOP)
        case.wait(0.5, 5)
        case.send_signal(process.pid, signal.SIGCONT)
        case.wait(0.1, 1)
    case.end_of(run_id)
