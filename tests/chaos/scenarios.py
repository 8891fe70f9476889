"""Runs in which things go wrong at fault points, and the points that they have."""

from __future__ import annotations

import ast
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import select

from tests.chaos.cases import Case, open_play
from tests.chaos.play import TASKS, Play
from tests.chaos.points import Point, source_folders
from tests.chaos.theatre import DATABASES, Theatre
from tests.onboarding.tasks import TaskRun
from tests.onboarding.world import HIRES

CREATE = "CreateOrgUserInvitation"


@dataclass(frozen=True)
class Scenario:
    """A run that does everything that a step can do.

    :param prepare: loads people and brings about what was before; returns the run.
    """

    name: str
    prepare: Callable[[Play], TaskRun]
    values: Mapping[str, Any] = field(default_factory=dict)
    tables: bool = True
    connection: Mapping[str, Any] = field(default_factory=dict)

    def case(self, kind: str, name: str, database: str, act: Callable[[Play, TaskRun], None]) -> Case:
        """Return a case that acts on this run."""
        return Case(
            kind,
            f"{self.name}: {name}",
            database,
            lambda play: act(play, self.prepare(play)),
            self.values,
            self.tables,
            self.connection,
        )


def first_run(play: Play) -> TaskRun:
    """Nothing is there yet, not even tables."""
    by_hand = {"invitingPrincipalId": "somebody", "createdBy": "somebody"}
    play.theatre.m3ter.seed(
        users=[{"email": "member@example.com", "dtCreated": "-100d"}],
        invitations=[
            {"email": "invited@example.com", **by_hand},
            {"email": "old@example.com", "dtCreated": "-45d", **by_hand},
        ],
    )
    play.hire("e1", "e2", "e3", "e4")
    play.hire("member", "invited", expected=0)
    play.hire("broken", expected=0, email="no address")
    return play.begin()


def after_a_dead_sender(play: Play) -> TaskRun:
    """Yesterday's sender was killed between two POSTs; since then a refused row was mended and somebody has left."""
    play.theatre.m3ter.seed(users=[{"email": "leaver@example.com", "dtCreated": "-100d", "dtEndAccess": "+30m"}])
    play.hire("d1", "d2", "d3", "d4", "d5")
    play.theatre.m3ter.faults(kind="status", status=400, email="d5@example.com", count=1)
    play.theatre.m3ter.faults(kind="hang", email="d2@example.com", count=1)
    yesterday = play.begin()
    play.task(yesterday, "snapshot")
    play.task(yesterday, "plan")
    play.task(yesterday, "send", {Point("COMMIT recording answers", 1): die})
    play.theatre.m3ter.clear_faults()
    play.world.correct("d5", first_name="Mended")
    play.pass_time(3600)
    play.day += 1
    play.hire("e1", "e2", "e3")
    return play.begin()


def without_answers(play: Play) -> TaskRun:
    """M3ter answers some POSTs with 504 or not at all, refuses one, and revokes the token."""
    m3ter = play.theatre.m3ter
    play.hire("e1", "e2", "e3", "e4", "e5")
    play.hire("refused", expected=0)
    m3ter.faults(kind="status", status=504, when="after", operation=CREATE, email="e1@example.com", count=1)
    m3ter.faults(kind="reset", when="before", operation=CREATE, email="e2@example.com", count=1)
    m3ter.faults(kind="drop", when="after", operation=CREATE, email="e3@example.com", count=1)
    m3ter.faults(kind="revoke_token", operation=CREATE, email="e4@example.com", count=1)
    m3ter.faults(kind="status", status=400, operation=CREATE, email="refused@example.com")
    return play.begin()


SCENARIOS = (
    Scenario("first run", first_run, tables=False),
    Scenario("after a dead sender", after_a_dead_sender, connection={"timeout_seconds": 1}),
    Scenario("without answers", without_answers),
)


def expect_whoever_was_not_refused(play: Play) -> None:
    """Expect an e-mail for whom m3ter refused, where that was never recorded: she is asked for again without it."""
    with play.world.db.engine.connect() as connection:
        refused = connection.execute(select(HIRES.c.employee_id).where(HIRES.c.employee_id == "refused")).first()
    if refused and play.world.states().get("refused@example.com") != "failed":
        play.expected["refused@example.com"] = 1


def die(_connection: Any) -> None:
    """End this process as a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


Recording = Mapping[tuple[str, str, str], tuple[Point, ...]]
"""Scenario, database and task → the points of that task, in the order in which one run reached them."""


def record(theatre: Theatre) -> tuple[Recording, frozenset[str]]:
    """Play every scenario without trouble; return its points, and the modules that its tasks imported."""
    found: dict[tuple[str, str, str], tuple[Point, ...]] = {}
    imported = theatre.folder / "imported"

    def noting_imports(call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            with imported.open("a") as file:
                file.writelines(f"{name}\n" for name in list(sys.modules))

    for scenario in SCENARIOS:
        for database in DATABASES:
            case = scenario.case("recording", "", database, lambda play, run: None)
            play = open_play(theatre, case, seed=0)
            run = scenario.prepare(play)
            for task in TASKS:
                ended = play.task(run, task, around=noting_imports)
                found[scenario.name, database, task] = ended.points
    return found, frozenset(imported.read_text().split())


#: Writes of the ledger that none of the scenarios makes, and why.
NOT_PLAYED: Mapping[str, str] = {}


def check_complete(recording: Recording) -> None:
    """Check that every write of our code to the ledger is a fault point of some scenario.

    :raises SystemExit: one is not: a scenario must do what leads to it, or :data:`NOT_PLAYED` say why not.
    """
    played = {
        point.label.removeprefix("COMMITTED ")
        for points in recording.values()
        for point in points
        if point.label.startswith("COMMITTED ")
    }
    missing = writes_in_source() - played - set(NOT_PLAYED)
    stale = set(NOT_PLAYED) & played
    if missing or stale:
        raise SystemExit(
            f"No scenario makes these writes: {sorted(missing)}; these are made after all: {sorted(stale)}"
        )


@cache
def writes_in_source() -> frozenset[str]:
    """Return what the ledger's writes are for, as their calls in the source say (``doing="…"``)."""
    found: set[str] = set()
    for folder in source_folders():
        for path in folder.rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "write":
                    found |= {str(ast.literal_eval(word.value)) for word in call.keywords if word.arg == "doing"}
    return frozenset(found)


def changes_something(point: Point) -> bool:
    """Tell whether a point is a write or a call: before or after it, the world is another one."""
    if point.label.startswith("COMMIT"):
        return point.label.partition(" ")[2] in writes_in_source()
    verb = point.label.rpartition(": ")[2]
    return verb not in ("SELECT", "PRAGMA", "SET", "BEGIN", "SHOW")


def inside_transaction(point: Point) -> bool:
    """Tell whether nothing is durable yet at a point: before a COMMIT, and at a statement before it."""
    if point.label.startswith("COMMIT"):
        return point.label.startswith("COMMIT ")
    return point.label.rpartition(": ")[2].isupper()
