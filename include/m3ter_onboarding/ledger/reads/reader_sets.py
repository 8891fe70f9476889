"""A reader's DAGs and scopes as sets within a statement: one asks about all of them, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    func,
    literal_column,
    select,
    true,
    tuple_,
    union,
)

from m3ter_onboarding.ledger.reads.listed_values import listed_dags
from m3ter_onboarding.ledger.sql_types import whose
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.tables import Tables, once_more

#: A limit that none reaches: with one, SQLite does not turn a statement round.
NO_LIMIT = 1_000_000


@dataclass(frozen=True)
class ReaderSets:
    """Sets of one statement.

    :param dags: the reader's DAGs: ``dag_id``.
    :param scopes: as :func:`~m3ter_onboarding.ledger.reads.listed_values.listed_scopes` has them.
    :param laterally: whether this database takes a LATERAL join.
    """

    dags: CTE
    scopes: CTE
    laterally: bool

    @property
    def org_ids(self) -> Select[Any]:
        """The organisations, for ``IN``."""
        return select(self.scopes.c.org_id)

    @property
    def dag_ids(self) -> Select[Any]:
        """The DAGs, for ``IN``."""
        return select(self.dags.c.dag_id)


def sets_of(connection: Connection, t: Tables, dag_ids: Iterable[str]) -> ReaderSets:
    """Return the sets of a reader of these DAGs."""
    dags = listed_dags(connection, dag_ids)
    a = t.admission.c
    admitted = select(a.org_id, a.dag_id).where(a.dag_id.in_(select(dags.c.dag_id))).cte("admitted")
    # An expression, as in the index: SQLite compares a column with it in a way that the index cannot.
    own = select(admitted.c.org_id, whose(admitted.c.dag_id).label("owner"))
    found = select(admitted.c.org_id, literal_column("''"))
    return ReaderSets(dags, union(own, found).cte("scopes"), laterally=connection.dialect.name == "postgresql")


def within_each(table: Any, scopes: Any) -> ColumnElement[bool]:
    """Return the condition that an invitation is one of the scope beside it, as the indexes have it."""
    return and_(table.c.org_id == scopes.c.org_id, whose(table.c.dag_id) == scopes.c.owner)


def is_visible(table: Any, scopes: CTE) -> ColumnElement[bool]:
    """Return the condition for invitations that are looked up by something else: they are of one of these scopes.

    It is a filter only: PostgreSQL would otherwise begin with the scopes, and read all of each.
    """
    of_one = tuple_(table.c.org_id, whose(table.c.dag_id)).in_(select(scopes.c.org_id, scopes.c.owner))
    return func.coalesce(of_one, literal_column("false"))


def first_of_each(
    t: Tables,
    sets: ReaderSets,
    states: Sequence[InvitationState],
    order: Sequence[ColumnElement[Any]],
    each: int,
    *conditions: ColumnElement[bool],
) -> Select[Any]:
    """Return the first invitations of each scope, by ranges of an index that each stop by themselves.

    :param each: no more of one scope.
    """
    i, s = t.invitation, sets.scopes
    in_state = i.c.state.in_([state.value for state in states])
    mine = select(i).where(within_each(i, s), in_state, *conditions).order_by(*order).limit(each)
    return rows_of_each(t, s, mine, laterally=sets.laterally)


def rows_of_each(t: Tables, ranges: CTE, mine: Select[Any], *, laterally: bool) -> Select[Any]:
    """Return the invitations of each range, each by a statement that stops by itself.

    :param mine: whole invitations of the range beside it, sorted and limited.
    """
    if laterally:
        row = mine.correlate(ranges).lateral("first")
        return select(*row.c).select_from(ranges.join(row, true()))
    # SQLite's way: the keys of each range's rows, and then these.
    keys = mine.with_only_columns(t.invitation.c.invitation_id).correlate(ranges).scalar_subquery()
    first = once_more(t.invitation, "first")
    return select(first).select_from(ranges.join(first, first.c.invitation_id.in_(keys))).limit(NO_LIMIT)


def rows_of_scopes(
    t: Tables, sets: ReaderSets, state: InvitationState, most: int, *conditions: ColumnElement[bool]
) -> Select[Any]:
    """Return the rows of all scopes in a state, for counting; reading stops behind *most* of all together.

    :param conditions: on when they expire.
    """
    i, s = t.invitation, sets.scopes
    # In an order that an index has, so that it is used.
    order = (i.c.expires_at if conditions else i.c.updated_at, i.c.invitation_id)
    mine = [within_each(i, s), i.c.state == state.value, *conditions]
    return counted_rows(i, s, mine, order, most, laterally=sets.laterally)


def counted_rows(
    invitations: FromClause,
    ranges: CTE,
    conditions: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    most: int,
    *,
    laterally: bool,
) -> Select[Any]:
    """Return the invitations of all ranges, for counting; reading stops behind *most* of all together.

    :param conditions: of the range beside them, too.
    :param order: one that an index has.
    """
    one: ColumnElement[int] = literal_column("1").label("one")
    if laterally:
        row = select(one).where(*conditions).order_by(*order).limit(most + 1).correlate(ranges).lateral("row")
        return select(row.c.one).select_from(ranges.join(row, true())).limit(most + 1)
    return select(one).select_from(ranges.join(invitations, and_(*conditions))).limit(most + 1)


def count_of(rows: Select[Any]) -> ColumnElement[int]:
    """Return how many rows a statement has, as one value."""
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()
