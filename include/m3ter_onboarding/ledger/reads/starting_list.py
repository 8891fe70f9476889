"""Who starts soon, and which invitations to chase, as the page lists them: what is in the lists now, soonest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, null, or_, select

from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.day_one import STANDINGS, Standing
from m3ter_onboarding.ledger.reads.invitation_list import PAGE
from m3ter_onboarding.ledger.reads.listed_names import invited_name, person_name
from m3ter_onboarding.ledger.reads.numbered_pages import count_rows
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import VisibleRows
from m3ter_onboarding.ledger.reads.since_listed import changed_since
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.tables import Tables

StartingList = Literal["day_one", "chase"]
ChaseWhy = Literal["starts", "expires", "both"]


@dataclass(frozen=True)
class StartingQuery:
    """Which rows a list shows.

    :param name: who starts soon, or which invitations to chase.
    :param standings: only these; none: all.
    :param why: only invitations to chase for this reason; None: all.
    :param starts_from: only people who start on this day or later; None: on any.
    :param starts_until: only people who start on this day or before; None: on any.
    :param after: how many rows come before the page.
    """

    name: StartingList = "day_one"
    standings: Sequence[Standing] = ()
    why: ChaseWhy | None = None
    starts_from: date | None = None
    starts_until: date | None = None
    after: int = 0


@dataclass(frozen=True)
class StartingRow:
    """One person who starts soon, or one invitation to chase.

    :param person_name: first and last name; None: no plan has it, or they are erased.
    :param standing: of a person; None: the row is an invitation to chase.
    :param why: of an invitation to chase; None: the row is a person.
    :param since: of the standing; for an invitation: since it is to be chased.
    :param decision: as ``decision:reason``; *said* in words.
    :param state_now: of their newest invitation, where it has changed since the list was made; None: nothing has.
    :param changed_at: when it did.
    """

    item_id: int
    org_id: str
    dag_id: str | None
    email: str | None = field(repr=False)
    employee_id: str | None = field(repr=False)
    person_name: str | None = field(repr=False)
    start_date: date | None
    standing: Standing | None
    why: ChaseWhy | None
    since: datetime
    decision: str | None
    said: str
    plan_id: str | None
    row_no: int | None
    invitation_id: int | None
    invitation_state: InvitationState | None
    expires_at: datetime | None
    state_now: InvitationState | None
    changed_at: datetime | None

    @property
    def standing_said(self) -> str:
        """The standing in words."""
        return "" if self.standing is None else STANDINGS[self.standing]


@dataclass(frozen=True)
class StartingPage:
    """A page of a list.

    :param after: where the next page begins; None: there is none.
    :param total: how many the whole list has; with *more*, at least so many.
    :param standings: people by where they stand, of all standings, within the days that are asked for.
    :param as_of: when the day-one DAG has made the list; of several organisations, the earliest; None: never.
    """

    rows: list[StartingRow]
    after: int | None
    total: int
    more: bool
    standings: dict[Standing, int]
    as_of: datetime | None


def starting_page(reader: LedgerReader, visible: VisibleRows, query: StartingQuery, size: int = PAGE) -> StartingPage:
    """Return a page of a list."""

    def work(connection: Connection) -> StartingPage:
        t = reader.t
        chosen = _chosen(t, visible, query)
        found = connection.execute(_named(t, chosen.offset(query.after).limit(size + 1), query)).all()
        changed = changed_since(connection, t, visible, found[:size])
        standings = _standings(connection, t, visible, query) if query.name == "day_one" else {}
        if query.name == "day_one":
            total, more = sum(standings[one] for one in query.standings or standings), False
        else:
            total, more = count_rows(connection, chosen)
        return StartingPage(
            rows=[_row(row, changed.get(row.item_id)) for row in found[:size]],
            after=query.after + size if len(found) > size else None,
            total=total,
            more=more,
            standings=standings,
            as_of=_listed_at(connection, t, visible),
        )

    return reader.read(work, doing="reading who starts soon")


def all_starting(
    reader: LedgerReader, visible: VisibleRows, query: StartingQuery, size: int
) -> Iterator[list[StartingRow]]:
    """Return all rows of a list, a page at a time."""
    after: int | None = 0
    while after is not None:
        page = starting_page(reader, visible, replace(query, after=after), size)
        yield page.rows
        after = page.after


def _organisations(visible: VisibleRows) -> list[str]:
    return sorted({scope.org_id for scope in visible.scopes})


def _listed_at(connection: Connection, t: Tables, visible: VisibleRows) -> datetime | None:
    p = t.day_one_pass.c
    return connection.execute(select(func.min(p.last_at)).where(p.org_id.in_(_organisations(visible)))).scalar()


def _standings(connection: Connection, t: Tables, visible: VisibleRows, query: StartingQuery) -> dict[Standing, int]:
    """Count people within the days of a query, by where they stand."""
    d = t.day_one.c
    counted = select(d.standing, func.count().label("many")).where(*_starting(t, visible, query)).group_by(d.standing)
    many = {row.standing: row.many for row in connection.execute(counted)}
    return {standing: many.get(standing.value, 0) for standing in STANDINGS}


def _starting(t: Tables, visible: VisibleRows, query: StartingQuery) -> list[ColumnElement[bool]]:
    """Return the conditions for people, whatever their standing."""
    d, conditions = t.day_one.c, [_visible(t.day_one, visible)]
    if query.starts_from is not None:
        conditions.append(d.start_date >= query.starts_from)
    if query.starts_until is not None:
        conditions.append(d.start_date <= query.starts_until)
    return conditions


def _visible(table: Any, visible: VisibleRows) -> ColumnElement[bool]:
    """Return the condition that a row is in the list now, and the reader's; NULL: the invitation was found in m3ter."""
    c = table.c
    mine = or_(c.dag_id.in_(sorted(visible.dag_ids)), c.dag_id.is_(None))
    return and_(c.org_id.in_(_organisations(visible)), c.ended_at.is_(None), mine)


