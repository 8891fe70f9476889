"""What people do while runs are under way: in m3ter's console, in the warehouse, in the configuration, in Airflow."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from sqlalchemy import delete

from tests.chaos.cases import Case, NotReachedError
from tests.chaos.console import Console
from tests.chaos.forked import Ended
from tests.chaos.play import TASKS, Play, ViolationError
from tests.chaos.points import Point, Strike
from tests.chaos.scenarios import CREATE, SCENARIOS, Recording, die, expect_whoever_was_not_refused
from tests.chaos.standstill import BEGINS, SLOWLY, StandStill, let_go_on
from tests.chaos.theatre import DATABASES
from tests.onboarding.tasks import TaskRun
from tests.onboarding.world import HIRES

IN_CONSOLE = "invited by hand or member meanwhile"
CORRECTED = "address corrected"
POLICIES = "policy changed after the plan"
CLEARED = "task cleared at a random time"
PLAN_CLEARED = "plan cleared while send is under way"
MARKED = "task marked successful by hand"
DELETED = "run deleted in mid-send"
ACCEPTED = "accepted in mid-run"
GONE = "row gone, or excluded, before the next plan"

CLAIMED = Point("COMMITTED claiming invitations", 1)
BEGUN = Point("COMMITTED beginning attempts", 1)
POSTED = Point("POST invitations: sent", 1)
ANSWERED = Point("POST invitations: answered", 1)
RECORDED = Point("COMMITTED recording answers", 1)
#: Where a sender is killed.
MOMENTS = (
    Point("POST token: begins", 1),
    Point("GET invitations: answered", 1),
    CLAIMED,
    BEGUN,
    Point(BEGINS, 1),
    POSTED,
    ANSWERED,
    Point("POST invitations: sent", 3),
    RECORDED,
)


def cases(recording: Recording) -> Iterator[Case]:
    """Yield them all."""
    yield from _in_console()
    yield from _corrected()
    yield from _policies()
    yield from _cleared(recording)
    yield from _plan_cleared()
    yield from _marked()
    yield from _deleted()
    yield from _accepted()
    yield from _gone_or_excluded()


# -- what they share --------------------------------------------------------------------------------------------------


def emails_of(play: Play, employee: str) -> int:
    """Return how many e-mails an employee's own address has, when m3ter has finished what was begun."""
    time.sleep(0.05)
    return int(play.theatre.m3ter.emails().get(f"{employee}@example.com", 0))


def planned(play: Play) -> TaskRun:
    """Return a run whose plan is made."""
    run = play.begin()
    play.tries(run, "snapshot")
    play.tries(run, "plan")
    return run


def kill_sender(play: Play, run: TaskRun, moment: Point) -> None:
    """Let a sender be killed.

    :raises NotReachedError: it was not there.
    """
    play.connect(**SLOWLY)
    if not play.task(run, "send", {moment: die}).killed_by:
        raise NotReachedError
    play.connect()


def the_next_day(play: Play) -> None:
    """Play the next daily run."""
    play.pass_time(3600.0)
    play.day += 1
    play.run(play.begin())


# -- m3ter's console --------------------------------------------------------------------------------------------------


def _in_console() -> Iterator[Case]:
    databases = cycle(DATABASES)
    for what in ("invited", "invited, in capitals", "member"):
        for before in TASKS[:-1]:
            yield Case(IN_CONSOLE, f"{what} before {before}", next(databases), _InConsole(what, before, None))
        for moment in MOMENTS[:7]:
            yield Case(
                IN_CONSOLE,
                f"{what} when a sender was killed at {moment}",
                next(databases),
                _InConsole(what, "", moment),
            )
        next(databases)
    for database in DATABASES:
        for what in ("invited", "member"):
            yield Case(
                IN_CONSOLE, f"{what} while a sender stands still for longer than a minute", database, _Slept(what)
            )


def _do_in_console(play: Play, what: str, email: str) -> None:
    console = Console(play.theatre.m3ter)
    if what == "member":
        console.add_member(email)
    else:
        console.invite(email.upper() if "capitals" in what else email)


