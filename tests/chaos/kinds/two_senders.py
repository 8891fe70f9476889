"""Two senders of the same people, each resumed when the other is at the worst place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.case_run import CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import FaultPoint, freeze
from tests.chaos.process_freeze import BEGINS, SLOW, FrozenSender, resume, wait_until_frozen

IN_TURN = "two senders, step by step"
LATE = "crossed senders"

_STEPS = (
    FaultPoint("POST token: begins", 1),
    FaultPoint("COMMITTED claiming invitations", 1),
    FaultPoint("COMMITTED beginning attempts", 1),
    FaultPoint(BEGINS, 1),
    FaultPoint("POST invitations: sent", 3),
    FaultPoint("POST invitations: answered", 5),
    FaultPoint("COMMITTED recording answers", 1),
)


def cases() -> Iterator[Case]:
    """Yield them all."""
    yield from _in_turn()
    for database in DATABASES:
        for people in (1, 3):
            name = f"a late sender says `not begun` of what another is sending, {people}"
            yield Case(LATE, name, database, _LateAnswer(people))


def _in_turn() -> Iterator[Case]:
    for number, first in enumerate(_STEPS):
        for offset, second in enumerate(_STEPS[:5]):
            same = (number + offset) % 3 == 0
            whose = "a retry" if same else "another run"
            name = f"one stands still at {first}, {whose} at {second}"
            yield Case(IN_TURN, name, DATABASES[(number + offset) % 2], _InTurn(first, second, same))


@dataclass(frozen=True)
class _InTurn:
    """Two senders of the same people that are frozen in turn, all within a lease.

    :param same: the second is a retry of the first, which was taken for dead.
    """

    first: FaultPoint
    second: FaultPoint
    same: bool

    def __call__(self, case: CaseRun) -> None:
        case.hire(*(f"e{n}" for n in range(1, 9)))
        runs = [case.begin()]
        runs.append(runs[0] if self.same else case.begin())
        for run in runs[: 1 if self.same else 2]:
            case.tries(run, "snapshot")
            case.tries(run, "plan")
        case.connect(**SLOW)
        one = FrozenSender(self.first).begin(case, runs[0])
        other = FrozenSender(self.second).fork(case, runs[1])
        if other.freezes_within(1.0):
            wait_until_frozen(case, other)
            resume(one).freezes_within(0.2)
            resume(other)
        else:
            resume(one)  # the other waits for it, or is done
        for run, process in zip(runs, (one, other), strict=True):
            if not case.collect(run, "send", process.wait_and_resume()).well:
                case.pass_time(60.0)
                case.tries(run, "send")


@dataclass(frozen=True)
class _LateAnswer:
    """One sender froze before its POSTs, was given up, and wakes while another is just about to POST."""

    people: int

    def __call__(self, case: CaseRun) -> None:
        case.hire(*(f"e{n}" for n in range(1, self.people + 1)))
        late = case.begin()
        case.task(late, "snapshot")
        case.task(late, "plan")
        frozen = case.fork(late, "send", {FaultPoint("COMMITTED beginning attempts", 1): freeze})
        if not frozen.wait_until_stopped():
            raise NotReachedError
        for _ in range(2):  # two looks find nothing: what the first sender claimed is given up
            case.pass_time(120)
            case.task(case.begin(), "snapshot")
        other = case.begin()
        case.task(other, "snapshot")
        case.task(other, "plan")
        sending = case.fork(other, "send", {FaultPoint(BEGINS, 1): freeze})
        if not sending.wait_until_stopped():
            raise NotReachedError
        case.collect(late, "send", resume(frozen).wait())
        third = case.begin()
        case.task(third, "snapshot")
        case.task(third, "plan")
        beside = case.fork(third, "send")
        beside.freezes_within(0.4)  # it has time enough to do the wrong thing
        case.collect(other, "send", resume(sending).wait())
        case.collect(third, "send", beside.wait())
