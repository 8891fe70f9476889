"""Claiming all people of a plan, a chunk after the other: does the last tenth take longer than the first?

``python -m benchmarks claiming --people 20000,100000 --database sqlite|postgresql``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks._organisation import Organisation
from benchmarks.planning import database_for
from tests.support.databases import POSTGRESQL, SQLITE


def main(options: Sequence[str] = ()) -> None:
    """Print a table, and the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks claiming")
    parser.add_argument("--people", default="5000", help="numbers of people, with commas between")
    parser.add_argument("--database", choices=[SQLITE, POSTGRESQL], action="append", help="may be given twice")
    chosen = parser.parse_args(options)
    measured = []
    print("| database | people | all s | people/s | first tenth s | last tenth s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for database in chosen.database or [SQLITE, POSTGRESQL]:
        for people in map(int, chosen.people.split(",")):
            tenths = measure(database, people)
            measured.append({"database": database, "people": people, "tenths": tenths})
            print(
                f"| {database} | {people:,} | {sum(tenths):.1f} | {people / sum(tenths):,.0f}"
                f" | {tenths[0]:.2f} | {tenths[-1]:.2f} |",
                flush=True,
            )
    print(json.dumps(measured))


def measure(database: str, people: int) -> list[float]:
    """Plan in a new database and claim everybody; return the seconds of each tenth."""
    with (
        tempfile.TemporaryDirectory(prefix="m3ter-bench-") as folder,
        database_for(database, Path(folder)) as connection,
    ):
        organisation = Organisation(connection, people, people)
        organisation.step("load")
        return list(organisation.step("claim")["tenths"])