@dataclass(frozen=True)
class _InConsole:
    """One of the people of a run is invited by hand, or becomes a member, before ours is sent."""

    what: str
    before: str
    moment: Point | None

    def __call__(self, play: Play) -> None:
        play.hire("e1", "e2", "e3")
        play.hire("zoe", expected=0)
        run = play.begin()
        if self.moment is None:
            for task in TASKS:
                if task == self.before:
                    _do_in_console(play, self.what, "zoe@example.com")
                play.tries(run, task)
            return
        play.tries(run, "snapshot")
        play.tries(run, "plan")
        kill_sender(play, run, self.moment)
        if emails_of(play, "zoe"):
            raise NotReachedError
        _do_in_console(play, self.what, "zoe@example.com")
        play.tries(run, "send")
        play.pass_time(60.0)
        play.tries(run, "send")
        play.tries(run, "report")


@dataclass(frozen=True)
class _Slept:
    """The sender's machine sleeps with claims in its hands; when it wakes up, it must look again."""

    what: str

    def __call__(self, play: Play) -> None:
        play.hire("e1", "e2", "e3")
        play.hire("zoe", expected=0)
        run = planned(play)
        process = StandStill(CLAIMED).begin(play, run)
        _do_in_console(play, self.what, "zoe@example.com")
        play.pass_time(90.0)
        if not play.collect(run, "send", let_go_on(process).wait()).well:
            play.tries(run, "send")
        play.tries(run, "report")


# -- an address is corrected ------------------------------------------------------------------------------------------


def _corrected() -> Iterator[Case]:
    for turn, database in enumerate(DATABASES):
        for number, moment in enumerate((None, *MOMENTS)):
            for offset, then in enumerate(_THEN):
                if (number + offset + turn) % 2 == 0:
                    when = "the plan was made" if moment is None else f"its sender was killed at {moment}"
                    yield Case(CORRECTED, f"when {when}; then {then}", database, _Corrected(moment, then))
        for answer in ("504 before", "504 after", "reset before", "400", "200"):
            for accepts in (False, True):
                if accepts and answer not in ("200", "504 after"):
                    continue
                name = f"when the first was answered with {answer}" + (" and accepted" if accepts else "")
                yield Case(CORRECTED, name, database, _CorrectedAfter(answer, accepts))
        yield Case(CORRECTED, "when the first was invited by hand", database, _CorrectedAfterByHand())


_THEN = ("the run's retry", "a new plan of the run", "the next day's run", "the next day's run, and back again")


def _correct(play: Play, to: str) -> None:
    play.world.correct("anna", email=to)


def _expect_one_of(play: Play, old: str, new: str) -> None:
    """Expect one e-mail for this employee: at the old address where that has it, else at the new one."""
    time.sleep(0.05)
    emails = play.theatre.m3ter.emails()
    has_old = emails.get(old, 0)
    if has_old and emails.get(new, 0):
        raise ViolationError(f"one employee was e-mailed twice, at {old} and {new}")
    play.expected.pop(new if has_old else old, None)
    play.expected[old if has_old else new] = 1


@dataclass(frozen=True)
class _Corrected:
    """An employee's address is corrected while the first is planned, claimed, under way or sent."""

    moment: Point | None
    then: str

    def __call__(self, play: Play) -> None:
        old, new = "anna@example.com", "hanna@example.com"
        play.hire("anna", "e1", "e2", "e3")
        run = planned(play)
        if self.moment is not None:
            kill_sender(play, run, self.moment)
        sent_before = emails_of(play, "anna")
        _correct(play, new)
        if self.then == "the run's retry":
            # What was planned is sent as it was planned, where nobody plans again.
            play.pass_time(60.0)
            play.tries(run, "send")
            play.tries(run, "report")
            play.expected.pop(old)
            play.expected[old] = 1
            return
        if self.then == "a new plan of the run":
            play.pass_time(60.0)
            play.tries(run, "plan")
            play.tries(run, "send")
            play.tries(run, "report")
        else:
            the_next_day(play)
        if sent_before:
            play.expected[old] = 1
        else:
            play.expected.pop(old)
            play.expected[new] = 1
        if self.then.endswith("and back again"):
            _correct(play, old)
            _expect_one_of(play, new, old)


