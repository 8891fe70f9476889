"""What keeps a plan from being sent, or stops it: approval, pause switch, breaker; and the modes beside ``normal``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.cases import Case, NotReachedError
from tests.chaos.ledger import ViolationError
from tests.chaos.moments import planned
from tests.chaos.play import Play
from tests.chaos.points import Point, at_nth, die
from tests.chaos.scenarios import CREATE, SHORT_LEASE
from tests.chaos.theatre import DATABASES
from tests.support.task_runs import TaskRun

APPROVAL = "approval of a plan"
PAUSED = "pause switch thrown"
BREAKER = "breaker"
MODES = "modes beside normal"

_SWITCH = "AIRFLOW_VAR_M3TER_ONBOARDING_PAUSED"
_ASK = {"approval_above": 0}
#: One POST after the other, so that what is under way is little.
_ONE_BY_ONE = {"requests_per_second": 8}
_PEOPLE = tuple(f"e{number}" for number in range(1, 25))


def cases() -> Iterator[Case]:
    """Yield them all."""
    for database in DATABASES:
        for how in ("approve marked successful", "rejected", "no answer in time", "an answer of nobody", "an old plan"):
            yield Case(APPROVAL, how, database, _NotApproved(how), values=_ASK)
        for how, change in _PAUSES.items():
            yield Case(PAUSED, how, database, _Paused(change), connection=_ONE_BY_ONE)
        yield Case(PAUSED, "before the first e-mail", database, _paused_before)
        for how, fault in _FAULTS.items():
            values = {"stop_after_failures": 3, "stop_at_failure_percent": None}
            yield Case(BREAKER, how, database, _Broken(how, fault), values, connection=_ONE_BY_ONE)
        for still in (True, False):
            name = f"retry_failed, m3ter refuses {'still' if still else 'no more'}"
            yield Case(MODES, name, database, _Again(still))
        for mode in ("retry_failed", "full", "baseline"):
            for number in range(3):
                name = f"{mode}, killed somewhere, {number}"
                yield Case(MODES, name, database, _KilledInMode(mode), connection=SHORT_LEASE)
        yield Case(MODES, "baseline, then normal", database, _baseline_first)
        yield Case(MODES, "full on unchanged data", database, _full_again)


def _nothing_sent(play: Play, why: str) -> None:
    if play.posts():
        raise ViolationError(f"{why}, and {play.posts()} invitations were sent")


# -- approval ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _NotApproved:
    """A plan that needs approval gets none, and the sender is started all the same."""

    how: str

    def __call__(self, play: Play) -> None:
        play.hire("e1", "e2", "e3")
        run = planned(play)
        if self.how == "an old plan":
            self._answer_to_an_old_plan(play, run)
        elif self.how != "approve marked successful":
            run.answer_is = {"rejected": "Reject", "no answer in time": None}.get(self.how, "Approve")
            run.answers = None if self.how == "an answer of nobody" else "olga"
            play.tries(run, "approve")
            self._and_once_more(play, run)
        play.tries(run, "send")
        _nothing_sent(play, f"the plan was not approved ({self.how})")
        play.tries(run, "report")

    def _and_once_more(self, play: Play, run: TaskRun) -> None:
        if self.how in ("rejected", "no answer in time"):
            run.answer_is = "Approve"
            play.tries(run, "approve")  # cleared: a plan that was said no to is over

    def _answer_to_an_old_plan(self, play: Play, run: TaskRun) -> None:
        play.tries(run, "ask")
        play.world.correct("e1", first_name="Mended")
        play.tries(run, "plan")
        ended = play.tries(run, "answer_to_what_was_shown")
        if ended.well:
            raise ViolationError("the approval of a plan that was replaced is said to count")


# -- the pause switch -------------------------------------------------------------------------------------------------


def _throw(_connection: Any) -> None:
    os.environ[_SWITCH] = "all"


def _name(_connection: Any) -> None:
    os.environ[_SWITCH] = "other, test"


def _lose(_connection: Any) -> None:
    del os.environ[_SWITCH]  # as when Airflow does not answer: "not found"


_PAUSES = {"while it sends": _throw, "by name": _name, "not to be asked any more": _lose}


@dataclass(frozen=True)
class _Paused:
    """In mid-send; at most what is under way is still sent."""

    change: Any

    def __call__(self, play: Play) -> None:
        play.hire(*_PEOPLE)
        run = planned(play)
        ended = play.task(run, "send", {Point("POST invitations: sent", 2): self.change})
        if ended.well or play.posts() < 2:
            raise ViolationError("a sender that was paused ended well")
        if play.posts() > len(_PEOPLE) - 5:
            raise ViolationError(f"{play.posts()} of {len(_PEOPLE)} were sent although it was paused after the second")
        play.tries(run, "report")


def _paused_before(play: Play) -> None:
    play.hire("e1", "e2")
    run = planned(play)
    os.environ[_SWITCH] = "test"
    try:
        play.tries(run, "send")
        _nothing_sent(play, "it was paused before")
    finally:
        os.environ[_SWITCH] = "none"
    play.tries(run, "send")


# -- the breaker ------------------------------------------------------------------------------------------------------

_FAULTS: dict[str, dict[str, Any]] = {
    "everything is refused": {"kind": "status", "status": 400},
    "nothing is answered": {"kind": "status", "status": 504, "when": "before"},
}


@dataclass(frozen=True)
class _Broken:
    """m3ter fails for everybody: few are tried, and all have their e-mail when it is well again."""

    how: str
    fault: Any

    def __call__(self, play: Play) -> None:
        play.hire(*_PEOPLE)
        play.theatre.m3ter.faults(**self.fault, operation=CREATE)
        run = planned(play)
        if play.task(run, "send").well:
            raise ViolationError("a sender ended well although everything failed")
        if not 3 <= play.posts() <= len(_PEOPLE) // 2:
            raise ViolationError(f"{play.posts()} of {len(_PEOPLE)} were tried, and the breaker stands at 3")
        play.tries(run, "report")
        play.theatre.m3ter.clear_faults()
        play.run(play.begin(mode="retry_failed"))


# -- modes ------------------------------------------------------------------------------------------------------------


def _refused(play: Play) -> None:
    play.hire("e1", "e2", "e3")
    play.theatre.m3ter.faults(kind="status", status=400, operation=CREATE)
    play.run(play.begin())
    if play.posts() != 3:
        raise NotReachedError


@dataclass(frozen=True)
class _Again:
    """Whoever was refused is asked for again: once a run."""

    still: bool

    def __call__(self, play: Play) -> None:
        _refused(play)
        if self.still:
            play.run(play.begin(mode="retry_failed"))
            if play.posts() != 6:
                raise ViolationError(f"3 were to be asked for once more, and there were {play.posts()} POSTs, not 6")
        play.theatre.m3ter.clear_faults()
        play.run(play.begin(mode="retry_failed"))


@dataclass(frozen=True)
class _KilledInMode:
    """A run of the mode is killed somewhere, and goes on."""

    mode: str

    def __call__(self, play: Play) -> None:
        _refused(play)
        play.theatre.m3ter.clear_faults()
        play.hire("f1", "f2")
        run = play.begin(mode=self.mode)
        killed = False
        for task in ("snapshot", "plan", "send", "report"):
            if task in ("snapshot", "send") or play.rng.random() < 0.5:
                strike = at_nth(play.rng.randrange(1, 40), die)
                killed = play.task(run, task, before_any=strike).killed_by is not None or killed
            play.tries(run, task)
        if self.mode == "baseline" and play.posts() != 3:
            raise ViolationError("a baseline has sent")
        if not killed:
            raise NotReachedError
        play.run(play.begin(mode="retry_failed"))


def _baseline_first(play: Play) -> None:
    play.theatre.m3ter.seed(invitations=[{"email": "e1@example.com", "invitingPrincipalId": "x", "createdBy": "x"}])
    play.hire("e1", expected=0)
    play.hire("e2", "e3")
    play.run(play.begin(mode="baseline"))
    _nothing_sent(play, "it was a baseline")
    play.run(play.begin())


def _full_again(play: Play) -> None:
    play.hire("e1", "e2", "e3")
    play.run(play.begin())
    posts = play.posts()
    for _ in range(2):
        play.run(play.begin(mode="full"))
    if play.posts() != posts:
        raise ViolationError("a full run over unchanged data has sent")
