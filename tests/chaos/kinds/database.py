"""The ledger's database drops, refuses, locks, or leaves open whether a COMMIT was done."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import event, text

from tests.chaos import database_faults
from tests.chaos.case_run import TASKS, CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.fault_points import Fault, FaultPoint
from tests.chaos.recorded_points import Recording
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.support.databases import POSTGRESQL, SQLITE
from tests.support.task_runs import TaskRun

DROPPED = "connection dropped in a transaction"
UNKNOWN = "COMMIT, outcome unknown"
READ_ONLY = "read-only ledger"
FULL = "disk full"
LOCKS = "lock wait"
DEADLOCK = "deadlock and serialisation failure"
LOCKED = "database is locked"

FIRST, DEAD, SILENT = SCENARIOS

#: How many points of a task a connection is dropped at.
_DROPS = {
    (FIRST.name, "snapshot"): 8,
    (FIRST.name, "plan"): 4,
    (FIRST.name, "send"): 20,
    (DEAD.name, "send"): 16,
    (SILENT.name, "send"): 26,
}

_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE")


def cases(recording: Recording) -> Iterator[Case]:
    """Yield them all."""
    for scenario in SCENARIOS:
        for task in TASKS:
            if task == "approve":
                continue  # nobody is asked here: it reads, and is skipped
            yield from _on_postgresql(scenario, task, recording[scenario.name, POSTGRESQL, task])
            yield from _on_sqlite(scenario, task, recording[scenario.name, SQLITE, task])
    yield from _read_only(recording)
    yield from _disk_full(recording)
    yield from _lock_waits(recording)
    for isolation in ("serializable", "repeatable read"):
        for number in range(4):
            act = _TwoRunsAtOnce(isolation)
            yield Case(DEADLOCK, f"two runs at once, {isolation}, {number}", POSTGRESQL, act)


# -- where ----------------------------------------------------------------------------------------------------------


class _Transaction(NamedTuple):
    """A write transaction: where it begins, writes, and is committed."""

    begin: FaultPoint
    writes: tuple[FaultPoint, ...]
    commit: FaultPoint

    @property
    def committed(self) -> FaultPoint:
        return FaultPoint(self.commit.label.replace("COMMIT", "COMMITTED", 1), self.commit.occurrence)


def _writes(points: Sequence[FaultPoint]) -> list[FaultPoint]:
    return [point for point in points if point.label.rpartition(": ")[2] in _WRITES]


def _transactions(points: Sequence[FaultPoint]) -> list[_Transaction]:
    """Return the write transactions of a task, in their order; it does one after the other."""
    found: list[_Transaction] = []
    begin: FaultPoint | None = None
    inside: list[FaultPoint] = []
    for point in points:
        if point.label.startswith(("database._sqlite_begin", "database._postgresql_begin")):
            begin, inside = point, []
        elif point.label.startswith("COMMIT "):
            if begin is not None and (writes := _writes(inside)):
                found.append(_Transaction(begin, tuple(writes), point))
            inside = []
        else:
            inside.append(point)
    return found


def _spread(points: Sequence[FaultPoint], most: int) -> list[FaultPoint]:
    """Return each label's first point, and of the others so many that it makes *most*."""
    first = [point for point in points if point.occurrence == 1]
    others = [point for point in points if point.occurrence > 1]
    room = most - len(first)
    return first if room <= 0 or not others else first + others[:: math.ceil(len(others) / room)]


# -- one fault at one point ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _OneFault:
    """Something happens at one point of a task's first try.

    :param since: happens at that point, and at every later one of the first try of this task and those after it.
    :param around: runs the tasks.
    """

    task: str
    point: FaultPoint
    fault: Fault = lambda connection: None
    since: Fault | None = None
    around: Callable[[Callable[[], Any]], Any] | None = None

    def __call__(self, case: CaseRun, run: TaskRun) -> None:
        shared = case.environment.shared
        shared.mark(False)

        def fault(connection: Any) -> None:
            shared.mark(True)
            if self.since is not None:
                self.since(connection)
            self.fault(connection)

        def before_any(connection: Any) -> None:
            if self.since is not None and shared.marked:
                self.since(connection)

        case.run(run, {self.task: {self.point: fault}}, before_any=before_any, around=self.around)
        if not shared.marked:
            raise NotReachedError


class _Deadlocked(_OneFault):
    """As the server counts them, there was a deadlock."""

    def __call__(self, case: CaseRun, run: TaskRun) -> None:
        before = self._deadlocks(case)
        super().__call__(case, run)
        if self._deadlocks(case) == before:
            raise NotReachedError

    def _deadlocks(self, case: CaseRun) -> int:
        with case.world.db.engine.connect() as connection:
            counted = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            return int(connection.execute(counted).scalar_one())


