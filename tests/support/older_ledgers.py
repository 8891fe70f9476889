"""Ledgers as older versions of the package left them, and what a database says of the tables that are in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

VERSIONS = Path(__file__).parent.parent / "onboarding" / "ledger" / "versions"

_POSTGRESQL_COLUMNS = text(
    "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
    " FROM information_schema.columns WHERE table_schema = 'public' AND table_name LIKE 'm3ter\\_%'"
)
_POSTGRESQL_INDEXES = text("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename LIKE 'm3ter\\_%'")

_SQLITE_TABLES = text("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'm3ter\\_%' ESCAPE '\\'")
_SQLITE_STATEMENT = text("SELECT sql FROM sqlite_master WHERE name = :name")


def run_script(engine: Engine, script: str) -> None:
    """Run statements as they are written, in one transaction."""
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    try:
        if isinstance(driver, sqlite3.Connection):
            driver.executescript(script)
        else:
            driver.execute(script.encode())
        connection.commit()
    finally:
        connection.close()


def load_ledger(engine: Engine, version: int) -> None:
    """Make the tables of a version in an empty database, with what its runs left in them."""
    for kind in ("", ".rows"):
        run_script(engine, (VERSIONS / f"{version}.{engine.dialect.name}{kind}.sql").read_text(encoding="utf-8"))


def described_tables(engine: Engine) -> dict[str, list[Any]]:
    """Return columns and indexes of the ledger's tables, those behind unique and primary keys included.

    The order of columns does not count: what is added later stands last.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            columns = [tuple(row) for row in connection.execute(_POSTGRESQL_COLUMNS)]
            indexes = [str(found) for found in connection.execute(_POSTGRESQL_INDEXES).scalars()]
            return {"columns": sorted(columns, key=str), "indexes": sorted(indexes)}
        columns, indexes = [], []
        for table in connection.execute(_SQLITE_TABLES).scalars().all():
            found = connection.exec_driver_sql(f"PRAGMA table_xinfo({table})")
            columns += [(table, *tuple(row)[1:]) for row in found]
            for index in connection.exec_driver_sql(f"PRAGMA index_list({table})").all():
                made = connection.execute(_SQLITE_STATEMENT, {"name": index.name})
                parts = connection.exec_driver_sql(f"PRAGMA index_xinfo('{index.name}')").all()
                keys = [part.name for part in parts if part.key]
                indexes.append(str((table, index.name, index.unique, keys, "".join((made.scalar() or "").split()))))
        return {"columns": sorted(columns, key=str), "indexes": sorted(indexes)}
