"""Column types and SQL expressions that each of the ledger's databases writes in its own way."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Integer, String, Text, func, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from m3ter_provider.answer_values import usable_identity, whole_text

#: A key that the database numbers; SQLite does so only for its own INTEGER.
NumberedKey = BigInteger().with_variant(Integer, "sqlite")


_FIRST, _LAST = datetime(2, 1, 1, tzinfo=timezone.utc), datetime(9998, 12, 31, tzinfo=timezone.utc)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC, on databases with and without time zones; the calendar's ends are cut off.

    PostgreSQL's driver reads no instant that lies in the year 0 or 10,000 where its session is.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store aware instants as UTC; a naive one is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("The ledger stores aware instants only.")
        if not 2 <= value.year <= 9998:
            value = _FIRST if value.year < 2 else _LAST
        value = value.astimezone(timezone.utc)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read aware UTC instants."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class ShownText(TypeDecorator[str]):
    """A text that people read. Whatever it holds is stored: unstorable characters become U+FFFD, the rest is cut off.

    m3ter's words and people's end up here, also beside answers that must be recorded whatever else is in them.

    :param length: of the column, in characters.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Make a text storable."""
        return None if value is None else whole_text(value)[: self.length]


class LongText(TypeDecorator[str]):
    """The same without an end."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Make a text storable."""
        return None if value is None else whole_text(value)


class IdentityText(TypeDecorator[str]):
    """A text by which a person or a thing is known, such as an address key or an id of m3ter's.

    One that a ledger cannot store, or that is too long, is neither cut nor repaired, since two could become one: a hash
    takes its place (:func:`m3ter_provider.answer_values.substitute`), when it is written and when it is looked for.

    :param length: of the column, in characters; at least those of a hash, which is 75.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Keep a text, or write its hash instead."""
        return None if value is None else usable_identity(value, self.length)


class WholeNumber(TypeDecorator[int]):
    """A number of m3ter's; one that no database holds is not known."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Keep a number within 64 bits."""
        return value if value is None or -(2**63) <= value < 2**63 else None


class db_now_ms(FunctionElement[int]):  # noqa: N801 (a SQL function's name)
    """The database's own clock: milliseconds since 1970, moving also within a transaction."""

    type = BigInteger()
    name = "db_now_ms"
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


class by_bytes(FunctionElement[str]):  # noqa: N801 (a SQL function's name)
    """A text that is compared and sorted byte by byte, whatever the database's locale: a prefix is then a range."""

    type = String()
    name = "by_bytes"
    inherit_cache = True


@compiles(by_bytes)
def _by_bytes_generic(element: by_bytes, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(by_bytes, "postgresql")
def _by_bytes_postgresql(element: by_bytes, compiler: SQLCompiler, **kw: Any) -> str:
    return f'({compiler.process(element.clauses, **kw)} COLLATE "C")'


class exactly(FunctionElement[str]):  # noqa: N801 (a SQL function's name)
    """A text that is compared letter by letter: by itself SQL Server takes ``E1`` and ``e1`` for one."""

    type = String()
    name = "exactly"
    inherit_cache = True


@compiles(exactly)
def _exactly_generic(element: exactly, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(exactly, "mssql")
def _exactly_mssql(element: exactly, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)}) COLLATE Latin1_General_100_BIN2"


def whose(dag_id: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the DAG whose readers may see a row; empty: those of all DAGs of its organisation.

    Not ``IS NULL``: PostgreSQL takes no order from an index behind such a condition.
    """
    return func.coalesce(dag_id, text("''"))
