"""A ledger as the page reads it: short waits, one statement limit, nothing changed by reading."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.private_file import leave_missing
from m3ter_onboarding.ledger.schema import tables_version
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, Tables

Result = TypeVar("Result")

#: Seconds: for a connection, for one statement, and for trying again.
CONNECT_SECONDS, STATEMENT_SECONDS, PATIENCE_SECONDS = 3, 5, 1.0


class NoRunYetError(LedgerError):
    """The ledger has no tables yet: no run has made them."""


class LedgerReader:
    """One ledger, for reading and for what a person decides.

    :param db: the ledger.
    """

    def __init__(self, db: LedgerDatabase) -> None:
        self.db = db
        self._checked = False
        _connect_in_time(db.engine)

    @property
    def t(self) -> Tables:
        """Its tables."""
        return self.db.tables

    def check(self) -> None:
        """Make sure that the tables are those this package reads.

        :raises LedgerError: with what is to be done.
        """
        if self._checked:
            return
        version = tables_version(self.db)
        if version is None:
            raise NoRunYetError("No run has begun yet: the ledger is still empty.")
        if version < SCHEMA_VERSION:
            raise LedgerError(
                f"The ledger's tables (connection {self.db.name!r}) have version {version}; the next run brings them to"
                f" version {SCHEMA_VERSION}, which this page reads. Where tasks may not change tables, run what"
                f" `m3ter-onboarding ddl --upgrade-from {version}` prints."
            )
        if version > SCHEMA_VERSION:
            raise LedgerError(
                f"The ledger's tables (connection {self.db.name!r}) have version {version}, this page reads"
                f" {SCHEMA_VERSION}. Upgrade airflow-provider-m3ter on the API server."
            )
        self._checked = True

    def read(self, work: Callable[[Connection], Result], *, doing: str) -> Result:
        """Run *work*, which only reads, within a few seconds.

        :raises LedgerError: when the ledger refuses, stays away, or takes too long.
        """
        self.check()

        def guarded(connection: Connection) -> Result:
            with _only_reading(connection):
                return work(connection)

        return self.db.read(guarded, doing=doing)


def _connect_in_time(engine: Engine) -> None:
    if event.contains(engine, "do_connect", _before_connecting):
        return
    leave_missing(engine)
    event.listen(engine, "do_connect", _before_connecting)


def _before_connecting(dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
    if dialect.name == "postgresql":
        options.setdefault("connect_timeout", CONNECT_SECONDS)
    elif dialect.name == "sqlite" and arguments and _is_missing(str(arguments[0])):
        # SQLite would make an empty database where a name is wrong.
        raise sqlite3.OperationalError("unable to open database file")


def _is_missing(file: str) -> bool:
    return not file.startswith((":", "file:")) and not Path(file).exists()


@contextmanager
def _only_reading(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {STATEMENT_SECONDS * 1000}")
        # A LIMIT tempts the planner to read a table from its beginning, in the hope that rows come soon.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        yield
    elif connection.dialect.name == "sqlite":
        raw: Any = connection.connection.dbapi_connection
        end = time.monotonic() + STATEMENT_SECONDS

        def restart(*_: object) -> None:
            nonlocal end
            end = time.monotonic() + STATEMENT_SECONDS

        connection.exec_driver_sql("PRAGMA query_only = ON")
        raw.set_progress_handler(lambda: int(time.monotonic() > end), 10_000)
        event.listen(connection, "before_cursor_execute", restart)
        try:
            yield
        finally:
            event.remove(connection, "before_cursor_execute", restart)
            raw.set_progress_handler(None, 0)
            connection.exec_driver_sql("PRAGMA query_only = OFF")
    else:
        yield
