"""A task is killed, ended, timed out, cancelled or frozen at every write and every call."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.cases import Case, NotReachedError
from tests.chaos.play import TASKS, Play
from tests.chaos.points import Point
from tests.chaos.scenarios import SCENARIOS, Recording, changes_something, die
from tests.chaos.theatre import DATABASES
from tests.onboarding.tasks import TaskRun


def cases(recording: Recording) -> Iterator[Case]:
    """Yield them all."""
    for scenario in SCENARIOS:
        for database in DATABASES:
            for task in TASKS:
                for point in filter(changes_something, recording[scenario.name, database, task]):
                    yield scenario.case("SIGKILL at a fault point", f"{task}, {point}", database, _Killed(task, point))


class _Killed:
    def __init__(self, task: str, point: Point) -> None:
        self.task, self.point = task, point

    def __call__(self, play: Play, run: TaskRun) -> None:
        play.run(run, {self.task: {self.point: die}})
        if not any(ended.killed_by for task, ended in play.ended if task == self.task):
            raise NotReachedError
