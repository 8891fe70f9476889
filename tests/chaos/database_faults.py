"""Faults of a database under a task, for :mod:`tests.chaos.fault_points`."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.tables import tables_in
from tests.chaos.fault_points import Fault

_TABLES = tuple(table.name for table in tables_in(None).all())
#: PostgreSQL: end every other session of this database.
TERMINATE_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def raising(error: Exception) -> Fault:
    """Return a fault that raises what a driver would."""

    def fault(_connection: Any) -> None:
        raise error

    return fault


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


def _driver(connection: Any) -> Any:
    return getattr(connection, "driver_connection", connection)


def _beside(connection: Any, *, autocommit: bool = True) -> psycopg.Connection:
    """Open another session in the database of a connection."""
    info = _driver(connection).info
    return psycopg.connect(host=info.host, dbname=info.dbname, user=info.user, autocommit=autocommit)


def terminate(connection: Any) -> None:
    """Let the server end this very session."""
    with _beside(connection) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (_driver(connection).info.backend_pid,))


def lose_answer(connection: Any) -> None:
    """Lose the connection, and with it what the server answers.

    :raises psycopg.OperationalError: always, as the driver does.
    """
    _driver(connection).close()
    raise psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly")


def terminate_everybody(connection: Any) -> None:
    """Let the server end every session of the database, as when another server takes over."""
    with _beside(connection) as other:
        other.execute(TERMINATE_OTHERS)


def become_read_only(connection: Any) -> None:
    """Let a server take over that takes no writes: every session ends, new ones are read-only."""
    with _beside(connection) as other:
        name = _driver(connection).info.dbname
        other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        other.execute(TERMINATE_OTHERS)


def deadlock(connection: Any) -> None:
    """Let a rival hold what this transaction will want next, and want what it holds; PostgreSQL ends this one."""
    other = _beside(connection, autocommit=False)
    other.execute("SET LOCAL deadlock_timeout = '20s'")  # the rival is not the one who finds out
    other.execute("LOCK TABLE m3ter_invitation IN EXCLUSIVE MODE NOWAIT")

    def want() -> None:
        try:
            other.execute("UPDATE m3ter_mirror_org SET claims = claims + 1")
        except psycopg.Error:
            pass
        finally:
            other.close()

    threading.Thread(target=want, daemon=True).start()
    while _driver(connection).info.transaction_status == TransactionStatus.INTRANS:
        with _beside(connection) as watching:
            waits = watching.execute(
                "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", (other.info.backend_pid,)
            ).fetchone()
        if waits and waits[0]:
            return
        time.sleep(0.005)


# -- SQLite ---------------------------------------------------------------------------------------------------------


def _file(connection: Any) -> str:
    return str(_driver(connection).execute("PRAGMA database_list").fetchone()[2])


def is_free(file: Path) -> bool:
    """Return whether nobody holds a lock on a SQLite file."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=0.0)) as other:
        try:
            other.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return False
        return True


def refuse_writes(connection: Any) -> None:
    """Let a connection to SQLite take no writes any more."""
    if connection is not None:
        _driver(connection).execute("PRAGMA query_only = ON")


def let_no_page_be_added(connection: Any) -> None:
    """Let a SQLite file not grow any more through this connection: the disk is full."""
    if connection is not None:
        _driver(connection).execute("PRAGMA max_page_count = 1")  # SQLite takes what the file has for the least


# -- locks ----------------------------------------------------------------------------------------------------------


def hold_locks(seconds: float) -> Fault:
    """Return a fault: a rival session locks what it can get of the ledger, and releases it after so many seconds."""

    def fault(connection: Any) -> None:
        locked = threading.Event()
        hold = _hold_sqlite if isinstance(_driver(connection), sqlite3.Connection) else _hold_postgresql
        target = _file(connection) if hold is _hold_sqlite else connection
        threading.Thread(target=hold, args=(target, seconds, locked), daemon=True).start()
        if not locked.wait(10.0):
            raise AssertionError("the rival got no lock")

    return fault


def _hold_sqlite(file: str, seconds: float, locked: threading.Event) -> None:
    other = sqlite3.connect(file, isolation_level=None, timeout=0.0)
    try:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            # The task is writing: then a reader, which its COMMIT must wait for.
            other.execute("BEGIN")
            other.execute("SELECT name FROM sqlite_master").fetchone()
        locked.set()
        time.sleep(seconds)
        other.execute("ROLLBACK")
    finally:
        other.close()


def _hold_postgresql(connection: Any, seconds: float, locked: threading.Event) -> None:
    with _beside(connection, autocommit=False) as other:
        for table in _TABLES:
            try:
                with other.transaction():
                    other.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE NOWAIT".encode())
            except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
                continue  # the task has it already
        locked.set()
        time.sleep(seconds)
        other.rollback()


def wait_briefly_for_locks(connection: Any) -> None:
    """Let this transaction's statements wait for locks a tenth of a second only."""
    driver = _driver(connection) if connection is not None else None
    if isinstance(driver, sqlite3.Connection):
        driver.execute("PRAGMA busy_timeout = 100")
    elif driver is not None and driver.info.transaction_status == TransactionStatus.INTRANS:
        driver.execute("SET LOCAL lock_timeout = '100ms'")


def with_little_patience(call: Callable[[], Any]) -> Any:
    """Run a task, in a process of its own, that tries a write again for a second only, not for half a minute."""
    defaults = LedgerDatabase.__init__.__kwdefaults__
    assert defaults is not None
    defaults["write_patience"] = 1.0
    return call()
