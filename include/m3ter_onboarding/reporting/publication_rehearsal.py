"""Whether results could be published: each table is written, by statements that change no row."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, Table, delete, false, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.reporting.publication import holds_a_ledger, not_published, prepare_published
from m3ter_onboarding.reporting.published_tables import PublishedTables, published_tables

#: Where a table that was made disappears with its transaction; elsewhere DDL stays.
_ROLL_BACK_TABLES = ("postgresql", "sqlite")


def rehearse_publication(db: LedgerDatabase, warehouse: Engine, *, create_tables: bool) -> str:
    """Try whether results can be published, change nothing, and return what was found.

    :param create_tables: whether tasks make what is missing.
    :raises LedgerError: as a publication would.
    """
    if holds_a_ledger(db, warehouse):
        return "the warehouse holds the ledger itself; nothing is published."
    tables = published_tables(db.tables, warehouse.dialect.name)
    try:
        with warehouse.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's module begins none before DDL
            try:
                return _rehearse(connection, tables, create_tables=create_tables)
            finally:
                connection.rollback()
    except SQLAlchemyError as error:
        raise not_published(error, create_tables=create_tables) from None


def _rehearse(connection: Connection, tables: PublishedTables, *, create_tables: bool) -> str:
    look = inspect(connection)
    missing = [copy.table for copy in tables.all() if not look.has_table(copy.table.name)]
    if missing and create_tables and connection.dialect.name not in _ROLL_BACK_TABLES:
        if len(missing) < len(tables.all()):
            _write_no_row(connection, next(copy.table for copy in tables.all() if copy.table not in missing))
        return f"{len(missing)} of its tables are missing: the first run makes them, if it may."
    if connection.dialect.name in _ROLL_BACK_TABLES or not create_tables:
        prepare_published(connection, tables, create_tables=create_tables)
    for copy in tables.all():
        _write_no_row(connection, copy.table)
    return "the tables of results can be written (nothing was changed)."


def _write_no_row(connection: Connection, table: Table) -> None:
    connection.execute(delete(table).where(false()))
    # All columns: MySQL rejects one without a default that is left out, though there is no row.
    connection.execute(table.insert().from_select(list(table.columns.keys()), select(*table.columns).where(false())))