@dataclass(frozen=True)
class _CorrectedAfter:
    """An employee's address is corrected when m3ter has answered the first in some way."""

    answer: str
    accepts: bool

    def __call__(self, play: Play) -> None:
        m3ter, email = play.theatre.m3ter, "anna@example.com"
        play.hire("anna", "e1", "e2")
        run = planned(play)
        status, _, when = self.answer.partition(" ")
        if status == "reset":
            m3ter.faults(kind="reset", when=when, operation=CREATE, email=email, count=1)
        elif status != "200":
            m3ter.faults(
                kind="status", status=int(status), when=when or "before", operation=CREATE, email=email, count=1
            )
        # Killed before it is looked for.
        strikes = {RECORDED: die} if when else {}
        ended = play.task(run, "send", strikes)
        if strikes and not ended.killed_by:
            raise NotReachedError
        if self.accepts:
            m3ter.accept(email)
        _correct(play, "hanna@example.com")
        if not emails_of(play, "anna"):
            play.expected.pop(email)
            play.expected["hanna@example.com"] = 1
        the_next_day(play)


class _CorrectedAfterByHand:
    """Somebody was invited by hand, and a plan has seen it; then her address is corrected."""

    def __call__(self, play: Play) -> None:
        play.hire("anna", expected=0)
        play.hire("e1")
        Console(play.theatre.m3ter).invite("anna@example.com")
        play.run(play.begin())
        _correct(play, "hanna@example.com")
        the_next_day(play)


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
                values = {"permission_policies": ["Readers"]} if default else {}
                act = _PolicyChanged(what, when, default)
                yield Case(POLICIES, f"{whose}, {what}, {at}", next(databases), act, values)


@dataclass(frozen=True)
class _PolicyChanged:
    """A permission policy of a plan is not what it was any more: nothing of the plan is sent."""

    what: str
    when: str | Point
    default: bool

    def __call__(self, play: Play) -> None:
        console = Console(play.theatre.m3ter)
        console.make_policy("Readers")
        play.hire("e1", "e2", "e3", permission_policies=None if self.default else "Readers")
        run = planned(play)
        if isinstance(self.when, Point):
            kill_sender(play, run, self.when)
            play.pass_time(60.0)
        time.sleep(0.05)
        self._change(console)
        posts = play.posts()
        ended = play.task(run, "send")
        if play.posts() > posts:
            raise ViolationError("something was sent although a policy had changed since the plan")
        if ended.well and len(play.theatre.m3ter.emails()) < 3:
            raise ViolationError("the sender was content although a policy had changed since the plan")
        if self.what.endswith("and back"):
            console.change_policy("Reader", to="Readers")
        elif self.what.endswith("made again"):
            console.make_policy("Readers")
        elif self.what in ("renamed", "deleted"):
            # Nobody can be given it; who has an e-mail has it, and the others are for a person.
            for employee in ("e1", "e2", "e3"):
                if not emails_of(play, employee):
                    play.expected.pop(f"{employee}@example.com")
                    play.may_stay[f"{employee}@example.com"] = "unsent"
        play.tries(run, "plan")
        play.tries(run, "send")
        play.tries(run, "report")

    def _change(self, console: Console) -> None:
        if self.what.startswith("renamed"):
            console.change_policy("Readers", to="Reader")
        elif self.what == "a new version":
            console.change_policy("Readers")
        else:
            console.delete_policy("Readers")


# -- clear ------------------------------------------------------------------------------------------------------------


def _cleared(recording: Recording) -> Iterator[Case]:
    databases = cycle(DATABASES)
    for scenario in SCENARIOS:
        for how in ("SIGTERM", "SIGKILL"):
            for number, killed in enumerate(TASKS[:-1]):
                for cleared in TASKS[: number + 1]:
                    for count in (1, 2) if killed == cleared == "send" else (1,):
                        database = next(databases)
                        points = recording[scenario.name, database, killed]
                        act = _Cleared(killed, cleared, how, len(points))
                        name = f"{killed} ended by {how}, {cleared} and what follows cleared, {count}"
                        yield scenario.case(CLEARED, name, database, act)
        next(databases)


