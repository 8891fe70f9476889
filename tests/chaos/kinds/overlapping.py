"""Several runs at once over the same people, backfills, other clocks, and workers thought dead that wake up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import time_machine
from airflow.sdk.exceptions import AirflowSkipException

from tests.chaos.cases import Case, NotReachedError
from tests.chaos.forked import Forked
from tests.chaos.play import Play, ViolationError
from tests.chaos.points import Point, Strike
from tests.chaos.scenarios import CREATE, SCENARIOS, Recording, die, expect_whoever_was_not_refused
from tests.chaos.standstill import BEGINS, SLOWLY, StandStill, let_go_on, wait_for
from tests.chaos.theatre import DATABASES, POSTGRESQL
from tests.onboarding.tasks import TaskRun

AT_ONCE = "runs at once over the same people"
CLOCKS = "runs at once, on other clocks"
CROSSED = "two senders, step by step"
ZOMBIES = "zombie worker wakes up"
BACKFILLS = "90-day backfill"

#: The system's own, before a case's clocks take its place: what moves time replaces this one, in C.
_CLOCK_GETTIME = time.clock_gettime

Around = Callable[[Callable[[], Any]], Any]
#: A sender waits for the lease of one that was killed, in real time: a short one.
_SHORT_LEASE = {"timeout_seconds": 1}
#: So few at a time that a claim takes ten people.
_SMALL_CLAIMS = {**_SHORT_LEASE, "requests_per_second": 2}


def cases(recording: Recording) -> Iterator[Case]:
    """Yield them all."""
    yield from _at_once()
    yield from _on_other_clocks()
    yield from _crossed()
    yield from _zombies(recording)
    yield from _backfills()


# -- at once --------------------------------------------------------------------------------------------------------

TOGETHER = ("whole runs", "each step", "senders", "retries of one run", "one run cleared", "windows that overlap")
TROUBLES = ("", "answers are lost", "one is killed")


def _at_once() -> Iterator[Case]:
    for database in DATABASES:
        for count in (2, 5):
            for together in TOGETHER:
                for trouble in TROUBLES:
                    name = f"{count} at once, {together}" + (trouble and f", {trouble}")
                    act = _AtOnce(count, together, trouble)
                    yield Case(AT_ONCE, name, database, act, _values(together), connection=_SHORT_LEASE)
            act = _AtOnce(count, "senders", people=24)
            yield Case(AT_ONCE, f"{count} at once, senders that share", database, act, connection=_SMALL_CLAIMS)


def _on_other_clocks() -> Iterator[Case]:
    for number, together in enumerate(TOGETHER):
        for ahead in (-90, 90):
            for turn, trouble in enumerate(("", "answers are lost")):
                database = DATABASES[(number + turn + (ahead > 0)) % 2]
                count = 5 if (number + turn) % 3 == 0 else 2
                name = f"{count} at once, {together}, one worker {ahead:+d} s" + (trouble and f", {trouble}")
                act = _AtOnce(count, together, trouble, ahead)
                yield Case(CLOCKS, name, database, act, _values(together), connection=_SHORT_LEASE)


def _values(together: str) -> Mapping[str, Any]:
    return {"look_back_days": 2} if together == "windows that overlap" else {}


def at_other_clocks(seconds: float, booted_earlier: float) -> Around:
    """Return what runs a task on a worker whose clock is ahead, and that was booted at another time."""

    def around(call: Callable[[], Any]) -> Any:
        of_the_case = time.clock_gettime

        def clock_gettime(clock: int) -> float:
            return of_the_case(clock) + (booted_earlier if clock == time.CLOCK_BOOTTIME else 0.0)

        time.clock_gettime = _CLOCK_GETTIME
        now = datetime.now(timezone.utc)
        with time_machine.travel(now + timedelta(seconds=seconds), tick=True):
            time.clock_gettime = clock_gettime
            return call()

    return around


@dataclass(frozen=True)
class _AtOnce:
    """Runs over the same people, as processes that run at the same time.

    :param together: what of them.
    :param ahead: seconds by which the clock of the last worker is ahead.
    """

    count: int
    together: str
    trouble: str = ""
    ahead: float = 0.0
    people: int = 12

    def __call__(self, play: Play) -> None:
        people = [f"e{n}" for n in range(1, self.people + 1)]
        if self.together == "windows that overlap":
            for number, employee in enumerate(people):
                play.hire(employee, day=number % min(self.count, 3))
            play.day = min(self.count, 3) - 1
        else:
            play.hire(*people)
        if self.trouble == "answers are lost":
            for employee, when in (("e2", "after"), ("e5", "before"), ("e9", "after")):
                email = f"{employee}@example.com"
                play.theatre.m3ter.faults(kind="status", status=504, when=when, operation=CREATE, email=email, count=1)
        runs = self._runs(play)
        for tasks in self._tasks(play, runs):
            self._at_once(play, runs, tasks)

    def _runs(self, play: Play) -> list[TaskRun]:
        if self.together in ("retries of one run", "one run cleared"):
            return [play.begin()] * self.count
        if self.together == "windows that overlap":
            return [play.begin(number % 3) for number in range(self.count)]
        return [play.begin() for _ in range(self.count)]

    def _tasks(self, play: Play, runs: list[TaskRun]) -> Sequence[str]:
        if self.together == "each step":
            return ("snapshot", "plan", "send", "report")
        if self.together in ("senders", "retries of one run"):
            for run in runs if self.together == "senders" else runs[:1]:
                play.tries(run, "snapshot")
                play.tries(run, "plan")
            return ("send",)
        return ("all",)

    def _at_once(self, play: Play, runs: list[TaskRun], task: str) -> None:
        processes = [
            (run, play.fork(run, task, before_any=self._strike(play, number, task), around=self._around(play, number)))
            for number, run in enumerate(runs)
        ]
        killed = False
        failed = []
        for run, process in processes:
            ended = play.collect(run, task, process.wait())
            killed = killed or ended.killed_by is not None
            if not ended.well and run not in failed:
                failed.append(run)
        if self.trouble == "one is killed" and task in ("send", "all") and not killed:
            raise NotReachedError
        for run in failed:
            if task == "all":
                play.pass_time(60.0)
                play.run(run)
            else:
                play.pass_time(60.0)
                play.tries(run, task)

    def _strike(self, play: Play, number: int, task: str) -> Strike | None:
        if self.trouble != "one is killed" or number or task not in ("send", "all"):
            return None
        left = play.rng.randrange(1, 100 if task == "all" else 40)

        def strike(_connection: Any) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                die(None)

        return strike

    def _around(self, play: Play, number: int) -> Around | None:
        if not self.ahead:
            return None
        booted_earlier = play.rng.uniform(-1000.0, 1e7)
        return at_other_clocks(self.ahead if number == self.count - 1 else 0.0, booted_earlier)


# -- two senders, each let go on when the other is where it hurts ---------------------------------------------------

_STEPS = (
    Point("POST token: begins", 1),
    Point("COMMITTED claiming invitations", 1),
    Point("COMMITTED beginning attempts", 1),
    Point(BEGINS, 1),
    Point("POST invitations: sent", 3),
    Point("POST invitations: answered", 5),
    Point("COMMITTED recording answers", 1),
)


def _crossed() -> Iterator[Case]:
    for number, first in enumerate(_STEPS):
        for offset, second in enumerate(_STEPS[:5]):
            same = (number + offset) % 3 == 0
            whose = "a retry" if same else "another run"
            name = f"one stands still at {first}, {whose} at {second}"
            yield Case(CROSSED, name, DATABASES[(number + offset) % 2], _Crossed(first, second, same))


@dataclass(frozen=True)
class _Crossed:
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


# -- zombies --------------------------------------------------------------------------------------------------------

_DONE_BY = ("its retry", "the next day's run", "a new plan of its run", "two at once")


_TELLING = ("POST invitations", "claiming", "beginning attempts", "recording answers", "settling", "recording the run")


def _zombies(recording: Recording) -> Iterator[Case]:
    for scenario in SCENARIOS:
        for turn, database in enumerate(DATABASES):
            points = recording[scenario.name, database, "send"]
            outside = [p for p in points if p.label.startswith("COMMITTED ") or _is_call(p)]
            for number, point in enumerate(outside):
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
        expect_whoever_was_not_refused(play)
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


# -- backfills ------------------------------------------------------------------------------------------------------

_DAYS = 90


def _backfills() -> Iterator[Case]:
    for turn, database in enumerate(DATABASES):
        for number, (at_once, order) in enumerate(
            ((1, "oldest first"), (3, "oldest first"), (4, "newest first"), (4, "in any order"))
        ):
            for trouble in ("", "one is killed", "a daily run beside it", "answers are lost"):
                days = 5 if trouble == "answers are lost" or at_once == 1 else 7
                name = f"{order}, {at_once} at once, of {days} days each" + (trouble and f", {trouble}")
                act = _Backfill(days, at_once, order, trouble)
                if (number + turn) % 2 == 0 or trouble == "one is killed":
                    yield Case(BACKFILLS, f"may send, {name}", database, act, connection=_SHORT_LEASE)
        yield Case(BACKFILLS, "may send, daily, 4 at once", database, _Backfill(1, 4, "oldest first", ""))
        for at_once in (1, 4):
            for afterwards in (False, True):
                name = f"may not send, {at_once} at once" + (", then one that may" if afterwards else "")
                yield Case(BACKFILLS, name, database, _BackfillThatPlansOnly(at_once, afterwards))


@dataclass(frozen=True)
class _Backfill:
    """People of 90 days, and runs over them of which several are active at once."""

    days: int
    at_once: int
    order: str
    trouble: str

    def __call__(self, play: Play) -> None:
        hire_over_90_days(play)
        if self.trouble == "answers are lost":
            play.theatre.m3ter.faults(kind="status", status=504, when="after", operation=CREATE, count=2)
        runs = backfill(play, self.days, allow_backfill_send=True)
        if self.order == "newest first":
            runs.reverse()
        elif self.order == "in any order":
            play.rng.shuffle(runs)
        daily = [play.begin()] if self.trouble == "a daily run beside it" else []
        victim = play.rng.choice(runs) if self.trouble == "one is killed" else None
        killed = run_all(play, [*daily, *runs], self.at_once, victim)
        if victim is not None and not killed:
            raise NotReachedError


@dataclass(frozen=True)
class _BackfillThatPlansOnly:
    """A backfill sends only when that is asked for.

    :param afterwards: then the same days again, asked for.
    """

    at_once: int
    afterwards: bool

    def __call__(self, play: Play) -> None:
        hire_over_90_days(play, expected=int(self.afterwards))
        run_all(play, backfill(play, 7), self.at_once)
        if play.posts():
            raise ViolationError(f"a backfill that may not send sent {play.posts()} invitations")
        if not all(
            ended.error and AirflowSkipException.__name__ in ended.error for _, ended in play.ended if ended.error
        ):
            raise ViolationError("a backfill that may not send failed")
        if self.afterwards:
            run_all(play, backfill(play, 7, allow_backfill_send=True), self.at_once)


def hire_over_90_days(play: Play, expected: int = 1) -> None:
    """Load people over 90 days."""
    for day in range(0, _DAYS, 3):
        play.hire(f"b{day}", day=day - _DAYS, expected=expected)


def backfill(play: Play, days: int, **params: Any) -> list[TaskRun]:
    """Return the runs of a backfill over 90 days, the oldest first."""
    runs = []
    for first in range(-_DAYS, 0, days):
        run = play.begin(first, run_type="backfill", **params)
        run.interval = (run.interval[0], run.interval[0] + timedelta(days=min(days, -first)))
        runs.append(run)
    return runs


def run_all(play: Play, runs: Sequence[TaskRun], at_once: int, victim: TaskRun | None = None) -> bool:
    """Play whole runs, so many at once; one that did not end well is tried again when all others have ended.

    :param victim: is killed somewhere.
    :returns: whether it was.
    """
    waiting, active, again = list(runs), list[tuple[TaskRun, Forked]](), list[TaskRun]()
    killed = False
    while waiting or active:
        while waiting and len(active) < at_once:
            run = waiting.pop(0)
            active.append((run, play.fork(run, "all", before_any=_killing(play) if run is victim else None)))
        run, process = active.pop(0)
        ended = play.collect(run, "all", process.wait())
        killed = killed or ended.killed_by is not None
        if not ended.well:
            again.append(run)
    for run in again:
        play.pass_time(60.0)
        play.run(run)
    return killed


def _killing(play: Play) -> Strike:
    left = play.rng.randrange(1, 90)

    def strike(_connection: Any) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            die(None)

    return strike
