"""What became of an invitation: every change of state after the claim, with its event.

Each change is a compare-and-set that names the states it starts from and, while a claim is in force, the claim.
One change needs no claim: a success. However late it comes and whoever saw it, it wins over everything that was
believed before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.erased_people import PREFIX
from m3ter_onboarding.ledger.events import Event, record_events
from m3ter_onboarding.ledger.key_sets import one_of_ids
from m3ter_onboarding.ledger.states import (
    INVITED_STATES,
    InvitationState,
    leads_from,
    state_values,
)
from m3ter_onboarding.ledger.tables import Tables, once_more, state_in


class Keep(Enum):
    """Marks a column that keeps its value; None would empty it."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True)
class Columns:
    """Further columns of a row that an outcome changes: keys, instants, and how often it was absent."""

    employee_id: str | Keep | None = KEEP
    m3ter_id: str | Keep | None = KEEP
    sent_at: datetime | Keep = KEEP
    accepted_at: datetime | Keep = KEEP
    attempt_started_ms: int | Keep | None = KEEP
    attempt_ended_ms: int | Keep | None = KEEP
    first_absent_ms: int | Keep | None = KEEP
    absences: int | Keep = KEEP


@dataclass(frozen=True)
class Outcome:
    """One change of one invitation, as a compare-and-set: how an attempt ended, or what a look in m3ter found.

    From which states it leads to the new one is in ``states.TRANSITIONS``.

    :param state: the new state.
    :param why: a short word for the event, such as ``answered``, ``refused``, ``no_answer``, ``found``.
    :param m3ter_id: like the three after it: None keeps what the row has.
    :param answer: m3ter's whole answer to the POST, as :func:`~.storable_values.storable_answer` returns it; None keeps
        what the row has.
    :param message: m3ter's message or ours; it may quote personal data and stays in the ledger.
    :param only_from: only from this state; None: from any that leads to the new one.
    :param claim: only under this claim; None: under any, or none.
    :param attempt: only in this attempt; None: in any.
    :raises ValueError: when that is no transition: a programming error, before anything is written.
    """

    invitation_id: int
    state: InvitationState
    why: str
    m3ter_id: str | None = None
    m3ter_user_id: str | None = None
    inviting_principal_id: str | None = None
    expires_at: datetime | None = None
    answer: Mapping[str, Any] | None = None
    http_status: int | None = None
    message: str | None = None
    only_from: InvitationState | None = None
    claim: str | None = None
    attempt: int | None = None
    columns: Columns = field(default=Columns())

    def __post_init__(self) -> None:
        before = leads_from(self.why, self.state)
        if self.changes_state and self.only_from is not None and self.only_from not in before:
            raise ValueError(f"No invitation goes from {self.only_from.value} to {self.state.value} by {self.why!r}.")

    def __repr__(self) -> str:
        return f"Outcome(invitation_id={self.invitation_id}, state={self.state.value!r}, why={self.why!r})"

    @property
    def changes_state(self) -> bool:
        """Whether it does more than to note an instant."""
        return self.only_from is not self.state

    def applies_to(self, row: Row[Any]) -> bool:
        """Return whether a row, which is locked, still is as the outcome says."""
        return (
            row.state in leads_from(self.why, self.state)
            and row.state != self.state
            and self.only_from in (None, row.state)
            and self.claim in (None, row.claim_token)
            and self.attempt in (None, row.attempt)
        )


def record_found(db: LedgerDatabase, outcomes: Sequence[Outcome], now: datetime) -> list[int]:
    """Write what a look in m3ter found for rows of the ledger: sent, adopted, accepted, expired, or access ended.

    :returns: the ids of the rows that changed.
    """

    def work(connection: Connection) -> list[int]:
        changes = [dated(outcome, now) for outcome in outcomes]
        changed = apply_outcomes(connection, db.tables, changes, now)
        supersede_other_addresses(connection, db.tables, changed, now)
        return changed

    return db.write(work, doing="recording what m3ter holds")


def dated(outcome: Outcome, now: datetime) -> Outcome:
    """Return a success with the instant at which it was seen."""
    if outcome.state is InvitationState.SENT:
        return replace(outcome, columns=replace(outcome.columns, sent_at=now))
    if outcome.state is InvitationState.ACCEPTED:
        return replace(outcome, columns=replace(outcome.columns, accepted_at=now))
    return outcome


def apply_outcomes(
    connection: Connection, t: Tables, outcomes: Sequence[Outcome], now: datetime, *, token: str | None = None
) -> list[int]:
    """Write outcomes, each if its row still is as it says; at most one for each row.

    :param token: of the claim that the events name; None: the row's.
    :returns: the ids of the rows that changed.
    """
    applied: list[int] = []
    for batch in batches(outcomes):
        try:
            with connection.begin_nested():
                applied += _apply_batch(connection, t, batch, now, token)
        except IntegrityError:
            for outcome in batch:
                applied += _apply_conceding(connection, t, outcome, now, token)
    return applied


