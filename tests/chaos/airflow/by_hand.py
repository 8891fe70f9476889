"""What people do in Airflow's UI in the middle of a run: clear, mark, delete, pause."""

from __future__ import annotations

import threading
from urllib.parse import quote

from demo.airflow_api import wait_until
from tests.chaos.airflow.trial import Trial

_paused: set[str] = set()
_pausing = threading.Lock()


def cleared(trial: Trial) -> None:
    """Every task is cleared, some with what follows, in any order and at any moment."""
    run_id = trial.begin()
    tasks = ["snapshot", "plan", "approve", "send", "report"]
    trial.rng.shuffle(tasks)
    trial.process(run_id, "snapshot")
    for task_id in tasks:
        trial.wait(0.5, 7)
        downstream = trial.rng.random() < 0.5
        trial.by_hand("clear", trial.org.dag_id, run_id, task_id, downstream=downstream)
    trial.end_of(run_id)


def send_marked(trial: Trial) -> None:
    """``send`` is marked successful in mid-send; now and then the next run starts before the sender is gone."""
    run_id = trial.begin()
    trial.mid_send(run_id)
    trial.by_hand("set_task_state", trial.org.dag_id, run_id, "send", "success")
    if trial.rng.random() < 0.5:
        trial.end_of(run_id)


def plan_marked(trial: Trial) -> None:
    """``plan`` is marked successful while it plans: there is no plan then, or a sealed one that nobody passed on."""
    run_id = trial.begin()
    trial.process(run_id, "plan")
    trial.wait(0, 2)
    trial.by_hand("set_task_state", trial.org.dag_id, run_id, "plan", "success")
    trial.end_of(run_id)


def deleted(trial: Trial) -> None:
    """A run is deleted in mid-send; its sender goes on for some seconds, and only the ledger knows of it.

    Airflow deletes no run that is under way: everything of it has to be marked first, the report too.
    """
    run_id = trial.begin()
    trial.mid_send(run_id)
    trial.by_hand("set_task_state", trial.org.dag_id, run_id, "report", "failed")
    trial.by_hand("set_run_state", trial.org.dag_id, run_id, "failed")
    path = f"/dags/{trial.org.dag_id}/dagRuns/{quote(run_id)}"
    wait_until(lambda: trial.by_hand("request", "DELETE", path), f"the end of {run_id}", trial.seconds_left, 0.3)
    trial.wait(0, 3)


def paused(trial: Trial) -> None:
    """The switch is thrown in mid-send, and released at some moment; ``send`` is cleared where it gave up."""
    run_id = trial.begin()
    trial.mid_send(run_id)
    throw_switch(trial, to=True)
    trial.wait(0.5, 12)
    throw_switch(trial, to=False)
    trial.end_of(run_id)
    if trial.rng.random() < 0.5:
        trial.by_hand("clear", trial.org.dag_id, run_id, "send", downstream=True)
        trial.end_of(run_id)


def throw_switch(trial: Trial, *, to: bool) -> None:
    """Pause this organisation, or release it; the switch is the same for all that are under way."""
    with _pausing:
        (_paused.add if to else _paused.discard)(trial.org.name)
        trial.by_hand("set_variable", "m3ter_onboarding_paused", ",".join(sorted(_paused)) or "none")