@dataclass(frozen=True)
class _Cleared:
    """A task is ended somewhere, and it, or one before it, is cleared with what follows.

    :param points: how many it has.
    """

    killed: str
    cleared: str
    how: str
    points: int

    def __call__(self, play: Play, run: TaskRun) -> None:
        for task in TASKS[: TASKS.index(self.killed)]:
            play.tries(run, task)
        play.theatre.shared.note(False)
        play.task(run, self.killed, before_any=self._strike(play))
        if not play.theatre.shared.noted:
            raise NotReachedError
        play.pass_time(play.rng.choice((0.0, 10.0, 60.0)))
        for task in TASKS[TASKS.index(self.cleared) :]:
            play.tries(run, task)
        expect_whoever_was_not_refused(play)

    def _strike(self, play: Play) -> Strike:
        left = play.rng.randrange(1, max(2, self.points * 9 // 10))
        number = getattr(signal, self.how)

        def strike(_connection: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                play.theatre.shared.note(True)
                os.kill(os.getpid(), number)

        return strike


# -- the plan is cleared while its sender is at work ------------------------------------------------------------------


def _plan_cleared() -> Iterator[Case]:
    for turn, database in enumerate(DATABASES):
        for number, moment in enumerate(MOMENTS):
            for offset, how in enumerate(_HOW):
                if how == _HOW[2] and moment.label == BEGINS:
                    continue
                if (number + offset + turn) % 2 == 0:
                    yield Case(PLAN_CLEARED, f"at {moment}, {how}", database, _PlanCleared(moment, how))


_HOW = ("then its sender ends", "beside its new sender", "its sender wakes up after the new one")


@dataclass(frozen=True)
class _PlanCleared:
    """A new plan of a run is made while the sender of the old one stands still."""

    moment: Point
    how: str

    def __call__(self, play: Play) -> None:
        play.hire("e1", "e2", "e3", "e4", "e5")
        run = planned(play)
        play.connect(**SLOWLY)
        old = StandStill(self.moment).begin(play, run)
        play.connect()
        if self.how == _HOW[2]:
            play.pass_time(600.0)
        play.world.correct("e5", first_name="Mended")
        play.tries(run, "plan")
        if self.how == _HOW[0]:
            self._end(play, run, let_go_on(old).wait())
            play.tries(run, "send")
        elif self.how == _HOW[1]:
            new = play.fork(run, "send")
            new.stands_still(0.3)
            self._end(play, run, let_go_on(old).wait())
            if not play.collect(run, "send", new.wait()).well:
                play.tries(run, "send")
        else:
            play.tries(run, "send")
            self._end(play, run, let_go_on(old).wait())
        play.tries(run, "report")

    def _end(self, play: Play, run: TaskRun, ended: Ended) -> None:
        plan = run.xcoms["plan"]
        play.collect(run, "send", ended)
        run.xcoms["plan"] = plan  # Airflow's is the new one


# -- marked successful ------------------------------------------------------------------------------------------------


def _marked() -> Iterator[Case]:
    for database in DATABASES:
        for first in (True, False):
            for skipped in (("send",), ("plan",), ("plan", "send"), ("snapshot",)):
                if first and skipped == ("snapshot",):
                    continue  # then the ledger knows nothing of the run, nor of any before it
                name = f"{' and '.join(skipped)} of {'the first' if first else 'a later'} run"
                yield Case(MARKED, name, database, _Marked(skipped, first))
        for moment in MOMENTS[2 + DATABASES.index(database) :: 2]:
            yield Case(MARKED, f"send, killed at {moment}", database, _Marked(("send",), False, moment))


@dataclass(frozen=True)
class _Marked:
    """Somebody marks a task successful that did not run, or not to its end."""

    skipped: Sequence[str]
    first: bool
    moment: Point | None = None

    def __call__(self, play: Play) -> None:
        if not self.first:
            play.hire("d1", "d2")
            play.run(play.begin())
            the_next_day(play)
            play.day += 1
        play.hire("e1", "e2", "e3")
        run = play.begin()
        for task in TASKS:
            if task not in self.skipped:
                play.tries(run, task)
            elif self.moment is not None:
                kill_sender(play, run, self.moment)


# -- a run that never comes back --------------------------------------------------------------------------------------


def _deleted() -> Iterator[Case]:
    for database in DATABASES:
        for moment in MOMENTS:
            yield Case(DELETED, f"killed at {moment}", database, _Deleted(moment, False))
        for moment in (CLAIMED, POSTED, RECORDED):
            yield Case(DELETED, f"at {moment}, while its sender lives on", database, _Deleted(moment, True))


@dataclass(frozen=True)
class _Deleted:
    """A run is deleted while its sender is at work; only later runs can do the rest.

    :param lives_on: its sender stands still, and goes on when the next day's run has begun.
    """

    moment: Point
    lives_on: bool

    def __call__(self, play: Play) -> None:
        play.hire("e1", "e2", "e3", "e4", "e5")
        run = planned(play)
        if not self.lives_on:
            kill_sender(play, run, self.moment)
            return
        play.connect(**SLOWLY)
        process = StandStill(self.moment).begin(play, run)
        play.connect()
        play.day += 1
        following = planned(play)
        sender = play.fork(following, "send")
        sender.stands_still(0.3)
        play.collect(run, "send", let_go_on(process).wait())
        if not play.collect(following, "send", sender.wait()).well:
            play.tries(following, "send")


# -- accepted in mid-run ----------------------------------------------------------------------------------------------


def _accepted() -> Iterator[Case]:
    databases = cycle(DATABASES)
    for moment in (POSTED, ANSWERED, Point("POST invitations: sent", 3), RECORDED):
        for then in ("goes on", "is killed, its retry follows", "is killed, the next day's run follows"):
            for lost in (False, True):
                name = f"sender at {moment} {then}" + (", and the answer is lost" if lost else "")
                yield Case(ACCEPTED, name, next(databases), _Accepted(moment, then, lost))
        next(databases)


@dataclass(frozen=True)
class _Accepted:
    """Somebody opens the e-mail at once, before the ledger has even recorded it."""

    moment: Point
    then: str
    lost: bool

    def __call__(self, play: Play) -> None:
        m3ter = play.theatre.m3ter
        play.hire("e1", "e2", "e3", "e4", "e5")
        run = planned(play)
        if self.lost:
            m3ter.faults(kind="status", status=504, when="after", operation=CREATE, count=1)
        play.connect(**SLOWLY)
        process = StandStill(self.moment).begin(play, run)
        play.connect()
        time.sleep(0.05)
        invited = sorted(m3ter.emails())
        if not invited:
            raise NotReachedError
        for email in invited:
            m3ter.accept(email)
        if self.then == "goes on":
            play.collect(run, "send", let_go_on(process).wait())
            return
        process.kill()
        if "retry" in self.then:
            play.pass_time(60.0)
            play.tries(run, "send")
        else:
            the_next_day(play)


# -- the row is gone, or excluded -------------------------------------------------------------------------------------


def _gone_or_excluded() -> Iterator[Case]:
    for turn, database in enumerate(DATABASES):
        for number, moment in enumerate((None, *MOMENTS)):
            for offset, (what, change) in enumerate(_CHANGES.items()):
                if (number + offset + 2 * turn) % 4 == 0:
                    when = "the plan was made" if moment is None else f"a sender was killed at {moment}"
                    yield Case(GONE, f"{what} when {when}", database, _GoneOrExcluded(moment, change, "back" in what))


def _remove(play: Play) -> None:
    with play.world.db.engine.begin() as connection:
        connection.execute(delete(HIRES).where(HIRES.c.employee_id == "zoe"))


def _exclude(**who: list[str]) -> Callable[[Play], None]:
    def change(play: Play) -> None:
        play.world.values["exclude"] = who

    return change


_CHANGES: dict[str, Callable[[Play], None]] = {
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

    moment: Point | None
    change: Callable[[Play], None]
    back: bool

    def __call__(self, play: Play) -> None:
        play.hire("e1", "e2", "e3", "zoe")
        run = planned(play)
        if self.moment is not None:
            kill_sender(play, run, self.moment)
        sent = emails_of(play, "zoe")
        self.change(play)
        the_next_day(play)
        if self.back:
            del play.world.values["exclude"]
            play.run(play.begin(0, run_type="manual"))  # an exclusion is a decision: her day must be asked for
        elif not sent:
            del play.expected["zoe@example.com"]
            play.may_stay["zoe@example.com"] = "unsent"
