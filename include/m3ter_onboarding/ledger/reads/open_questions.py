"""The worklist as the page lists it: open questions of the reader's DAGs, and what a person can do about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select

from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.manual_decisions import is_listed, ways_out
from m3ter_onboarding.ledger.reads.invitation_list import PAGE
from m3ter_onboarding.ledger.reads.scopes import VisibleRows, within_any
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.ledger.states import LIVE_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables

#: To be answered; answered by time alone; put off; open, and their row is gone; closed by a person or by age.
Shown = Literal["open", "waiting", "snoozed", "gone", "closed"]

#: Nobody has to do anything about these.
_ANSWERED_BY_TIME = ("too_early", "cooling_off")


@dataclass(frozen=True)
class QuestionQuery:
    """Which questions a list shows, oldest first.

    :param kind: of this ``decision:reason``, or of this decision with its colon; empty: of any.
    :param after: the cursor of the page before.
    :param at: UTC, now: what is put off until then is open again.
    """

    at: datetime
    shown: Shown = "open"
    kind: str = ""
    after: int = 0


@dataclass(frozen=True, repr=False)
class OpenQuestion:
    """An entry of the worklist.

    :param plan_id: with *row_no*: the newest plan that asked it.
    :param since: when it was opened.
    :param gone_since: since when a complete read has not had the row.
    :param closed_why: ``decided`` by *closed_by*, or ``too_old``.
    :param invitation_id: the invitation that a person would decide about; None: none that the reader sees.
    :param said: why, in words.
    :param way: what a person can do.
    :param to: the states that a person may give to that invitation.
    """

    item_id: int
    plan_id: str
    row_no: int
    org_id: str
    dag_id: str
    email: str | None
    employee_id: str | None
    decision: str
    reason: str
    detail: str | None
    start_date: date | None
    since: datetime
    last_seen: datetime
    gone_since: datetime | None
    snoozed_until: datetime | None
    closed_at: datetime | None
    closed_why: str | None
    closed_by: str | None
    note: str | None
    noted_by: str | None
    invitation_id: int | None
    invitation_state: InvitationState | None
    invitation_email: str | None
    invitation_dag_id: str | None
    said: str
    way: str
    to: list[InvitationState]


def questions_of(connection: Connection, t: Tables, visible: VisibleRows, query: QuestionQuery) -> list[OpenQuestion]:
    """Return a page of questions, and one more where there are more."""
    w = t.worklist
    decision, _, reason = query.kind.partition(":")
    conditions = [_visible(t, visible), _shown(t, query), w.c.item_id > query.after]
    if query.kind:
        conditions += [w.c.decision == decision, *([w.c.reason == reason] if reason else ())]
    rows = connection.execute(select(w).where(*conditions).order_by(w.c.item_id).limit(PAGE + 1)).all()
    return [_question(connection, t, row, visible) for row in rows]


def count_questions(connection: Connection, t: Tables, visible: VisibleRows, at: datetime) -> dict[str, int]:
    """Count the questions that are open and not put off, by decision and reason."""
    w = t.worklist.c
    rows = connection.execute(
        select(w.decision, w.reason, func.count().label("many"))
        .where(_visible(t, visible), _shown(t, QuestionQuery(at)))
        .group_by(w.decision, w.reason)
        .order_by(w.decision, w.reason)
    )
    return {f"{row.decision}:{row.reason}": row.many for row in rows}


def dag_of_question(connection: Connection, t: Tables, visible: VisibleRows, item_id: int) -> str | None:
    """Return the DAG that a person must be allowed to edit, to decide about a question; None: the reader sees none."""
    w = t.worklist
    found: str | None = connection.execute(
        select(w.c.dag_id).where(_visible(t, visible), w.c.item_id == item_id)
    ).scalar()
    return found


def _visible(t: Tables, visible: VisibleRows) -> ColumnElement[bool]:
    """Return the condition that a question is one of the reader's DAGs; unclear invitations have their own list."""
    w = t.worklist.c
    orgs = sorted({scope.org_id for scope in visible.scopes})
    return and_(w.org_id.in_(orgs), w.dag_id.in_(sorted(visible.dag_ids)), w.reason != "unknown_outcome")


def _shown(t: Tables, query: QuestionQuery) -> ColumnElement[bool]:
    w = t.worklist.c
    if query.shown == "closed":
        return and_(w.closed_at.is_not(None), w.closed_why != "answered")
    if query.shown == "gone":
        return and_(w.closed_at.is_(None), w.gone_at.is_not(None))
    put_off = and_(w.snoozed_until.is_not(None), w.snoozed_until > query.at)
    by_time = w.reason.in_(_ANSWERED_BY_TIME)
    shown = {"open": and_(~by_time, ~put_off), "waiting": and_(by_time, ~put_off), "snoozed": put_off}
    return and_(w.closed_at.is_(None), w.gone_at.is_(None), shown[query.shown])


def _question(connection: Connection, t: Tables, row: Row[Any], visible: VisibleRows) -> OpenQuestion:
    invitation = _in_the_way(connection, t, row, visible) if row.decision == "review" else None
    to = frozenset[str]()
    if invitation is not None:
        accepted = invitation.state == InvitationState.ACCEPTED.value
        to = ways_out(invitation.state, listed=accepted and is_listed(connection, t, invitation))
    no_way = not to and row.reason in decision_names.NO_WAYS
    return OpenQuestion(
        item_id=row.item_id,
        plan_id=row.plan_id,
        row_no=row.row_no,
        org_id=row.org_id,
        dag_id=row.dag_id,
        email=row.email,
        employee_id=row.employee_id,
        decision=row.decision,
        reason=row.reason,
        detail=shortened(row.detail),
        start_date=row.start_date,
        since=row.opened_at,
        last_seen=row.last_seen_at,
        gone_since=row.gone_at,
        snoozed_until=row.snoozed_until,
        closed_at=row.closed_at,
        closed_why=row.closed_why,
        closed_by=row.closed_by,
        note=shortened(row.note),
        noted_by=row.noted_by,
        invitation_id=invitation.invitation_id if invitation else None,
        invitation_state=InvitationState(invitation.state) if invitation else None,
        invitation_email=invitation.email if invitation else None,
        invitation_dag_id=invitation.dag_id if invitation else None,
        said=decision_names.REASONS.get(row.reason, row.reason),
        way=(decision_names.NO_WAYS if no_way else decision_names.WAYS).get(row.reason, ""),
        to=sorted_states(to),
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


def sorted_states(states: frozenset[str]) -> list[InvitationState]:
    """Return states in their order by name."""
    return [InvitationState(state) for state in sorted(states)]
