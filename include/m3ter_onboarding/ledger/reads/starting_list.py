"""Who starts soon, and which invitations to chase, as the page lists them: what is in the lists now, soonest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, literal, null, or_, select

from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.day_one import Standing
from m3ter_onboarding.ledger.reads.invitation_list import PAGE
from m3ter_onboarding.ledger.reads.numbered_pages import count_rows
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import VisibleRows
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
    :param day: only people of this first day; None: of any.
    :param after: how many rows come before the page.
    """

    name: StartingList = "day_one"
    standings: Sequence[Standing] = ()
    why: ChaseWhy | None = None
    day: date | None = None
    after: int = 0


@dataclass(frozen=True)
class StartingRow:
    """One person who starts soon, or one invitation to chase.

    :param standing: of a person; None: the row is an invitation to chase.
    :param why: of an invitation to chase; None: the row is a person.
    :param since: of the standing; for an invitation: since it is to be chased.
    :param decision: as ``decision:reason``; *said* in words.
    """

    item_id: int
    org_id: str
    dag_id: str | None
    email: str | None = field(repr=False)
    employee_id: str | None = field(repr=False)
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


@dataclass(frozen=True)
class StartingPage:
    """A page of a list.

    :param after: where the next page begins; None: there is none.
    :param total: how many the whole list has; with *more*, at least so many.
    :param listed: whether the day-one DAG has ever made its lists for one of the reader's organisations.
    """

    rows: list[StartingRow]
    after: int | None
    total: int
    more: bool
    listed: bool


def starting_page(reader: LedgerReader, visible: VisibleRows, query: StartingQuery, size: int = PAGE) -> StartingPage:
    """Return a page of a list."""

    def work(connection: Connection) -> StartingPage:
        chosen = _chosen(reader.t, visible, query)
        rows = [_row(row) for row in connection.execute(chosen.offset(query.after).limit(size + 1))]
        total, more = count_rows(connection, chosen)
        after = query.after + size if len(rows) > size else None
        return StartingPage(rows[:size], after, total, more, listed=_was_listed(connection, reader.t, visible))

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


def _was_listed(connection: Connection, t: Tables, visible: VisibleRows) -> bool:
    p = t.day_one_pass.c
    made = select(p.org_id).where(p.org_id.in_(_organisations(visible))).limit(1)
    return connection.execute(made).first() is not None


def _visible(table: Any, visible: VisibleRows) -> ColumnElement[bool]:
    """Return the condition that a row is in the list now, and the reader's; NULL: the invitation was found in m3ter."""
    c = table.c
    mine = or_(c.dag_id.in_(sorted(visible.dag_ids)), c.dag_id.is_(None))
    return and_(c.org_id.in_(_organisations(visible)), c.ended_at.is_(None), mine)


def _chosen(t: Tables, visible: VisibleRows, query: StartingQuery) -> Select[Any]:
    if query.name == "day_one":
        d = t.day_one.c
        conditions = [_visible(t.day_one, visible)]
        if query.standings:
            conditions.append(d.standing.in_([standing.value for standing in query.standings]))
        if query.day is not None:
            conditions.append(d.start_date == query.day)
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


def _row(row: Any) -> StartingRow:
    return StartingRow(
        item_id=row.item_id,
        org_id=row.org_id,
        dag_id=row.dag_id,
        email=row.email,
        employee_id=row.employee_id,
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
    )
