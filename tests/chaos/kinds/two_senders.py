"""Two senders of the same people, each let go on when the other is where it hurts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.cases import Case, NotReachedError
from tests.chaos.play import Play
from tests.chaos.points import Point, stand_still
from tests.chaos.standstill import BEGINS, SLOWLY, StandStill, let_go_on, wait_for
from tests.chaos.theatre import DATABASES

IN_TURN = "two senders, step by step"
LATE = "crossed senders"

_STEPS = (
    Point("POST token: begins", 1),
    Point("COMMITTED claiming invitations", 1),
    Point("COMMITTED beginning attempts", 1),
    Point(BEGINS, 1),
    Point("POST invitations: sent", 3),
    Point("POST invitations: answered", 5),
    Point("COMMITTED recording answers", 1),
)


def cases() -> Iterator[Case]:
    """Yield them all."""
    yield from _in_turn()
    for database in DATABASES:
        for people in (1, 3):
            name = f"a late sender says `not begun` of what another is sending, {people}"
            yield Case(LATE, name, database, _LateWord(people))


def _in_turn() -> Iterator[Case]:
    for number, first in enumerate(_STEPS):
        for offset, second in enumerate(_STEPS[:5]):
            same = (number + offset) % 3 == 0
            whose = "a retry" if same else "another run"
            name = f"one stands still at {first}, {whose} at {second}"
            yield Case(IN_TURN, name, DATABASES[(number + offset) % 2], _InTurn(first, second, same))


@dataclass(frozen=True)
class _InTurn:
    """Two senders of the same people that stand still in turn, all within a lease.

    :param same: the second is a retry of the first, which was taken for dead.
    """

    first: Point
    second: Point
    same: bool

    def __call__(self, play: Play) -> None:
        play.hire(*(f"e{n}" for n in range(1, 9)))
        runs = [play.begin()]
        runs.append(runs[0] if self.same else play.begin())
        for run in runs[: 1 if self.same else 2]:
            play.tries(run, "snapshot")
            play.tries(run, "plan")
        play.connect(**SLOWLY)
        one = StandStill(self.first).begin(play, runs[0])
        other = StandStill(self.second).fork(play, runs[1])
        if other.stands_still(1.0):
            wait_for(play, other)
            let_go_on(one).stands_still(0.2)
            let_go_on(other)
        else:
            let_go_on(one)  # the other waits for it, or is done
        for run, process in zip(runs, (one, other), strict=True):
            if not play.collect(run, "send", process.wait_and_wake()).well:
                play.pass_time(60.0)
                play.tries(run, "send")


@dataclass(frozen=True)
class _LateWord:
    """One sender froze before its POSTs, was given up, and wakes while another is just about to POST."""

    people: int

    def __call__(self, play: Play) -> None:
        play.hire(*(f"e{n}" for n in range(1, self.people + 1)))
        late = play.begin()
        play.task(late, "snapshot")
        play.task(late, "plan")
        frozen = play.fork(late, "send", {Point("COMMITTED beginning attempts", 1): stand_still})
        if not frozen.wait_until_stopped():
            raise NotReachedError
        for _ in range(2):  # two looks find nothing: what the first sender claimed is given up
            play.pass_time(120)
            play.task(play.begin(), "snapshot")
        other = play.begin()
        play.task(other, "snapshot")
        play.task(other, "plan")
        sending = play.fork(other, "send", {Point(BEGINS, 1): stand_still})
        if not sending.wait_until_stopped():
            raise NotReachedError
        play.collect(late, "send", let_go_on(frozen).wait())
        third = play.begin()
        play.task(third, "snapshot")
        play.task(third, "plan")
        beside = play.fork(third, "send")
        beside.stands_still(0.4)  # it has time enough to do the wrong thing
        play.collect(other, "send", let_go_on(sending).wait())
        play.collect(third, "send", beside.wait())
