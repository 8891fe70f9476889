"""Transactions on the ledger's database, and their retries.

A write is a function of a connection. It may be run again, since the outcome of a COMMIT whose connection
dropped is unknown: every write of this package is idempotent (claims carry a token, changes name the state they
start from).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from m3ter_onboarding.databases.connections import database_engine
from m3ter_onboarding.databases.failures import describe_database_error, passes_soon
from m3ter_onboarding.databases.kinds import LEDGERS
from m3ter_onboarding.errors import LedgerError, LedgerUnusableError
from m3ter_onboarding.ledger.private_file import keep_private
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.tables import Tables, tables_in

Result = TypeVar("Result")

#: How long a write is tried again while the database is locked, fails over or is away.
WRITE_PATIENCE_SECONDS = 30.0


class LedgerDatabase:
    """The ledger's database.

    :param engine: a SQLAlchemy engine of PostgreSQL or SQLite.
    :param schema: the database schema of the tables, or None for the connection's default.
    :param name: its name in errors (the Airflow connection's id).
    :param sleep: used between tries.
    :param write_patience: seconds for which a locked or lost database is tried again.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        schema: str | None = None,
        name: str = "ledger",
        sleep: Callable[[float], None] = time.sleep,
        write_patience: float = WRITE_PATIENCE_SECONDS,
    ) -> None:
        self.engine = engine
        self.tables: Tables = tables_in(schema)
        self.name = name
        self._retrying = Retrying(
            retry=retry_if_exception(passes_soon),
            wait=wait_random_exponential(multiplier=0.05, max=2.0),
            stop=stop_after_delay(write_patience),
            sleep=sleep,
            reraise=True,
        )
        if engine.dialect.name == "sqlite":
            _use_plain_transactions(engine)
            keep_private(engine)
        elif engine.dialect.name == "postgresql" and not event.contains(engine, "begin", _postgresql_begin):
            event.listen(engine, "begin", _postgresql_begin)

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            why = describe_database_error(error)
            raise LedgerError(
                f"The ledger (connection {self.name!r}) failed while {doing}: {why}. "
                "Nothing is sent without it; mend the database and run again."
            ) from None

    @contextmanager
    def _connected_to_write(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                # The write lock at once: a reader that turns writer later cannot wait for it.
                connection = connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
            yield connection

    def write(self, work: Callable[[Connection], Result], *, doing: str) -> Result:
        """Run *work* in one transaction, again while the database is locked or briefly away.

        :param work: a function of a connection; may be called several times.
        :param doing: for errors: the activity, as in "claiming invitations".
        :raises LedgerError: when the database refuses or stays away.
        """

        def once() -> Result:
            with self._connected_to_write() as connection, connection.begin():
                return work(connection)

        with self._translated(doing):
            return self._retrying(once)

    def rehearse(self, work: Callable[[Connection], Result], *, doing: str) -> Result:
        """Run *work* as :meth:`write` does, in a transaction that is rolled back.

        :raises LedgerError: when the database refuses or stays away.
        """

        def once() -> Result:
            with self._connected_to_write() as connection:
                transaction = connection.begin()
                try:
                    return work(connection)
                finally:
                    transaction.rollback()

        with self._translated(doing):
            return self._retrying(once)

    def read(self, work: Callable[[Connection], Result], *, doing: str) -> Result:
        """Run *work*, which only reads, in one transaction.

        :raises LedgerError: when the database refuses or stays away.
        """

        def once() -> Result:
            with self.engine.connect() as connection, connection.begin():
                return work(connection)

        with self._translated(doing):
            return self._retrying(once)

    def now_ms(self) -> int:
        """Return the database's clock in milliseconds since 1970."""
        return self.read(lambda c: int(c.execute(select(db_now_ms())).scalar_one()), doing="reading its clock")

    def insert_new(self, table: Any) -> Any:
        """Return an INSERT for *table* that leaves existing keys alone (``ON CONFLICT DO NOTHING``)."""
        return insert_new(table, self.engine.dialect.name)

    def upsert(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keep: Collection[str] = ()
    ) -> None:
        """Insert rows, or update those whose primary key exists.

        :param keep: columns that an existing row keeps.
        """
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        changed = [name for name in rows[0] if name not in keys and name not in keep]
        # Sorted: two snapshots at once then lock rows in one order.
        ordered = [dict(row) for row in sorted(rows, key=lambda row: tuple(str(row[key]) for key in keys))]
        statement = _insert(table, self.engine.dialect.name)
        if changed:
            statement = statement.on_conflict_do_update(
                index_elements=keys, set_={name: statement.excluded[name] for name in changed}
            )
        else:
            statement = statement.on_conflict_do_nothing(index_elements=keys)
        connection.execute(statement, ordered)

    def close(self) -> None:
        """Close pooled connections."""
        self.engine.dispose()


def insert_new(table: Any, dialect: str) -> Any:
    """Return an INSERT for *table* that leaves existing keys alone (``ON CONFLICT DO NOTHING``).

    :param dialect: SQLAlchemy's name of it.
    """
    return _insert(table, dialect).on_conflict_do_nothing()


def _insert(table: Any, dialect: str) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def open_ledger(conn_id: str, schema: str | None = None) -> LedgerDatabase:
    """Open the ledger of an Airflow connection.

    :param conn_id: a connection to PostgreSQL or SQLite.
    :param schema: the database schema of the tables.
    :raises LedgerUnusableError: when there is no such connection, or it is no database that can hold the ledger.
    """
    engine = database_engine(conn_id, what="ledger", key="ledger_conn_id", error=LedgerUnusableError)
    if engine.dialect.name not in LEDGERS:
        engine.dispose()
        raise LedgerUnusableError(
            f"The ledger cannot be in a database of this kind ({engine.dialect.name}, connection {conn_id!r}): it would"
            " not guard against a second e-mail. Nothing is planned or sent; set `ledger_conn_id` to a connection to"
            " PostgreSQL (or to SQLite, for a trial). The warehouse may stay where it is."
        )
    return LedgerDatabase(engine, schema=schema, name=conn_id)


def _use_plain_transactions(engine: Engine) -> None:
    """Let SQLAlchemy, not Python's sqlite3 module, begin transactions, so that reads and DDL are inside them."""
    if event.contains(engine, "connect", _sqlite_connected):
        return
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)


def _postgresql_begin(connection: Connection) -> None:
    """Limit how long a worker that stands still in mid-transaction keeps the others from their locks.

    For this transaction alone: a pooler hands the session on. What either ends is tried again, see ``passes_soon``.
    """
    connection.exec_driver_sql(
        "SELECT set_config('idle_in_transaction_session_timeout', '10s', true), set_config('lock_timeout', '15s', true)"
    )


def _sqlite_connected(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None
    dbapi_connection.execute("PRAGMA busy_timeout = 10000")


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
