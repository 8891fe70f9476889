"""The claim, statement by statement: which people of a plan may be claimed for sending now, and as what.

Each of them requires by itself that the plan may be sent, and that nothing of the person is live. docs/delivery.md
shows them as PostgreSQL and SQLite get them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    update,
)

from m3ter_onboarding.ledger.database import insert_new
from m3ter_onboarding.ledger.plans import may_be_sent
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import CLAIMABLE_STATES, ENDED_STATES, LIVE_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables, once_more, state_in
from m3ter_onboarding.ledger.withheld import is_withheld

#: So many attempts of a plan may end without an answer and without a trace in m3ter; an outage that swallows both lasts
#: longer than a run should wait, so the next run goes on.
ABSENCES_OF_A_PLAN = 2

_NOT_ENDED = LIVE_STATES | CLAIMABLE_STATES


@dataclass(frozen=True)
class ClaimRequest:
    """A sender's request for a chunk of a plan's invitations.

    :param token: new and random for each chunk; the same again stands for the same chunk.
    :param lease_ms: for how long, from now on the database's clock, the claim lasts.
    :param size: the most invitations.
    :param now: the worker's clock (UTC), for the readable columns and to judge expiry in the mirror.
    :param day_cap: the most that may be attempted for the organisation in 24 hours; None: no limit.
    :param backfill_cap: the most that may be attempted by backfills of the run's DAG in 24 hours; None: no limit.
    :param others_without_approval: the plan is sent without an approval, and only as long as other plans attempted no
        more than this without one in 23 hours; None: whatever they attempted.
    :param turned_away: the chunk is of those whose last POST was answered with an error that did nothing; False: of all
        others. They come last, since such an answer ends the sending.
    :param after_row: where people who have no row yet are looked for first: behind this one of the plan. A sender that
        names its last claim looks at each row once, and not from the plan's first row for every chunk.
    """

    run: RunKey
    plan_id: str
    org_id: str
    token: str = field(repr=False)
    lease_ms: int
    size: int
    now: datetime
    day_cap: int | None = None
    backfill_cap: int | None = None
    others_without_approval: int | None = None
    turned_away: bool = False
    after_row: int = -1


@dataclass(frozen=True)
class ClaimValues:
    """The values of a claim in its statements: parameters, as a rule, so that each statement is built only once.

    :param turned_away: as in :class:`ClaimRequest`; it chooses another statement.
    """

    org_id: ColumnElement[str]
    plan_id: ColumnElement[str]
    dag_id: ColumnElement[str]
    run_id: ColumnElement[str]
    token: ColumnElement[str] = field(repr=False)
    lease_ms: ColumnElement[int]
    now: ColumnElement[datetime]
    after_row: ColumnElement[int]
    size: ColumnElement[int]
    invitation_ids: Any
    turned_away: bool = False

    @classmethod
    def of(
        cls, value: Callable[[str], ColumnElement[Any]], invitation_ids: Any, *, turned_away: bool = False
    ) -> ClaimValues:
        """Make the values by their names.

        :param value: makes one of its name.
        :param invitation_ids: those that are claimed again, as ``IN`` takes them.
        """
        single: dict[str, Any] = {
            one.name: value(one.name) for one in fields(cls) if one.name not in ("invitation_ids", "turned_away")
        }
        return cls(**single, invitation_ids=invitation_ids, turned_away=turned_away)


@dataclass(frozen=True)
class ClaimStatements:
    """The statements of a claim on one database; each takes :func:`parameters`."""

    choose_again: Select[tuple[int]]
    again: Update
    new_rows: Any


@built_once
def statements(t: Tables, dialect: str, turned_away: bool) -> ClaimStatements:
    """Return the statements.

    :param dialect: SQLAlchemy's name of it.
    """
    i = t.invitation.c
    like = {
        "token": i.claim_token,
        "lease_ms": i.lease_until_ms,
        "now": i.created_at,
        "after_row": i.row_no,
        "size": i.row_no,
    }

    def parameter(name: str) -> ColumnElement[Any]:
        return bindparam(f"of_{name}", type_=(like[name] if name in like else i[name]).type)

    claim = ClaimValues.of(parameter, bindparam("of_invitation_ids", expanding=True), turned_away=turned_away)
    return ClaimStatements(chosen_again(t, claim), again(t, claim), new_rows(t, dialect, claim))


def parameters(claim: ClaimRequest, size: int, invitation_ids: Sequence[int] = ()) -> dict[str, Any]:
    """Return what a claim gives its statements.

    :param size: at most so many rows.
    :param invitation_ids: those that are claimed again.
    """
    return {
        "of_org_id": claim.org_id,
        "of_plan_id": claim.plan_id,
        "of_dag_id": claim.run.dag_id,
        "of_run_id": claim.run.run_id,
        "of_token": claim.token,
        "of_lease_ms": claim.lease_ms,
        "of_now": claim.now,
        "of_after_row": claim.after_row,
        "of_size": size,
        "of_invitation_ids": list(invitation_ids),
    }


def new_rows(t: Tables, dialect: str, claim: ClaimValues) -> Any:
    """Return the statement that claims people of the plan who have no row yet: one INSERT from the plan's decisions.

    An existing key is left alone: the unique keys, not this SELECT, decide between two senders at once.

    :param dialect: SQLAlchemy's name of it.
    """
    d = t.decision.c
    i, earlier = once_more(t.invitation, "known"), once_more(t.invitation, "earlier")
    # Two queries, not one with OR: each then has an index of its own.
    address_taken = exists().where(i.c.org_id == claim.org_id, i.c.email_key == d.email_key, state_in(i, _NOT_ENDED))
    ended_since = exists().where(
        i.c.org_id == claim.org_id, i.c.email_key == d.email_key, ended_since_planned(i, t.decision)
    )
    employee_taken = exists().where(
        i.c.org_id == claim.org_id, i.c.employee_id == d.employee_id, state_in(i, LIVE_STATES)
    )
    generation = (
        select(func.coalesce(func.max(earlier.c.generation), 0) + 1)
        .where(earlier.c.org_id == claim.org_id, earlier.c.email_key == d.email_key)
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
        "dag_id": claim.dag_id,
        "run_id": claim.run_id,
        "plan_id": d.plan_id,
        "row_no": d.row_no,
        "request_hash": d.request_hash,
        "claim_token": claim.token,
        "lease_until_ms": db_now_ms() + claim.lease_ms,
        "attempt": literal(1),
        "absences": literal(0),
        "created_at": claim.now,
        "updated_at": claim.now,
    }
    chosen = (
        select(*(value.label(name) for name, value in source.items()))
        .where(
            d.plan_id == claim.plan_id,
            d.org_id == claim.org_id,
            d.decision == "invite",
            d.row_no > claim.after_row,
            ~is_withheld(t, t.decision),
            *(~taken for taken in (address_taken, ended_since, employee_taken)),
            ~active_in_m3ter(t, d.email_key, claim.org_id, claim.now),
            may_be_sent(t, claim.plan_id, claim.org_id),
        )
        .order_by(d.row_no)
        .limit(claim.size)
    )
    return insert_new(t.invitation, dialect).from_select(list(source), chosen)


def _decided(t: Tables, claim: ClaimValues) -> ColumnElement[bool]:
    """Return the condition that a decision of the plan invites the address of a row."""
    d = t.decision.c
    return and_(
        d.plan_id == claim.plan_id,
        d.decision == "invite",
        d.email_key == t.invitation.c.email_key,
        ~is_withheld(t, t.decision),
    )


def _of_decision(t: Tables, claim: ClaimValues, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column of that decision, as a value of the row."""
    return select(column).where(_decided(t, claim)).correlate(t.invitation).scalar_subquery()


