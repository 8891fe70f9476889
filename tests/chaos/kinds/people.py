"""What people do while runs are under way: in m3ter's console, in the warehouse, in the configuration, in a mailbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle

from sqlalchemy import delete

from tests.chaos.case_run import TASKS, CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import FaultPoint, die
from tests.chaos.ledger_checks import ViolationError
from tests.chaos.process_freeze import SLOW, FrozenSender, resume
from tests.chaos.scenarios import CREATE
from tests.chaos.sender_points import (
    ANSWERED,
    CLAIMED,
    POSTED,
    RECORDED,
    SENDER_POINTS,
    emails_of,
    kill_sender,
    let_m3ter_finish,
    planned,
    the_next_day,
)
from tests.support.console import Console
from tests.support.hire_table import HIRES

IN_CONSOLE = "invited by hand or member meanwhile"
CORRECTED = "address corrected"
POLICIES = "policy changed after the plan"
ACCEPTED = "accepted in mid-run"
GONE = "row gone, or excluded, before the next plan"


def cases() -> Iterator[Case]:
    """Yield them all."""
    yield from _in_console()
    yield from _corrected()
    yield from _policies()
    yield from _accepted()
    yield from _gone_or_excluded()


# -- m3ter's console --------------------------------------------------------------------------------------------------


def _in_console() -> Iterator[Case]:
    databases = cycle(DATABASES)
    for what in ("invited", "invited, in capitals", "member"):
        for before in TASKS[:-1]:
            yield Case(IN_CONSOLE, f"{what} before {before}", next(databases), _InConsole(what, before, None))
        for point in SENDER_POINTS[:7]:
            yield Case(
                IN_CONSOLE,
                f"{what} when a sender was killed at {point}",
                next(databases),
                _InConsole(what, "", point),
            )
        next(databases)
    for database in DATABASES:
        for what in ("invited", "member"):
            yield Case(
                IN_CONSOLE, f"{what} while a sender stands still for longer than a minute", database, _Slept(what)
            )


def _do_in_console(case: CaseRun, what: str, email: str) -> None:
    console = Console(case.m3ter)
    if what == "member":
        console.add_member(email)
    else:
        console.invite(email.upper() if "capitals" in what else email)


@dataclass(frozen=True)
class _InConsole:
    """One of the people of a run is invited by hand, or becomes a member, before ours is sent."""

    what: str
    before: str
    point: FaultPoint | None

    def __call__(self, case: CaseRun) -> None:
        case.hire("e1", "e2", "e3")
        case.hire("zoe", expected=0)
        run = case.begin()
        if self.point is None:
            for task in TASKS:
                if task == self.before:
                    _do_in_console(case, self.what, "zoe@example.com")
                case.tries(run, task)
            return
        case.tries(run, "snapshot")
        case.tries(run, "plan")
        kill_sender(case, run, self.point)
        if emails_of(case, "zoe"):
            raise NotReachedError
        _do_in_console(case, self.what, "zoe@example.com")
        case.tries(run, "send")
        case.pass_time(60.0)
        case.tries(run, "send")
        case.tries(run, "report")


@dataclass(frozen=True)
class _Slept:
    """The sender's machine sleeps with claims in its hands; when it wakes up, it must look again."""

    what: str

    def __call__(self, case: CaseRun) -> None:
        case.hire("e1", "e2", "e3")
        case.hire("zoe", expected=0)
        run = planned(case)
        process = FrozenSender(CLAIMED).begin(case, run)
        _do_in_console(case, self.what, "zoe@example.com")
        case.pass_time(90.0)
        if not case.collect(run, "send", resume(process).wait()).well:
            case.tries(run, "send")
        case.tries(run, "report")


# -- an address is corrected ------------------------------------------------------------------------------------------


def _corrected() -> Iterator[Case]:
    for turn, database in enumerate(DATABASES):
        for number, point in enumerate((None, *SENDER_POINTS)):
            for offset, then in enumerate(_THEN):
                if (number + offset + turn) % 2 == 0:
                    when = "the plan was made" if point is None else f"its sender was killed at {point}"
                    yield Case(CORRECTED, f"when {when}; then {then}", database, _Corrected(point, then))
        for answer in ("504 before", "504 after", "reset before", "400", "200"):
            for accepts in (False, True):
                if accepts and answer not in ("200", "504 after"):
                    continue
                name = f"when the first was answered with {answer}" + (" and accepted" if accepts else "")
                yield Case(CORRECTED, name, database, _CorrectedAfter(answer, accepts))
        yield Case(CORRECTED, "when the first was invited by hand", database, _CorrectedAfterByHand())


_THEN = ("the run's retry", "a new plan of the run", "the next day's run", "the next day's run, and back again")


