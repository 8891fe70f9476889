"""The ledger's server fails, and one takes over that knows no more than yesterday's backup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from tests.chaos import database_faults
from tests.chaos.case_run import TASKS, CaseRun
from tests.chaos.cases import Case
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import FaultPoint, freeze
from tests.chaos.process_freeze import resume, wait_until_frozen
from tests.support import ledger_rows
from tests.support.databases import POSTGRESQL
from tests.support.task_runs import TaskRun

KIND = "failover to a restored ledger"

#: When the backup was made: before a task of yesterday's run, or at a point of its sender; None: no table existed yet.
BACKUPS: tuple[tuple[str, str | FaultPoint | None], ...] = (
    ("of no table", None),
    ("before yesterday's run", "snapshot"),
    ("before yesterday's plan", "plan"),
    ("before yesterday's e-mails", "send"),
    ("of yesterday's claim", FaultPoint("COMMITTED claiming invitations", 1)),
    ("of yesterday's attempts", FaultPoint("COMMITTED beginning attempts", 1)),
    ("of yesterday's POSTs", FaultPoint("POST invitations: sent", 2)),
    ("of yesterday's answers", FaultPoint("COMMITTED recording answers", 1)),
    ("before yesterday's report", "report"),
    ("after yesterday's run", ""),
)

#: When it is restored: before a task of today's run, or at a point of its sender, which is frozen meanwhile.
RESTORES: tuple[tuple[str, str | FaultPoint], ...] = (
    ("before today's run", "snapshot"),
    ("before today's plan", "plan"),
    ("before today's e-mails", "send"),
    ("after today's claim", FaultPoint("COMMITTED claiming invitations", 1)),
    ("after today's attempts were begun", FaultPoint("COMMITTED beginning attempts", 1)),
    ("before today's second POST", FaultPoint("POST invitations: begins", 2)),
    ("after today's second POST", FaultPoint("POST invitations: sent", 2)),
    ("after today's second answer", FaultPoint("POST invitations: answered", 2)),
    ("after today's answers were recorded", FaultPoint("COMMITTED recording answers", 1)),
    ("before today's report", "report"),
)

#: The next run reads yesterday's people again, whatever its ledger says of yesterday.
LOOK_BACK = {"look_back_days": 5}


def cases() -> Iterator[Case]:
    """Yield them all."""
    for database in DATABASES:
        for number, (backup, backed_up_at) in enumerate(BACKUPS):
            for offset, (restore, restored_at) in enumerate(RESTORES):
                # A quarter of them on each database, and those between plan and send on both.
                if (number + offset + DATABASES.index(database)) % 4 == 0 or restored_at == "send":
                    act = _Restored(backed_up_at, restored_at)
                    yield Case(KIND, f"backup {backup}, restored {restore}", database, act, LOOK_BACK)
        for backup, backed_up_at in BACKUPS[1::2]:
            for restore, restored_at in RESTORES[3:5]:
                name = f"backup {backup}, restored {restore}; its sender wakes up after the next run"
                yield Case(KIND, name, database, _Restored(backed_up_at, restored_at, zombie=True), LOOK_BACK)


@dataclass(frozen=True)
class _Restored:
    """Yesterday's run goes well; today the ledger is what the backup knows.

    :param zombie: a sender that was frozen at the fail-over is resumed an hour later, when another has sent.
    """

    backed_up_at: str | FaultPoint | None
    restored_at: str | FaultPoint
    zombie: bool = False

    def __call__(self, case: CaseRun) -> None:
        case.hire("d1", "d2", "d3", "d4", "d5")
        backup = _Backup(case)
        self._yesterday(case, backup)
        case.pass_time(20 * 3600)
        case.day += 1
        case.hire("e1", "e2", "e3", "e4")
        self._today(case, backup)

    def _yesterday(self, case: CaseRun, backup: _Backup) -> None:
        run = case.begin()
        for task in TASKS:
            if task == self.backed_up_at:
                backup.take()
            if task == "send" and isinstance(self.backed_up_at, FaultPoint):
                process = case.fork(run, task, {self.backed_up_at: freeze})
                wait_until_frozen(case, process)
                backup.take()
                case.collect(run, task, resume(process).wait())
            else:
                case.tries(run, task)
        if self.backed_up_at == "":
            backup.take()

    def _today(self, case: CaseRun, backup: _Backup) -> None:
        run = case.begin()
        for task in TASKS:
            if task == self.restored_at:
                backup.restore()
            if task == "send" and isinstance(self.restored_at, FaultPoint):
                self._send_meanwhile(case, run, backup, self.restored_at)
            else:
                case.tries(run, task)

    def _send_meanwhile(self, case: CaseRun, run: TaskRun, backup: _Backup, point: FaultPoint) -> None:
        process = case.fork(run, "send", {point: freeze})
        wait_until_frozen(case, process)
        backup.restore()
        if self.zombie:
            case.pass_time(3600)
            case.run(case.begin())
        if not case.collect(run, "send", resume(process).wait()).well:
            case.tries(run, "send")


class _Backup:
    """A backup of the ledger; until it is taken, that of a database without a table of ours."""

    def __init__(self, case: CaseRun) -> None:
        self._case = case
        self._content: ledger_rows.Copy | None = None
        self._taken_at = 0.0

    def take(self) -> None:
        """Take it."""
        self._content = ledger_rows.back_up(self._case.world.db)
        self._taken_at = self._case.environment.shared.ahead

    def restore(self) -> None:
        """Let a server take over that has this and no more; every session ends."""
        case = self._case
        engine = case.world.db.engine
        if case.database == POSTGRESQL:
            with engine.connect() as connection:
                connection.execute(text(database_faults.TERMINATE_OTHERS))
        if self._content is None:
            case.world.db.tables.metadata.drop_all(engine)
            return
        ledger_rows.restore(case.world.db, self._content)
        # The backup's instants are of then: as much time has passed since as for everybody else.
        case.world.pass_time(case.environment.shared.ahead - self._taken_at)
