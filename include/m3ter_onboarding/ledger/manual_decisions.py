"""Decisions of people about invitations, each with its person (docs/delivery.md, states of an invitation)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, literal_column, or_, select, update

from m3ter_onboarding.clock import from_milliseconds
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.claim_statements import active_in_m3ter
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.events import Event, record_events
from m3ter_onboarding.ledger.states import InvitationState, leads_to, state_values
from m3ter_onboarding.ledger.tables import Tables


class DecidedOtherwiseError(LedgerError):
    """The invitation is not any more what the person saw."""


def ways_out(state: str, *, listed: bool = True) -> frozenset[str]:
    """Return the states that a person may give to an invitation in this state.

    :param listed: whether m3ter lists something of it: a member stays one, whatever the ledger says.
    """
    if state == InvitationState.ACCEPTED and listed:
        return frozenset()
    return frozenset(state_values(leads_to("decided", InvitationState(state))))


def is_listed(t: Tables) -> ColumnElement[bool]:
    """Return the condition that m3ter, as last read, lists an invitation or a user of an invitation of the ledger.

    It counts as listed, too, as long as m3ter was never read to the end.
    """
    row, o, i, u = t.invitation.c, t.mirror_org.c, t.mirror_invitation.c, t.mirror_user.c

    def has(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        # A value, not EXISTS: for that, PostgreSQL may read all of m3ter's lists at once.
        one: Select[Any] = select(literal_column("1")).where(*conditions).limit(1)
        return one.correlate(t.invitation).scalar_subquery().is_not(None)

    complete = has(o.org_id == row.org_id, o.complete_ms.is_not(None))
    # One query each, not one with OR: each then has an index of its own.
    found = [
        has(columns.org_id == row.org_id, ~columns.gone, same)
        for columns, same in (
            (i, i.email_key == row.email_key),
            (i, i.m3ter_id == row.m3ter_id),
            (u, u.email_key == row.email_key),
            (u, u.m3ter_id == row.m3ter_user_id),
        )
    ]
    return ~and_(complete, ~or_(*found))


@dataclass(frozen=True)
class ManualDecision:
    """What a person decides about an invitation.

    :param seen: the state that the person saw; in any other nothing is changed.
    :param to: the new state; ``unsent`` only where m3ter has nothing active of the address.
    :param who: the user's name in Airflow.
    :param why: in their words; it may name people and stays in the ledger.
    """

    invitation_id: int
    seen: str
    to: str
    who: str = field(repr=False)
    why: str | None = field(default=None, repr=False)


def decide_by_hand(db: LedgerDatabase, decision: ManualDecision, now: datetime) -> None:
    """Write what a person decided: one compare-and-set, and an event that names them.

    :raises DecidedOtherwiseError: when the invitation has moved on, or no person may decide that.
    """
    if decision.to not in ways_out(decision.seen, listed=False):
        raise DecidedOtherwiseError(f"An invitation that is {decision.seen!r} cannot be made {decision.to!r} by hand.")
    if not db.write(lambda c: _decide(c, db.tables, decision, now), doing="writing what a person decided"):
        raise DecidedOtherwiseError(
            "This invitation has changed since the page was loaded; nothing was written. Load the page again."
        )


def _decide(connection: Connection, t: Tables, decision: ManualDecision, now: datetime) -> bool:
    i = t.invitation.c
    row = connection.execute(
        select(t.invitation).where(i.invitation_id == decision.invitation_id).with_for_update()
    ).one_or_none()
    if row is None or row.state != decision.seen:
        # An earlier try whose COMMIT went through unheard, or somebody else.
        return row is not None and row.state == decision.to and _is_ours(connection, t, decision, now)
    listed = connection.execute(select(is_listed(t)).where(i.invitation_id == decision.invitation_id)).scalar_one()
    if decision.to not in ways_out(decision.seen, listed=listed):
        raise DecidedOtherwiseError(
            "m3ter, as it was last read, still lists an invitation or a user of this one: an accepted"
            " invitation is superseded only where it lists neither. Nothing was written. See in m3ter's console."
        )
    if decision.to == InvitationState.UNSENT and _is_active(connection, t, row, now):
        raise DecidedOtherwiseError(
            "m3ter, as it was last read, has an active invitation or a member of this address, so that no run sends it."
            " Nothing was written. Let a run read m3ter again, which notes it as sent or accepted; if it is not of"
            " this person, delete it in m3ter's console first."
        )
    event = Event(
        row.invitation_id,
        row.org_id,
        InvitationState(row.state),
        InvitationState(decision.to),
        "decided",
        now,
        plan_id=row.plan_id,
        attempt=row.attempt,
        message=decision.why,
        decided_by=decision.who,
    )
    sent_at = row.sent_at
    if event.to_state is InvitationState.SENT and sent_at is None:
        begun = row.attempt_started_ms
        sent_at = now if begun is None else from_milliseconds(begun)
    changed = connection.execute(
        update(t.invitation)
        .where(i.invitation_id == decision.invitation_id, i.state == decision.seen)
        .values(state=decision.to, sent_at=sent_at, absences=0, updated_at=now)
    ).rowcount
    if changed != 1:
        return False
    record_events(connection, t, [event])
    return True


def _is_active(connection: Connection, t: Tables, row: Any, now: datetime) -> bool:
    """Return whether m3ter, as last read, has what keeps every run from sending to the address of an invitation."""
    i = t.invitation.c
    active = active_in_m3ter(t, i.email_key, row.org_id, now)
    return bool(connection.execute(select(active).where(i.invitation_id == row.invitation_id)).scalar())


def _is_ours(connection: Connection, t: Tables, decision: ManualDecision, now: datetime) -> bool:
    """Return whether the newest event of the invitation is this very decision."""
    e = t.event.c
    newest = connection.execute(
        select(e.decided_by, e.at).where(e.invitation_id == decision.invitation_id).order_by(e.event_id.desc()).limit(1)
    ).one_or_none()
    return newest is not None and newest.decided_by == decision.who and newest.at == now
