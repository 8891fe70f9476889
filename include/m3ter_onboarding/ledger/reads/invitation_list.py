"""The list of invitations: a page of it is a range of an index, however many there are."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, func, literal, literal_column, or_, select, tuple_
from sqlalchemy import union_all as all_of

from m3ter_onboarding.clock import parse_iso
from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import Scope, within, within_any
from m3ter_onboarding.ledger.sql_types import by_bytes
from m3ter_onboarding.ledger.states import ON_ITS_WAY_STATES, InvitationState
from m3ter_onboarding.ledger.storable_values import LARGEST_ID, storable_instant, storable_text
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.email_identity import email_key
from m3ter_provider.pasted_text import trim

Sort = Literal["changed", "address", "expires"]

PAGE = 50
#: So many ranges are merged by one statement: SQLite takes no more than 500, and a plan of many takes long.
_TOGETHER = 200
#: The end of all texts with a prefix.
_LAST = "\U0010ffff"


class UnreadableCursorError(ValueError):
    """A cursor that this page did not make."""


@dataclass(frozen=True, repr=False)
class InvitationQuery:
    """Which invitations a list shows, and in which order.

    :param search: the beginning of an address, or a whole employee_id or m3ter id; empty: everybody.
    :param states: of these; empty: of any.
    :param org_id: of this organisation; None: of all.
    :param sort: ``expires`` lists only those that can expire: sent or adopted, and not accepted yet.
    :param after: the cursor of the page before.
    """

    search: str = ""
    states: Sequence[InvitationState] = ()
    org_id: str | None = None
    sort: Sort = "changed"
    descending: bool = True
    after: str | None = None

    @property
    def term(self) -> str:
        """The search without spaces, and marks that nobody sees, around it."""
        return trim(self.search)

    @property
    def largest_first(self) -> bool:
        """Whether the largest comes first; a search always begins at its first address."""
        return self.descending and not self.term


@dataclass(frozen=True, repr=False)
class InvitationRow:
    """One invitation, as lists show it.

    :param origin: ``claimed``: this ledger set out to send it; ``found``: m3ter had it.
    :param message: the last answer of m3ter's, or why there was none.
    """

    invitation_id: int
    org_id: str
    email: str
    employee_id: str | None
    generation: int
    state: InvitationState
    origin: str
    m3ter_id: str | None
    dag_id: str | None
    run_id: str | None
    http_status: int | None
    message: str | None
    sent_at: datetime | None
    accepted_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class InvitationPage:
    """One page of invitations.

    :param after: the cursor of the next page; None: there is none.
    """

    rows: list[InvitationRow]
    after: str | None


def page_of(reader: LedgerReader, scopes: Sequence[Scope], query: InvitationQuery, size: int = PAGE) -> InvitationPage:
    """Return one page of invitations.

    A search lists by address, those first whose employee_id or m3ter id is exactly what was searched for.

    :param scopes: what the reader may see.
    :raises UnreadableCursorError: when ``after`` is not one of ours.
    """
    return reader.read(lambda connection: _page(connection, reader.t, scopes, query, size), doing="listing invitations")


def all_pages(
    reader: LedgerReader, scopes: Sequence[Scope], query: InvitationQuery, size: int
) -> Iterator[InvitationPage]:
    """Return page after page, each in a transaction of its own."""
    after = query.after
    while True:
        page = page_of(reader, scopes, replace(query, after=after), size)
        yield page
        if page.after is None:
            return
        after = page.after


def _page(
    connection: Connection, t: Tables, scopes: Sequence[Scope], query: InvitationQuery, size: int
) -> InvitationPage:
    visible = [scope for scope in scopes if query.org_id in (None, scope.org_id)]
    exact = _exact(connection, t, visible, query) if query.term and query.after is None else []
    found = [row for one in keys_statements(t, visible, query, size + 1) for row in connection.execute(one)]
    # Texts sort here as the ledger sorts them: the order of code points is that of their bytes.
    found.sort(key=lambda row: (row.key, row.id), reverse=query.largest_first)
    more = len(found) > size
    found = found[:size]
    ids = [*exact, *(row.id for row in found if row.id not in exact)]
    after = _cursor(found[-1].key, found[-1].id) if more else None
    return InvitationPage(rows_of(connection, t, ids), after)


def keys_statements(t: Tables, scopes: Sequence[Scope], query: InvitationQuery, limit: int) -> list[Select[Any]]:
    """Return the statements that find a page's rows: one range of an index for each scope and state, merged.

    :returns: each with a whole page, of which the first rows of all are taken; none where there is nothing to look
        through.
    """
    i = t.invitation
    sort: Sort = "address" if query.term else query.sort
    descending = query.largest_first
    key: ColumnElement[Any] = {
        "changed": i.c.updated_at,
        "address": by_bytes(i.c.email_key),
        "expires": i.c.expires_at,
    }[sort]
    conditions: list[ColumnElement[bool]] = []
    if query.term:
        first = email_key(query.term)
        # Exact matches stand before the list already.
        same = or_(i.c.employee_id == query.term, i.c.m3ter_id == query.term)
        conditions += [key >= first, key < first + _LAST, ~func.coalesce(same, literal_column("false"))]
    elif sort == "expires":
        conditions.append(key.is_not(None))
    if query.after is not None:
        place = _place(query.after, sort)
        here, there = tuple_(key, i.c.invitation_id), tuple_(literal(place[0], key.type), literal(place[1]))
        conditions.append(here < there if descending else here > there)
    wanted = frozenset(query.states or InvitationState)
    if sort == "expires":  # nothing else can expire any more
        wanted &= ON_ITS_WAY_STATES
    states = [state.value for state in InvitationState if state in wanted]
    id_ = i.c.invitation_id
    order = (key.desc(), id_.desc()) if descending else (key, id_)
    # Each range stops by itself: PostgreSQL would sort all of them together.
    ranges = [
        select(
            select(key.label("key"), id_.label("id"))
            .where(within(i, scope), i.c.state == state, *conditions)
            .order_by(*order)
            .limit(limit)
            .subquery()
        )
        for scope in scopes
        for state in states
    ]
    return [_merged(some, sort, descending, limit) for some in batches(ranges, _TOGETHER)]


def _merged(ranges: Sequence[Select[Any]], sort: Sort, descending: bool, limit: int) -> Select[Any]:
    merged = (all_of(*ranges) if len(ranges) > 1 else ranges[0]).subquery()
    # The merged key has lost its way of comparing.
    key = by_bytes(merged.c.key) if sort == "address" else merged.c.key
    order = (key.desc(), merged.c.id.desc()) if descending else (key, merged.c.id)
    return select(merged.c.key, merged.c.id).order_by(*order).limit(limit)


def _exact(connection: Connection, t: Tables, scopes: Sequence[Scope], query: InvitationQuery) -> list[int]:
    i = t.invitation
    found: list[int] = []
    for org_id in sorted({scope.org_id for scope in scopes}):
        # Two questions, not one with OR: each then has an index of its own.
        for column in (i.c.employee_id, i.c.m3ter_id):
            rows = select(i.c.invitation_id).where(i.c.org_id == org_id, column == query.term, within_any(i, scopes))
            if query.states:
                rows = rows.where(func.coalesce(i.c.state, "").in_([state.value for state in query.states]))
            found += connection.execute(rows.order_by(i.c.invitation_id.desc()).limit(PAGE)).scalars()
    return list(dict.fromkeys(found))


def rows_of(connection: Connection, t: Tables, ids: Sequence[int]) -> list[InvitationRow]:
    """Return these invitations, as lists show them, in this order."""
    i = t.invitation.c
    columns = [i[field.name] for field in fields(InvitationRow)]
    known = {
        row.invitation_id: InvitationRow(**{**row._mapping, "state": InvitationState(row.state)})
        for row in connection.execute(select(*columns).where(i.invitation_id.in_(list(ids))))
    }
    return [known[one] for one in ids if one in known]


def _cursor(key: Any, row_id: int) -> str:
    place = [key.isoformat() if isinstance(key, datetime) else key, row_id]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place(cursor: str, sort: Sort) -> tuple[Any, int]:
    try:
        key, row_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        key = storable_text(key) if sort == "address" else storable_instant(parse_iso(key))
        if not isinstance(row_id, int) or not 0 <= row_id <= LARGEST_ID:
            raise UnreadableCursorError
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise UnreadableCursorError("This is no place in this list. Begin at its first page.") from None
    return key, row_id
