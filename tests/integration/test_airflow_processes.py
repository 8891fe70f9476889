"""The Airflow that demo and tests run on: its tasks are real processes, and it leaves none behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from demo.airflow_api import wait_until
from demo.airflow_stack import AirflowStack
from demo.processes import MARKER
from tests.support.airflow_organisation import patiently

pytestmark = pytest.mark.slow

DAG = """
from __future__ import annotations

from datetime import timedelta
import time

from airflow.sdk import DAG, task

with DAG("sleeper", schedule=None):

    @task(retries=2, retry_delay=timedelta(seconds=1))
    def sleep(params=None, dag_run=None):
        print("asleep")
        time.sleep(dag_run.conf["seconds"])
        return {"count": 1}

    sleep()
"""


def start_sleeper(stack: AirflowStack, seconds: float) -> str:
    """Start a run whose task sleeps, and return its id."""
    (stack.dags_folder / "sleeper.py").write_text(DAG)
    stack.api.wait_dag("sleeper")
    stack.api.set_paused("sleeper", False)
    return stack.api.trigger("sleeper", {"seconds": seconds})


@pytest.fixture(params=["airflow_sqlite", "airflow_postgres"])
def stack(request: pytest.FixtureRequest) -> AirflowStack:
    found: AirflowStack = request.getfixturevalue(request.param)
    return found


def test_a_task_runs_and_its_traces_can_be_read(stack: AirflowStack) -> None:
    run_id = start_sleeper(stack, 0)
    assert stack.api.wait_run("sleeper", run_id) == "success"
    assert stack.api.task_states("sleeper", run_id) == {"sleep": "success"}
    assert "asleep" in stack.api.log("sleeper", run_id, "sleep")
    assert stack.api.xcoms("sleeper", run_id, "sleep") == {"return_value": {"count": 1}}
    assert stack.api.import_errors() == []
    assert any(entry["event"] == "trigger_dag_run" for entry in stack.api.audit_log("sleeper"))


def test_a_killed_task_process_is_tried_again(stack: AirflowStack) -> None:
    run_id = start_sleeper(stack, 60)
    first = stack.task_process("sleeper", run_id, "sleep")
    assert psutil.Process(first.pid).ppid() == first.supervisor_pid
    os.kill(first.pid, signal.SIGKILL)
    second = stack.task_process("sleeper", run_id, "sleep", try_number=2)
    assert second.pid != first.pid
    patiently(lambda: stack.api.set_run_state("sleeper", run_id, "failed"))
    wait_until(lambda: not psutil.pid_exists(second.pid), "the end of the task", 30)


def test_an_airflow_leaves_no_process_not_even_an_orphan(tmp_path: Path) -> None:
    with AirflowStack(tmp_path / "airflow") as stack:
        run_id = start_sleeper(stack, 300)
        task = stack.task_process("sleeper", run_id, "sleep")
        # A task that has not received its work yet ends with its supervisor.
        wait_until(lambda: "asleep" in stack.api.log("sleeper", run_id, "sleep"), "the task's first line", 30)
        os.kill(task.supervisor_pid, signal.SIGKILL)
        wait_until(lambda: psutil.Process(task.pid).ppid() != task.supervisor_pid, "an orphan", 10)
        family = psutil.Process(task.pid).environ()[MARKER]
        assert len(stack.processes()) > 3
        listening = {
            connection.laddr
            for process in stack.processes()
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert {address.ip for address in listening} == {"127.0.0.1"}
    assert not [p for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get(MARKER) == family]
