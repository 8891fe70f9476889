"""Column types and SQL expressions that each of the ledger's databases writes in its own way."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Integer, String, func, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

#: A key that the database numbers; SQLite does so only for its own INTEGER.
NumberedKey = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store aware instants as UTC; a naive one is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("The ledger stores aware instants only.")
        value = value.astimezone(timezone.utc)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read aware UTC instants."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


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


def whose(dag_id: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the DAG whose readers may see a row; empty: those of all DAGs of its organisation.

    Not ``IS NULL``: PostgreSQL takes no order from an index behind such a condition.
    """
    return func.coalesce(dag_id, text("''"))
