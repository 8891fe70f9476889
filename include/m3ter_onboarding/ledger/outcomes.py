"""What became of an invitation: every change of state after the claim, with its event.

Each change is a compare-and-set that names the state it starts from and, while a claim is in force, the claim.
One change needs no claim: a success. However late it comes and whoever saw it, it wins over everything that was
believed before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.states import OPEN_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables, state_in

_OPEN = frozenset(state.value for state in OPEN_STATES)
_SUCCESS = frozenset({InvitationState.SENT, InvitationState.ADOPTED, InvitationState.ACCEPTED})
#: From here a success is still news.
_NOT_YET_SENT = _OPEN | {"review", "unsent", "failed"}
#: From here m3ter says how it went on.
_ON_ITS_WAY = frozenset({"sent", "adopted"})


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended, or what a look in m3ter found.

    :param state: the new state.
    :param why: a short word for the event, such as ``answered``, ``refused``, ``no_answer``, ``found``.
    :param message: m3ter's message or ours; it may quote personal data and stays in the ledger.
    """

    invitation_id: int
    state: InvitationState
    why: str
    m3ter_id: str | None = None
    m3ter_user_id: str | None = None
    inviting_principal_id: str | None = None
    expires_at: datetime | None = None
    http_status: int | None = None
    message: str | None = None

    def __repr__(self) -> str:
        return f"Outcome(invitation_id={self.invitation_id}, state={self.state.value!r}, why={self.why!r})"


@dataclass(frozen=True)
class _Change:
    """One compare-and-set: the outcome, from which states, under which claim, and further columns."""

    outcome: Outcome
    from_states: frozenset[str]
    claim: str | None = None
    attempt: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def applies_to(self, row: Row[Any]) -> bool:
        return (
            row.state in self.from_states
            and row.state != self.outcome.state.value
            and self.claim in (None, row.claim_token)
            and self.attempt in (None, row.attempt)
        )


#: Every change writes these; what it does not name keeps its value, so that one statement serves them all.
_WRITTEN = (
    "state",
    "employee_id",
    "m3ter_id",
    "m3ter_user_id",
    "inviting_principal_id",
    "expires_at",
    "http_status",
    "message",
    "sent_at",
    "accepted_at",
    "attempt_started_ms",
    "attempt_ended_ms",
    "first_absent_ms",
    "absences",
    "updated_at",
)


def record_answers(db: LedgerDatabase, token: str, outcomes: Sequence[Outcome], now: datetime) -> int:
    """Write how attempts of one claim ended, in one transaction.

    Successes are written whatever the row's state has become; anything else only while the claim is in force.

    :returns: how many rows changed.
    """

    def work(connection: Connection) -> int:
        now_ms = int(connection.execute(select(db_now_ms())).scalar_one())
        sending = frozenset({InvitationState.SENDING.value})
        changes = []
        for outcome in outcomes:
            if outcome.state in _SUCCESS:
                changes.append(_success(outcome, now))
            else:
                changes.append(_Change(outcome, sending, claim=token, values=_ended(outcome, now_ms)))
        changed = _apply(connection, db.tables, changes, now, token=token)
        _supersede_other_addresses(connection, db.tables, changed, now)
        return len(changed)

    return db.write(work, doing="recording answers")


def _ended(outcome: Outcome, now_ms: int) -> dict[str, Any]:
    if outcome.state is InvitationState.UNKNOWN:
        return {"attempt_ended_ms": now_ms, "first_absent_ms": None}
    if outcome.state is InvitationState.UNSENT:
        # Certainly nothing was posted: not an attempt that counts.
        return {"attempt_started_ms": None, "attempt_ended_ms": None, "first_absent_ms": None}
    return {}


def _success(outcome: Outcome, now: datetime) -> _Change:
    moment = {InvitationState.SENT: "sent_at", InvitationState.ACCEPTED: "accepted_at"}.get(outcome.state)
    return _Change(outcome, _NOT_YET_SENT, values={moment: now} if moment else {})


def record_found(db: LedgerDatabase, outcomes: Sequence[Outcome], now: datetime) -> list[int]:
    """Write what a look in m3ter found for rows of the ledger: that it was sent, adopted, accepted or has expired.

    :returns: the ids of the rows that changed.
    """

    def work(connection: Connection) -> list[int]:
        changes = []
        for outcome in outcomes:
            change = _success(outcome, now)
            if outcome.state is InvitationState.ACCEPTED:
                change = _Change(outcome, _NOT_YET_SENT | _ON_ITS_WAY, values=change.values)
            elif outcome.state is InvitationState.EXPIRED:
                change = _Change(outcome, _ON_ITS_WAY)
            changes.append(change)
        changed = _apply(connection, db.tables, changes, now)
        _supersede_other_addresses(connection, db.tables, changed, now)
        return changed

    return db.write(work, doing="recording what m3ter holds")


