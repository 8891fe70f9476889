"""The list of invitations: a page of it is a range of an index, however many there are."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, func, literal, literal_column, or_, select, tuple_
from sqlalchemy import union_all as all_of

from m3ter_onboarding.clock import parse_iso
from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import Scope, within, within_any
from m3ter_onboarding.ledger.sql_types import by_bytes
from m3ter_onboarding.ledger.state_names import STATES
from m3ter_onboarding.ledger.tables import Tables
from m3ter_onboarding.page.request_values import LARGEST_ID, in_utc, storable
from m3ter_provider.email_identity import email_key

Sort = Literal["changed", "address", "expires"]

PAGE = 50
#: Counting stops here; the page then says "1,000+".
COUNTED = 1000
#: So many ranges are merged by one statement: SQLite takes no more than 500, and a plan of many takes long.
_TOGETHER = 200
#: The end of all texts with a prefix.
_LAST = "\U0010ffff"


class UnreadableCursorError(ValueError):
    """What stands for a place in a list was not made by this page."""


@dataclass(frozen=True)
class Wanted:
    """What a list shows.

    :param search: the beginning of an address, or a whole employee_id or m3ter id; empty: everybody.
    :param states: of these; empty: of any.
    :param org_id: of this organisation; None: of all.
    :param after: the place behind which it goes on.
    """

    search: str = ""
    states: Sequence[str] = ()
    org_id: str | None = None
    sort: Sort = "changed"
    descending: bool = True
    after: str | None = None

    @property
    def term(self) -> str:
        """The search without spaces around it."""
        return self.search.strip()

    @property
    def falling(self) -> bool:
        """Whether the largest comes first; a search always begins at its first address."""
        return self.descending and not self.term


@dataclass(frozen=True)
class Page:
    """One page; *after* leads to the next, None: there is none."""

    rows: list[dict[str, Any]]
    after: str | None


def page_of(reader: LedgerReader, scopes: Sequence[Scope], wanted: Wanted, size: int = PAGE) -> Page:
    """Return one page of invitations.

    A search lists by address, those first whose employee_id or m3ter id is exactly what was searched for.

    :param scopes: what the reader may see.
    :raises UnreadableCursorError: when ``after`` is not one of ours.
    """
    return reader.read(
        lambda connection: _page(connection, reader.t, scopes, wanted, size), doing="listing invitations"
    )


def all_pages(reader: LedgerReader, scopes: Sequence[Scope], wanted: Wanted, size: int) -> Iterator[Page]:
    """Return page after page, each in a transaction of its own."""
    after = wanted.after
    while True:
        page = page_of(
            reader,
            scopes,
            Wanted(wanted.search, wanted.states, wanted.org_id, wanted.sort, wanted.descending, after),
            size,
        )
        yield page
        if page.after is None:
            return
        after = page.after


def _page(connection: Connection, t: Tables, scopes: Sequence[Scope], wanted: Wanted, size: int) -> Page:
    seen = [scope for scope in scopes if wanted.org_id in (None, scope.org_id)]
    exact = _exact(connection, t, seen, wanted) if wanted.term and wanted.after is None else []
    found = [row for one in keys_statements(t, seen, wanted, size + 1) for row in connection.execute(one)]
    # Texts sort here as the ledger sorts them: the order of code points is that of their bytes.
    found.sort(key=lambda row: (row.key, row.id), reverse=wanted.falling)
    more = len(found) > size
    found = found[:size]
    ids = [*exact, *(row.id for row in found if row.id not in exact)]
    after = _cursor(found[-1].key, found[-1].id) if more else None
    return Page(rows_of(connection, t, ids), after)


def keys_statements(t: Tables, scopes: Sequence[Scope], wanted: Wanted, limit: int) -> list[Select[Any]]:
    """Return the statements that find a page's rows: one range of an index for each scope and state, merged.

    :returns: each with a whole page, of which the first rows of all are taken; none where there is nothing to look
        through.
    """
    i = t.invitation
    sort: Sort = "address" if wanted.term else wanted.sort
    descending = wanted.falling
    key: ColumnElement[Any] = {
        "changed": i.c.updated_at,
        "address": by_bytes(i.c.email_key),
        "expires": i.c.expires_at,
    }[sort]
    conditions: list[ColumnElement[bool]] = []
    if wanted.term:
        first = email_key(wanted.term)
        # What was found exactly stands before the list already.
        same = or_(i.c.employee_id == wanted.term, i.c.m3ter_id == wanted.term)
        conditions += [key >= first, key < first + _LAST, ~func.coalesce(same, literal_column("false"))]
    elif sort == "expires":
        conditions.append(key.is_not(None))
    if wanted.after is not None:
        place = _place(wanted.after, sort)
        here, there = tuple_(key, i.c.invitation_id), tuple_(literal(place[0], key.type), literal(place[1]))
        conditions.append(here < there if descending else here > there)
    states = [name for name in STATES if not wanted.states or name in wanted.states]
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


def _exact(connection: Connection, t: Tables, scopes: Sequence[Scope], wanted: Wanted) -> list[int]:
    i = t.invitation
    found: list[int] = []
    for org_id in sorted({scope.org_id for scope in scopes}):
        # Two questions, not one with OR: each then has an index of its own.
        for column in (i.c.employee_id, i.c.m3ter_id):
            rows = select(i.c.invitation_id).where(i.c.org_id == org_id, column == wanted.term, within_any(i, scopes))
            if wanted.states:
                rows = rows.where(func.coalesce(i.c.state, "").in_(list(wanted.states)))
            found += connection.execute(rows.order_by(i.c.invitation_id.desc()).limit(PAGE)).scalars()
    return list(dict.fromkeys(found))


def rows_of(connection: Connection, t: Tables, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return these invitations, as the list shows them, in this order."""
    i = t.invitation
    columns = (
        *(i.c.invitation_id, i.c.org_id, i.c.email, i.c.employee_id, i.c.generation, i.c.state, i.c.origin),
        *(i.c.m3ter_id, i.c.dag_id, i.c.run_id, i.c.http_status, i.c.message, i.c.sent_at, i.c.accepted_at),
        *(i.c.expires_at, i.c.created_at, i.c.updated_at),
    )
    known = {
        row.invitation_id: dict(row._mapping)
        for row in connection.execute(select(*columns).where(i.c.invitation_id.in_(list(ids))))
    }
    return [known[one] for one in ids if one in known]


