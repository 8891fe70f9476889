"""Everything at once: faults of m3ter, kills at random points of any task, runs beside each other, over some days."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.case_run import TASKS, CaseRun
from tests.chaos.cases import Case
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import at_nth, die
from tests.chaos.kinds.m3ter import OF_ANYTHING, OF_POSTS, late_seconds
from tests.chaos.scenarios import CREATE

KIND = "everything at once"
#: For each database.
CASES = 40


def cases() -> Iterator[Case]:
    """Yield them all."""
    for database in DATABASES:
        for number in range(CASES):
            values = {"settle_after": "1.2s"}
            yield Case(KIND, f"{number}", database, _everything, values, tables=number % 5 > 0)


def _everything(case: CaseRun) -> None:
    """Three days of it."""
    rng = case.rng
    faults = [
        {**fault, "operation": CREATE, "probability": rng.uniform(0.01, 0.2), "seed": rng.randrange(1000)}
        for fault in rng.sample([f for f in OF_POSTS.values() if f["kind"] not in ("latency", "hang")], 4)
    ]
    faults += [
        {**fault, "probability": rng.uniform(0.01, 0.03), "seed": rng.randrange(1000)}
        for fault in rng.sample([f for f in OF_ANYTHING.values() if f["kind"] != "hang"], 2)
    ]
    case.late_seconds = late_seconds(faults)
    for fault in faults:
        case.m3ter.faults(**fault)
    if rng.random() < 0.3:
        case.m3ter.switches(list_order=rng.choice(["oldest_first", "unstable"]), default_page_size=4)
    if rng.random() < 0.3:
        case.m3ter.switches(list_lag_seconds=0.3)
    for day in range(3):
        case.day = day
        case.hire(*(f"d{day}e{n}" for n in range(1, rng.randint(2, 6))))
        run = case.begin()
        for task in TASKS[:-1]:
            if rng.random() < 0.4:
                ended = case.tries(run, task, before_any=at_nth(rng.randrange(1, 150), die))
            elif task == "send" and rng.random() < 0.5:
                beside = case.begin()
                case.task(beside, "snapshot")
                case.task(beside, "plan")
                first, second = case.fork(run, task), case.fork(beside, task)
                ended = case.collect(run, task, first.wait())
                case.collect(beside, task, second.wait())
            else:
                ended = case.tries(run, task)
            if not ended.well and task != "approve":  # nobody has to be asked
                break
        case.task(run, "report")
        case.pass_time(rng.choice([60, 3600, 24 * 3600]))
