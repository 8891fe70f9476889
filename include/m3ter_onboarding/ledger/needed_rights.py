"""Whether the ledger's user may do what a run does: each right is tried by a statement that changes no row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Executable, Table, delete, false, select, text, update
from sqlalchemy.exc import DBAPIError

from m3ter_onboarding.ledger.database import LedgerDatabase


def missing_rights(db: LedgerDatabase) -> tuple[str, ...]:
    """Return the rights on the ledger's tables that a run needs and its user has not, such as ``DELETE on …``.

    Nothing is changed: the transaction is rolled back.

    :raises LedgerError: when the database refuses otherwise, or stays away.
    """

    def work(connection: Connection) -> tuple[str, ...]:
        return tuple(right for table in db.tables.all() for right in _missing(connection, db, table))

    return db.rehearse(work, doing="trying the rights that a run needs")


def _missing(connection: Connection, db: LedgerDatabase, table: Table) -> Iterator[str]:
    some = next(iter(table.columns))
    statements: dict[str, Executable] = {"SELECT": select(some).where(false())}
    if table is not db.tables.schema_version:
        statements |= {
            "INSERT": table.insert().from_select([some], select(some).where(false())),
            "UPDATE": update(table).values({some: some}).where(false()),
            "DELETE": delete(table).where(false()),
        }
    for right, statement in statements.items():
        trial = connection.begin_nested()
        try:
            connection.execute(statement)
        except DBAPIError as error:
            if not _is_refused(error):
                raise
            yield f"{right} on {table.fullname}"
        finally:
            trial.rollback()
    if connection.dialect.name == "postgresql" and not _may_number(connection, table):
        yield f"USAGE on the sequence of {table.fullname}"


def _is_refused(error: DBAPIError) -> bool:
    """Return whether a database refuses for want of a right: PostgreSQL's 42501, SQLite's read-only file."""
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", "")
    return state == "42501" or str(state).startswith("SQLITE_READONLY")


def _may_number(connection: Connection, table: Table) -> bool:
    column = table.autoincrement_column
    if column is None or column.autoincrement is not True:
        return True
    sequence = connection.execute(
        text("SELECT pg_get_serial_sequence(:table, :column)"),
        {"table": connection.dialect.identifier_preparer.format_table(table), "column": column.name},
    ).scalar()
    asked = text("SELECT has_sequence_privilege(:sequence, 'USAGE')")
    return sequence is None or bool(connection.execute(asked, {"sequence": sequence}).scalar())
