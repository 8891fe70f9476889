"""A plan of many people: how fast, in how much memory, and whether twice the people take twice the time.

``python -m benchmarks planning --people 10000,100000 --new all|100 --database sqlite|postgresql``: warehouse and ledger
in one real database, each size in a fresh process. Without options: the smallest sizes, on both databases, and a ledger
that is empty.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._organisation import Organisation
from tests.support.databases import POSTGRESQL, SQLITE, sqlite_connection
from tests.support.postgresql import PostgresServer, running_postgres


def main(options: Sequence[str] = ()) -> None:
    """Print a table, and the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks planning")
    parser.add_argument("--people", default="5000,20000", help="numbers of people, with commas between")
    parser.add_argument("--new", default="all", help="how many of them m3ter does not know")
    parser.add_argument("--invitations", type=int, default=0, help="of earlier years, in the ledger")
    parser.add_argument("--members", type=int, default=0, help="users that m3ter has, those in the warehouse included")
    parser.add_argument("--database", choices=[SQLITE, POSTGRESQL], action="append", help="may be given twice")
    chosen = parser.parse_args(options)
    sizes = [int(size) for size in chosen.people.split(",")]
    measured = []
    for database in chosen.database or [SQLITE, POSTGRESQL]:
        for people in sizes:
            new = people if chosen.new == "all" else min(int(chosen.new), people)
            measured.append(measure(database, people, new, invitations=chosen.invitations, members=chosen.members))
    print(table(measured))
    slopes = dict(slopes_of(measured))
    for name, slope in slopes.items():
        print(f"{name}: time grows as people to the power of {slope:.2f} (1: linear)")
    print(json.dumps({"measured": measured, "slopes": slopes}))


def table(measured: Sequence[dict[str, Any]]) -> str:
    """Return the figures of plans as a table in Markdown."""
    lines = [
        "| database | people | new | wall s | CPU s | people/s (wall) | people/s (CPU) | peak MiB | before MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one['database']} | {one['people']:,} | {one['new']:,} | {one['wall']:.1f} | {one['cpu']:.1f}"
        f" | {one['people'] / one['wall']:,.0f} | {one['people'] / one['cpu']:,.0f}"
        f" | {one['peak_mib']:.0f} | {one['before_mib']:.0f} |"
        for one in measured
    ]
    return "\n".join(lines)


def measure(database: str, people: int, new: int, *, invitations: int = 0, members: int = 0) -> dict[str, Any]:
    """Load an organisation into a new database, plan, and return the figures.

    :param invitations: of earlier years, in the ledger.
    :param members: users that m3ter has.
    """
    with (
        tempfile.TemporaryDirectory(prefix="m3ter-bench-") as folder,
        database_for(database, Path(folder)) as connection,
    ):
        organisation = Organisation(connection, people, new, invitations, members)
        organisation.step("load")
        return {"database": database, "people": people, "new": new, **organisation.step("plan")}


def slopes_of(measured: Sequence[dict[str, Any]], figure: str = "wall") -> Iterator[tuple[str, float]]:
    """Yield, by database, the power of the number of people with which the figure of the two largest grows."""
    for database in dict.fromkeys(one["database"] for one in measured):
        sizes = sorted((one["people"], one[figure]) for one in measured if one["database"] == database)
        if len(sizes) > 1:
            (few, short), (many, long) = sizes[-2:]
            yield database, math.log(long / short) / math.log(many / few)


@contextmanager
def database_for(database: str, folder: Path) -> Iterator[str]:
    """Give an Airflow connection to a new database."""
    if database == SQLITE:
        yield sqlite_connection(folder / "bench.db")
        return
    with running_postgres(folder / "postgres") as server:
        assert isinstance(server, PostgresServer)
        yield server.new_database().airflow_connection()
