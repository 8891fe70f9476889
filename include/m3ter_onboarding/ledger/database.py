"""Transactions on the ledger's database: its clock, its retries, and the proof that it can guard.

A write is a function of a connection. It may be run again, since the outcome of a COMMIT whose connection
dropped is unknown: every write of this package is idempotent (claims carry a token, changes name the state they
start from).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Table,
    and_,
    event,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from m3ter_onboarding.databases.connections import database_engine
from m3ter_onboarding.databases.failures import describe_database_error
from m3ter_onboarding.errors import LedgerError, LedgerUnusableError
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, Tables, tables_in
from m3ter_onboarding.ledger.upgrades import upgrade_changes, upgrade_statements

Result = TypeVar("Result")

#: How long a write is tried again while the database is locked, fails over or is away.
WRITE_PATIENCE_SECONDS = 30.0

#: PostgreSQL: serialisation failure, deadlock, lock not available, idle for too long in a transaction, shutdown and
#: start-up of a server.
_TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03", "25P03", "57P01", "57P02", "57P03", "53300"})
_TRANSIENT_TEXTS = ("database is locked", "database table is locked", "database schema is locked")


class db_now_ms(ColumnElement[int]):  # noqa: N801 (a SQL function's name)
    """The database's own clock: milliseconds since 1970, moving also within a transaction."""

    type = BigInteger()
    inherit_cache = True


@compiles(db_now_ms)
def _now_ms_generic(element: db_now_ms, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) * 1000 AS BIGINT)"


