"""The steps from each version of the ledger's tables to the next, read from ``migrations/``.

A step is a numbered file of SQL for each database, and never changes once it is released: ledgers were made with it. It
is not compiled from ``tables``, which go on changing. ``{schema}`` stands before each table for the configured
``ledger_schema``. The comment at its head says whether it is safe before workers are upgraded; a column that is added
may be empty, since they write rows without it until then.

To change the tables: change ``tables.py``, raise ``SCHEMA_VERSION``, write the two files, and keep a ledger of the
version before in ``tests/onboarding/ledger/versions/``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from sqlalchemy import Connection, Dialect, inspect

from m3ter_onboarding.ledger.person_view import view_ddl
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, Tables
from m3ter_provider import __version__

_FILE = re.compile(r"(?P<version>\d{4})_\w+\.(?P<dialect>postgresql|sqlite)\.sql")
_ADDED_COLUMN = re.compile(r"ALTER TABLE (?P<table>\w+) ADD COLUMN (?P<column>\w+) ")


@dataclass(frozen=True)
class Step:
    """One step to the next version.

    :param version: of the tables after it.
    :param about: what it does, and whether it is safe before workers are upgraded; lines of comment.
    :param statements: without ``;``, in their order.
    """

    version: int
    about: str
    statements: tuple[str, ...]


def upgrade_steps(dialect: Dialect, tables: Tables, version: int) -> list[Step]:
    """Return the steps that bring tables of an older version up to date, in their order.

    :param version: of the tables as they are.
    """
    texts = _texts(dialect.name)
    schema = tables.metadata.schema
    prefix = "" if schema is None else f"{dialect.identifier_preparer.quote(schema)}."
    return [_step(step, texts[step].replace("{schema}", prefix)) for step in range(version + 1, SCHEMA_VERSION + 1)]


def upgrade_statements(dialect: Dialect, tables: Tables, version: int) -> list[str]:
    """Return all that a person runs to bring tables of an older version up to date, in this order, without ``;``.

    :param version: of the tables as they are.
    """
    changes = [change for step in upgrade_steps(dialect, tables, version) for change in step.statements]
    return [*changes, view_ddl(dialect, tables.of_people), record_version(dialect, tables)]


def record_version(dialect: Dialect, tables: Tables) -> str:
    """Return the statement that records that the tables are up to date."""
    name = dialect.identifier_preparer.format_table(tables.schema_version)
    return (
        f"INSERT INTO {name} (version, created_at, package_version)"  # noqa: S608 - our own names
        f" VALUES ({SCHEMA_VERSION}, CURRENT_TIMESTAMP, '{__version__}') ON CONFLICT DO NOTHING"
    )


def run_steps(connection: Connection, tables: Tables, version: int) -> None:
    """Bring tables of an older version up to date, without recording it; what is there already is left as it is."""
    for step in upgrade_steps(connection.dialect, tables, version):
        for statement in step.statements:
            if not _adds_known_column(connection, statement):
                connection.exec_driver_sql(statement)


def _adds_known_column(connection: Connection, statement: str) -> bool:
    """Return whether a column is there already; SQLite has no ADD COLUMN IF NOT EXISTS."""
    added = _ADDED_COLUMN.match(statement) if connection.dialect.name == "sqlite" else None
    return added is not None and any(
        column["name"] == added["column"] for column in inspect(connection).get_columns(added["table"])
    )


@lru_cache(maxsize=2)
def _texts(dialect_name: str) -> dict[int, str]:
    """Return the file of each step by the version that it leads to."""
    found = {}
    for file in files(__package__).joinpath("migrations").iterdir():
        name = _FILE.fullmatch(file.name)
        if name and name["dialect"] == dialect_name:
            found[int(name["version"])] = file.read_text(encoding="utf-8")
    return found


def _step(version: int, text: str) -> Step:
    lines, about = text.splitlines(), []
    while lines and lines[0].startswith("--"):
        about.append(lines.pop(0))
    sql = "\n".join(line for line in lines if not line.startswith("--"))
    statements = (" ".join(statement.split()) for statement in sql.split(";"))
    return Step(version, "\n".join(about), tuple(filter(None, statements)))