def record_ended_access(db: LedgerDatabase, ended: Sequence[tuple[int, str | None]], now: datetime) -> None:
    """End rows of people whose access to the organisation has ended: they no longer forbid a new invitation."""
    accepted = frozenset({InvitationState.ACCEPTED.value})
    changes = [
        _Change(Outcome(row_id, InvitationState.SUPERSEDED, "access_ended", m3ter_user_id=user_id), accepted)
        for row_id, user_id in ended
    ]
    if changes:
        db.write(lambda connection: _apply(connection, db.tables, changes, now), doing="recording ended access")


def _apply(
    connection: Connection, t: Tables, changes: Sequence[_Change], now: datetime, *, token: str | None = None
) -> list[int]:
    """Apply changes, each if its row still is as the change says; return the ids of those that were."""
    applied: list[int] = []
    for batch in batches(changes):
        try:
            with connection.begin_nested():
                applied += _apply_batch(connection, t, batch, now, token)
        except IntegrityError:
            for change in batch:
                applied += _apply_conceding(connection, t, change, now, token)
    return applied


def _apply_conceding(connection: Connection, t: Tables, change: _Change, now: datetime, token: str | None) -> list[int]:
    """Apply a change whose keys may collide with another live row of the same employee, address or m3ter id.

    The row gives up the key that collides, never the fact that an e-mail was sent.
    """
    for concession in ({}, {"m3ter_id": None}, {"employee_id": None}, {"m3ter_id": None, "employee_id": None}):
        candidate = _Change(
            change.outcome, change.from_states, change.claim, change.attempt, {**change.values, **concession}
        )
        try:
            with connection.begin_nested():
                return _apply_batch(connection, t, [candidate], now, token)
        except IntegrityError:
            continue
    outcome = change.outcome
    superseded = Outcome(
        outcome.invitation_id,
        InvitationState.SUPERSEDED,
        "late_success",
        m3ter_id=outcome.m3ter_id,
        http_status=outcome.http_status,
        message="m3ter holds this invitation, and another live one of the same address.",
    )
    return _apply_batch(connection, t, [_Change(superseded, change.from_states)], now, token)


def _apply_batch(
    connection: Connection, t: Tables, changes: Sequence[_Change], now: datetime, token: str | None
) -> list[int]:
    i = t.invitation.c
    wanted = {change.outcome.invitation_id: change for change in changes}
    locked = connection.execute(
        select(t.invitation).where(i.invitation_id.in_(list(wanted))).order_by(i.invitation_id).with_for_update()
    ).all()
    rows = [row for row in locked if wanted[row.invitation_id].applies_to(row)]
    if not rows:
        return []
    updates, events = [], []
    for row in rows:
        change = wanted[row.invitation_id]
        outcome = change.outcome
        new: dict[str, Any] = {name: getattr(row, name) for name in _WRITTEN}
        new.update(state=outcome.state.value, http_status=outcome.http_status, message=outcome.message, updated_at=now)
        for name in ("m3ter_id", "m3ter_user_id", "inviting_principal_id", "expires_at"):
            if getattr(outcome, name) is not None:
                new[name] = getattr(outcome, name)
        new.update(change.values)
        updates.append({**{f"new_{k}": v for k, v in new.items()}, "b_id": row.invitation_id, "b_state": row.state})
        events.append(
            {
                "invitation_id": row.invitation_id,
                "org_id": row.org_id,
                "from_state": row.state,
                "to_state": outcome.state.value,
                "why": outcome.why,
                "plan_id": row.plan_id,
                "claim_token": token or row.claim_token,
                "attempt": row.attempt,
                "http_status": outcome.http_status,
                "m3ter_id": outcome.m3ter_id,
                "message": outcome.message,
                "at": now,
            }
        )
    connection.execute(
        update(t.invitation)
        .where(i.invitation_id == bindparam("b_id"), i.state == bindparam("b_state"))
        .values({name: bindparam(f"new_{name}") for name in _WRITTEN}),
        updates,
    )
    connection.execute(insert(t.event), events)
    return [row.invitation_id for row in rows]


