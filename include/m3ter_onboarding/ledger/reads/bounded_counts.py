"""Counts that stop: a figure of the page never costs more than so many rows, whatever the ledger holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, literal, literal_column, select
from sqlalchemy import union_all as all_of

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.tables import Tables

#: Counting stops here; the page then says "1,000+".
COUNTED = 1000
#: So many counts are one statement.
_TOGETHER = 100


def count_up_to(
    connection: Connection, conditions: Mapping[str, Iterable[Select[Any]]], most: int = COUNTED
) -> dict[str, int]:
    """Count the rows of statements, and stop counting behind *most*.

    :param conditions: by name, statements whose rows are counted together.
    :returns: by name; ``most + 1`` stands for more.
    """
    named = [(name, one) for name, statements in conditions.items() for one in statements]
    counted = dict.fromkeys(conditions, 0)
    for some in batches([*enumerate(named)], _TOGETHER):
        parts = [
            select(
                literal(position).label("position"),
                select(func.count()).select_from(one.limit(most + 1).subquery()).scalar_subquery().label("many"),
            )
            for position, (_, one) in some
        ]
        for row in connection.execute(all_of(*parts) if len(parts) > 1 else parts[0]):
            name = named[row.position][0]
            counted[name] = min(counted[name] + row.many, most + 1)
    return counted


def rows_of_run(t: Tables, dag_id: str, run_id: str, state: str) -> Select[Any]:
    """Return the invitations that a run set out to send and that are in a state now, for counting."""
    i = t.invitation.c
    return select(literal_column("1")).where(i.dag_id == dag_id, i.run_id == run_id, i.state == state)