def _correct(case: CaseRun, to: str) -> None:
    case.world.correct("anna", email=to)


def _expect_one_of(case: CaseRun, old: str, new: str) -> None:
    """Expect one e-mail for this employee: at the old address where that has it, else at the new one."""
    let_m3ter_finish(case)
    emails = case.m3ter.emails()
    has_old = emails.get(old, 0)
    if has_old and emails.get(new, 0):
        raise ViolationError(f"one employee was e-mailed twice, at {old} and {new}")
    case.expected.pop(new if has_old else old, None)
    case.expected[old if has_old else new] = 1


@dataclass(frozen=True)
class _Corrected:
    """An employee's address is corrected while the first is planned, claimed, under way or sent."""

    point: FaultPoint | None
    then: str

    def __call__(self, case: CaseRun) -> None:
        old, new = "anna@example.com", "hanna@example.com"
        case.hire("anna", "e1", "e2", "e3")
        run = planned(case)
        if self.point is not None:
            kill_sender(case, run, self.point)
        sent_before = emails_of(case, "anna")
        _correct(case, new)
        if self.then == "the run's retry":
            # What was planned is sent as it was planned, where nobody plans again.
            case.pass_time(60.0)
            case.tries(run, "send")
            case.tries(run, "report")
            case.expected.pop(old)
            case.expected[old] = 1
            return
        if self.then == "a new plan of the run":
            case.pass_time(60.0)
            case.tries(run, "plan")
            case.tries(run, "send")
            case.tries(run, "report")
        else:
            the_next_day(case)
        if sent_before:
            case.expected[old] = 1
        else:
            case.expected.pop(old)
            case.expected[new] = 1
        if self.then.endswith("and back again"):
            _correct(case, old)
            _expect_one_of(case, new, old)


@dataclass(frozen=True)
class _CorrectedAfter:
    """An employee's address is corrected when m3ter has answered the first in some way."""

    answer: str
    accepts: bool

    def __call__(self, case: CaseRun) -> None:
        m3ter, email = case.m3ter, "anna@example.com"
        case.hire("anna", "e1", "e2")
        run = planned(case)
        status, _, when = self.answer.partition(" ")
        if status == "reset":
            m3ter.faults(kind="reset", when=when, operation=CREATE, email=email, count=1)
        elif status != "200":
            m3ter.faults(
                kind="status", status=int(status), when=when or "before", operation=CREATE, email=email, count=1
            )
        # Killed before it is looked for.
        faults = {RECORDED: die} if when else {}
        ended = case.task(run, "send", faults)
        if faults and not ended.killed_by:
            raise NotReachedError
        if self.accepts:
            m3ter.accept(email)
        _correct(case, "hanna@example.com")
        if not emails_of(case, "anna"):
            case.expected.pop(email)
            case.expected["hanna@example.com"] = 1
        the_next_day(case)


class _CorrectedAfterByHand:
    """Somebody was invited by hand, and a plan has seen it; then her address is corrected."""

    def __call__(self, case: CaseRun) -> None:
        case.hire("anna", expected=0)
        case.hire("e1")
        Console(case.m3ter).invite("anna@example.com")
        case.run(case.begin())
        _correct(case, "hanna@example.com")
        the_next_day(case)


# -- policies ---------------------------------------------------------------------------------------------------------


def _policies() -> Iterator[Case]:
    databases = cycle(DATABASES)
    for what in ("renamed", "renamed and back", "a new version", "deleted", "deleted and made again"):
        for when in ("before the first e-mail", CLAIMED, POSTED, RECORDED):
            for default in (False, True):
                if default and what in ("renamed", "deleted"):
                    continue  # then no plan is made until somebody corrects the configuration
                whose = "of the configuration" if default else "of the rows"
                at = when if isinstance(when, str) else f"when a sender was killed at {when}"
                values = {"permission_policies" if default else "allowed_permission_policies": ["Readers"]}
                act = _PolicyChanged(what, when, default)
                yield Case(POLICIES, f"{whose}, {what}, {at}", next(databases), act, values)