def _on_postgresql(scenario: Scenario, task: str, points: Sequence[FaultPoint]) -> Iterator[Case]:
    writes = _writes(points)

    def case(kind: str, what: str, point: FaultPoint, fault: Fault) -> Case:
        return scenario.case(kind, f"{task}, {point}: {what}", POSTGRESQL, _OneFault(task, point, fault))

    for point in _spread(writes, count) if (count := _DROPS.get((scenario.name, task), 0)) else ():
        yield case(DROPPED, "session ended", point, database_faults.terminate)
    transactions = _transactions(points)
    if task == "send" or (task != "report" and scenario is FIRST):
        # Every COMMIT of plan and send; where m3ter is silent, the sender looks and settles in many rounds alike.
        most = {"snapshot": 0, "plan": 100, "send": 24 if scenario is SILENT else 100}
        chosen = set(_spread([t.commit for t in transactions], most[task]))
        for transaction in transactions:
            if transaction.commit in chosen:
                yield case(UNKNOWN, "session ended before", transaction.commit, database_faults.terminate)
                yield case(UNKNOWN, "answer lost", transaction.committed, database_faults.lose_answer)
    if task in ("plan", "send"):
        for number, point in enumerate(_spread(writes, 0)):
            if (number + SCENARIOS.index(scenario)) % 3 == 0:
                yield case(FULL, "53100", point, database_faults.raising(psycopg.errors.DiskFull("disk is full")))
            elif number % 3 == 1:
                yield case(
                    DEADLOCK, "40P01", point, database_faults.raising(psycopg.errors.DeadlockDetected("deadlock"))
                )
            else:
                error = psycopg.errors.SerializationFailure("could not serialize access")
                yield case(DEADLOCK, "40001", point, database_faults.raising(error))
        for point in _spread([t.commit for t in transactions], 0)[:: 2 if scenario is FIRST else 3]:
            error = psycopg.errors.SerializationFailure("could not serialize access at COMMIT")
            yield case(DEADLOCK, "40001", point, database_faults.raising(error))
    if task == "send":
        for point in writes:
            if point.label.startswith("claims._claim_new") and point.occurrence <= 2:
                act = _Deadlocked(task, point, database_faults.deadlock)
                yield scenario.case(DEADLOCK, f"{task}, {point}: a real one", POSTGRESQL, act)


def _on_sqlite(scenario: Scenario, task: str, points: Sequence[FaultPoint]) -> Iterator[Case]:
    transactions = _transactions(points)
    failed = database_faults.raising(sqlite3.OperationalError("disk I/O error"))
    locked = database_faults.raising(sqlite3.OperationalError("database is locked"))

    def case(kind: str, what: str, point: FaultPoint, fault: Fault) -> Case:
        return scenario.case(kind, f"{task}, {point}: {what}", SQLITE, _OneFault(task, point, fault))

    if task == "report":
        return
    most = (14 if scenario is SILENT else 8) if task == "send" else 0
    if task == "send" or (task == "plan" and scenario is FIRST):
        chosen = set(_spread([t.commit for t in transactions], most))
        for transaction in transactions:
            if transaction.commit in chosen:
                yield case(UNKNOWN, "failed before it was done", transaction.commit, failed)
                yield case(UNKNOWN, "failed after it was done", transaction.committed, failed)
        for number, point in enumerate(_spread(_writes(points), most)):
            # A write waits for its lock at BEGIN IMMEDIATE, and for readers at its COMMIT.
            yield case(LOCKED, "at a write", point, locked)
            of_it = [t for t in transactions if point in t.writes]
            if of_it and number % 2:
                yield case(LOCKED, f"at BEGIN of {point}", of_it[0].begin, locked)
            elif of_it:
                yield case(LOCKED, f"of {point}", of_it[0].commit, locked)


# -- read-only, disk full, locks ------------------------------------------------------------------------------------


def _distinct(recording: Recording, scenario: Scenario, database: str, task: str) -> list[_Transaction]:
    """Return one write transaction of each kind of a task."""
    return [t for t in _transactions(recording[scenario.name, database, task]) if t.commit.occurrence == 1]


def _read_only(recording: Recording) -> Iterator[Case]:
    for scenario, task in ((FIRST, "snapshot"), (FIRST, "plan"), (FIRST, "send"), (SILENT, "send")):
        for transaction in _distinct(recording, scenario, SQLITE, task)[:: 3 if task == "snapshot" else 1]:
            point = transaction.writes[0]
            act = _OneFault(task, point, since=database_faults.refuse_writes)
            yield scenario.case(READ_ONLY, f"{task}, from {point} on", SQLITE, act)
        for number, transaction in enumerate(_distinct(recording, scenario, POSTGRESQL, task)):
            if task == "snapshot" and number % 3:
                continue
            # Whom m3ter refuses is tried in the run itself: its faults end with it.
            point, to_the_end = transaction.writes[0], bool(number % 2) and scenario is not SILENT
            how_long = "to the run's end" if to_the_end else "until the next try"
            act_on_server = _ReadOnlyServer(task, point, to_the_end)
            yield scenario.case(READ_ONLY, f"{task}, from {point} on, {how_long}", POSTGRESQL, act_on_server)


