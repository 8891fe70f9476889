"""Workers thought dead that wake up after their lease, when others have done their work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.cases import Case
from tests.chaos.ledger import ViolationError
from tests.chaos.play import Play
from tests.chaos.points import Point
from tests.chaos.recording import Recording, lot
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.standstill import SLOWLY, StandStill, let_go_on
from tests.chaos.theatre import DATABASES, POSTGRESQL
from tests.support.task_runs import TaskRun

ZOMBIES = "zombie worker wakes up"

_DONE_BY = ("its retry", "the next day's run", "a new plan of its run", "two at once")
_TELLING = ("POST invitations", "claiming", "beginning attempts", "recording answers", "settling", "recording the run")


def cases(recording: Recording) -> Iterator[Case]:
    """Yield them all."""
    for scenario in SCENARIOS:
        for turn, database in enumerate(DATABASES):
            points = recording[scenario.name, database, "send"]
            outside = [p for p in points if p.label.startswith("COMMITTED ") or _is_call(p)]
            for point in outside:
                number = lot(point, 4)
                # Where its work is, each time; elsewhere the first time. At a POST on both databases, else on one.
                if not any(word in point.label for word in _TELLING) and point.occurrence > 1:
                    continue
                if "POST invitations" not in point.label and (number + turn) % 2:
                    continue
                done_by = _DONE_BY[(number + turn) % len(_DONE_BY)]
                name = f"send, {point}; {done_by} does the work"
                yield scenario.case(ZOMBIES, name, database, _Zombie(point, done_by, scenario.connection))
        inside = [p for p in recording[scenario.name, POSTGRESQL, "send"] if _in_transaction(p)]
        for number, point in enumerate(inside[:: max(1, len(inside) // 3)]):
            done_by = _DONE_BY[number % len(_DONE_BY)]
            name = f"send, in a transaction, {point}; {done_by} does the work"
            yield scenario.case(ZOMBIES, name, POSTGRESQL, _Zombie(point, done_by, scenario.connection))


def _is_call(point: Point) -> bool:
    return point.label.endswith((": begins", ": sent", ": answered"))


def _in_transaction(point: Point) -> bool:
    return point.label.startswith("COMMIT ") or point.label.endswith((": INSERT", ": UPDATE"))


@dataclass(frozen=True)
class _Zombie:
    """A sender stands still for an hour, others do its work, and it wakes up."""

    point: Point
    done_by: str
    connection: Mapping[str, Any]

    def __call__(self, play: Play, run: TaskRun) -> None:
        play.tries(run, "snapshot")
        play.tries(run, "plan")
        play.connect(**self.connection, **SLOWLY)
        process = StandStill(self.point).begin(play, run)
        play.connect(**self.connection)
        play.pass_time(3600.0)
        self._work(play, run)
        sent, done = sum(play.theatre.m3ter.emails().values()), self._everybody_has_one(play)
        play.collect(run, "send", let_go_on(process).wait())
        more = sum(play.theatre.m3ter.emails().values()) - sent
        if done and more:
            raise ViolationError(f"a sender sent {more} e-mails after its lease, when others had done its work")

    def _work(self, play: Play, run: TaskRun) -> None:
        if self.done_by == "its retry":
            play.tries(run, "send")
        elif self.done_by == "a new plan of its run":
            play.tries(run, "plan")
            play.tries(run, "send")
        elif self.done_by == "the next day's run":
            play.day += 1
            play.run(play.begin())
        else:
            beside = play.begin()
            play.tries(beside, "snapshot")
            play.tries(beside, "plan")
            both = [(r, play.fork(r, "send")) for r in (run, beside)]
            for r, process in both:
                play.collect(r, "send", process.wait())

    def _everybody_has_one(self, play: Play) -> bool:
        emails = play.theatre.m3ter.emails()
        return all(emails.get(email, 0) >= count for email, count in play.expected.items())
