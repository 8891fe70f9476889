"""The ledgers, read from the API server: one small pool each, short waits, nothing changed by reading."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import LedgerDatabase, open_ledger
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, Tables
from m3ter_onboarding.page.dags import LedgerPlace

Result = TypeVar("Result")

#: Seconds: for a connection, for one statement, and for trying again.
CONNECT_SECONDS, STATEMENT_SECONDS, PATIENCE_SECONDS = 3, 5, 1.0
#: A ledger that could not be reached is not asked again for so long; a connection of Airflow is read again after.
AWAY_SECONDS, KEPT_SECONDS = 5.0, 300.0


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
        version = self.db.version()
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


class Ledgers:
    """All open ledgers of this process.

    :param open_: opens one; *clock* counts seconds.
    """

    def __init__(
        self,
        open_: Callable[[str, str | None], LedgerDatabase] = open_ledger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._clock = open_, clock
        self._lock = Lock()
        self._readers: dict[LedgerPlace, tuple[LedgerReader, float]] = {}
        self._away: dict[LedgerPlace, tuple[LedgerError, float]] = {}

    def of(self, place: LedgerPlace) -> LedgerReader:
        """Return a ledger that can be read.

        :raises LedgerError: a sentence why not; for a while without trying again.
        """
        with self._lock:
            error, until = self._away.get(place, (None, 0.0))
            if error is not None and self._clock() < until:
                raise type(error)(str(error))
            self._away.pop(place, None)
        try:
            reader = self._reader(place)
            reader.check()
            return reader
        except LedgerError as error:
            with self._lock:
                self._away[place] = (error, self._clock() + AWAY_SECONDS)
            raise

    def _reader(self, place: LedgerPlace) -> LedgerReader:
        with self._lock:
            reader, until = self._readers.get(place, (None, 0.0))
            if reader is not None and self._clock() < until:
                return reader
            db = self._open(place.conn_id, place.schema)
            if reader is not None:
                reader.db.close()  # the connection may have been changed meanwhile
            patient = LedgerDatabase(
                db.engine, schema=place.schema, name=place.conn_id, write_patience=PATIENCE_SECONDS
            )
            fresh = LedgerReader(patient)
            self._readers[place] = (fresh, self._clock() + KEPT_SECONDS)
            return fresh


def _connect_in_time(engine: Engine) -> None:
    if event.contains(engine, "do_connect", _before_connecting):
        return
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
        connection.exec_driver_sql("PRAGMA query_only = ON")
        raw.set_progress_handler(lambda: int(time.monotonic() > end), 10_000)
        try:
            yield
        finally:
            raw.set_progress_handler(None, 0)
            connection.exec_driver_sql("PRAGMA query_only = OFF")
    else:
        yield