def _chosen(t: Tables, visible: VisibleRows, query: StartingQuery) -> Select[Any]:
    if query.name == "day_one":
        d = t.day_one.c
        conditions = _starting(t, visible, query)
        if query.standings:
            conditions.append(d.standing.in_([standing.value for standing in query.standings]))
        return select(t.day_one, null().label("why")).where(*conditions).order_by(d.start_date, d.item_id)
    c = t.chase.c
    conditions = [_visible(t.chase, visible)]
    if query.why is not None:
        conditions.append(c.why == query.why)
    nothing = (null().label(name) for name in ("standing", "decision", "reason", "plan_id", "row_no"))
    return (
        select(
            t.chase,
            *nothing,
            c.first_seen_at.label("standing_since"),
            literal(InvitationState.SENT.value).label("invitation_state"),
        )
        .where(*conditions)
        .order_by(c.expires_at, c.item_id)
    )


def _named(t: Tables, page: Select[Any], query: StartingQuery) -> Select[Any]:
    """Return the rows of a page with the names of their people, which are read for these alone."""
    c = (rows := page.subquery()).c
    if query.name == "day_one":
        return select(rows, person_name(t, rows).label("person_name")).order_by(c.start_date, c.item_id)
    return select(rows, invited_name(t, rows).label("person_name")).order_by(c.expires_at, c.item_id)


def _row(row: Any, changed: Row[Any] | None) -> StartingRow:
    return StartingRow(
        item_id=row.item_id,
        org_id=row.org_id,
        dag_id=row.dag_id,
        email=row.email,
        employee_id=row.employee_id,
        person_name=row.person_name,
        start_date=row.start_date,
        standing=Standing(row.standing) if row.standing else None,
        why=row.why,
        since=row.standing_since,
        decision=f"{row.decision}:{row.reason}" if row.decision else None,
        said=decision_names.REASONS.get(row.reason, row.reason) if row.reason else "",
        plan_id=row.plan_id,
        row_no=row.row_no,
        invitation_id=row.invitation_id,
        invitation_state=InvitationState(row.invitation_state) if row.invitation_state else None,
        expires_at=row.expires_at,
        state_now=InvitationState(changed.state) if changed else None,
        changed_at=changed.updated_at if changed else None,
    )