@dataclass(frozen=True)
class _ReadOnlyServer:
    """A server takes over that takes no writes, and becomes ordinary again later."""

    task: str
    point: FaultPoint
    to_the_end: bool

    def __call__(self, case: CaseRun, run: TaskRun) -> None:
        shared = case.environment.shared
        shared.mark(False)

        def fault(connection: Any) -> None:
            shared.mark(True)
            database_faults.become_read_only(connection)

        with _database_set(case):
            if self.to_the_end:
                case.run(run, {self.task: {self.point: fault}})
            else:
                for task in TASKS[: TASKS.index(self.task)]:
                    case.tries(run, task)
                case.task(run, self.task, {self.point: fault})
        if not self.to_the_end:
            case.pass_time(60)
            case.run(run)
        if not shared.marked:
            raise NotReachedError


class _database_set:  # noqa: N801 (used as a function)
    """Put the database's settings back at the end; the case's own sessions stay ordinary."""

    def __init__(self, case: CaseRun, **settings: str) -> None:
        self._engine, self._settings = case.world.db.engine, settings

    def __enter__(self) -> None:
        if not event.contains(self._engine, "connect", _ordinary):
            event.listen(self._engine, "connect", _ordinary)
        self._engine.dispose()
        for name, value in self._settings.items():
            self._alter(f"SET {name} = '{value}'")

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()
        self._alter("RESET ALL")

    def _alter(self, change: str) -> None:
        with self._engine.begin() as connection:
            name = connection.execute(text("SELECT current_database()")).scalar_one()
            connection.execute(text(f'ALTER DATABASE "{name}" {change}'))


def _ordinary(dbapi_connection: Any, _record: Any) -> None:
    for name, value in (("default_transaction_read_only", "off"), ("default_transaction_isolation", "read committed")):
        dbapi_connection.execute(f"SET {name} = '{value}'")
    dbapi_connection.commit()


def _disk_full(recording: Recording) -> Iterator[Case]:
    for task in ("snapshot", "plan", "send"):
        for transaction in _distinct(recording, FIRST, SQLITE, task):
            point = transaction.writes[0]
            if (task, point.label) != ("send", "runs.work: UPDATE"):  # the run's end needs no more room
                yield Case(FULL, f"{task}, from {point} on", SQLITE, _FullDisk(task, point), tables=False)


@dataclass(frozen=True)
class _FullDisk:
    """The file of a ledger of many people cannot grow any more."""

    task: str
    point: FaultPoint

    def __call__(self, case: CaseRun) -> None:
        by_hand = {"invitingPrincipalId": "somebody", "createdBy": "somebody"}
        case.m3ter.seed(invitations=[{"email": f"invited{n}@example.com", **by_hand} for n in range(40)])
        case.hire(*(f"e{n}" for n in range(60)), first_name="Given" * 8, last_name="Family" * 6)
        run = case.begin()
        _OneFault(self.task, self.point, since=database_faults.let_no_page_be_added)(case, run)
        if not any("database or disk is full" in (ended.error or "") for _, ended in case.ended):
            raise NotReachedError


def _lock_waits(recording: Recording) -> Iterator[Case]:
    for database in (SQLITE, POSTGRESQL):
        for scenario, task in ((FIRST, "snapshot"), (FIRST, "plan"), (FIRST, "send"), (SILENT, "send")):
            for number, transaction in enumerate(_distinct(recording, scenario, database, task)):
                if scenario is SILENT and transaction.writes[0].label.startswith(("mirror", "database", "runs")):
                    continue  # as in the first run
                if task == "snapshot" and (number + len(database)) % 3:
                    continue
                where = {"before": transaction.begin, "in": transaction.writes[0]}
                kind = "in" if number % 3 == 2 else "before"
                name = f"{task}, {kind} {transaction.commit}"
                act = _OneFault(task, where[kind], database_faults.hold_locks(0.3))
                yield scenario.case(LOCKS, f"{name}, for a moment", database, act)
                if number % 2 == len(database) % 2 and task != "snapshot":
                    longer = _OneFault(
                        task,
                        transaction.begin,
                        database_faults.hold_locks(30.0),
                        since=database_faults.wait_briefly_for_locks,
                        around=database_faults.with_little_patience,
                    )
                    yield scenario.case(LOCKS, f"{name}, longer than patience", database, longer)
        claiming = next(
            t for t in _distinct(recording, FIRST, database, "send") if t.commit.label == "COMMIT claiming invitations"
        )
        act = _OneFault("send", claiming.begin, database_faults.hold_locks(58.0))
        yield FIRST.case(LOCKS, f"send, before {claiming.commit}, longer than real patience", database, act)


# -- two runs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _TwoRunsAtOnce:
    """Two runs over the same people, each task at the same time as the other's, where PostgreSQL serialises."""

    isolation: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, case: CaseRun) -> None:
        case.hire(*(f"e{n}" for n in range(1, 9)))
        runs = (case.begin(), case.begin())
        with _database_set(case, default_transaction_isolation=self.isolation):
            for task in TASKS:
                waiting = list(runs)
                for _ in range(3):
                    forked = [(run, case.fork(run, task)) for run in waiting]
                    waiting = [run for run, process in forked if not case.collect(run, task, process.wait()).well]
                    if not waiting:
                        break
                    case.pass_time(60)
