"""Ranges of an index: the sorted keys of a page of invitations, from the ranges of all scopes and states together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Subquery,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.list_places import Phase, Place
from m3ter_onboarding.ledger.reads.listed_values import listed_states
from m3ter_onboarding.ledger.reads.reader_sets import (
    NO_LIMIT,
    count_of,
    counted_rows,
    is_visible,
    rows_of_each,
    within_each,
)
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sql_types import by_bytes, whose
from m3ter_onboarding.ledger.states import ON_ITS_WAY_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.email_identity import email_key

Sort = Literal["changed", "address", "expires"]

PAGE = 50
#: The end of all texts with a prefix.
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class Narrowing:
    """Which invitations alone are listed.

    :param states: of these; empty: of any.
    :param run: that this run set out to send; None: of any run, or of none.
    :param runs: likewise, one of these.
    :param expires_from: not those that expire earlier.
    :param expires_before: only those that expire earlier.
    """

    states: Sequence[InvitationState] = ()
    run: RunKey | None = None
    runs: CTE | None = None
    expires_from: datetime | None = None
    expires_before: datetime | None = None

    def of_rows(self, columns: Any) -> list[ColumnElement[bool]]:
        """Return the conditions for invitations that are looked up by something else."""
        conditions = self.beside_states(columns)
        if self.states:
            conditions.append(func.coalesce(columns.state, "").in_([state.value for state in self.states]))
        return conditions

    def beside_states(self, columns: Any) -> list[ColumnElement[bool]]:
        """Return the same without the states."""
        conditions: list[ColumnElement[bool]] = []
        if self.run is not None:
            conditions += [columns.dag_id == self.run.dag_id, columns.run_id == self.run.run_id]
        if self.runs is not None:
            of_these = select(self.runs.c.dag_id, self.runs.c.run_id)
            conditions.append(tuple_(columns.dag_id, columns.run_id).in_(of_these))
        if self.expires_from is not None:
            conditions.append(columns.expires_at >= self.expires_from)
        if self.expires_before is not None:
            conditions.append(columns.expires_at < self.expires_before)
        return conditions


@dataclass(frozen=True)
class KeyRange:
    """Which invitations, in which order.

    :param begins: the beginning of their addresses; empty: any.
    """

    phase: Phase
    sort: Sort
    descending: bool
    only: Narrowing = Narrowing()
    begins: str = field(default="", repr=False)


def read_keys(
    connection: Connection,
    t: Tables,
    scopes: CTE,
    wanted: KeyRange,
    place: Place | None,
    limit: int,
    *,
    backwards: bool = False,
) -> list[Place]:
    """Return the first keys behind a place.

    :param scopes: what the reader may see.
    :param place: None: at the beginning, or *backwards* at the end.
    :param backwards: return those before it, the nearest first.
    """
    descending = wanted.descending != backwards
    if wanted.only.run is not None:
        first = _of_run(t, scopes, wanted, place, limit, descending=descending)
    else:
        first = _merged(connection, t, scopes, wanted, place, limit, descending=descending)
    return [Place(wanted.phase, row.key, row.id) for row in _read(connection, wanted, first)]


def count_keys(
    connection: Connection, t: Tables, scopes: CTE, wanted: KeyRange, most: int = COUNTED
) -> tuple[int, bool]:
    """Count a range of keys; return how many, at most *most*, and whether there are more."""
    if wanted.only.run is not None:
        rows = _of_run(t, scopes, wanted, None, most + 1, descending=False)
    else:
        i, ranges = t.invitation, _ranges(connection, scopes, wanted)
        in_range = [within_each(i, ranges), i.c.state == ranges.c.state, *_wanted(t, wanted, None, descending=False)]
        order = _sorted_by(_key(i, wanted.sort), i.c.invitation_id, descending=False)
        rows = counted_rows(i, ranges, in_range, order, most, laterally=connection.dialect.name == "postgresql")
    [(many,)] = _read(connection, wanted, select(count_of(rows)))
    return min(many, most), many > most


def exactly(columns: Any, term: str) -> ColumnElement[bool]:
    """Return the condition that an invitation's employee_id or m3ter id is what is searched for."""
    same = or_(columns.employee_id == term, columns.m3ter_id == term)
    return func.coalesce(same, literal_column("false"))


def begins_with(key: ColumnElement[Any], term: str) -> list[ColumnElement[bool]]:
    """Return the conditions that an address begins with a text: a range of its index."""
    first = email_key(term)
    return [key >= first, key < first + _LAST]


