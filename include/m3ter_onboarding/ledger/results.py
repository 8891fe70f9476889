"""Rows of an organisation for their copies in the warehouse, and what tells whether a copy is current (rule 17)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.tables import as_dict

Key = tuple[Any, ...]


@dataclass(frozen=True)
class CopiedRows:
    """The rows of one table that are copied.

    :param key: the columns that tell its rows apart, within an organisation.
    :param version: the columns by which a copy that is no longer current is known; none: its rows never change.
    """

    table: Table
    key: tuple[str, ...]
    version: tuple[str, ...] = ()

    def version_of(self, row: Mapping[str, Any]) -> str:
        """Return a hash of what may change in a row."""
        values = json.dumps([str(row[name]) for name in self.version])
        return hashlib.sha256(values.encode(errors="replace")).hexdigest()


def in_keys(table: Table, columns: Sequence[str], keys: Sequence[Key]) -> ColumnElement[bool]:
    """Return the condition that a row's key is one of *keys*; without tuples, which not every warehouse compares."""
    if len(columns) == 1:
        return table.c[columns[0]].in_([key[0] for key in keys])
    return or_(*(and_(*(table.c[name] == value for name, value in zip(columns, key, strict=True))) for key in keys))


def versions(
    db: LedgerDatabase, copied: CopiedRows, org_id: str, *, after: int | None = None, limit: int | None = None
) -> dict[Key, str]:
    """Return the version of each row by its key, in the order of their keys.

    :param after: only rows with a greater number; for tables whose key is one number.
    """
    c = copied.table.c
    key = [c[name] for name in copied.key]
    statement = select(*key, *(c[name] for name in copied.version if name not in copied.key))
    statement = statement.where(c.org_id == org_id).order_by(*key).limit(limit)
    if after is not None:
        statement = statement.where(key[0] > after)

    def work(connection: Connection) -> dict[Key, str]:
        rows = (as_dict(row) for row in connection.execute(statement))
        return {tuple(row[name] for name in copied.key): copied.version_of(row) for row in rows}

    return db.read(work, doing="reading what is to be published")


def rows_with(db: LedgerDatabase, copied: CopiedRows, org_id: str, keys: Sequence[Key]) -> list[dict[str, Any]]:
    """Return the rows with these keys, by column."""
    t = copied.table
    chosen = select(t).where(t.c.org_id == org_id, in_keys(t, copied.key, keys))
    return db.read(lambda c: [as_dict(row) for row in c.execute(chosen)], doing="reading what is to be published")


def total(db: LedgerDatabase, table: Table, number: str, *conditions: ColumnElement[bool]) -> tuple[int, int]:
    """Return how many rows there are, and the sum of their numbers."""
    return db.read(lambda c: total_of(c, table, number, *conditions), doing="counting what is to be published")


def total_of(connection: Connection, table: Table, number: str, *conditions: ColumnElement[bool]) -> tuple[int, int]:
    """Return how many rows there are, and the sum of their numbers."""
    found = connection.execute(select(func.count(), func.sum(table.c[number])).where(*conditions)).one()
    return int(found[0]), int(found[1] or 0)


def newest_number(db: LedgerDatabase, table: Table, number: str, org_id: str) -> int:
    """Return the greatest number of the organisation's rows; 0: there is none."""
    statement = select(func.max(table.c[number])).where(table.c.org_id == org_id)
    return db.read(lambda c: int(c.execute(statement).scalar() or 0), doing="counting what is to be published")


def decisions_after(db: LedgerDatabase, plan_id: str, row_no: int, limit: int) -> list[dict[str, Any]]:
    """Return the next decisions of a plan, by column, in their order."""
    d = db.tables.decision
    chosen = select(d).where(d.c.plan_id == plan_id, d.c.row_no > row_no).order_by(d.c.row_no).limit(limit)
    return db.read(lambda c: [as_dict(row) for row in c.execute(chosen)], doing="reading decisions to publish")
