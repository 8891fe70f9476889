"""The fault points of the scenarios, found by running them, and what kind of point each is."""

from __future__ import annotations

import ast
import sys
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from typing import Any

from tests.chaos.case_run import TASKS
from tests.chaos.cases import start_case
from tests.chaos.environment import DATABASES, Environment
from tests.chaos.fault_points import FaultPoint, source_folders
from tests.chaos.scenarios import ASKED, SCENARIOS

Recording = Mapping[tuple[str, str, str], tuple[FaultPoint, ...]]
"""Scenario, database and task → the points of that task, in the order in which one run reached them."""


def record(environment: Environment) -> tuple[Recording, frozenset[str]]:
    """Run every scenario without a fault; return its points, and the modules that its tasks imported.

    Twice: how often a point comes, such as a look for the next claim, depends a little on timing.
    """
    found: dict[tuple[str, str, str], tuple[FaultPoint, ...]] = {}
    imported = environment.folder / "imported"

    def noting_imports(call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            with imported.open("a") as file:
                file.writelines(f"{name}\n" for name in list(sys.modules))

    for scenario, database in [*product((*SCENARIOS, *ASKED), DATABASES)] * 2:
        spec = scenario.case("recording", "", database, lambda case, run: None)
        case = start_case(environment, spec, seed=0)
        run = scenario.prepare(case)
        for task in TASKS:
            ended = case.task(run, task, around=noting_imports)
            before = found.get((scenario.name, database, task), ())
            known = set(before)
            found[scenario.name, database, task] = (*before, *(p for p in ended.points if p not in known))
    return found, frozenset(imported.read_text().split())


#: Writes of the ledger that none of the scenarios makes, and why.
NOT_RECORDED: Mapping[str, str] = {
    "recording that it is the same m3ter": (
        "no task of a run does: a person does, by a command; one transaction that may be repeated"
        " (tests/onboarding/ledger/test_known_hosts.py)"
    ),
    "holding people back": (
        "a plan that became forbidden in part since it was made: one transaction before anything is claimed, which each"
        " start of `send` makes anew (tests/rules/test_d08_todays_settings.py)"
    ),
    "erasing what is old": (
        "no task of a run erases: a person does, by a command; it is one transaction a batch, and may be repeated"
    ),
    "listing who starts soon": (
        "by the day-one DAG: one transaction that reads the ledger and writes two lists that nothing else reads; each"
        " pass makes both anew (tests/onboarding/ledger/test_day_one.py)"
    ),
    "claiming the digest of the day": (
        "by the day-one DAG: one conditional UPDATE before the digest is sent; without it there is one message less"
    ),
    "writing what a person decided": "by the page and not by a task: one transaction, which a person sees fail",
    "noting what differs in m3ter": (
        "one transaction after m3ter was read; it changes entries of the worklist that no plan and no sender reads, and"
        " each reading compares anew (tests/onboarding/ledger/test_differences.py)"
    ),
    **dict.fromkeys(
        (
            "beginning an access review",
            "storing who has a job",
            "mirroring policies of users",
            "recording findings about access",
            "ending findings about access",
            "finishing an access review",
        ),
        "by the access review, a DAG of its own, in tables that no plan and no sender reads; the next read compares"
        " anew (tests/onboarding/tasks/test_review_access.py)",
    ),
    "bringing its tables up to date (the connection's user needs the right to)": (
        "one transaction before a task does anything, on a ledger of an older version: it has happened, or the next"
        " task does it (test_d16_tables_of_an_older_version_…)"
    ),
}


def check_complete(recording: Recording) -> None:
    """Check that every write of our code to the ledger is a fault point of some scenario.

    :raises SystemExit: one is not: a scenario must do what leads to it, or :data:`NOT_RECORDED` say why not.
    """
    recorded = {
        point.label.removeprefix("COMMITTED ")
        for points in recording.values()
        for point in points
        if point.label.startswith("COMMITTED ")
    }
    missing = writes_in_source() - recorded - set(NOT_RECORDED)
    stale = set(NOT_RECORDED) & recorded
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


def changes_something(point: FaultPoint) -> bool:
    """Return whether a point is a write or a call: before or after it, the world is another one."""
    if point.label.startswith("COMMIT"):
        return point.label.partition(" ")[2] in writes_in_source()
    verb = point.label.rpartition(": ")[2]
    return verb not in ("SELECT", "PRAGMA", "SET", "BEGIN", "SHOW")


def inside_transaction(point: FaultPoint) -> bool:
    """Return whether nothing is durable yet at a point: before a COMMIT, and at a statement before it."""
    if point.label.startswith("COMMIT"):
        return point.label.startswith("COMMIT ")
    return point.label.rpartition(": ")[2].isupper()


def draw_number(point: FaultPoint, of: int) -> int:
    """Draw a number from 0 on for a point: always the same, whichever others there are beside it."""
    return zlib.crc32(str(point).encode()) % of