def _read(connection: Connection, wanted: KeyRange, statement: Select[Any]) -> Sequence[Row[Any]]:
    """Return the rows of a statement; PostgreSQL takes the order of a range from its index.

    It believes that a range of one organisation, DAG and state has one row: to read another index, and to sort, looks
    as cheap.
    """
    if wanted.only.run is not None or connection.dialect.name != "postgresql":
        return connection.execute(statement).all()
    connection.exec_driver_sql("SET LOCAL enable_sort = off")
    rows = connection.execute(statement).all()
    connection.exec_driver_sql("SET LOCAL enable_sort = on")
    return rows


def _ranges(connection: Connection, scopes: CTE, wanted: KeyRange) -> CTE:
    """Return each scope with each state: a range of an index."""
    listed = listed_states(connection, _states(wanted))
    each = select(scopes.c.org_id, scopes.c.owner, listed.c.state).select_from(scopes.join(listed, true()))
    return each.limit(NO_LIMIT).cte("ranges")  # SQLite then keeps both together, and takes the index of both


def _of_run(
    t: Tables, scopes: CTE, wanted: KeyRange, place: Place | None, limit: int, *, descending: bool
) -> Select[Any]:
    """Return the first keys of the invitations of one run: no more than a plan has, found by the index of runs."""
    i = t.invitation
    states = [state.value for state in _states(wanted)]
    chosen = [func.coalesce(i.c.state, "").in_(states), is_visible(i, scopes)]
    first = _first_keys(i, wanted, limit, descending=descending)
    return first.where(*chosen, *_wanted(t, wanted, place, descending=descending))


def _merged(
    connection: Connection,
    t: Tables,
    scopes: CTE,
    wanted: KeyRange,
    place: Place | None,
    limit: int,
    *,
    descending: bool,
) -> Select[Any]:
    """Return the first keys of all ranges."""
    i = t.invitation
    laterally = connection.dialect.name == "postgresql"
    order = _sorted_by(_key(i, wanted.sort), i.c.invitation_id, descending=descending)
    conditions = _wanted(t, wanted, place, descending=descending)

    def first_of_each(ranges: CTE, many: int) -> Subquery:
        in_range = [within_each(i, ranges), i.c.state == ranges.c.state, *conditions]
        mine = select(i).where(*in_range).order_by(*order).limit(many)
        return rows_of_each(t, ranges, mine, laterally=laterally).subquery()

    # A page comes from the ranges that begin with the first of all: no other range has a row of it.
    begins = first_of_each(_ranges(connection, scopes, wanted), 1)
    nearest = (
        select(begins.c.org_id, whose(begins.c.dag_id).label("owner"), begins.c.state)
        .order_by(*_sorted_by(_key(begins, wanted.sort), begins.c.invitation_id, descending=descending))
        .limit(limit)
        .cte("nearest")
    )
    return _first_keys(first_of_each(nearest, limit), wanted, limit, descending=descending)


def _first_keys(invitations: FromClause, wanted: KeyRange, limit: int, *, descending: bool) -> Select[Any]:
    key, id_ = _key(invitations, wanted.sort), invitations.c.invitation_id
    order = _sorted_by(key, id_, descending=descending)
    return select(key.label("key"), id_.label("id")).order_by(*order).limit(limit)


def _states(wanted: KeyRange) -> frozenset[InvitationState]:
    states = frozenset(wanted.only.states or InvitationState)
    return states & ON_ITS_WAY_STATES if wanted.sort == "expires" else states  # nothing else can expire any more


def _wanted(t: Tables, wanted: KeyRange, place: Place | None, *, descending: bool) -> list[ColumnElement[bool]]:
    """Return the conditions that an invitation is wanted, its scope and its state apart."""
    i = t.invitation
    key = _key(i, wanted.sort)
    conditions = wanted.only.beside_states(i.c)
    if wanted.begins:
        # Exact matches stand before the list already.
        conditions += [*begins_with(key, wanted.begins), ~exactly(i.c, wanted.begins)]
    elif wanted.sort == "expires":
        conditions.append(key.is_not(None))
    if place is not None:
        here, there = tuple_(key, i.c.invitation_id), tuple_(literal(place.key, key.type), literal(place.id))
        conditions.append(here < there if descending else here > there)
    return conditions


def _key(table: FromClause, sort: Sort) -> ColumnElement[Any]:
    if sort == "address":
        return by_bytes(table.c.email_key)
    return table.c.updated_at if sort == "changed" else table.c.expires_at


def _sorted_by(key: ColumnElement[Any], id_: ColumnElement[int], *, descending: bool) -> list[ColumnElement[Any]]:
    return [key.desc(), id_.desc()] if descending else [key, id_]
