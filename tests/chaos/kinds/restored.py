"""The ledger's server fails, and one takes over that knows no more than yesterday's backup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from tests.chaos import databases
from tests.chaos.cases import Case
from tests.chaos.play import TASKS, Play
from tests.chaos.points import Point, stand_still
from tests.chaos.standstill import let_go_on, wait_for
from tests.chaos.theatre import DATABASES, POSTGRESQL
from tests.support.task_runs import TaskRun

KIND = "failover to a restored ledger"

#: When the backup was made: before a task of yesterday's run, or at a point of its sender; None: no table existed yet.
BACKUPS: tuple[tuple[str, str | Point | None], ...] = (
    ("of no table", None),
    ("before yesterday's run", "snapshot"),
    ("before yesterday's plan", "plan"),
    ("before yesterday's e-mails", "send"),
    ("of yesterday's claim", Point("COMMITTED claiming invitations", 1)),
    ("of yesterday's attempts", Point("COMMITTED beginning attempts", 1)),
    ("of yesterday's POSTs", Point("POST invitations: sent", 2)),
    ("of yesterday's answers", Point("COMMITTED recording answers", 1)),
    ("before yesterday's report", "report"),
    ("after yesterday's run", ""),
)

#: When it is restored: before a task of today's run, or at a point of its sender, which stands still meanwhile.
RESTORES: tuple[tuple[str, str | Point], ...] = (
    ("before today's run", "snapshot"),
    ("before today's plan", "plan"),
    ("before today's e-mails", "send"),
    ("after today's claim", Point("COMMITTED claiming invitations", 1)),
    ("after today's attempts were begun", Point("COMMITTED beginning attempts", 1)),
    ("before today's second POST", Point("POST invitations: begins", 2)),
    ("after today's second POST", Point("POST invitations: sent", 2)),
    ("after today's second answer", Point("POST invitations: answered", 2)),
    ("after today's answers were recorded", Point("COMMITTED recording answers", 1)),
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

    :param zombie: a sender that stood still at the fail-over wakes up an hour later, when another has sent.
    """

    backed_up_at: str | Point | None
    restored_at: str | Point
    zombie: bool = False

    def __call__(self, play: Play) -> None:
        play.hire("d1", "d2", "d3", "d4", "d5")
        backup = _Backup(play)
        self._yesterday(play, backup)
        play.pass_time(20 * 3600)
        play.day += 1
        play.hire("e1", "e2", "e3", "e4")
        self._today(play, backup)

    def _yesterday(self, play: Play, backup: _Backup) -> None:
        run = play.begin()
        for task in TASKS:
            if task == self.backed_up_at:
                backup.take()
            if task == "send" and isinstance(self.backed_up_at, Point):
                process = play.fork(run, task, {self.backed_up_at: stand_still})
                wait_for(play, process)
                backup.take()
                play.collect(run, task, let_go_on(process).wait())
            else:
                play.tries(run, task)
        if self.backed_up_at == "":
            backup.take()

    def _today(self, play: Play, backup: _Backup) -> None:
        run = play.begin()
        for task in TASKS:
            if task == self.restored_at:
                backup.restore()
            if task == "send" and isinstance(self.restored_at, Point):
                self._send_meanwhile(play, run, backup, self.restored_at)
            else:
                play.tries(run, task)

    def _send_meanwhile(self, play: Play, run: TaskRun, backup: _Backup, point: Point) -> None:
        process = play.fork(run, "send", {point: stand_still})
        wait_for(play, process)
        backup.restore()
        if self.zombie:
            play.pass_time(3600)
            play.run(play.begin())
        if not play.collect(run, "send", let_go_on(process).wait()).well:
            play.tries(run, "send")


class _Backup:
    """A backup of the ledger; until it is taken, that of a database without a table of ours."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._content: dict[str, list[dict[str, Any]]] | None = None
        self._taken_at = 0.0

    def take(self) -> None:
        """Take it."""
        self._content = self._play.theatre.backup(self._play.database)
        self._taken_at = self._play.theatre.shared.ahead

    def restore(self) -> None:
        """Let a server take over that has this and no more; every session ends."""
        play = self._play
        engine = play.world.db.engine
        if play.database == POSTGRESQL:
            with engine.connect() as connection:
                connection.execute(text(databases.TERMINATE_OTHERS))
        if self._content is None:
            play.world.db.tables.metadata.drop_all(engine)
            return
        play.theatre.restore(play.database, self._content)
        # The backup's instants are of then: as much time has passed since as for everybody else.
        play.world.pass_time(play.theatre.shared.ahead - self._taken_at)