def _supersede_other_addresses(connection: Connection, t: Tables, invitation_ids: Sequence[int], now: datetime) -> None:
    """End rows that were never sent where another address of the same employee now was."""
    i = t.invitation.c
    unsent = frozenset({InvitationState.UNSENT.value})
    for batch in batches(invitation_ids):
        sent = connection.execute(
            select(i.org_id, i.employee_id, i.email_key).where(
                i.invitation_id.in_(batch),
                i.state.in_(("sent", "accepted")),
                i.employee_id.is_not(None),
            )
        ).all()
        addresses = {(row.org_id, row.employee_id): row.email_key for row in sent}
        rows = connection.execute(
            select(i.invitation_id, i.org_id, i.employee_id, i.email_key).where(
                i.org_id.in_({row.org_id for row in sent}),
                i.employee_id.in_({row.employee_id for row in sent}),
                state_in(t.invitation, unsent),
            )
        ).all()
        changes = [
            _Change(Outcome(row.invitation_id, InvitationState.SUPERSEDED, "other_address_sent"), unsent)
            for row in rows
            if addresses.get((row.org_id, row.employee_id), row.email_key) != row.email_key
        ]
        _apply(connection, t, changes, now)


@dataclass(frozen=True)
class OpenInvitation:
    """An open row as settling sees it; instants are milliseconds since 1970 of the database's clock."""

    invitation_id: int
    email_key: str = field(repr=False)
    state: InvitationState
    claim_token: str | None
    attempt: int
    attempt_started_ms: int | None
    attempt_ended_ms: int | None
    lease_until_ms: int
    first_absent_ms: int | None
    absences: int
    expires_at: datetime | None

    def held(self, now_ms: int) -> bool:
        """Tell whether a sender may still act on this row."""
        return self.state is InvitationState.SENDING and self.lease_until_ms > now_ms

    def due_ms(self, settle_after_ms: int) -> int:
        """When the next look may settle this row."""
        if self.attempt_started_ms is None:
            return self.lease_until_ms  # this claim posted nothing: released once its sender can no longer begin
        if self.first_absent_ms is not None:
            return self.first_absent_ms + settle_after_ms
        ended = self.attempt_ended_ms if self.attempt_ended_ms is not None else self.lease_until_ms
        return ended + settle_after_ms


def open_invitations(db: LedgerDatabase, org_id: str) -> tuple[int, list[OpenInvitation]]:
    """Return the database's clock and every open row of the organisation, whoever claimed it."""
    t = db.tables
    i = t.invitation.c

    def work(connection: Connection) -> tuple[int, list[OpenInvitation]]:
        now = int(connection.execute(select(db_now_ms())).scalar_one())
        rows = connection.execute(
            select(
                i.invitation_id,
                i.email_key,
                i.state,
                i.claim_token,
                i.attempt,
                i.attempt_started_ms,
                i.attempt_ended_ms,
                i.lease_until_ms,
                i.first_absent_ms,
                i.absences,
                i.expires_at,
            )
            .where(i.org_id == org_id, i.state.in_(tuple(_OPEN)))
            .order_by(i.invitation_id)
        )
        return now, [
            OpenInvitation(
                **{**row._mapping, "state": InvitationState(row.state), "lease_until_ms": row.lease_until_ms or 0}
            )
            for row in rows
        ]

    return db.read(work, doing="reading open invitations")


@dataclass(frozen=True)
class Settlement:
    """What a look says about one open row: its new state, or that it was absent a first time."""

    row: OpenInvitation
    state: InvitationState
    why: str
    first_absent_ms: int | None = None
    message: str | None = None


def settle(db: LedgerDatabase, settlements: Iterable[Settlement], now: datetime) -> int:
    """Change open rows that no sender holds any more, each if it still is exactly what was looked at.

    :returns: how many rows changed.
    """
    t = db.tables

    def change_of(s: Settlement) -> _Change:
        values: dict[str, Any] = {"first_absent_ms": s.first_absent_ms}
        begun = s.row.attempt_started_ms is not None
        if s.state in (InvitationState.UNSENT, InvitationState.FAILED) and begun:
            values["absences"] = s.row.absences + 1
        if s.state is InvitationState.UNKNOWN and s.row.attempt_ended_ms is None:
            values["attempt_ended_ms"] = s.row.lease_until_ms
        return _Change(
            Outcome(s.row.invitation_id, s.state, s.why, message=s.message),
            frozenset({s.row.state.value}),
            claim=s.row.claim_token,
            attempt=s.row.attempt,
            values=values,
        )

    def work(connection: Connection) -> int:
        wanted = list(settlements)
        i = t.invitation.c
        changed = len(_apply(connection, t, [change_of(s) for s in wanted if s.state is not s.row.state], now))
        for s in wanted:
            # A first absence of a row that is `unknown` already: no change of state, only the moment.
            if s.state is s.row.state and s.first_absent_ms is not None:
                connection.execute(
                    update(t.invitation)
                    .where(
                        i.invitation_id == s.row.invitation_id,
                        i.state == s.row.state.value,
                        i.attempt == s.row.attempt,
                        or_(i.first_absent_ms.is_(None), i.first_absent_ms > s.first_absent_ms),
                    )
                    .values(first_absent_ms=s.first_absent_ms, updated_at=now)
                )
        return changed

    return db.write(work, doing="settling invitations")