def reclaimable(t: Tables, claim: ClaimValues) -> ColumnElement[bool]:
    """Return the condition that a row, unsent or failed, may be claimed again for the plan's decision."""
    d, table = t.decision.c, t.invitation
    i = table.c
    rival = once_more(table, "rival")

    def of_decision(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return _of_decision(t, claim, column)

    # `failed` is final for that content: only a changed request, or a person who asks, begins again, once a plan.
    claimable = and_(
        i.state.in_(state_values(CLAIMABLE_STATES)),
        ~is_for_the_next_run(table, claim.plan_id),
        or_(
            i.state == InvitationState.UNSENT.value,
            i.request_hash.is_(None),
            i.request_hash != of_decision(d.request_hash),
            and_(of_decision(d.reason) == "requested", func.coalesce(i.plan_id, "") != claim.plan_id),
        ),
    )

    def no_rival(same: ColumnElement[bool]) -> ColumnElement[bool]:
        return ~exists(
            select(rival.c.invitation_id)
            .where(
                rival.c.org_id == claim.org_id,
                rival.c.invitation_id != i.invitation_id,
                state_in(rival, LIVE_STATES),
                same,
            )
            .correlate(table)
        )

    return and_(
        i.org_id == claim.org_id,
        claimable,
        exists(select(d.row_no).where(_decided(t, claim)).correlate(table)),
        no_rival(rival.c.email_key == i.email_key),
        no_rival(rival.c.employee_id == of_decision(d.employee_id)),
        ~active_in_m3ter(t, i.email_key, claim.org_id, claim.now),
        may_be_sent(t, claim.plan_id, claim.org_id),
    )


def is_for_the_next_run(invitation: FromClause, plan_id: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a plan has made its attempts at a row, and none left a trace in m3ter."""
    i = invitation.c
    return and_(
        i.state == InvitationState.UNSENT.value,
        i.absences > 0,
        i.absences % ABSENCES_OF_A_PLAN == 0,
        i.plan_id == plan_id,
    )


def chosen_again(t: Tables, claim: ClaimValues) -> Select[tuple[int]]:
    """Return the statement that chooses, oldest first, which of these rows are claimed."""
    i = t.invitation.c
    turned_away = and_(i.state == InvitationState.UNSENT.value, i.http_status.is_not(None))
    which = turned_away if claim.turned_away else not_(turned_away)
    return select(i.invitation_id).where(reclaimable(t, claim), which).order_by(i.invitation_id).limit(claim.size)


def again(t: Tables, claim: ClaimValues) -> Update:
    """Return the compare-and-set that claims chosen rows again, each if it still may be.

    The columns of this decision replace those of an earlier one.
    """
    i, d = t.invitation.c, t.decision.c

    def of_decision(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return _of_decision(t, claim, column)

    return (
        update(t.invitation)
        .where(i.invitation_id.in_(claim.invitation_ids), reclaimable(t, claim))
        .values(
            state=InvitationState.SENDING.value,
            origin="claimed",
            email=of_decision(d.email),
            employee_id=of_decision(d.employee_id),
            dag_id=claim.dag_id,
            run_id=claim.run_id,
            plan_id=claim.plan_id,
            row_no=of_decision(d.row_no),
            request_hash=of_decision(d.request_hash),
            claim_token=claim.token,
            lease_until_ms=db_now_ms() + claim.lease_ms,
            attempt=i.attempt + 1,
            # Changed content is a new start; the same content keeps its count of absences.
            absences=case((i.state == InvitationState.FAILED.value, 0), else_=i.absences),
            attempt_started_ms=None,
            attempt_ended_ms=None,
            first_absent_ms=None,
            http_status=None,
            message=None,
            updated_at=claim.now,
        )
    )


def active_in_m3ter(
    t: Tables, email: ColumnElement[Any], org_id: str | ColumnElement[str], now: datetime | ColumnElement[datetime]
) -> ColumnElement[bool]:
    """Return the condition that m3ter, as last read, has an active invitation or a member of this address."""
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

    One decision is one e-mail. The next plan decides whether another one follows one that expired.
    """
    i, d = invitation.c, decision.c
    since = or_(i.invitation_id > func.coalesce(d.invitation_id, 0), i.plan_id == d.plan_id)
    return and_(state_in(invitation, ENDED_STATES), since)
