"""The step from each version of the ledger's tables to the next, as SQL that a person may run, too.

A column that is added may be empty: workers of the version before write rows without it until they are upgraded.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Dialect, Index, Table
from sqlalchemy.schema import CreateColumn, CreateIndex

from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, Tables
from m3ter_provider import __version__


def _administrator_like(dialect: Dialect, tables: Tables) -> list[str]:
    """Version 2: the mirror tells which permission policies let people do everything."""
    policies = tables.mirror_policy
    # Without a complete snapshot there is no plan: the next one looks at the policies.
    unread = f"UPDATE {_name(dialect, tables.mirror_org)} SET complete_ms = NULL"  # noqa: S608 - our own names
    return [_add(dialect, policies.c.administrator_like), unread]


def _page(dialect: Dialect, tables: Tables) -> list[str]:
    """Version 3: who was asked, decided by hand or said no; and the ways in which Airflow's page lists what is here."""
    added = {
        tables.run: ("started", "org"),
        tables.plan: ("created",),
        tables.decision: ("kind", "person"),
        tables.invitation: ("run", "by_changed", "by_address", "by_expires"),
    }
    indexes = [
        next(index for index in table.indexes if index.name == f"ix_{table.name}_{name}")
        for table, names in added.items()
        for name in names
    ]
    columns = (tables.event.c.decided_by, *(tables.plan.c[name] for name in ("asked_at", "rejected_by", "rejected_at")))
    return [*(_add(dialect, column) for column in columns), *(_make(dialect, index) for index in indexes)]


_STEPS: dict[int, Callable[[Dialect, Tables], list[str]]] = {2: _administrator_like, 3: _page}


def upgrade_changes(dialect: Dialect, tables: Tables, version: int) -> list[str]:
    """Return the statements that change tables of an older version, without the note that they were run.

    :param version: of the tables as they are.
    """
    return [change for step in range(version + 1, SCHEMA_VERSION + 1) for change in _STEPS[step](dialect, tables)]


def upgrade_statements(dialect: Dialect, tables: Tables, version: int) -> list[str]:
    """Return all that a person runs to bring tables of an older version up to date, in this order, without ``;``.

    :param version: of the tables as they are.
    """
    noted = (
        f"INSERT INTO {_name(dialect, tables.schema_version)} (version, created_at, package_version)"  # noqa: S608
        f" VALUES ({SCHEMA_VERSION}, CURRENT_TIMESTAMP, '{__version__}')"
    )
    return [*upgrade_changes(dialect, tables, version), noted]


def _add(dialect: Dialect, column: Column[object]) -> str:
    table = column.table
    if not isinstance(table, Table):
        raise TypeError("only a table's column can be added")
    definition = CreateColumn(column).compile(dialect=dialect)
    return f"ALTER TABLE {_name(dialect, table)} ADD COLUMN {definition}"


def _make(dialect: Dialect, index: Index) -> str:
    # A person may have made it in advance: it takes a while on a large ledger.
    return " ".join(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)).split())


def _name(dialect: Dialect, table: Table) -> str:
    return str(dialect.identifier_preparer.format_table(table))
