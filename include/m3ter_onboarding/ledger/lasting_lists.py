"""Lists that m3ter and the warehouse change over time: rows are begun, kept and ended, and never deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, UniqueConstraint, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from m3ter_onboarding.databases.batches import batches

ListedRow = Mapping[str, Any]


def update_list(
    connection: Connection,
    table: Table,
    org_id: str,
    listed: Mapping[Any, ListedRow],
    *,
    ended: Callable[[Row[Any]], str],
    now: datetime,
    since: tuple[str, str] | None = None,
) -> None:
    """Make an organisation's list what it is now, in one transaction.

    :param table: with a unique key of ``org_id`` and one more column, by which *listed* is keyed.
    :param listed: the columns of each row that is in the list; every row has the same.
    :param ended: returns why a row is no longer in the list.
    :param now: UTC.
    :param since: a column, and the column of the instant at which it got its value.
    """
    c, key = table.c, _key_of(table)
    mine = c.org_id == org_id
    there = {getattr(row, key): row for row in connection.execute(select(table).where(mine, c.ended_at.is_(None)))}
    leaving = [row for value, row in there.items() if value not in listed]
    for batch in batches(sorted(set(listed) - set(there))):  # listed once, and ended
        chosen = select(table).where(mine, c[key].in_(batch))
        there.update((getattr(row, key), row) for row in connection.execute(chosen))

    def values_of(value: Any) -> dict[str, Any]:
        before, row = there.get(value), listed[value]
        values = {**row, "last_seen_at": now, "ended_at": None, "ended_why": None}
        if since is not None:
            of, at = since
            same = before is not None and before.ended_at is None and getattr(before, of) == row[of]
            values[at] = getattr(before, at) if same else now
        return values

    new = [
        {"org_id": org_id, key: value, "first_seen_at": now, **values_of(value)}
        for value in sorted(listed)  # numbered in this order, by which the page shows those of one day
        if value not in there
    ]
    _insert(connection, table, new)
    _change(connection, table, [{"item_id": there[v].item_id, **values_of(v)} for v in listed if v in there])
    _change(connection, table, [{"item_id": row.item_id, "ended_at": now, "ended_why": ended(row)} for row in leaving])


def _key_of(table: Table) -> str:
    (unique,) = (one for one in table.constraints if isinstance(one, UniqueConstraint))
    (name,) = (column.name for column in unique.columns if column.name != "org_id")
    return name


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    # Two DAGs of one organisation may list somebody at once.
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for batch in batches(rows):
        connection.execute(insert(table).on_conflict_do_nothing(), list(batch))


def _change(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    names = [name for name in rows[0] if name != "item_id"]
    statement = (
        update(table)
        .where(table.c.item_id == bindparam("b_item"))
        .values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names})
    )
    parameters = [{"b_item": row["item_id"], **{f"new_{name}": row[name] for name in names}} for row in rows]
    for batch in batches(parameters):
        connection.execute(statement, list(batch))
