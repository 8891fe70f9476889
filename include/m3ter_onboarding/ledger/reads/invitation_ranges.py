"""Ranges of indexes: the sorted keys of a page of invitations, one range for each scope and state, merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, func, literal, literal_column, or_, select, tuple_
from sqlalchemy import union_all as all_of

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.list_places import Phase, Place
from m3ter_onboarding.ledger.reads.scopes import Scope, within
from m3ter_onboarding.ledger.sql_types import by_bytes
from m3ter_onboarding.ledger.states import ON_ITS_WAY_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.email_identity import email_key

Sort = Literal["changed", "address", "expires"]

PAGE = 50
#: So many ranges are merged by one statement: SQLite takes no more than 500, and a plan of many takes long.
_TOGETHER = 200
#: The end of all texts with a prefix.
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class KeyRange:
    """Which invitations, in which order.

    :param states: of these; empty: of any.
    :param begins: the beginning of their addresses; empty: any.
    """

    phase: Phase
    sort: Sort
    descending: bool
    states: Sequence[InvitationState] = ()
    begins: str = field(default="", repr=False)


def read_keys(
    connection: Connection,
    t: Tables,
    scopes: Sequence[Scope],
    wanted: KeyRange,
    place: Place | None,
    limit: int,
    *,
    backwards: bool = False,
) -> list[Place]:
    """Return the first keys behind a place.

    :param place: None: at the beginning, or *backwards* at the end.
    :param backwards: return those before it, the nearest first.
    """
    descending = wanted.descending != backwards
    found = [
        row
        for some in batches(_ranges(t, scopes, wanted, place, limit, descending=descending), _TOGETHER)
        for row in connection.execute(_merged(some, wanted.sort, descending, limit))
    ]
    # Texts sort here as the ledger sorts them: the order of code points is that of their bytes.
    found.sort(key=lambda row: (row.key, row.id), reverse=descending)
    return [Place(wanted.phase, row.key, row.id) for row in found[:limit]]


def count_keys(
    connection: Connection, t: Tables, scopes: Sequence[Scope], wanted: KeyRange, most: int = COUNTED
) -> tuple[int, bool]:
    """Count a range of keys; return how many, at most *most*, and whether there are more."""
    many = 0
    for some in batches(_ranges(t, scopes, wanted, None, most + 1, descending=wanted.descending), _TOGETHER):
        parts = all_of(*some) if len(some) > 1 else some[0]
        # As it stops in the middle, the ranges behind are never begun.
        counted = select(func.count()).select_from(parts.limit(most + 1 - many).subquery())
        many += connection.execute(counted).scalar_one()
        if many > most:
            return most, True
    return many, False


def exactly(columns: Any, term: str) -> ColumnElement[bool]:
    """Return the condition that an invitation's employee_id or m3ter id is what is searched for."""
    same = or_(columns.employee_id == term, columns.m3ter_id == term)
    return func.coalesce(same, literal_column("false"))


def begins_with(key: ColumnElement[Any], term: str) -> list[ColumnElement[bool]]:
    """Return the conditions that an address begins with a text: a range of its index."""
    first = email_key(term)
    return [key >= first, key < first + _LAST]


def _ranges(
    t: Tables, scopes: Sequence[Scope], wanted: KeyRange, place: Place | None, limit: int, *, descending: bool
) -> list[Select[Any]]:
    """Return one range of an index for each scope and state; each stops by itself: PostgreSQL would sort them all."""
    i = t.invitation
    id_ = i.c.invitation_id
    key: ColumnElement[Any] = {
        "changed": i.c.updated_at,
        "address": by_bytes(i.c.email_key),
        "expires": i.c.expires_at,
    }[wanted.sort]
    conditions: list[ColumnElement[bool]] = []
    if wanted.begins:
        # Exact matches stand before the list already.
        conditions += [*begins_with(key, wanted.begins), ~exactly(i.c, wanted.begins)]
    elif wanted.sort == "expires":
        conditions.append(key.is_not(None))
    if place is not None:
        here, there = tuple_(key, id_), tuple_(literal(place.key, key.type), literal(place.id))
        conditions.append(here < there if descending else here > there)
    states = frozenset(wanted.states or InvitationState)
    if wanted.sort == "expires":  # nothing else can expire any more
        states &= ON_ITS_WAY_STATES
    order = (key.desc(), id_.desc()) if descending else (key, id_)
    return [
        select(
            select(key.label("key"), id_.label("id"))
            .where(within(i, scope), i.c.state == state.value, *conditions)
            .order_by(*order)
            .limit(limit)
            .subquery()
        )
        for scope in scopes
        for state in InvitationState
        if state in states
    ]


def _merged(ranges: Sequence[Select[Any]], sort: Sort, descending: bool, limit: int) -> Select[Any]:
    merged = (all_of(*ranges) if len(ranges) > 1 else ranges[0]).subquery()
    # The merged key has lost its way of comparing.
    key = by_bytes(merged.c.key) if sort == "address" else merged.c.key
    order = (key.desc(), merged.c.id.desc()) if descending else (key, merged.c.id)
    return select(merged.c.key, merged.c.id).order_by(*order).limit(limit)
