"""Workers thought dead that are resumed after their lease, when others have done their work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.case_run import CaseRun
from tests.chaos.cases import Case
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import FaultPoint
from tests.chaos.ledger_checks import ViolationError
from tests.chaos.process_freeze import SLOW, FrozenSender, resume
from tests.chaos.recorded_points import Recording, draw_number
from tests.chaos.scenarios import SCENARIOS
from tests.support.databases import POSTGRESQL
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
                number = draw_number(point, 4)
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


def _is_call(point: FaultPoint) -> bool:
    return point.label.endswith((": begins", ": sent", ": answered"))


def _in_transaction(point: FaultPoint) -> bool:
    return point.label.startswith("COMMIT ") or point.label.endswith((": INSERT", ": UPDATE"))


@dataclass(frozen=True)
class _Zombie:
    """A sender is frozen for an hour, others do its work, and it is resumed."""

    point: FaultPoint
    done_by: str
    connection: Mapping[str, Any]

    def __call__(self, case: CaseRun, run: TaskRun) -> None:
        case.tries(run, "snapshot")
        case.tries(run, "plan")
        case.connect(**self.connection, **SLOW)
        process = FrozenSender(self.point).begin(case, run)
        case.connect(**self.connection)
        case.pass_time(3600.0)
        self._work(case, run)
        sent, done = sum(case.m3ter.emails().values()), self._everybody_has_one(case)
        case.collect(run, "send", resume(process).wait())
        more = sum(case.m3ter.emails().values()) - sent
        if done and more:
            raise ViolationError(f"a sender sent {more} e-mails after its lease, when others had done its work")

    def _work(self, case: CaseRun, run: TaskRun) -> None:
        if self.done_by == "its retry":
            case.tries(run, "send")
        elif self.done_by == "a new plan of its run":
            case.tries(run, "plan")
            case.tries(run, "send")
        elif self.done_by == "the next day's run":
            case.day += 1
            case.run(case.begin())
        else:
            beside = case.begin()
            case.tries(beside, "snapshot")
            case.tries(beside, "plan")
            both = [(r, case.fork(r, "send")) for r in (run, beside)]
            for r, process in both:
                case.collect(r, "send", process.wait())

    def _everybody_has_one(self, case: CaseRun) -> bool:
        emails = case.m3ter.emails()
        return all(emails.get(email, 0) >= count for email, count in case.expected.items())
