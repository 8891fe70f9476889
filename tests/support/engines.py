"""What all SQLAlchemy engines of a test process do: share what was compiled, and not wait for the disk.

A task opens an engine of its own, as its process in Airflow does. In one test process that makes thousands of engines,
each of which would compile every statement anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import Compiled, Dialect


class CompiledStatements(MutableMapping[Any, Compiled]):
    """A cache as SQLAlchemy has one in each engine, for all: dialects with equal settings share what it holds."""

    def __init__(self) -> None:
        self._compiled: dict[Any, Compiled] = {}
        self._settings: WeakKeyDictionary[Dialect, Any] = WeakKeyDictionary()

    def _shared(self, key: Any) -> Any:
        """Return SQLAlchemy's key, which begins with the dialect, with the dialect's settings in its place."""
        dialect, *others = key
        settings = self._settings.get(dialect)
        if settings is None:
            plain = {name: value for name, value in vars(dialect).items() if _is_plain(value)}
            settings = self._settings[dialect] = (type(dialect), frozenset(plain.items()))
        return settings, *others

    def __getitem__(self, key: Any) -> Compiled:
        return self._compiled[self._shared(key)]

    def __setitem__(self, key: Any, compiled: Compiled) -> None:
        self._compiled[self._shared(key)] = compiled

    def __delitem__(self, key: Any) -> None:
        del self._compiled[self._shared(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._compiled)

    def __len__(self) -> int:
        return len(self._compiled)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(part) for part in value)
    return value is None or isinstance(value, bool | int | str | type)


def hasten_engines() -> None:
    """Let the engines of this process share one cache, and SQLite not wait for the disk.

    No test pulls the plug of the machine; PostgreSQL has the same setting for the whole server. SQLite's journal is
    emptied after each write, not made and deleted for each: either way what a killed process has begun is undone.
    """
    compiled = CompiledStatements()

    @event.listens_for(Engine, "engine_connect")
    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)

    @event.listens_for(Engine, "connect")
    def do_not_wait(dbapi_connection: Any, _record: Any) -> None:
        if isinstance(dbapi_connection, sqlite3.Connection):
            dbapi_connection.execute("PRAGMA synchronous = OFF").close()
            [(journal,)] = dbapi_connection.execute("PRAGMA journal_mode").fetchall()
            if journal == "delete":
                dbapi_connection.execute("PRAGMA journal_mode = TRUNCATE").close()
