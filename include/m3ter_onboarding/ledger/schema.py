"""The ledger's tables in a database: made on first use, brought up to date, checked (``tables`` declares them)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, insert, inspect, select, text

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.errors import LedgerUnusableError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.person_view import make_view
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION
from m3ter_onboarding.ledger.upgrades import run_steps, upgrade_statements


def prepare_tables(db: LedgerDatabase, *, create_tables: bool, now: datetime, package_version: str) -> None:
    """Make the tables on first use, bring those of an older version up to date, and check the version.

    :param create_tables: False where tasks may not create or change tables; they must be there then.
    :raises LedgerUnusableError: when tables are missing, belong to a newer version of this package, or to an older
        one and may not be changed: then with the statements to run.
    """
    version = tables_version(db)
    if version is None:
        if not create_tables:
            raise LedgerUnusableError(
                f"The ledger's tables are missing (connection {db.name!r}) and `create_tables` is false. "
                "Let somebody who may make them run what `m3ter-onboarding ddl` prints, or set `ledger_schema` to"
                " where they are."
            )
        db.write(
            lambda c: _create(db, c, now, package_version),
            doing="creating its tables (the connection's user needs the right to, or set `create_tables: false`)",
        )
        version = tables_version(db)
    elif version < SCHEMA_VERSION:
        if not create_tables:
            statements = upgrade_statements(db.engine.dialect, db.tables, version)
            raise LedgerUnusableError(
                f"The ledger's tables (connection {db.name!r}) have version {version}, this package needs"
                f" {SCHEMA_VERSION}, and `create_tables` is false. Nothing is planned or sent until somebody who"
                f" may has run: {' '.join(f'{statement};' for statement in statements)}"
            )
        db.write(
            lambda c: _upgrade(db, c, now, package_version),
            doing="bringing its tables up to date (the connection's user needs the right to)",
        )
        version = tables_version(db)
    if version is None or version > SCHEMA_VERSION:
        raise LedgerUnusableError(
            f"The ledger's tables have version {version}, this package knows {SCHEMA_VERSION}. "
            "Upgrade airflow-provider-m3ter on every worker."
        )


def rehearse_tables(db: LedgerDatabase) -> None:
    """Make the tables, or bring them up to date, in a transaction that is rolled back.

    :raises LedgerError: when the connection's user may not.
    """
    change, now = _create if tables_version(db) is None else _upgrade, utc_now()
    db.rehearse(
        lambda c: change(db, c, now, ""),
        doing="making or changing its tables (the connection's user needs the right to, or set `create_tables: false`)",
    )


def tables_version(db: LedgerDatabase) -> int | None:
    """Return the version of the ledger's tables, or None where there are none; nothing is changed.

    :raises LedgerError: when the database cannot be reached or read.
    """
    table = db.tables.schema_version

    def look(connection: Connection) -> int | None:
        if not inspect(connection).has_table(table.name, schema=table.schema):
            return None
        return connection.execute(select(func.max(table.c.version))).scalar()

    return db.read(look, doing="looking for its tables")


def _create(db: LedgerDatabase, connection: Connection, now: datetime, package_version: str) -> None:
    # Two first runs at once: CREATE TABLE IF NOT EXISTS alone can collide in PostgreSQL's catalogue.
    _lock_tables(connection)
    db.tables.metadata.create_all(connection, checkfirst=True)
    version = db.tables.schema_version
    if connection.execute(select(func.count()).select_from(version)).scalar_one() == 0:
        connection.execute(
            insert(version).values(version=SCHEMA_VERSION, created_at=now, package_version=package_version)
        )


def _upgrade(db: LedgerDatabase, connection: Connection, now: datetime, package_version: str) -> None:
    _lock_tables(connection)
    table = db.tables.schema_version
    version = connection.execute(select(func.max(table.c.version))).scalar_one()
    if version >= SCHEMA_VERSION:
        return  # another task was faster
    run_steps(connection, db.tables, version)
    make_view(connection, db.tables.of_people)
    connection.execute(insert(table).values(version=SCHEMA_VERSION, created_at=now, package_version=package_version))


def _lock_tables(connection: Connection) -> None:
    """Keep others from changing tables until this transaction ends; SQLite's writers are alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7233841)"))
