"""Everything at once: faults of m3ter, kills at random points of any task, runs beside each other, over some days."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.cases import Case
from tests.chaos.kinds.m3ter import OF_ANYTHING, OF_POSTS, late_seconds
from tests.chaos.play import TASKS, Play
from tests.chaos.points import at_nth, die
from tests.chaos.scenarios import CREATE
from tests.chaos.theatre import DATABASES

KIND = "everything at once"
#: For each database.
CASES = 40


def cases() -> Iterator[Case]:
    """Yield them all."""
    for database in DATABASES:
        for number in range(CASES):
            values = {"settle_after": "1.2s"}
            yield Case(KIND, f"{number}", database, _everything, values, tables=number % 5 > 0)


def _everything(play: Play) -> None:
    """Three days of it."""
    rng = play.rng
    faults = [
        {**fault, "operation": CREATE, "probability": rng.uniform(0.01, 0.2), "seed": rng.randrange(1000)}
        for fault in rng.sample([f for f in OF_POSTS.values() if f["kind"] not in ("latency", "hang")], 4)
    ]
    faults += [
        {**fault, "probability": rng.uniform(0.01, 0.03), "seed": rng.randrange(1000)}
        for fault in rng.sample([f for f in OF_ANYTHING.values() if f["kind"] != "hang"], 2)
    ]
    play.late_seconds = late_seconds(faults)
    for fault in faults:
        play.theatre.m3ter.faults(**fault)
    if rng.random() < 0.3:
        play.theatre.m3ter.switches(list_order=rng.choice(["oldest_first", "unstable"]), default_page_size=4)
    if rng.random() < 0.3:
        play.theatre.m3ter.switches(list_lag_seconds=0.3)
    for day in range(3):
        play.day = day
        play.hire(*(f"d{day}e{n}" for n in range(1, rng.randint(2, 6))))
        run = play.begin()
        for task in TASKS[:-1]:
            if rng.random() < 0.4:
                ended = play.tries(run, task, before_any=at_nth(rng.randrange(1, 150), die))
            elif task == "send" and rng.random() < 0.5:
                beside = play.begin()
                play.task(beside, "snapshot")
                play.task(beside, "plan")
                first, second = play.fork(run, task), play.fork(beside, task)
                ended = play.collect(run, task, first.wait())
                play.collect(beside, task, second.wait())
            else:
                ended = play.tries(run, task)
            if not ended.well and task != "approve":  # nobody has to be asked
                break
        play.task(run, "report")
        play.pass_time(rng.choice([60, 3600, 24 * 3600]))