def count_up_to(
    connection: Connection, conditions: Mapping[str, Iterable[Select[Any]]], most: int = COUNTED
) -> dict[str, int]:
    """Count what each statement finds, and stop counting behind *most*: the work has an end, whatever the table holds.

    :param conditions: by name, statements whose rows are counted together.
    :returns: by name; ``most + 1`` stands for more.
    """
    named = [(name, one) for name, statements in conditions.items() for one in statements]
    counted = dict.fromkeys(conditions, 0)
    for some in batches([*enumerate(named)], 100):
        parts = [
            select(
                literal(position).label("which"),
                select(func.count()).select_from(one.limit(most + 1).subquery()).scalar_subquery().label("many"),
            )
            for position, (_, one) in some
        ]
        for row in connection.execute(all_of(*parts) if len(parts) > 1 else parts[0]):
            name = named[row.which][0]
            counted[name] = min(counted[name] + row.many, most + 1)
    return counted


def in_state(t: Tables, scope: Scope, state: str) -> Select[Any]:
    """Return the rows of a scope in a state, for counting; in an order that an index has, so that it is used."""
    i = t.invitation.c
    chosen: Select[Any] = select(literal_column("1")).where(within(t.invitation, scope), i.state == state)
    return chosen.order_by(i.updated_at, i.invitation_id)


def _cursor(key: Any, row_id: int) -> str:
    place = [key.isoformat() if isinstance(key, datetime) else key, row_id]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place(cursor: str, sort: Sort) -> tuple[Any, int]:
    try:
        key, row_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        key = storable(key) if sort == "address" else in_utc(parse_iso(key))
        if not isinstance(row_id, int) or not 0 <= row_id <= LARGEST_ID:
            raise UnreadableCursorError
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise UnreadableCursorError("This is no place in this list. Begin at its first page.") from None
    return key, row_id
