"""What keeps a plan from being sent, or stops it: approval, pause switch, breaker; and the modes beside ``normal``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.case_run import CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import FaultPoint, at_nth, die
from tests.chaos.ledger_checks import ViolationError
from tests.chaos.scenarios import CREATE, SHORT_LEASE
from tests.chaos.sender_points import planned
from tests.support.task_runs import TaskRun

APPROVAL = "approval of a plan"
PAUSED = "pause switch thrown"
BREAKER = "breaker"
MODES = "modes beside normal"
ANOTHER_HOST = "another m3ter"

_CONNECTION = "AIRFLOW_CONN_M3TER_DEFAULT"
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
        yield Case(ANOTHER_HOST, "while a plan waits", database, _another_host)
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


def _nothing_sent(case: CaseRun, why: str) -> None:
    if case.posts():
        raise ViolationError(f"{why}, and {case.posts()} invitations were sent")


# -- another m3ter ----------------------------------------------------------------------------------------------------


def _another_host(case: CaseRun) -> None:
    """Let the connection lead to another host that answers to the organisation's id, and back."""
    case.hire("e1", "e2", "e3")
    run, here = planned(case), os.environ[_CONNECTION]
    os.environ[_CONNECTION] = here.replace("127.0.0.1", "localhost")
    case.tries(run, "send")
    for task in ("snapshot", "plan"):
        if case.tries(case.begin(), task).well:
            raise ViolationError(f"`{task}` used another m3ter under the organisation's id")
    _nothing_sent(case, "the connection leads to another m3ter")
    os.environ[_CONNECTION] = here


# -- approval ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _NotApproved:
    """A plan that needs approval gets none, and the sender is started all the same."""

    how: str

    def __call__(self, case: CaseRun) -> None:
        case.hire("e1", "e2", "e3")
        run = planned(case)
        if self.how == "an old plan":
            self._answer_to_an_old_plan(case, run)
        elif self.how != "approve marked successful":
            run.answer_is = {"rejected": "Reject", "no answer in time": None}.get(self.how, "Approve")
            run.answers = None if self.how == "an answer of nobody" else "olga"
            case.tries(run, "approve")
            self._and_once_more(case, run)
        case.tries(run, "send")
        _nothing_sent(case, f"the plan was not approved ({self.how})")
        case.tries(run, "report")

    def _and_once_more(self, case: CaseRun, run: TaskRun) -> None:
        if self.how in ("rejected", "no answer in time"):
            run.answer_is = "Approve"
            case.tries(run, "approve")  # cleared: a plan that was said no to is over

    def _answer_to_an_old_plan(self, case: CaseRun, run: TaskRun) -> None:
        case.tries(run, "ask")
        case.world.correct("e1", first_name="Mended")
        case.tries(run, "plan")
        ended = case.tries(run, "answer_to_what_was_shown")
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

    def __call__(self, case: CaseRun) -> None:
        case.hire(*_PEOPLE)
        run = planned(case)
        ended = case.task(run, "send", {FaultPoint("POST invitations: sent", 2): self.change})
        if ended.well or case.posts() < 2:
            raise ViolationError("a sender that was paused ended well")
        if case.posts() > len(_PEOPLE) - 5:
            raise ViolationError(f"{case.posts()} of {len(_PEOPLE)} were sent although it was paused after the second")
        case.tries(run, "report")


def _paused_before(case: CaseRun) -> None:
    case.hire("e1", "e2")
    run = planned(case)
    os.environ[_SWITCH] = "test"
    try:
        case.tries(run, "send")
        _nothing_sent(case, "it was paused before")
    finally:
        os.environ[_SWITCH] = "none"
    case.tries(run, "send")


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

    def __call__(self, case: CaseRun) -> None:
        case.hire(*_PEOPLE)
        case.m3ter.faults(**self.fault, operation=CREATE)
        run = planned(case)
        if case.task(run, "send").well:
            raise ViolationError("a sender ended well although everything failed")
        if not 3 <= case.posts() <= len(_PEOPLE) // 2:
            raise ViolationError(f"{case.posts()} of {len(_PEOPLE)} were tried, and the breaker stands at 3")
        case.tries(run, "report")
        case.m3ter.clear_faults()
        case.run(case.begin(mode="retry_failed"))


# -- modes ------------------------------------------------------------------------------------------------------------


def _refused(case: CaseRun) -> None:
    case.hire("e1", "e2", "e3")
    case.m3ter.faults(kind="status", status=400, operation=CREATE)
    case.run(case.begin())
    if case.posts() != 3:
        raise NotReachedError


@dataclass(frozen=True)
class _Again:
    """Whoever was refused is asked for again: once a run."""

    still: bool

    def __call__(self, case: CaseRun) -> None:
        _refused(case)
        if self.still:
            case.run(case.begin(mode="retry_failed"))
            if case.posts() != 6:
                raise ViolationError(f"3 were to be asked for once more, and there were {case.posts()} POSTs, not 6")
        case.m3ter.clear_faults()
        case.run(case.begin(mode="retry_failed"))


@dataclass(frozen=True)
class _KilledInMode:
    """A run of the mode is killed somewhere, and goes on."""

    mode: str

    def __call__(self, case: CaseRun) -> None:
        _refused(case)
        case.m3ter.clear_faults()
        case.hire("f1", "f2")
        run = case.begin(mode=self.mode)
        killed = False
        for task in ("snapshot", "plan", "send", "report"):
            if task in ("snapshot", "send") or case.rng.random() < 0.5:
                fault = at_nth(case.rng.randrange(1, 40), die)
                killed = case.task(run, task, before_any=fault).killed_by is not None or killed
            case.tries(run, task)
        if self.mode == "baseline" and case.posts() != 3:
            raise ViolationError("a baseline has sent")
        if not killed:
            raise NotReachedError
        case.run(case.begin(mode="retry_failed"))


def _baseline_first(case: CaseRun) -> None:
    case.m3ter.seed(invitations=[{"email": "e1@example.com", "invitingPrincipalId": "x", "createdBy": "x"}])
    case.hire("e1", expected=0)
    case.hire("e2", "e3")
    case.run(case.begin(mode="baseline"))
    _nothing_sent(case, "it was a baseline")
    case.run(case.begin())


def _full_again(case: CaseRun) -> None:
    case.hire("e1", "e2", "e3")
    case.run(case.begin())
    posts = case.posts()
    for _ in range(2):
        case.run(case.begin(mode="full"))
    if case.posts() != posts:
        raise ViolationError("a full run over unchanged data has sent")
