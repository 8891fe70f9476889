"""What a late sender says of a row that is another's by now, and everything at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

from tests.chaos.cases import Case, NotReachedError
from tests.chaos.kinds.m3ter import OF_ANYTHING, OF_POSTS, killer_at, late_seconds
from tests.chaos.play import Play
from tests.chaos.points import Point
from tests.chaos.scenarios import CREATE, Recording
from tests.chaos.theatre import DATABASES

#: Cases of everything at once, for each database.
AT_ONCE = 40


def cases(recording: Recording, seed: int) -> Iterator[Case]:
    """Yield them all."""
    for database in DATABASES:
        for people in (1, 3):
            name = f"a late sender says `not begun` of what another is sending, {people}"
            yield Case("crossed senders", name, database, _Crossed(people))
        for number in range(AT_ONCE):
            yield Case(
                "everything at once", f"{number}", database, _everything, {"settle_after": "1.2s"}, number % 5 > 0
            )


def _freeze(_connection: Any) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


class _Crossed:
    """One sender froze before its POSTs, was given up, and wakes while another is just about to POST."""

    def __init__(self, people: int) -> None:
        self.people = people

    def __call__(self, play: Play) -> None:
        employees = [f"e{n}" for n in range(1, self.people + 1)]
        play.hire(*employees)
        late = play.begin()
        play.task(late, "snapshot")
        play.task(late, "plan")
        frozen = play.fork(late, "send", {Point("COMMITTED beginning attempts", 1): _freeze})
        if not frozen.wait_until_stopped():
            raise NotReachedError
        for _ in range(2):  # two looks find nothing: what the first sender claimed is given up
            play.pass_time(120)
            play.task(play.begin(), "snapshot")
        other = play.begin()
        play.task(other, "snapshot")
        play.task(other, "plan")
        sending = play.fork(other, "send", {Point("POST invitations: begins", 1): _freeze})
        if not sending.wait_until_stopped():
            raise NotReachedError
        frozen.signal(signal.SIGCONT)
        play.collect(late, "send", frozen.wait())
        third = play.begin()
        play.task(third, "snapshot")
        play.task(third, "plan")
        beside = play.fork(third, "send")
        time.sleep(0.4)
        sending.signal(signal.SIGCONT)
        play.collect(other, "send", sending.wait())
        play.collect(third, "send", beside.wait())


def _everything(play: Play) -> None:
    """Faults of m3ter, kills at random points of any task, a second run beside the first, over three days."""
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
    employees: list[str] = []
    for day in range(3):
        play.day = day
        new = [f"d{day}e{n}" for n in range(1, rng.randint(2, 6))]
        employees += new
        play.hire(*new)
        run = play.begin()
        for task in ("snapshot", "plan", "send"):
            if rng.random() < 0.4:
                ended = play.tries(run, task, before_any=killer_at(rng.randrange(1, 150)))
            elif task == "send" and rng.random() < 0.5:
                beside = play.begin()
                play.task(beside, "snapshot")
                play.task(beside, "plan")
                first, second = play.fork(run, task), play.fork(beside, task)
                ended = play.collect(run, task, first.wait())
                play.collect(beside, task, second.wait())
            else:
                ended = play.tries(run, task)
            if not ended.well:
                break
        play.task(run, "report")
        play.pass_time(rng.choice([60, 3600, 24 * 3600]))
