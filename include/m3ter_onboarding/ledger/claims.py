"""Who may send what: claims with a lease, written and judged by the database.

A claim is the only way to a POST. It is one transaction that takes a chunk of a plan's ``invite`` decisions;
unique keys, not the SELECT before them, keep two senders from claiming one address or one employee. What came
back belongs to the claim's token until the lease ends, and every later change names that token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    update,
)

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.plans import may_be_sent
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.states import CLAIMABLE_STATES, ENDED_STATES, LIVE_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables, state_in

_NOT_ENDED = LIVE_STATES | CLAIMABLE_STATES
DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Claimed:
    """One invitation that this claim owns, with the request exactly as it was planned."""

    invitation_id: int
    employee_id: str | None
    email_key: str
    request: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Claimed(invitation_id={self.invitation_id})"


def claim_chunk(
    db: LedgerDatabase,
    *,
    run: RunKey,
    plan_id: str,
    org_id: str,
    token: str,
    lease_ms: int,
    size: int,
    day_cap: int | None,
    now: datetime,
    backfill_cap: int | None = None,
) -> list[Claimed]:
    """Claim up to *size* of a plan's invitations; empty when nothing may be claimed now (which is not the end).

    :param token: a new random token for this chunk; calling again with it returns what it already owns.
    :param lease_ms: for how long, from now on the database's clock, the claim lasts.
    :param day_cap: the most that may be attempted for the organisation in 24 hours, or None.
    :param now: the worker's clock (UTC), for the readable columns and to judge expiry in the mirror.
    :param backfill_cap: the most that may be attempted by backfills of the run's DAG in 24 hours, or None.
    """
    t = db.tables

    def work(connection: Connection) -> list[Claimed]:
        owned = _owned(connection, t, token)
        if owned:
            return owned  # an earlier try whose COMMIT went through unheard
        # One claim at a time for each organisation: the cap is exact, and rivals queue instead of colliding.
        connection.execute(
            update(t.mirror_org).where(t.mirror_org.c.org_id == org_id).values(claims=t.mirror_org.c.claims + 1)
        )
        room = size if day_cap is None else min(size, day_cap - _attempted_in_a_day(connection, t, org_id))
        if backfill_cap is not None and room > 0:
            room = min(room, backfill_cap - _attempted_in_a_day(connection, t, org_id, run.dag_id))
        if room <= 0:
            return []
        _reclaim(connection, t, run, plan_id, org_id, token, lease_ms, room, now)
        left = room - _count(connection, t, token)
        if left > 0:
            _claim_new(connection, db, run, plan_id, org_id, token, lease_ms, left, now)
        _note_claims(connection, t, token, now)
        return _owned(connection, t, token)

    return db.write(work, doing="claiming invitations")


def _attempted_in_a_day(connection: Connection, t: Tables, org_id: str, backfills_of: str | None = None) -> int:
    i, r = t.invitation.c, t.run.c
    whose: ColumnElement[bool] = true()
    if backfills_of is not None:
        whose = exists().where(
            r.dag_id == backfills_of, r.dag_id == i.dag_id, r.run_id == i.run_id, r.run_type == "backfill"
        )
    # Read once: PostgreSQL's clock_timestamp() is volatile, and no index would be used to compare with it.
    a_day_ago = int(connection.execute(select(db_now_ms())).scalar_one()) - DAY_MS

    def count(condition: ColumnElement[bool]) -> int:
        mine = select(func.count()).where(i.org_id == org_id, i.origin == "claimed", condition, whose)
        return int(connection.execute(mine).scalar_one())

    begun = count(i.attempt_started_ms > a_day_ago)
    about_to = count(
        and_(
            i.state == InvitationState.SENDING.value,
            or_(i.attempt_started_ms.is_(None), i.attempt_started_ms <= a_day_ago),
        )
    )
    return begun + about_to


def attempted_in_a_day(db: LedgerDatabase, org_id: str, backfills_of: str | None = None) -> int:
    """Return how many invitations of the organisation were attempted in the last 24 hours.

    :param backfills_of: count only what runs of backfills of this DAG attempted.
    """
    return db.read(
        lambda c: _attempted_in_a_day(c, db.tables, org_id, backfills_of), doing="counting the last 24 hours"
    )


def attempted_by_run(db: LedgerDatabase, run: RunKey, *, other_than: str) -> int:
    """Return how many invitations of a run's earlier plans were sent, or may have been.

    :param other_than: the plan that is looked at now.
    """
    i = db.tables.invitation.c

    def work(connection: Connection) -> int:
        mine = and_(i.dag_id == run.dag_id, i.run_id == run.run_id, i.plan_id != other_than)
        sent = and_(i.origin == "claimed", state_in(db.tables.invitation, LIVE_STATES))
        return int(connection.execute(select(func.count()).where(mine, sent)).scalar_one())

    return db.read(work, doing="counting what the run has sent")


def _alive_in_m3ter(t: Tables, email: ColumnElement[Any], org_id: str, now: datetime) -> ColumnElement[bool]:
    """Return the condition that m3ter, as last read, has an invitation or an access of this address."""
    m, u = t.mirror_invitation.c, t.mirror_user.c
    access = or_(u.access_ends_at.is_(None), u.access_ends_at > now)

    def user_with(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        # Correlated by hand: a query inside a query inside a query would else get the outermost table once more.
        user = select(u.m3ter_id).where(u.org_id == org_id, u.email_key == email, ~u.gone, condition)
        return exists(user.correlate_except(t.mirror_user))

    pending = and_(~m.accepted, or_(m.expires_at.is_(None), m.expires_at > now))
    joined = and_(m.accepted, ~user_with(not_(access)))
    invitation = select(m.m3ter_id).where(m.org_id == org_id, m.email_key == email, ~m.gone, or_(pending, joined))
    return or_(exists(invitation.correlate_except(t.mirror_invitation)), user_with(access))


def ended_since_planned(invitation: FromClause, decision: FromClause) -> ColumnElement[bool]:
    """Return the condition that an invitation came to its end after the decision: it is not this plan's to renew.

    One decision is one e-mail. Whether an expired one is followed by another is for the next plan to say.
    """
    i, d = invitation.c, decision.c
    since = or_(i.invitation_id > func.coalesce(d.invitation_id, 0), i.plan_id == d.plan_id)
    return and_(state_in(invitation, ENDED_STATES), since)


def _claim_new(
    connection: Connection,
    db: LedgerDatabase,
    run: RunKey,
    plan_id: str,
    org_id: str,
    token: str,
    lease_ms: int,
    size: int,
    now: datetime,
) -> None:
    t = db.tables
    d = t.decision.c
    i, earlier = t.invitation.alias(), t.invitation.alias()
    # Two questions, not one with OR: each then has an index of its own.
    address_taken = exists().where(i.c.org_id == org_id, i.c.email_key == d.email_key, state_in(i, _NOT_ENDED))
    ended_since = exists().where(i.c.org_id == org_id, i.c.email_key == d.email_key, ended_since_planned(i, t.decision))
    employee_taken = exists().where(i.c.org_id == org_id, i.c.employee_id == d.employee_id, state_in(i, LIVE_STATES))
    generation = (
        select(func.coalesce(func.max(earlier.c.generation), 0) + 1)
        .where(earlier.c.org_id == org_id, earlier.c.email_key == d.email_key)
        .scalar_subquery()
    )
    source: dict[str, Any] = {
        "org_id": d.org_id,
        "email_key": d.email_key,
        "email": d.email,
        "generation": generation,
        "employee_id": d.employee_id,
        "state": literal(InvitationState.SENDING.value),
        "origin": literal("claimed"),
        "dag_id": literal(run.dag_id),
        "run_id": literal(run.run_id),
        "plan_id": d.plan_id,
        "row_no": d.row_no,
        "request_hash": d.request_hash,
        "claim_token": literal(token),
        "lease_until_ms": db_now_ms() + lease_ms,
        "attempt": literal(1),
        "absences": literal(0),
        "created_at": literal(now, t.invitation.c.created_at.type),
        "updated_at": literal(now, t.invitation.c.updated_at.type),
    }
    chosen = (
        select(*(value.label(name) for name, value in source.items()))
        .where(
            d.plan_id == plan_id,
            d.org_id == org_id,
            d.decision == "invite",
            ~address_taken,
            ~ended_since,
            ~employee_taken,
            ~_alive_in_m3ter(t, d.email_key, org_id, now),
            may_be_sent(t, plan_id, org_id),
        )
        .order_by(d.row_no)
        .limit(size)
    )
    connection.execute(db.insert_new(t.invitation).from_select(list(source), chosen))


def _reclaim(
    connection: Connection,
    t: Tables,
    run: RunKey,
    plan_id: str,
    org_id: str,
    token: str,
    lease_ms: int,
    size: int,
    now: datetime,
) -> None:
    d, table = t.decision.c, t.invitation
    i = table.c
    rival = table.alias()
    planned = and_(d.plan_id == plan_id, d.decision == "invite", d.email_key == i.email_key)

    def of_decision(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return select(column).where(planned).correlate(table).scalar_subquery()

    # `failed` is final for that content: only a changed request, or a person who asks, begins again, once a plan.
    claimable = and_(
        i.state.in_(state_values(CLAIMABLE_STATES)),
        or_(
            i.state == InvitationState.UNSENT.value,
            i.request_hash.is_(None),
            i.request_hash != of_decision(d.request_hash),
            and_(of_decision(d.reason) == "requested", func.coalesce(i.plan_id, "") != plan_id),
        ),
    )

    def no_rival(same: ColumnElement[bool]) -> ColumnElement[bool]:
        return ~exists(
            select(rival.c.invitation_id)
            .where(
                rival.c.org_id == org_id,
                rival.c.invitation_id != i.invitation_id,
                state_in(rival, LIVE_STATES),
                same,
            )
            .correlate(table)
        )

    free = and_(
        i.org_id == org_id,
        claimable,
        exists(select(d.row_no).where(planned).correlate(table)),
        no_rival(rival.c.email_key == i.email_key),
        no_rival(rival.c.employee_id == of_decision(d.employee_id)),
        ~_alive_in_m3ter(t, i.email_key, org_id, now),
        may_be_sent(t, plan_id, org_id),
    )
    chosen = connection.execute(select(i.invitation_id).where(free).order_by(i.invitation_id).limit(size))
    ids = [row.invitation_id for row in chosen]
    if not ids:
        return
    connection.execute(
        update(table)
        .where(i.invitation_id.in_(ids), free)
        .values(
            state=InvitationState.SENDING.value,
            origin="claimed",
            email=of_decision(d.email),
            employee_id=of_decision(d.employee_id),
            dag_id=run.dag_id,
            run_id=run.run_id,
            plan_id=plan_id,
            row_no=of_decision(d.row_no),
            request_hash=of_decision(d.request_hash),
            claim_token=token,
            lease_until_ms=db_now_ms() + lease_ms,
            attempt=i.attempt + 1,
            # Changed content is a new start; the same content keeps its count of absences.
            absences=case((i.state == InvitationState.FAILED.value, 0), else_=i.absences),
            attempt_started_ms=None,
            attempt_ended_ms=None,
            first_absent_ms=None,
            http_status=None,
            message=None,
            updated_at=now,
        )
    )


def _count(connection: Connection, t: Tables, token: str) -> int:
    i = t.invitation.c
    return int(
        connection.execute(
            select(func.count()).where(i.claim_token == token, i.state == InvitationState.SENDING.value)
        ).scalar_one()
    )


def _owned(connection: Connection, t: Tables, token: str) -> list[Claimed]:
    i, d = t.invitation.c, t.decision.c
    rows = connection.execute(
        select(i.invitation_id, i.employee_id, i.email_key, d.request)
        .join(t.decision, and_(d.plan_id == i.plan_id, d.row_no == i.row_no))
        .where(i.claim_token == token, i.state == InvitationState.SENDING.value)
        .order_by(i.row_no)
    )
    return [Claimed(row.invitation_id, row.employee_id, row.email_key, row.request) for row in rows]


def _note_claims(connection: Connection, t: Tables, token: str, now: datetime) -> None:
    i = t.invitation.c
    connection.execute(
        insert(t.event).from_select(
            ["invitation_id", "org_id", "to_state", "why", "plan_id", "claim_token", "attempt", "at"],
            select(
                i.invitation_id,
                i.org_id,
                i.state,
                literal("claimed"),
                i.plan_id,
                i.claim_token,
                i.attempt,
                literal(now, t.event.c.at.type),
            ).where(i.claim_token == token, i.state == InvitationState.SENDING.value),
        )
    )


def begin_attempts(db: LedgerDatabase, *, token: str, invitation_ids: Sequence[int], plan_id: str) -> frozenset[int]:
    """Record, before their POSTs, that these attempts begin; return those that may.

    A row that this statement did not reach has certainly not been POSTed by this claim, so a dead sender's
    untouched rows can be released without doubt. It also asks once more for the lease and the plan.
    """
    t = db.tables
    i = t.invitation.c
    mine = and_(
        i.invitation_id.in_(list(invitation_ids)),
        i.claim_token == token,
        i.state == InvitationState.SENDING.value,
    )

    def work(connection: Connection) -> frozenset[int]:
        connection.execute(
            update(t.invitation)
            .where(
                mine,
                i.lease_until_ms > db_now_ms(),
                i.attempt_started_ms.is_(None),
                may_be_sent(t, plan_id, i.org_id),
            )
            .values(attempt_started_ms=db_now_ms())
        )
        rows = connection.execute(select(i.invitation_id).where(mine, i.attempt_started_ms.is_not(None)))
        return frozenset(row.invitation_id for row in rows)

    return db.write(work, doing="beginning attempts")
