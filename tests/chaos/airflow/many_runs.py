"""Several runs at once over the same people, and backfills."""

from __future__ import annotations

from datetime import timedelta

from demo.airflow_api import FINISHED, AirflowApiError
from tests.chaos.airflow.interrupted import KILL
from tests.chaos.airflow.trial import Trial
from tests.support.airflow_organisation import FIRST_DAY

#: The days of a backfill, counted from the first day: before every ordinary run's.
DAYS = range(-97, -7)


def at_once(trial: Trial, count: int) -> None:
    """So many runs over the same people; the sender of one of them is killed."""
    first = trial.begin()
    runs = [first, *(trial.org.trigger() for _ in range(count - 1))]
    trial.strike(trial.rng.choice(runs), "send", [KILL])
    for run_id in runs:
        trial.end_of(run_id)


def backfill(trial: Trial, *, may_send: bool, active_runs: int, each: int) -> None:
    """Airflow's own backfill over 90 days beside the schedule's run; some of its tasks are killed.

    :param each: days of one run. Only runs that begin within the backfill are made, so it begins so much earlier.
    """
    days = sorted(trial.rng.sample(DAYS, 18))
    for day in days:
        trial.hire(1, 1, day=day, eligible=may_send)
    api, dag_id = trial.org.stack.api, trial.org.dag_id
    api.set_paused(dag_id, False)
    first, last = (FIRST_DAY + timedelta(days=day) for day in (DAYS[0] - each + 1, DAYS[-1]))
    conf = {"allow_backfill_send": True} if may_send else {}
    api.backfill(dag_id, first, last, conf, max_active_runs=active_runs)
    to_kill = 4
    while unfinished := [run["dag_run_id"] for run in api.runs(dag_id) if run["state"] not in FINISHED]:
        if not trial.seconds_left:
            raise AirflowApiError(f"the backfill of {trial.org.name} has not ended: {len(unfinished)} runs are left")
        trial.wait(3, 8)
        if to_kill:
            to_kill -= kill_a_task(trial, unfinished)
    assert any(run["run_type"] == "backfill" for run in api.runs(dag_id))


def kill_a_task(trial: Trial, run_ids: list[str]) -> bool:
    """Kill a task of one of some runs, whichever is running; False: none is."""
    for run_id in trial.rng.sample(run_ids, len(run_ids)):
        for entry in trial.org.stack.api.task_instances(trial.org.dag_id, run_id).values():
            if entry["state"] == "running" and entry["pid"]:
                trial.send_signal(int(entry["pid"]), KILL)
                return True
    return False
