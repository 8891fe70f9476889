"""Types of published columns, in each warehouse: an instant keeps its zone or is UTC, a text keeps every character."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import (
    DATE,
    JSON,
    TIMESTAMP,
    Boolean,
    Column,
    Date,
    Dialect,
    SmallInteger,
    String,
    Text,
    cast,
    func,
    literal_column,
)
from sqlalchemy.dialects import mssql, mysql, oracle
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.types import TypeDecorator, UserDefinedType

from m3ter_onboarding.ledger.sql_types import IdentityText, LongText, ShownText, UtcDateTime

#: Where a JSON column can be made and filled: Snowflake and Redshift know none, and BigQuery's takes no text.
_KNOW_JSON = ("postgresql", "sqlite")


class OracleInstant(TypeDecorator[datetime]):
    """An instant of Oracle's, whose driver drops the zone: it is named beside the value, whatever the session's is."""

    impl = oracle.TIMESTAMP
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(timezone=True)

    def bind_expression(self, bindparam: BindParameter[datetime]) -> ColumnElement[Any]:
        """Say that a value is UTC."""
        return func.from_tz(cast(bindparam, oracle.TIMESTAMP()), literal_column("'UTC'"))


class OracleTruth(TypeDecorator[bool]):
    """True or false as 1 or 0: Oracle has a type for it from version 23 only."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:
        """Write 1 or 0."""
        return None if value is None else int(value)


class TrinoInstant(UserDefinedType[datetime]):
    """An instant of Trino's to the microsecond; without a number it keeps milliseconds."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        """Return the type as it is declared."""
        return "TIMESTAMP(6) WITH TIME ZONE"


#: Where SQLAlchemy's own type for an instant would lose its zone or its parts of a second. MySQL's has no zone: UTC.
_INSTANTS: dict[str, Any] = {
    "mysql": mysql.DATETIME(fsp=6),
    "mariadb": mysql.DATETIME(fsp=6),
    "oracle": OracleInstant(),
    "bigquery": TIMESTAMP(timezone=True),
    "snowflake": TIMESTAMP(timezone=True),
    "databricks": TIMESTAMP(timezone=True),
    "trino": TrinoInstant(),
}
#: Where a text without a length is none, or is short: Redshift's is a VARCHAR(256), MySQL's 64 KiB.
_LONG_TEXTS: dict[str, Any] = {
    "redshift": String(65535),
    "mssql": mssql.NVARCHAR(None),
    "mysql": mysql.LONGTEXT(),
    "mariadb": mysql.LONGTEXT(),
}


class JsonText(TypeDecorator[Any]):
    """JSON as text, for warehouses that have no type for it."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the longest text of the warehouse."""
        return dialect.type_descriptor(_LONG_TEXTS.get(dialect.name, Text()))

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write a value as JSON; NULL stays NULL."""
        return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def published_type(column: Column[Any], dialect_name: str) -> Any:
    """Return the type of a column's copy.

    :param column: of the ledger.
    :param dialect_name: the warehouse's, in SQLAlchemy's words.
    """
    kind = column.type
    if isinstance(kind, UtcDateTime):
        return _INSTANTS.get(dialect_name, kind)
    if isinstance(kind, JSON) and dialect_name not in _KNOW_JSON:
        return JsonText()
    if isinstance(kind, Text | LongText):
        return _LONG_TEXTS.get(dialect_name, Text())
    if isinstance(kind, String | ShownText | IdentityText):
        return _text(kind, dialect_name)
    if isinstance(kind, Boolean) and dialect_name == "oracle":
        return OracleTruth()
    if isinstance(kind, Date) and dialect_name == "mssql":
        return DATE()  # which SQLAlchemy takes for a DATETIME as long as it knows no server's version
    return kind


def _text(kind: String | ShownText | IdentityText, dialect_name: str) -> Any:
    """Return the type of a short text: SQL Server's VARCHAR holds one alphabet alone, and Redshift's counts bytes."""
    if dialect_name == "mssql":
        return mssql.NVARCHAR(kind.length)
    if dialect_name == "redshift" and kind.length is not None:
        return String(4 * kind.length)
    return kind
