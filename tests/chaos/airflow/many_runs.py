"""Several runs at once over the same people, and backfills."""

from __future__ import annotations

from datetime import timedelta

from demo.airflow_api import FINISHED, AirflowApiError
from tests.chaos.airflow.airflow_case import AirflowCase
from tests.chaos.airflow.interrupted import KILL
from tests.support.airflow_organisation import FIRST_DAY

#: The days of a backfill, counted from the first day: before every ordinary run's.
DAYS = range(-97, -7)


def at_once(case: AirflowCase, count: int) -> None:
    """So many runs over the same people; the sender of one of them is killed."""
    first = case.begin()
    runs = [first, *(case.org.trigger() for _ in range(count - 1))]
    case.signal_tries(case.rng.choice(runs), "send", [KILL])
    for run_id in runs:
        case.end_of(run_id)


def backfill(case: AirflowCase, *, may_send: bool, active_runs: int, each: int) -> None:
    """Airflow's own backfill over 90 days beside the schedule's run; some of its tasks are killed.

    :param each: days of one run. Only runs that begin within the backfill are made, so it begins so much earlier.
    """
    days = sorted(case.rng.sample(DAYS, 18))
    for day in days:
        case.hire(1, 1, day=day, eligible=may_send)
    api, dag_id = case.org.stack.api, case.org.dag_id
    api.set_paused(dag_id, False)
    first, last = (FIRST_DAY + timedelta(days=day) for day in (DAYS[0] - each + 1, DAYS[-1]))
    conf = {"allow_backfill_send": True} if may_send else {}
    api.backfill(dag_id, first, last, conf, max_active_runs=active_runs)
    to_kill = 4
    while unfinished := [run["dag_run_id"] for run in api.runs(dag_id) if run["state"] not in FINISHED]:
        if not case.seconds_left:
            raise AirflowApiError(f"the backfill of {case.org.name} has not ended: {len(unfinished)} runs are left")
        case.wait(3, 8)
        if to_kill:
            to_kill -= kill_a_task(case, unfinished)
    assert any(run["run_type"] == "backfill" for run in api.runs(dag_id))


def kill_a_task(case: AirflowCase, run_ids: list[str]) -> bool:
    """Kill a task of one of some runs, whichever is running; False: none is."""
    for run_id in case.rng.sample(run_ids, len(run_ids)):
        for entry in case.org.stack.api.task_instances(case.org.dag_id, run_id).values():
            if entry["state"] == "running" and entry["pid"]:
                case.send_signal(int(entry["pid"]), KILL)
                return True
    return False
