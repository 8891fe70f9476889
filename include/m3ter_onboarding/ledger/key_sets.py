"""Looking for thousands of keys in one statement: one parameter carries them all.

An IN with a parameter for each key is written, compiled and bound anew for every number of keys, which took longer than
the look-up itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, String, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.sql_types import IdentityText
from m3ter_provider.answer_values import usable_identity

#: So many keys are looked for at once.
AT_ONCE = 5_000


def one_of(connection: Connection, column: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a column of text has one of these values.

    :param connection: to PostgreSQL or SQLite.
    :param keys: as they are compared with the column: those that no ledger can store are looked for as it stores them.
    """
    wanted = list(keys)
    if isinstance(column.type, IdentityText) and not _are_plain(wanted, column.type.length):
        wanted = [usable_identity(key, column.type.length) for key in keys]
    return _is_in(connection, column, wanted, String())


def one_of_ids(connection: Connection, column: ColumnElement[Any], ids: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a column of numbered keys has one of these values.

    :param connection: to PostgreSQL or SQLite.
    """
    return _is_in(connection, column, list(ids), BigInteger())


def _is_in(
    connection: Connection, column: ColumnElement[Any], values: list[Any], kind: TypeEngine[Any]
) -> ColumnElement[bool]:
    if connection.dialect.name == "postgresql":
        return column.bool_op("=")(_any(literal(values, ARRAY(kind))))
    return column.bool_op("IN")(_listed(literal(json.dumps(values), String())))


# SQLAlchemy's own functions for these refer to themselves: each look-up would keep its keys until Python looks for such
# circles, which it rarely does while a plan is made.
class _any(FunctionElement[Any]):  # noqa: N801 (a SQL function's name)
    """One of the values of an array of PostgreSQL's."""

    name = "any"
    inherit_cache = True


class _listed(FunctionElement[Any]):  # noqa: N801 (a SQL function's name)
    """The values of a JSON array, for IN."""

    name = "listed"
    inherit_cache = True


@compiles(_any)
def _any_of_array(element: _any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"ANY ({compiler.process(element.clauses, **kw)})"


@compiles(_listed)
def _listed_by_json_each(element: _listed, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **kw)}))"  # noqa: S608 (one parameter)


def _are_plain(keys: Sequence[str], longest: int) -> bool:
    """Return whether every key is stored as it is, as almost always."""
    together = "".join(keys)
    return together.isascii() and "\0" not in together and max(map(len, keys), default=0) <= longest


def sets_of(keys: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield the different keys in their order, as many at once as one statement should look for."""
    return batches(sorted(set(keys)), AT_ONCE)
