"""The list of those that wait for a person: invitations of unknown outcome, and rows of the newest plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy import union_all as all_of

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.manual_decisions import is_listed, ways_out
from m3ter_onboarding.ledger.reads.invitation_list import PAGE, InvitationQuery, InvitationRow, page_of
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import VisibleRows, within_any
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.ledger.states import LIVE_STATES, WHYS, InvitationState
from m3ter_onboarding.ledger.tables import Tables

#: So many questions are asked together; SQLite takes no more than 500.
_TOGETHER = 200


@dataclass(frozen=True, repr=False)
class InvitationForReview:
    """An invitation of which nobody knows whether it was sent.

    :param said: why, in words.
    :param way: what a person can do.
    :param to: the states that a person may give it.
    """

    invitation_id: int
    org_id: str
    email: str
    employee_id: str | None
    dag_id: str | None
    state: InvitationState
    since: datetime
    said: str
    detail: str | None
    way: str
    to: list[InvitationState]


@dataclass(frozen=True, repr=False)
class RowForReview:
    """A row of a newest plan that needs a person.

    :param invitation_id: the invitation that a person would decide about; None: none that the reader sees.
    :param said: why, in words.
    :param way: what a person can do.
    :param to: the states that a person may give to that invitation.
    """

    plan_id: str
    row_no: int
    org_id: str
    email: str | None
    employee_id: str | None
    reason: str
    dag_id: str
    run_id: str
    start_date: date | None
    invitation_id: int | None
    invitation_state: InvitationState | None
    invitation_email: str | None
    invitation_dag_id: str | None
    said: str
    detail: str | None
    way: str
    to: list[InvitationState]


@dataclass(frozen=True)
class ReviewList:
    """Both lists, each up to a page, and whether there is more."""

    invitations: list[InvitationForReview]
    more_invitations: bool
    rows: list[RowForReview]
    more_rows: bool


def review_list(reader: LedgerReader, visible: VisibleRows) -> ReviewList:
    """Return the invitations and rows that wait for a person."""
    query = InvitationQuery(states=(InvitationState.REVIEW,), descending=False)
    unclear = page_of(reader, visible.scopes, query)

    def work(connection: Connection) -> ReviewList:
        found = _rows_of_newest_plans(connection, reader.t, visible.dag_ids)
        return ReviewList(
            invitations=_with_reasons(connection, reader.t, unclear.rows),
            more_invitations=unclear.after is not None,
            rows=[_row_for_review(connection, reader.t, row, visible) for row in found[:PAGE]],
            more_rows=len(found) > PAGE,
        )

    return reader.read(work, doing="reading the review list")


def _with_reasons(connection: Connection, t: Tables, rows: Sequence[InvitationRow]) -> list[InvitationForReview]:
    e = t.event.c
    events = connection.execute(
        select(e.invitation_id, e.why, e.at)
        .where(e.invitation_id.in_([row.invitation_id for row in rows]), e.to_state == InvitationState.REVIEW.value)
        .order_by(e.event_id)
    )
    causes = {event.invitation_id: event for event in events}
    return [
        InvitationForReview(
            invitation_id=row.invitation_id,
            org_id=row.org_id,
            email=row.email,
            employee_id=row.employee_id,
            dag_id=row.dag_id,
            state=row.state,
            since=cause.at if cause else row.updated_at,
            said=WHYS.get(cause.why, "") if cause else "",
            detail=shortened(row.message),
            way=decision_names.WAYS["unknown_outcome"],
            to=_sorted_states(ways_out(row.state.value)),
        )
        for row, cause in ((row, causes.get(row.invitation_id)) for row in rows)
    ]


def _rows_of_newest_plans(connection: Connection, t: Tables, dag_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Return rows for review in the newest complete plan of each DAG; those that are on the list above are left out."""
    p, d = t.plan.c, t.decision.c
    newest = [
        select(
            select(p.plan_id)
            .where(p.dag_id == dag_id, p.state == "sealed")
            .order_by(p.created_at.desc())
            .limit(1)
            .scalar_subquery()
            .label("plan_id")
        )
        for dag_id in dag_ids
    ]
    if not newest:
        return []
    plans = [one for some in batches(newest, _TOGETHER) for one in connection.execute(all_of(*some)).scalars() if one]
    return connection.execute(
        select(t.decision, p.dag_id, p.run_id)
        .join(t.plan, p.plan_id == d.plan_id)
        .where(d.plan_id.in_(plans), d.decision == "review", d.reason != "unknown_outcome")
        .order_by(d.plan_id, d.row_no)
        .limit(PAGE + 1)
    ).all()


def _row_for_review(connection: Connection, t: Tables, row: Row[Any], visible: VisibleRows) -> RowForReview:
    invitation = _in_the_way(connection, t, row, visible)
    to = frozenset[str]()
    if invitation is not None:
        accepted = invitation.state == InvitationState.ACCEPTED.value
        to = ways_out(invitation.state, listed=accepted and is_listed(connection, t, invitation))
    no_way = not to and row.reason in decision_names.NO_WAYS
    return RowForReview(
        plan_id=row.plan_id,
        row_no=row.row_no,
        org_id=row.org_id,
        email=row.email,
        employee_id=row.employee_id,
        reason=row.reason,
        dag_id=row.dag_id,
        run_id=row.run_id,
        start_date=row.start_date,
        invitation_id=invitation.invitation_id if invitation else None,
        invitation_state=InvitationState(invitation.state) if invitation else None,
        invitation_email=invitation.email if invitation else None,
        invitation_dag_id=invitation.dag_id if invitation else None,
        said=decision_names.REASONS.get(row.reason, row.reason),
        detail=shortened(row.detail),
        way=(decision_names.NO_WAYS if no_way else decision_names.WAYS).get(row.reason, ""),
        to=_sorted_states(to),
    )


def _in_the_way(connection: Connection, t: Tables, row: Row[Any], visible: VisibleRows) -> Row[Any] | None:
    """Return the invitation that a person would decide about for a plan's row; None: none that the reader sees.

    That of the row itself; where another address forbids it, the live one of that address.
    """
    i, d, p = t.invitation, t.decision, t.plan
    mine = select(i).where(i.c.org_id == row.org_id, within_any(i, visible.scopes))
    if row.reason != "email_changed":
        return connection.execute(mine.where(i.c.invitation_id == row.invitation_id)).one_or_none()
    elsewhere = mine.where(
        i.c.state.in_([state.value for state in LIVE_STATES]), i.c.email_key != (row.email_key or "")
    ).order_by(i.c.invitation_id.desc())
    known = connection.execute(elsewhere.where(i.c.employee_id == row.employee_id).limit(1)).one_or_none()
    if known is not None:
        return known
    # An invitation that was found in m3ter has an address only; an earlier plan saw whose it is.
    seen = (
        select(d.c.email_key)
        .join(p, p.c.plan_id == d.c.plan_id)
        .where(
            d.c.org_id == row.org_id,
            d.c.employee_id == row.employee_id,
            d.c.decision == "skip",
            p.c.dag_id.in_(list(visible.dag_ids)),
        )
        .order_by(d.c.decided_at.desc())
        .limit(PAGE)
    )
    addresses = list(dict.fromkeys(connection.execute(seen).scalars()))
    return connection.execute(
        elsewhere.where(i.c.employee_id.is_(None), i.c.email_key.in_(addresses)).limit(1)
    ).one_or_none()


def _sorted_states(states: frozenset[str]) -> list[InvitationState]:
    return [InvitationState(state) for state in sorted(states)]
