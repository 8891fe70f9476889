"""Values that a database holds and its driver cannot turn into Python: infinity, years after 9999, BC, broken text.

A driver that fails on a value returns no row at all, neither this one nor those after it. So each connection over which
rows are read gets its values unread where the driver fails: as the database writes them, for the row alone to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, String, TextClause, cast, column, select

#: Beside the drivers' own errors.
_FAILURES = (ValueError, ArithmeticError, RecursionError)


class UnreadText(str):
    """A value as the database writes it, which its driver cannot read; only a day may be read from it."""

    __slots__ = ()


def keep_unreadable_values(connection: Connection) -> None:
    """Let a connection return the values that its driver cannot read as :class:`UnreadText`, or as bytes.

    For SQLite, psycopg and psycopg2; others are left as they are, see :func:`with_days_as_text`.
    """
    driver, made = connection.dialect.driver, connection.connection.dbapi_connection
    if made is None:
        return
    if connection.dialect.name == "sqlite":
        made.text_factory = _text_or_bytes
    elif driver == "psycopg":
        _wrap_loaders(made)
    elif driver == "psycopg2":
        _wrap_casters(made)


def with_days_as_text(statement: TextClause, columns: Sequence[str], days: Sequence[str]) -> Select[Any]:
    """Select from a query, with the columns of days as text.

    :param columns: of the query, as its result names them.
    :param days: names in lower case.
    """
    query = statement.columns(*(column(name) for name in columns)).subquery("hires")
    return select(
        *(
            cast(query.c[name], String()).label(name) if name.strip().lower() in days else query.c[name]
            for name in columns
        )
    )


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _unread(data: Any) -> str | bytes:
    text = _text_or_bytes(bytes(data))
    return UnreadText(text) if isinstance(text, str) else text


def _wrap_loaders(connection: Any) -> None:
    from psycopg.pq import Format

    adapters = connection.adapters
    for kind in adapters.types:
        for oid in (kind.oid, kind.array_oid):
            loader = adapters.get_loader(oid, Format.TEXT) if oid else None
            if loader is not None and not hasattr(loader, "is_lenient"):
                adapters.register_loader(oid, _lenient(loader))


@lru_cache(maxsize=512)
def _lenient(loader: Any) -> Any:
    """Return a loader of psycopg that returns a value unread instead of failing on it."""
    from psycopg import Error
    from psycopg.adapt import Loader

    class Lenient(Loader):
        is_lenient = True

        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._load = loader(oid, context).load

        def load(self, data: Any) -> Any:
            try:
                return self._load(data)
            except (Error, *_FAILURES):
                return _unread(data)

    return Lenient


def _wrap_casters(connection: Any) -> None:
    from psycopg2.extensions import new_type, register_type, string_types  # type: ignore[import-untyped]

    for oid, caster in tuple(string_types.items()):
        register_type(new_type((oid,), f"LENIENT_{oid}", _leniently(caster)), connection)


def _leniently(caster: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    from psycopg2 import Error  # type: ignore[import-untyped]

    def cast_or_leave(value: Any, cursor: Any) -> Any:
        try:
            return caster(value, cursor)
        except (Error, *_FAILURES):
            return UnreadText(value)

    return cast_or_leave