@dataclass(frozen=True)
class _PolicyChanged:
    """A permission policy of a plan is not what it was any more: nothing of the plan is sent."""

    what: str
    when: str | FaultPoint
    default: bool

    def __call__(self, case: CaseRun) -> None:
        console = Console(case.m3ter)
        console.make_policy("Readers")
        case.hire("e1", "e2", "e3", permission_policies=None if self.default else "Readers")
        run = planned(case)
        if isinstance(self.when, FaultPoint):
            kill_sender(case, run, self.when)
            case.pass_time(60.0)
        let_m3ter_finish(case)
        self._change(console)
        posts = case.posts()
        ended = case.task(run, "send")
        if case.posts() > posts:
            raise ViolationError("something was sent although a policy had changed since the plan")
        if ended.well and len(case.m3ter.emails()) < 3:
            raise ViolationError("the sender was content although a policy had changed since the plan")
        if self.what.endswith("and back"):
            console.change_policy("Reader", to="Readers")
        elif self.what.endswith("made again"):
            console.make_policy("Readers")
        elif self.what in ("renamed", "deleted"):
            # Nobody can be given it; who has an e-mail has it, and the others are for a person.
            for employee in ("e1", "e2", "e3"):
                if not emails_of(case, employee):
                    case.expected.pop(f"{employee}@example.com")
                    case.may_stay[f"{employee}@example.com"] = "unsent"
        case.tries(run, "plan")
        case.tries(run, "send")
        case.tries(run, "report")

    def _change(self, console: Console) -> None:
        if self.what.startswith("renamed"):
            console.change_policy("Readers", to="Reader")
        elif self.what == "a new version":
            console.change_policy("Readers")
        else:
            console.delete_policy("Readers")


# -- accepted in mid-run ----------------------------------------------------------------------------------------------


def _accepted() -> Iterator[Case]:
    databases = cycle(DATABASES)
    for point in (POSTED, ANSWERED, FaultPoint("POST invitations: sent", 3), RECORDED):
        for then in ("goes on", "is killed, its retry follows", "is killed, the next day's run follows"):
            for lost in (False, True):
                name = f"sender at {point} {then}" + (", and the answer is lost" if lost else "")
                yield Case(ACCEPTED, name, next(databases), _Accepted(point, then, lost))
        next(databases)


@dataclass(frozen=True)
class _Accepted:
    """Somebody opens the e-mail at once, before the ledger has even recorded it."""

    point: FaultPoint
    then: str
    lost: bool

    def __call__(self, case: CaseRun) -> None:
        m3ter = case.m3ter
        case.hire("e1", "e2", "e3", "e4", "e5")
        run = planned(case)
        if self.lost:
            m3ter.faults(kind="status", status=504, when="after", operation=CREATE, count=1)
        case.connect(**SLOW)
        process = FrozenSender(self.point).begin(case, run)
        case.connect()
        let_m3ter_finish(case)
        invited = sorted(m3ter.emails())
        if not invited:
            raise NotReachedError
        for email in invited:
            m3ter.accept(email)
        if self.then == "goes on":
            case.collect(run, "send", resume(process).wait())
            return
        process.kill()
        if "retry" in self.then:
            case.pass_time(60.0)
            case.tries(run, "send")
        else:
            the_next_day(case)


# -- the row is gone, or excluded -------------------------------------------------------------------------------------


def _gone_or_excluded() -> Iterator[Case]:
    for turn, database in enumerate(DATABASES):
        for number, point in enumerate((None, *SENDER_POINTS)):
            for offset, (what, change) in enumerate(_CHANGES.items()):
                if (number + offset + 2 * turn) % 4 == 0:
                    when = "the plan was made" if point is None else f"a sender was killed at {point}"
                    yield Case(GONE, f"{what} when {when}", database, _GoneOrExcluded(point, change, "back" in what))


def _remove(case: CaseRun) -> None:
    with case.world.db.engine.begin() as connection:
        connection.execute(delete(HIRES).where(HIRES.c.employee_id == "zoe"))


def _exclude(**who: list[str]) -> Callable[[CaseRun], None]:
    def change(case: CaseRun) -> None:
        case.world.values["exclude"] = who

    return change


_CHANGES: dict[str, Callable[[CaseRun], None]] = {
    "row gone": _remove,
    "excluded by address": _exclude(addresses=["Zoe@example.com"]),
    "excluded by employee": _exclude(employee_ids=["zoe"]),
    "excluded, and back the day after": _exclude(employee_ids=["zoe"]),
}


@dataclass(frozen=True)
class _GoneOrExcluded:
    """No later plan may invite somebody any more whom an earlier one was to invite.

    :param back: she may be invited again a day later.
    """

    point: FaultPoint | None
    change: Callable[[CaseRun], None]
    back: bool

    def __call__(self, case: CaseRun) -> None:
        case.hire("e1", "e2", "e3", "zoe")
        run = planned(case)
        if self.point is not None:
            kill_sender(case, run, self.point)
        sent = emails_of(case, "zoe")
        self.change(case)
        the_next_day(case)
        if self.back:
            del case.world.values["exclude"]
            case.run(case.begin(0, run_type="manual"))  # an exclusion is a decision: her day must be asked for
        elif not sent:
            del case.expected["zoe@example.com"]
            case.may_stay["zoe@example.com"] = "unsent"
