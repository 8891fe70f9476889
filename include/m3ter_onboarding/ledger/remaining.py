"""What is left of a plan: how many are open, unsent, refused or for a person to decide; never names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, false, func, or_, select

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.claim_statements import active_in_m3ter, ended_since_planned, is_for_the_next_run
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.mirror_comparison import newest_of
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import CLAIMABLE_STATES, ENDED_STATES, LIVE_STATES, OPEN_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables, once_more, state_in
from m3ter_onboarding.ledger.withheld import is_withheld

#: Skipped, and people of the plan all the same: their invitation must have come to an end, or m3ter refused them
#: before, and the next run must not hide them by being green.
_SKIPPED_BUT_COUNTED = ("already_invited", "refused_before")


#: The fields of :class:`Remaining` that count people.
_COUNTED = ("held", "open", "unsent", "fallen_back", "no_trace", "failed", "review", "withheld")


@dataclass(frozen=True)
class Remaining:
    """What stands between a plan and its end.

    :param held: open, and a sender may still act on it.
    :param open: open, and its sender is gone: to be settled.
    :param unsent: decided ``invite``, not open, and not sent.
    :param fallen_back: on its way when it was planned, and settled as unsent since: this plan holds no request for it.
    :param no_trace: not sent, since no attempt of this plan got an answer or left a trace: the next run tries again.
    :param failed: refused by m3ter.
    :param review: a person decides: looking it up decides nothing, or another address of this employee was
        invited since the plan (the next plan decides ``review:email_changed``).
    :param withheld: held back by settings that became narrower since: they are in the worklist.
    """

    held: int
    open: int
    unsent: int
    fallen_back: int
    no_trace: int
    failed: int
    review: int
    withheld: int = 0
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def nothing_left(self) -> bool:
        """Whether nothing is open and nothing unsent."""
        return self.held == self.open == self.unsent == self.fallen_back == 0


@dataclass(frozen=True)
class _Group:
    """People of a plan who are in the same place.

    :param state: of the newest invitation of the address; None: there is none.
    :param lease_over: no sender may act on it any more.
    :param rival: another address of the employee has a live invitation.
    :param claimable_again: it failed, and the plan's request may be claimed all the same.
    :param no_trace: this plan has made its attempts, and none left a trace.
    :param ended: it was sent under this plan or since, and is over.
    :param withheld: the settings of now hold them back.
    :param has_it: m3ter, as last read, has an active invitation or a member of the address: nobody sends another.
    """

    decision: str
    state: str | None
    lease_over: bool | None
    rival: bool
    claimable_again: bool
    no_trace: bool
    ended: bool
    withheld: bool
    has_it: bool

    @property
    def counts_as(self) -> str | None:
        """The field of :class:`Remaining` that counts them; None: nothing is left to do for them."""
        if self.state in OPEN_STATES:
            return "open" if self.lease_over else "held"
        if self.has_it and self.state != InvitationState.REVIEW:
            return None  # the next snapshot notes it as sent, adopted or accepted
        if self.state == InvitationState.FAILED and not self.claimable_again:
            return "failed"
        if self.state == InvitationState.REVIEW:
            return "review"
        if self.decision == "skip" and self.state == InvitationState.UNSENT:
            return "fallen_back"
        if self.ended and not self.rival:
            return None  # the next plan decides what follows
        if self.decision == "invite" and (self.state is None or self.state in CLAIMABLE_STATES | ENDED_STATES):
            if self.rival:
                return "review"
            if self.withheld:
                return "withheld"
            return "no_trace" if self.no_trace else "unsent"
        return None


def _people(t: Tables, plan_id: ColumnElement[str]) -> ColumnElement[bool]:
    d = t.decision.c
    return and_(
        d.plan_id == plan_id,
        or_(d.decision == "invite", and_(d.decision == "skip", d.reason.in_(_SKIPPED_BUT_COUNTED))),
    )


def remaining(db: LedgerDatabase, plan_id: str, org_id: str, now: datetime | None = None) -> Remaining:
    """Count what is left among all people of a plan, those skipped as on their way or refused included.

    :param now: aware; judges what has expired in m3ter. None: the worker's clock.
    """
    given = {"plan_id": plan_id, "org_id": org_id, "now": now or utc_now()}

    def work(connection: Connection) -> Remaining:
        counted = dict.fromkeys(_COUNTED, 0)
        states: dict[str, int] = {}
        for *kind, count in connection.execute(_groups(db.tables), given):
            group = _Group(*kind)
            if group.state is not None:
                states[group.state] = states.get(group.state, 0) + count
            if group.counts_as is not None:
                counted[group.counts_as] += count
        return Remaining(**counted, states=states)

    return db.read(work, doing="counting what is left")


@built_once
def _groups(t: Tables) -> Select[Any]:
    """Return the statement that counts the people of a plan by the fields of :class:`_Group`."""
    d, i = t.decision.c, t.invitation.c
    plan_id, org_id = bindparam("plan_id", type_=d.plan_id.type), bindparam("org_id", type_=d.org_id.type)
    now = bindparam("now", type_=i.expires_at.type)
    other = once_more(t.invitation, "other_address")
    rival = exists().where(
        other.c.org_id == org_id,
        other.c.employee_id == d.employee_id,
        other.c.email_key != d.email_key,
        state_in(other, LIVE_STATES),
    )
    # A changed request is claimed although the row failed, and so is one that a person asked for: still to be sent.
    asked_for = and_(d.reason == "requested", func.coalesce(i.plan_id, "") != d.plan_id)
    changed = or_(i.request_hash.is_(None), i.request_hash != d.request_hash, asked_for)
    lease_over = or_(i.state != InvitationState.SENDING.value, i.lease_until_ms <= db_now_ms())
    people = (
        select(
            d.decision,
            i.state,
            lease_over.label("over"),
            rival.label("rival"),
            and_(d.decision == "invite", i.state == InvitationState.FAILED.value, changed).label("changed"),
            func.coalesce(is_for_the_next_run(t.invitation, d.plan_id), false()).label("no_trace"),
            func.coalesce(ended_since_planned(t.invitation, t.decision), false()).label("ended"),
            is_withheld(t, t.decision).label("withheld"),
            active_in_m3ter(t, d.email_key, org_id, now).label("has_it"),
        )
        .select_from(t.decision)
        .outerjoin(t.invitation, newest_of(t, org_id, d.email_key))
        .where(_people(t, plan_id))
        .subquery()
    )
    kinds = tuple(people.c)
    return select(*kinds, func.count()).group_by(*kinds)
