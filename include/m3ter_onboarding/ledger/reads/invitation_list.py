"""The list of invitations: a page of it is a range of an index, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Connection, select
from sqlalchemy import union_all as all_of

from m3ter_onboarding.ledger.key_sets import one_of
from m3ter_onboarding.ledger.reads.address_search import SearchReach, inside_addresses
from m3ter_onboarding.ledger.reads.invitation_ranges import PAGE, KeyRange, Narrowing, Sort, count_keys, read_keys
from m3ter_onboarding.ledger.reads.list_places import Phase, Place, UnreadableCursorError, cursor_of, place_of
from m3ter_onboarding.ledger.reads.listed_names import decided_name
from m3ter_onboarding.ledger.reads.listed_values import listed_runs, listed_scopes
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.reader_sets import is_visible
from m3ter_onboarding.ledger.reads.scopes import Scope
from m3ter_onboarding.ledger.reads.sending_runs import CHART_RUNS, keys_of, sending_runs
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.pasted_text import trim

__all__ = ["PAGE", "Sort", "UnreadableCursorError"]


@dataclass(frozen=True, repr=False)
class InvitationQuery:
    """Which invitations a list shows, and in which order.

    :param search: a whole employee_id or m3ter id, the beginning of an address, a part of one, or of a name; empty:
        everybody.
    :param states: of these; empty: of any.
    :param org_id: of this organisation; None: of all.
    :param sort: ``expires`` lists only those that can expire: sent or adopted, and not accepted yet.
    :param run: of this run; None: of any.
    :param runs_since: of the runs that began then or later and may send; None: of any.
    :param expires_from: not those that expire earlier.
    :param expires_before: only those that expire earlier.
    :param after: the cursor by which the page before ends.
    :param before: instead, the cursor at which the page after begins.
    """

    search: str = ""
    states: Sequence[InvitationState] = ()
    org_id: str | None = None
    sort: Sort = "changed"
    descending: bool = True
    after: str | None = None
    before: str | None = None
    run: RunKey | None = None
    runs_since: datetime | None = None
    expires_from: datetime | None = None
    expires_before: datetime | None = None

    @property
    def term(self) -> str:
        """The search without spaces, and marks that nobody sees, around it."""
        return trim(self.search)


@dataclass(frozen=True, repr=False)
class InvitationRow:
    """One invitation, as lists show it.

    :param origin: ``claimed``: this ledger set out to send it; ``found``: m3ter had it.
    :param message: the last answer of m3ter's, or why there was none.
    :param person_name: first and last name; None: no plan asked for it, or they are erased.
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
    person_name: str | None


@dataclass(frozen=True)
class InvitationPage:
    """One page of invitations.

    :param after: the cursor of the next page; None: there is none.
    :param before: the cursor of the previous page; None: this is the first.
    :param total: how many the whole list has; with *more*, at least so many.
    :param reach: of a search, how far it looked inside addresses; None: it looked at their beginnings alone.
    """

    rows: list[InvitationRow]
    after: str | None
    before: str | None = None
    total: int = 0
    more: bool = False
    reach: SearchReach | None = None


def page_of(
    reader: LedgerReader, scopes: Sequence[Scope], query: InvitationQuery, size: int = PAGE, *, counted: bool = True
) -> InvitationPage:
    """Return one page of invitations.

    A search lists those first whose employee_id or m3ter id is exactly what was searched for, then by address those
    that begin with it, then those that have it inside.

    :param scopes: what the reader may see.
    :param counted: whether the whole list is counted.
    :raises UnreadableCursorError: when ``after`` or ``before`` is not one of ours.
    """

    def work(connection: Connection) -> InvitationPage:
        visible = [scope for scope in scopes if query.org_id in (None, scope.org_id)]
        listing = _Listing(connection, reader.t, visible, query)
        page = listing.page(size)
        begins = query.before is not None and len(page.rows) < size  # and has become longer
        emptied = counted and query.after is not None and not page.rows  # its rows have left the list
        if begins or emptied:
            listing = _Listing(connection, reader.t, visible, replace(query, before=None, after=None))
            page = listing.page(size)
        return listing.counted(page) if counted else page

    return reader.read(work, doing="listing invitations")


def all_pages(
    reader: LedgerReader, scopes: Sequence[Scope], query: InvitationQuery, size: int
) -> Iterator[InvitationPage]:
    """Return page after page, each in a transaction of its own."""
    after = query.after
    while True:
        page = page_of(reader, scopes, replace(query, after=after, before=None), size, counted=False)
        yield page
        if page.after is None:
            return
        after = page.after


