"""What a database does for a statement of the page: which tables are read from end to end, and how many rows are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event


@dataclass
class Statements:
    """Statements that an engine ran, with their parameters.

    :param with_settings: these, and the settings of the planner between them.
    """

    ran: list[tuple[str, Any]] = field(default_factory=list)
    with_settings: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, _c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        """Keep one."""
        if statement.lstrip().upper().startswith(("SELECT", "WITH")) and "m3ter_" in statement and not many:
            self.ran.append((statement, parameters))
            self.with_settings.append((statement, parameters))
        elif statement.startswith("SET LOCAL enable_"):
            self.with_settings.append((statement, ()))


@contextmanager
def statements_of(engine: type[Engine] | Engine) -> Iterator[Statements]:
    """Keep what an engine, or any, runs while the body runs."""
    kept = Statements()
    event.listen(engine, "before_cursor_execute", kept)
    try:
        yield kept
    finally:
        event.remove(engine, "before_cursor_execute", kept)


@contextmanager
def all_statements() -> Iterator[Counter[str]]:
    """Count what is asked of the ledger and of Airflow's metadata while the body runs."""
    asked: Counter[str] = Counter()

    def count(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")) and "set_config" not in statement:
            asked["ledger" if "m3ter_" in statement else "airflow"] += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", count)


@dataclass
class Work:
    """What PostgreSQL did: the tables that it read from end to end, rows and blocks that it read."""

    scanned: set[str] = field(default_factory=set)
    rows: int = 0
    blocks: int = 0

    def add(self, node: dict[str, Any]) -> None:
        """Add what one node of a plan did, and those below it."""
        if "Relation Name" in node:
            read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            read += node.get("Rows Removed by Index Recheck", 0)
            self.rows += round(read * node["Actual Loops"])
            if node["Node Type"] == "Seq Scan":
                self.scanned.add(node["Relation Name"])
        for below in node.get("Plans", ()):
            self.add(below)


def work_of_postgresql(engine: Engine, kept: Statements) -> Work:
    """Run statements again, and tell what each made PostgreSQL do; together."""
    work = Work()
    with engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # as the page does
        for statement, parameters in kept.with_settings:
            if statement.startswith("SET LOCAL"):
                connection.exec_driver_sql(statement)
                continue
            explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            [plan] = connection.exec_driver_sql(explain, parameters).scalar_one()
            work.add(plan["Plan"])
            work.blocks += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return work


def scans_of_sqlite(engine: Engine, kept: Statements) -> list[str]:
    """Return what SQLite reads from end to end for statements."""
    with engine.connect() as connection:
        return [
            row[3]
            for statement, parameters in kept.ran
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            if row[3].startswith("SCAN")
        ]
