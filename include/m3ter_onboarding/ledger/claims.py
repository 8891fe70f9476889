"""Claims with a lease: the right to send, written and judged by the database.

A claim is the only way to a POST. It is one transaction that takes a chunk of a plan's ``invite`` decisions;
unique keys, not the SELECT before them, keep two senders from claiming one address or one employee. What came
back belongs to the claim's token until the lease ends, and every later change names that token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from m3ter_onboarding.ledger.claim_statements import ClaimRequest, parameters, statements
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import SEALED
from m3ter_onboarding.ledger.key_sets import one_of_ids
from m3ter_onboarding.ledger.plans import may_be_sent
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sealing import SealedRequest
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import LIVE_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables, state_in

_HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * _HOUR_MS
#: What counts as sent on the same day where it is asked whether a person must approve: not what yesterday's run of a
#: daily schedule sent, also where today's begins a little earlier.
APPROVAL_DAY_MS = 23 * _HOUR_MS
_OF_THE_DECISION = ("reason", "request", "request_hash")


@dataclass(frozen=True)
class Claimed:
    """One invitation that this claim owns, with the request exactly as it was planned.

    :param attempt: how often it has been claimed, this time included.
    """

    invitation_id: int
    sealed: SealedRequest
    seal: str | None
    attempt: int = 1

    @property
    def employee_id(self) -> str | None:
        """Whom it invites, by the warehouse's own id."""
        return self.sealed.employee_id

    @property
    def email_key(self) -> str:
        """The key of the address that it invites."""
        return str(self.sealed.email_key)

    @property
    def request(self) -> Mapping[str, Any]:
        """The body of the POST."""
        return self.sealed.request or {}

    def __repr__(self) -> str:
        return f"Claimed(invitation_id={self.invitation_id})"


def claim_chunk(db: LedgerDatabase, claim: ClaimRequest) -> list[Claimed]:
    """Claim a chunk of a plan's invitations; empty when nothing may be claimed now (which is not the end).

    A token that owns a chunk already gets the same one.
    """
    t = db.tables

    def work(connection: Connection) -> list[Claimed]:
        owned = _owned(connection, t, claim.token)
        if owned:
            return owned  # an earlier try whose COMMIT went through unheard
        # One claim at a time for each organisation: the cap is exact, and rivals queue instead of colliding.
        o = t.mirror_org.c
        connection.execute(update(t.mirror_org).where(o.org_id == claim.org_id).values(claims=o.claims + 1))
        room = _room(connection, t, claim)
        if room <= 0:
            return []
        left, made = room, statements(t, connection.dialect.name, claim.turned_away)
        ids = [row.invitation_id for row in connection.execute(made.choose_again, parameters(claim, room))]
        if ids:
            connection.execute(made.again, parameters(claim, room, ids))
            left -= _count(connection, t, claim.token)
        if left > 0 and not claim.turned_away:
            connection.execute(made.new_rows, parameters(claim, left))
            if claim.after_row >= 0 and _count(connection, t, claim.token) == room - left:
                # None behind that row: people before it may have become free since.
                connection.execute(made.new_rows, parameters(replace(claim, after_row=-1), left))
        _note_claims(connection, t, claim.token, claim.now)
        return _owned(connection, t, claim.token)

    return db.write(work, doing="claiming invitations")


def _room(connection: Connection, t: Tables, claim: ClaimRequest) -> int:
    """Return how many invitations the caps leave for a chunk."""
    room = claim.size
    if claim.others_without_approval is not None:
        others = _attempted_in_a_day(
            connection, t, claim.org_id, day_ms=APPROVAL_DAY_MS, unapproved=True, other_than=claim.plan_id
        )
        if others > claim.others_without_approval:
            return 0
    if claim.day_cap is not None:
        room = min(room, claim.day_cap - _attempted_in_a_day(connection, t, claim.org_id))
    if claim.backfill_cap is not None and room > 0:
        used = _attempted_in_a_day(connection, t, claim.org_id, claim.run.dag_id)
        room = min(room, claim.backfill_cap - used)
    return room


def _attempted_in_a_day(
    connection: Connection,
    t: Tables,
    org_id: str,
    backfills_of: str | None = None,
    *,
    day_ms: int = DAY_MS,
    unapproved: bool = False,
    other_than: str | None = None,
) -> int:
    # Read once: PostgreSQL's clock_timestamp() is volatile, and no index would be used to compare with it.
    a_day_ago = int(connection.execute(select(db_now_ms())).scalar_one()) - day_ms
    given = {"org_id": org_id, "a_day_ago": a_day_ago, "backfills_of": backfills_of, "other_than": other_than}
    counts = _attempts(t, backfills_of is not None, unapproved, other_than is not None)
    return sum(int(connection.execute(count, given).scalar_one()) for count in counts)