def _apply_conceding(
    connection: Connection, t: Tables, outcome: Outcome, now: datetime, token: str | None
) -> list[int]:
    """Write an outcome whose keys may collide with another live row of the same employee, address or m3ter id.

    The row gives up the key that collides, never the fact that an e-mail was sent.
    """
    for without_id, without_employee in ((False, False), (True, False), (False, True), (True, True)):
        columns = outcome.columns
        if without_id:
            columns = replace(columns, m3ter_id=None)
        if without_employee:
            columns = replace(columns, employee_id=None)
        try:
            with connection.begin_nested():
                return _apply_batch(connection, t, [replace(outcome, columns=columns)], now, token)
        except IntegrityError:
            continue
    superseded = Outcome(
        outcome.invitation_id,
        InvitationState.SUPERSEDED,
        "late_success",
        m3ter_id=outcome.m3ter_id,
        http_status=outcome.http_status,
        message="m3ter holds this invitation, and another live one of the same address.",
        only_from=outcome.only_from,
    )
    return _apply_batch(connection, t, [superseded], now, token)


#: Every change writes these; what it does not name keeps its value, so that one statement serves them all.
_FROM_M3TER = ("m3ter_id", "m3ter_user_id", "inviting_principal_id", "expires_at", "answer")
_FURTHER = tuple(column.name for column in fields(Columns))
_WRITTEN = tuple(dict.fromkeys((*_FROM_M3TER, *_FURTHER, "state", "http_status", "message", "updated_at")))


def _apply_batch(
    connection: Connection, t: Tables, outcomes: Sequence[Outcome], now: datetime, token: str | None
) -> list[int]:
    i = t.invitation.c
    wanted = {outcome.invitation_id: outcome for outcome in outcomes}
    locked = connection.execute(
        select(t.invitation)
        .where(one_of_ids(connection, i.invitation_id, list(wanted)))
        .order_by(i.invitation_id)
        .with_for_update()
    ).all()
    rows = [row for row in locked if wanted[row.invitation_id].applies_to(row)]
    if not rows:
        return []
    for row in rows:
        if row.email_key.startswith(PREFIX):
            # A late answer must not bring back the data of somebody who was erased.
            wanted[row.invitation_id] = replace(wanted[row.invitation_id], answer=None, message=None)
    events = [_event(row, wanted[row.invitation_id], now, token) for row in rows]
    connection.execute(
        update(t.invitation)
        .where(i.invitation_id == bindparam("b_id"), i.state == bindparam("b_state"))
        .values({name: bindparam(f"new_{name}") for name in _WRITTEN}),
        [
            {
                "b_id": row.invitation_id,
                "b_state": row.state,
                **{f"new_{name}": value for name, value in _written(row, wanted[row.invitation_id], now).items()},
            }
            for row in rows
        ],
    )
    record_events(connection, t, events)
    return [row.invitation_id for row in rows]


def _written(row: Row[Any], outcome: Outcome, now: datetime) -> dict[str, object]:
    """Return the columns of a row as they will be."""
    return {
        **{name: getattr(row, name) for name in _WRITTEN},
        **{name: value for name in _FROM_M3TER if (value := getattr(outcome, name)) is not None},
        **{name: value for name in _FURTHER if (value := getattr(outcome.columns, name)) is not KEEP},
        "state": outcome.state.value,
        "http_status": outcome.http_status,
        "message": outcome.message,
        "updated_at": now,
    }


def _event(row: Row[Any], outcome: Outcome, now: datetime, token: str | None) -> Event:
    return Event(
        row.invitation_id,
        row.org_id,
        InvitationState(row.state),
        outcome.state,
        outcome.why,
        now,
        plan_id=row.plan_id,
        claim_token=token or row.claim_token,
        attempt=row.attempt,
        http_status=outcome.http_status,
        m3ter_id=outcome.m3ter_id,
        message=outcome.message,
    )


def supersede_other_addresses(connection: Connection, t: Tables, invitation_ids: Sequence[int], now: datetime) -> None:
    """End rows that were never sent where another address of the same employee now was."""
    i, sent = t.invitation.c, once_more(t.invitation, "sent")
    unsent = InvitationState.UNSENT
    for batch in batches(invitation_ids):
        rows = connection.execute(
            select(i.invitation_id)
            .join(sent, and_(sent.c.org_id == i.org_id, sent.c.employee_id == i.employee_id))
            .where(
                one_of_ids(connection, sent.c.invitation_id, batch),
                sent.c.state.in_(state_values(INVITED_STATES)),
                sent.c.email_key != i.email_key,
                state_in(t.invitation, {unsent}),
            )
            .distinct()
        )
        outcomes = [
            Outcome(row.invitation_id, InvitationState.SUPERSEDED, "other_address_sent", only_from=unsent)
            for row in rows.all()
        ]
        apply_outcomes(connection, t, outcomes, now)