@compiles(db_now_ms, "postgresql")
def _now_ms_postgresql(element: db_now_ms, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(db_now_ms, "sqlite")
def _now_ms_sqlite(element: db_now_ms, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"


def _first_cause(error: BaseException) -> BaseException:
    """Return what went wrong first.

    SQLite rolls a whole transaction back when its disk is full or fails; the savepoint is gone then, and that it is
    missing would hide why.
    """
    cause: BaseException | None = error
    while isinstance(cause, DBAPIError) and "no such savepoint" in str(cause.orig) and cause.orig is not None:
        cause = cause.orig.__context__
    return cause or error


def _is_transient(error: BaseException) -> bool:
    error = _first_cause(error)
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    original = error.orig
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if state in _TRANSIENT_SQLSTATES or (isinstance(state, str) and state.startswith("08")):
        return True
    words = str(original)
    return any(phrase in words for phrase in _TRANSIENT_TEXTS)


class LedgerDatabase:
    """The ledger's database.

    :param engine: a SQLAlchemy engine; SQLite and PostgreSQL can guard sending, others can plan.
    :param schema: the database schema of the tables, or None for the connection's default.
    :param name: what to call it in errors (the Airflow connection's id).
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
            retry=retry_if_exception(_is_transient),
            wait=wait_random_exponential(multiplier=0.05, max=2.0),
            stop=stop_after_delay(write_patience),
            sleep=sleep,
            reraise=True,
        )
        if engine.dialect.name == "sqlite":
            _use_plain_transactions(engine)
        elif engine.dialect.name == "postgresql" and not event.contains(engine, "begin", _postgresql_begin):
            event.listen(engine, "begin", _postgresql_begin)

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            why = describe_database_error(_first_cause(error))
            raise LedgerError(
                f"The ledger (connection {self.name!r}) failed while {doing}: {why}. "
                "Nothing is sent without it; mend the database and run again."
            ) from None

    def write(self, work: Callable[[Connection], Result], *, doing: str) -> Result:
        """Run *work* in one transaction, again while the database is locked or briefly away.

        :param work: a function of a connection; may be called several times.
        :param doing: for errors: what was being done, as in "claiming invitations".
        :raises LedgerError: when the database refuses or stays away.
        """

        def once() -> Result:
            with self.engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    # The write lock at once: a reader that turns writer later cannot wait for it.
                    connection = connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
                with connection.begin():
                    return work(connection)

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

    def prepare(self, *, create_tables: bool, now: datetime, package_version: str) -> None:
        """Make the tables on first use, bring those of an older version up to date, and check the version.

        :param create_tables: False where tasks may not create or change tables; they must be there then.
        :raises LedgerUnusableError: when tables are missing, belong to a newer version of this package, or to an older
            one and may not be changed: then with the statements to run.
        """
        version = self.version()
        if version is None:
            if not create_tables:
                raise LedgerUnusableError(
                    f"The ledger's tables are missing (connection {self.name!r}) and `create_tables` is false. "
                    "Let somebody who may make them run what `m3ter-onboarding ddl` prints, or set `ledger_schema` to"
                    " where they are."
                )
            self.write(
                lambda c: self._create(c, now, package_version),
                doing="creating its tables (the connection's user needs the right to, or set `create_tables: false`)",
            )
            version = self.version()
        elif version < SCHEMA_VERSION:
            if not create_tables:
                statements = upgrade_statements(self.engine.dialect, self.tables, version)
                raise LedgerUnusableError(
                    f"The ledger's tables (connection {self.name!r}) have version {version}, this package needs"
                    f" {SCHEMA_VERSION}, and `create_tables` is false. Nothing is planned or sent until somebody who"
                    f" may has run: {' '.join(f'{statement};' for statement in statements)}"
                )
            self.write(
                lambda c: self._upgrade(c, now, package_version),
                doing="bringing its tables up to date (the connection's user needs the right to)",
            )
            version = self.version()
        if version is None or version > SCHEMA_VERSION:
            raise LedgerUnusableError(
                f"The ledger's tables have version {version}, this package knows {SCHEMA_VERSION}. "
                "Upgrade airflow-provider-m3ter on every worker."
            )

    def version(self) -> int | None:
        """Return the version of the ledger's tables, or None where there are none; nothing is changed.

        :raises LedgerError: when the database cannot be reached or read.
        """
        table = self.tables.schema_version

        def look(connection: Connection) -> int | None:
            if not inspect(connection).has_table(table.name, schema=table.schema):
                return None
            return connection.execute(select(func.max(table.c.version))).scalar()

        return self.read(look, doing="looking for its tables")

    def _create(self, connection: Connection, now: datetime, package_version: str) -> None:
        # Two first runs at once: CREATE TABLE IF NOT EXISTS alone can collide in PostgreSQL's catalogue.
        self._alone(connection)
        self.tables.metadata.create_all(connection, checkfirst=True)
        version = self.tables.schema_version
        if connection.execute(select(func.count()).select_from(version)).scalar_one() == 0:
            connection.execute(
                insert(version).values(version=SCHEMA_VERSION, created_at=now, package_version=package_version)
            )

    def _upgrade(self, connection: Connection, now: datetime, package_version: str) -> None:
        self._alone(connection)
        table = self.tables.schema_version
        version = connection.execute(select(func.max(table.c.version))).scalar_one()
        if version >= SCHEMA_VERSION:
            return  # another task was faster
        for change in upgrade_changes(connection.dialect, self.tables, version):
            connection.exec_driver_sql(change)
        connection.execute(
            insert(table).values(version=SCHEMA_VERSION, created_at=now, package_version=package_version)
        )

    @staticmethod
    def _alone(connection: Connection) -> None:
        """Keep others from changing tables until this transaction ends; SQLite's writers are alone anyway."""
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7233841)"))

    def insert_new(self, table: Any) -> Any:
        """Return an INSERT for *table* that leaves existing keys alone (``ON CONFLICT DO NOTHING``).

        :raises LedgerUnusableError: on a database that has no such statement.
        """
        dialect = self.engine.dialect.name
        if dialect == "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing()
        if dialect == "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing()
        raise LedgerUnusableError(self._cannot_guard("it knows no INSERT … ON CONFLICT DO NOTHING"))

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
        dialect = connection.dialect.name
        if dialect in ("postgresql", "sqlite"):
            # Sorted: two snapshots at once then lock rows in one order.
            ordered = [dict(row) for row in sorted(rows, key=lambda row: tuple(str(row[key]) for key in keys))]
            statement: Any = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
            if changed:
                statement = statement.on_conflict_do_update(
                    index_elements=keys, set_={name: statement.excluded[name] for name in changed}
                )
            else:
                statement = statement.on_conflict_do_nothing(index_elements=keys)
            connection.execute(statement, ordered)
            return
        for row in rows:
            mine = and_(*(table.c[key] == row[key] for key in keys))
            if connection.execute(select(func.count()).select_from(table).where(mine)).scalar_one() == 0:
                connection.execute(insert(table).values(dict(row)))
            elif changed:
                connection.execute(update(table).where(mine).values({name: row[name] for name in changed}))

    def _cannot_guard(self, because: str) -> str:
        return (
            f"The ledger (connection {self.name!r}, {self.engine.dialect.name}) cannot guard against a second "
            f"e-mail: {because}. Planning and dry runs work; for sending set `ledger_conn_id` to a SQLite or "
            "PostgreSQL database with this package's tables."
        )

    def prove_guard(self) -> None:
        """Show, in a transaction that is rolled back, that unique keys hold and changes are counted.

        Asked before the first send of each task: a ledger whose tables were made by hand without their keys,
        or that is read-only, must not be found out in mid-send.

        :raises LedgerUnusableError: with the reason, when it cannot guard.
        """
        table = self.tables.invitation
        statement = self.insert_new(table)
        now = datetime(2000, 1, 1, tzinfo=timezone.utc)
        base: dict[str, Any] = {
            "org_id": f"proof-{random.getrandbits(64):016x}",
            "email_key": "a",
            "email": "a",
            "generation": 1,
            "employee_id": "1",
            "state": "sending",
            "origin": "claimed",
            "m3ter_id": "1",
            "created_at": now,
            "updated_at": now,
        }
        rivals: list[tuple[str, dict[str, Any]]] = [
            (
                "a second row of one address and generation was accepted",
                {"employee_id": "2", "m3ter_id": "2", "state": "unsent"},
            ),
            ("a second live row of one address was accepted", {"generation": 2, "employee_id": "2", "m3ter_id": "2"}),
            ("a second live row of one employee was accepted", {"email_key": "b", "m3ter_id": "2"}),
            ("a second live row of one m3ter id was accepted", {"email_key": "b", "employee_id": "2"}),
        ]

        def prove(connection: Connection) -> str | None:
            def count() -> int:
                mine = select(func.count()).where(table.c.org_id == base["org_id"])
                return int(connection.execute(mine).scalar_one())

            connection.execute(statement, base)
            if count() != 1:
                return "an inserted row was not there"
            for wrong, difference in rivals:
                connection.execute(statement, {**base, **difference})
                if count() != 1:
                    return wrong
            change = update(table).where(table.c.org_id == base["org_id"], table.c.state == "sending")
            if connection.execute(change.values(state="unsent")).rowcount != 1:
                return "it does not report how many rows a change touched"
            if connection.execute(change.values(state="unsent")).rowcount != 0:
                return "a change that named another state touched a row"
            return None

        def rolled_back() -> str | None:
            with self.engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    connection = connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
                transaction = connection.begin()
                try:
                    return prove(connection)
                except IntegrityError:
                    return "a unique key raised where the statement says to do nothing"
                finally:
                    transaction.rollback()

        with self._translated("proving that it can guard against a second e-mail"):
            wrong = self._retrying(rolled_back)
        if wrong:
            raise LedgerUnusableError(self._cannot_guard(wrong))

    def close(self) -> None:
        """Close pooled connections."""
        self.engine.dispose()


def open_ledger(conn_id: str, schema: str | None = None) -> LedgerDatabase:
    """Open the ledger of an Airflow connection.

    :param conn_id: a connection to SQLite or PostgreSQL (others can plan, not send).
    :param schema: the database schema of the tables.
    :raises LedgerUnusableError: when there is no such connection, or it is no SQL database.
    """
    engine = database_engine(conn_id, what="ledger", key="ledger_conn_id", error=LedgerUnusableError)
    return LedgerDatabase(engine, schema=schema, name=conn_id)


def _use_plain_transactions(engine: Engine) -> None:
    """Let SQLAlchemy, not Python's sqlite3 module, begin transactions, so that reads and DDL are inside them."""
    if event.contains(engine, "connect", _sqlite_connected):
        return
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)


def _postgresql_begin(connection: Connection) -> None:
    """Let no worker that stands still in mid-transaction keep the others from their locks.

    For this transaction alone: a pooler hands the session on. Both are tried again, see ``_TRANSIENT_SQLSTATES``.
    """
    connection.exec_driver_sql(
        "SELECT set_config('idle_in_transaction_session_timeout', '10s', true), set_config('lock_timeout', '15s', true)"
    )


def _sqlite_connected(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None
    dbapi_connection.execute("PRAGMA busy_timeout = 10000")


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
