"""What people do in Airflow's UI in the middle of a run: clear, mark, delete, pause."""

from __future__ import annotations

import threading
from urllib.parse import quote

from demo.airflow_api import wait_until
from tests.chaos.airflow.airflow_case import AirflowCase

_paused: set[str] = set()
_pausing = threading.Lock()


def cleared(case: AirflowCase) -> None:
    """Every task is cleared, some with what follows, in any order and at any moment."""
    run_id = case.begin()
    tasks = ["snapshot", "plan", "approve", "send", "report"]
    case.rng.shuffle(tasks)
    case.process(run_id, "snapshot")
    for task_id in tasks:
        case.wait(0.5, 7)
        downstream = case.rng.random() < 0.5
        case.by_hand("clear", case.org.dag_id, run_id, task_id, downstream=downstream)
    case.end_of(run_id)


def send_marked(case: AirflowCase) -> None:
    """``send`` is marked successful in mid-send; now and then the next run starts before the sender is gone."""
    run_id = case.begin()
    case.mid_send(run_id)
    case.by_hand("set_task_state", case.org.dag_id, run_id, "send", "success")
    if case.rng.random() < 0.5:
        case.end_of(run_id)


def plan_marked(case: AirflowCase) -> None:
    """``plan`` is marked successful while it plans: there is no plan then, or a sealed one that nobody passed on."""
    run_id = case.begin()
    case.process(run_id, "plan")
    case.wait(0, 2)
    case.by_hand("set_task_state", case.org.dag_id, run_id, "plan", "success")
    case.end_of(run_id)


def deleted(case: AirflowCase) -> None:
    """A run is deleted in mid-send; its sender goes on for some seconds, and only the ledger knows of it.

    Airflow deletes no run that is under way: everything of it has to be marked first, the report too.
    """
    run_id = case.begin()
    case.mid_send(run_id)
    case.by_hand("set_task_state", case.org.dag_id, run_id, "report", "failed")
    case.by_hand("set_run_state", case.org.dag_id, run_id, "failed")
    path = f"/dags/{case.org.dag_id}/dagRuns/{quote(run_id)}"
    wait_until(lambda: case.by_hand("request", "DELETE", path), f"the end of {run_id}", case.seconds_left, 0.3)
    case.wait(0, 3)


def paused(case: AirflowCase) -> None:
    """The switch is thrown in mid-send, and released at some moment; ``send`` is cleared where it gave up."""
    run_id = case.begin()
    case.mid_send(run_id)
    throw_switch(case, to=True)
    case.wait(0.5, 12)
    throw_switch(case, to=False)
    case.end_of(run_id)
    if case.rng.random() < 0.5:
        case.by_hand("clear", case.org.dag_id, run_id, "send", downstream=True)
        case.end_of(run_id)


def throw_switch(case: AirflowCase, *, to: bool) -> None:
    """Pause this organisation, or release it; the switch is the same for all that are under way."""
    with _pausing:
        (_paused.add if to else _paused.discard)(case.org.name)
        case.by_hand("set_variable", "m3ter_onboarding_paused", ",".join(sorted(_paused)) or "none")