class _Listing:
    """The list of one query, as one transaction sees it.

    A list without a search is one range of keys; a search is two, one behind the other: addresses that begin with the
    term, and those that have it inside.
    """

    def __init__(self, connection: Connection, t: Tables, scopes: Sequence[Scope], query: InvitationQuery) -> None:
        self._connection, self._t, self._query = connection, t, query
        self._scopes = listed_scopes(connection, scopes)
        self._term = query.term
        org_ids = sorted({scope.org_id for scope in scopes})
        self._only = only = Narrowing(
            query.states, query.run, _runs(connection, t, scopes, query), query.expires_from, query.expires_before
        )
        self._exact = _exact(connection, t, self._scopes, org_ids, self._term, only) if self._term else []
        self._inside, self.reach = (
            inside_addresses(connection, t, self._scopes, self._term, only) if self._term else ([], None)
        )

    def page(self, size: int) -> InvitationPage:
        """Return a page, not counted."""
        query = self._query
        backwards = query.before is not None
        cursor = query.before if backwards else query.after
        place = self._place(cursor) if cursor is not None else None
        found = self._backwards(place, size + 1) if backwards else self._forwards(place, size + 1)
        more = len(found) > size
        found = found[:size]
        if backwards:
            found.reverse()
        ids = [row.id for row in found if row.id not in self._exact]
        if place is None or (backwards and not more):
            ids = [*self._exact, *ids]
        is_first, is_last = (not more, False) if backwards else (place is None, not more)
        return InvitationPage(
            rows_of(self._connection, self._t, ids),
            after=None if is_last or not found else cursor_of(found[-1]),
            before=None if is_first or not found else cursor_of(found[0]),
            reach=self.reach,
        )

    def counted(self, page: InvitationPage) -> InvitationPage:
        """Return a page with the size of its list; counting stops."""
        many, more = count_keys(self._connection, self._t, self._scopes, self._range())
        many += len(self._exact) + len(self._inside)
        return replace(page, total=many, more=more or (self.reach is not None and self.reach.more))

    def _range(self) -> KeyRange:
        query = self._query
        if self._term:
            return KeyRange("begins", "address", False, self._only, self._term)
        return KeyRange("list", query.sort, query.descending, self._only)

    def _keys(self, place: Place | None, limit: int, *, backwards: bool = False) -> list[Place]:
        return read_keys(self._connection, self._t, self._scopes, self._range(), place, limit, backwards=backwards)

    def _forwards(self, place: Place | None, limit: int) -> list[Place]:
        found: list[Place] = []
        if place is None or place.phase != "inside":
            found, place = self._keys(place, limit), None
        behind = [row for row in self._inside if place is None or (row.key, row.id) > (place.key, place.id)]
        return [*found, *behind][:limit]

    def _backwards(self, place: Place | None, limit: int) -> list[Place]:
        found: list[Place] = []
        if place is not None and place.phase == "inside":
            found = [row for row in reversed(self._inside) if (row.key, row.id) < (place.key, place.id)][:limit]
            place = None
        return [*found, *self._keys(place, limit - len(found), backwards=True)] if len(found) < limit else found

    def _place(self, cursor: str) -> Place:
        phases: tuple[Phase, ...] = ("begins", "inside") if self._term else ("list",)
        sort: Sort = "address" if self._term else self._query.sort
        place = place_of(cursor, phases, is_instant=sort != "address")
        if sort != "address":
            return place
        # No cursor holds an address: it stands in the page's own.
        i = self._t.invitation
        key = self._connection.execute(
            select(i.c.email_key).where(i.c.invitation_id == place.id, is_visible(i, self._scopes))
        ).scalar()
        if key is None:
            raise UnreadableCursorError("This place in the list is gone. Begin at its first page.")
        return replace(place, key=key)


def _runs(connection: Connection, t: Tables, scopes: Sequence[Scope], query: InvitationQuery) -> CTE | None:
    """Return the runs of some days whose invitations are listed; None: of any run, or of none."""
    if query.runs_since is None:
        return None
    dag_ids = sorted({scope.dag_id for scope in scopes if scope.dag_id is not None})
    return listed_runs(connection, keys_of(sending_runs(connection, t, dag_ids, query.runs_since)[:CHART_RUNS]))


def _exact(
    connection: Connection, t: Tables, scopes: CTE, org_ids: Sequence[str], term: str, only: Narrowing
) -> list[int]:
    i = t.invitation
    found = []
    # Two questions, not one with OR: each then has an index of its own.
    for column in (i.c.employee_id, i.c.m3ter_id):
        rows = select(i.c.invitation_id).where(
            one_of(connection, i.c.org_id, org_ids), column == term, is_visible(i, scopes), *only.of_rows(i.c)
        )
        found.append(select(rows.order_by(i.c.invitation_id.desc()).limit(PAGE).subquery()))
    ids = connection.execute(all_of(*found)).scalars()
    return list(dict.fromkeys(ids))


def rows_of(connection: Connection, t: Tables, ids: Sequence[int]) -> list[InvitationRow]:
    """Return these invitations, as lists show them, in this order."""
    i = t.invitation.c
    columns: list[Any] = [i[field.name] for field in fields(InvitationRow) if field.name != "person_name"]
    columns.append(decided_name(t, t.invitation).label("person_name"))
    known = {
        row.invitation_id: InvitationRow(**{**row._mapping, "state": InvitationState(row.state)})
        for row in connection.execute(select(*columns).where(i.invitation_id.in_(list(ids))))
    }
    return [known[one] for one in ids if one in known]