@built_once
def _attempts(t: Tables, of_backfills: bool, unapproved: bool, of_others: bool) -> tuple[Select[Any], ...]:
    """Return what counts the attempts that were begun since ``a_day_ago``, and those that are about to be."""
    i, r = t.invitation.c, t.run.c
    whose: ColumnElement[bool] = true()
    if of_backfills:
        of_dag = r.dag_id == bindparam("backfills_of", type_=r.dag_id.type), r.dag_id == i.dag_id
        whose = exists().where(*of_dag, r.run_id == i.run_id, r.run_type == "backfill")
    if unapproved:
        approved = exists().where(t.plan.c.plan_id == i.plan_id, t.plan.c.approved_at.is_not(None))
        whose = and_(whose, ~approved)
    if of_others:
        whose = and_(whose, i.plan_id != bindparam("other_than"))
    mine = select(func.count()).where(i.org_id == bindparam("org_id"), i.origin == "claimed", whose)
    a_day_ago = bindparam("a_day_ago", type_=i.attempt_started_ms.type)
    return (
        mine.where(i.attempt_started_ms > a_day_ago),
        mine.where(
            i.state == InvitationState.SENDING.value,
            or_(i.attempt_started_ms.is_(None), i.attempt_started_ms <= a_day_ago),
        ),
    )


def attempted_in_a_day(db: LedgerDatabase, org_id: str, backfills_of: str | None = None) -> int:
    """Return how many invitations of the organisation were attempted in the last 24 hours.

    :param backfills_of: count only attempts of this DAG's backfills.
    """
    return db.read(
        lambda c: _attempted_in_a_day(c, db.tables, org_id, backfills_of), doing="counting the last 24 hours"
    )


def attempted_for_approval(db: LedgerDatabase, org_id: str, *, other_than: str | None = None) -> int:
    """Return how many invitations of the organisation were attempted without an approval in the last 23 hours.

    :param other_than: a plan that is left out.
    """
    return db.read(
        lambda c: _attempted_in_a_day(
            c, db.tables, org_id, day_ms=APPROVAL_DAY_MS, unapproved=True, other_than=other_than
        ),
        doing="counting the last 23 hours",
    )


def attempted_by_run(db: LedgerDatabase, run: RunKey, *, other_than: str) -> int:
    """Return how many invitations of a run's earlier plans were sent, or may have been.

    :param other_than: the current plan.
    """
    i = db.tables.invitation.c

    def work(connection: Connection) -> int:
        mine = and_(i.dag_id == run.dag_id, i.run_id == run.run_id, i.plan_id != other_than)
        sent = and_(i.origin == "claimed", state_in(db.tables.invitation, LIVE_STATES))
        return int(connection.execute(select(func.count()).where(mine, sent)).scalar_one())

    return db.read(work, doing="counting what the run has sent")


def _count(connection: Connection, t: Tables, token: str) -> int:
    i = t.invitation.c
    return int(
        connection.execute(
            select(func.count()).where(i.claim_token == token, i.state == InvitationState.SENDING.value)
        ).scalar_one()
    )


def _owned(connection: Connection, t: Tables, token: str) -> list[Claimed]:
    i, d = t.invitation.c, t.decision.c
    # In the order of their fields: by name each would be looked up in every row.
    sealed = [d[name] if name in _OF_THE_DECISION else i[name] for name in SEALED]
    rows = connection.execute(
        select(i.invitation_id, d.seal, i.attempt, *sealed)
        .join(t.decision, and_(d.plan_id == i.plan_id, d.row_no == i.row_no))
        .where(i.claim_token == token, i.state == InvitationState.SENDING.value)
        .order_by(i.row_no)
    )
    return [
        Claimed(invitation_id, SealedRequest(*sealed), seal, attempt) for invitation_id, seal, attempt, *sealed in rows
    ]


def last_new_row(claimed: Sequence[Claimed], before: int) -> int:
    """Return up to which row of the plan its people have been claimed, for the next claim's ``after_row``.

    :param claimed: by one claim; rows that are claimed again come from anywhere in the plan, and do not count.
    :param before: what it was before that claim.
    """
    return max((one.sealed.row_no for one in claimed if one.attempt == 1), default=before)


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
    untouched rows can be released without doubt. It also checks lease and plan once more.
    """
    t = db.tables
    i = t.invitation.c

    def work(connection: Connection) -> frozenset[int]:
        mine = one_of_ids(connection, i.invitation_id, invitation_ids)
        begun = connection.execute(_begin(t).where(mine), {"of_token": token, "of_plan_id": plan_id})
        if begun.rowcount == len(invitation_ids):
            return frozenset(invitation_ids)
        own = i.claim_token == token, i.state == InvitationState.SENDING.value
        rows = connection.execute(select(i.invitation_id).where(mine, *own, i.attempt_started_ms.is_not(None)))
        return frozenset(row.invitation_id for row in rows)

    return db.write(work, doing="beginning attempts")


@built_once
def _begin(t: Tables) -> Update:
    """Return what begins those attempts of a claim that may begin."""
    i = t.invitation.c
    return (
        update(t.invitation)
        .where(
            i.claim_token == bindparam("of_token"),
            i.state == InvitationState.SENDING.value,
            i.lease_until_ms > db_now_ms(),
            i.attempt_started_ms.is_(None),
            may_be_sent(t, bindparam("of_plan_id", type_=t.plan.c.plan_id.type), i.org_id),
        )
        .values(attempt_started_ms=db_now_ms())
    )
