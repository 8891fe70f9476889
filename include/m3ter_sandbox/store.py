"""Everything the sandbox keeps, in one SQLite database: in memory, or in a file that outlives it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["SCHEMA_VERSION", "Row", "Store", "StoreError"]

SCHEMA_VERSION = 2

Row = Mapping[str, Any]
Values = Sequence[object] | Mapping[str, object]

# Instants are whole milliseconds since the epoch. `stored_at` is when m3ter stored an entry (0: before all others), for
# the lag of the lists.
_SCHEMA = """
CREATE TABLE invitation (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
  email TEXT NOT NULL, email_key TEXT NOT NULL, first_name TEXT NOT NULL, last_name TEXT NOT NULL,
  contact_number TEXT, m3ter_user INTEGER, permission_policy_ids TEXT NOT NULL,
  dt_end_access INTEGER, dt_expiry INTEGER NOT NULL, inviting_principal_id TEXT, accepted INTEGER NOT NULL,
  dt_created INTEGER NOT NULL, dt_last_modified INTEGER NOT NULL, created_by TEXT, last_modified_by TEXT,
  stored_at INTEGER NOT NULL);
CREATE INDEX invitation_order ON invitation (dt_created, seq);
CREATE INDEX invitation_email ON invitation (email_key, seq);
CREATE TABLE user (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
  email TEXT NOT NULL, email_key TEXT NOT NULL, first_name TEXT, last_name TEXT, contact_number TEXT,
  support_user INTEGER NOT NULL, dt_terms INTEGER, permission_policy TEXT NOT NULL, dt_end_access INTEGER,
  dt_created INTEGER NOT NULL, dt_last_modified INTEGER NOT NULL, created_by TEXT, last_modified_by TEXT,
  stored_at INTEGER NOT NULL);
CREATE INDEX user_order ON user (dt_created, seq);
CREATE INDEX user_email ON user (email_key, seq);
CREATE TABLE policy (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
  name TEXT NOT NULL, managed INTEGER NOT NULL, statements TEXT NOT NULL,
  dt_created INTEGER NOT NULL, dt_last_modified INTEGER NOT NULL, created_by TEXT, last_modified_by TEXT);
CREATE INDEX policy_order ON policy (dt_created, seq);
CREATE TABLE user_policy (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, policy_id TEXT NOT NULL,
  version INTEGER NOT NULL, dt_created INTEGER NOT NULL, created_by TEXT, UNIQUE (user_id, policy_id));
CREATE TABLE user_group (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, user_id TEXT NOT NULL, name TEXT NOT NULL,
  dt_created INTEGER NOT NULL, UNIQUE (id, user_id));
CREATE TABLE email (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  address TEXT NOT NULL, address_key TEXT NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL,
  sent_at INTEGER NOT NULL, invitation_id TEXT, user_id TEXT);
CREATE INDEX email_address ON email (address_key);
CREATE INDEX email_invitation ON email (invitation_id);
CREATE TABLE token (value TEXT PRIMARY KEY, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    uses INTEGER NOT NULL);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_TABLES = ("invitation", "user", "policy", "user_policy", "user_group", "email", "token", "setting")


class StoreError(Exception):
    """The database file cannot be used."""


class Store:
    """One connection to the database, used from one thread.

    :param path: file of the database, made if it does not exist; None keeps everything in memory.
    :raises StoreError: the file is no database, not writable, of another version or in use by another sandbox.
    """

    def __init__(self, path: str | None = None) -> None:
        if path:
            with contextlib.suppress(OSError):  # it holds people; what exists keeps its mode
                Path(path).touch(mode=0o600, exist_ok=False)
        try:
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=0.2, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.create_function("casefold", 1, str.casefold, deterministic=True)
            if path:
                # The sandbox alone may write: two with one file would each believe that they know all limits.
                self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
            self._prepare(path)
        except sqlite3.Error as error:
            raise StoreError(
                f"The database file {path} cannot be used: {error}. Name another file, or end the sandbox that uses it."
            ) from None

    def _prepare(self, path: str | None) -> None:
        connection = self._connection
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA_VERSION:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
            return
        if version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StoreError(
                f"The file {path} is a database of something else, or of another version of the sandbox. "
                "Name another file, or remove this one."
            )
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def clear(self) -> None:
        """Forget everything but the tables."""
        with self:
            for table in _TABLES:
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

    def __enter__(self) -> Store:
        """Begin a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        """Commit it, or roll it back after an exception."""
        self._connection.execute("ROLLBACK" if kind else "COMMIT")

    def one(self, sql: str, values: Values = ()) -> Row | None:
        """Return the first row of a query."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        """Return all rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def count(self, sql: str, values: Values = ()) -> int:
        """Return the number that a query yields."""
        return int(self._connection.execute(sql, values).fetchone()[0])

    def run(self, sql: str, values: Values = ()) -> int:
        """Run a statement and return how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def insert(self, table: str, row: Row) -> None:
        """Insert one row."""
        self.insert_many(table, [row])

    def insert_many(self, table: str, rows: Iterable[Row]) -> None:
        """Insert rows that all have the same columns."""
        rows = list(rows)
        if not rows:
            return
        names = list(rows[0])
        marks = ", ".join("?" * len(names))
        self._connection.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 - our own names
            ([row[name] for name in names] for row in rows),
        )

    def setting(self, name: str) -> Any:
        """Return a kept value, or None."""
        row = self.one("SELECT value FROM setting WHERE name = ?", (name,))
        return json.loads(row["value"]) if row else None

    def keep_setting(self, name: str, value: object) -> None:
        """Keep a value that is JSON."""
        self.run("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", (name, json.dumps(value)))
