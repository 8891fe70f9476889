"""Invitations whose outcome is not known yet, as settling sees them (docs/delivery.md, 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select, update

from m3ter_onboarding.clock import parse_iso
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.outcomes import Columns, Outcome, apply_outcomes
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.states import OPEN_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables, as_dict


@dataclass(frozen=True)
class OpenInvitation:
    """An open row; instants are milliseconds since 1970 of the database's clock.

    :param asked_expiry: what the request asks for; None: m3ter's own 30 days.
    """

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
    asked_expiry: datetime | None

    def held(self, now_ms: int) -> bool:
        """Return whether a sender may still act on this row."""
        return self.state is InvitationState.SENDING and self.lease_until_ms > now_ms

    def due_ms(self, settle_after_ms: int) -> int:
        """Return when the next look may settle this row."""
        if self.attempt_started_ms is None:
            return self.lease_until_ms  # this claim posted nothing: released once its sender can no longer begin
        if self.first_absent_ms is not None:
            return self.first_absent_ms + settle_after_ms
        ended = self.attempt_ended_ms if self.attempt_ended_ms is not None else self.lease_until_ms
        return ended + settle_after_ms

    def settled(
        self, state: InvitationState, why: str, *, first_absent_ms: int | None = None, message: str | None = None
    ) -> Outcome:
        """Return what a look decides about this row: valid only while it is exactly what was looked at.

        :param first_absent_ms: with ``unknown``: when the first look that did not find it ended.
        """
        columns = Columns(first_absent_ms=first_absent_ms)
        if why in ("absent_twice", "absent_again"):
            columns = replace(columns, absences=self.absences + 1)
        elif state is InvitationState.UNKNOWN and self.attempt_ended_ms is None:
            columns = replace(columns, attempt_ended_ms=self.lease_until_ms)
        return Outcome(
            self.invitation_id,
            state,
            why,
            message=message,
            only_from=self.state,
            claim=self.claim_token,
            attempt=self.attempt,
            columns=columns,
        )


class OpenInvitations(NamedTuple):
    """Open rows, and when they were read, by the database's clock (ms since 1970)."""

    now_ms: int
    rows: list[OpenInvitation]


def open_invitations(db: LedgerDatabase, org_id: str) -> OpenInvitations:
    """Return every open row of the organisation, of any run."""
    i, d = db.tables.invitation.c, db.tables.decision.c
    of_row = and_(d.plan_id == i.plan_id, d.row_no == i.row_no)

    def work(connection: Connection) -> OpenInvitations:
        now_ms = int(connection.execute(select(db_now_ms())).scalar_one())
        rows = connection.execute(
            select(
                i.invitation_id,
                i.email_key,
                i.state,
                i.claim_token,
                i.attempt,
                i.attempt_started_ms,
                i.attempt_ended_ms,
                func.coalesce(i.lease_until_ms, 0).label("lease_until_ms"),
                i.first_absent_ms,
                i.absences,
                d.request,
            )
            .select_from(db.tables.invitation.outerjoin(db.tables.decision, of_row))
            .where(i.org_id == org_id, i.state.in_(state_values(OPEN_STATES)))
            .order_by(i.invitation_id)
        )
        return OpenInvitations(now_ms, [_open(as_dict(row)) for row in rows])

    return db.read(work, doing="reading open invitations")


def _open(row: dict[str, Any]) -> OpenInvitation:
    request = row.pop("request") or {}
    expiry = request.get("dtExpiry")
    return OpenInvitation(
        **{**row, "state": InvitationState(row["state"]), "asked_expiry": None if expiry is None else parse_iso(expiry)}
    )


def settle(db: LedgerDatabase, outcomes: Sequence[Outcome], now: datetime) -> int:
    """Change open rows that no sender holds any more, each if it still is exactly what was looked at.

    :param outcomes: as :meth:`OpenInvitation.settled` returns them.
    :returns: how many rows changed their state.
    """

    def work(connection: Connection) -> int:
        changed = apply_outcomes(connection, db.tables, [one for one in outcomes if one.changes_state], now)
        for outcome in outcomes:
            if not outcome.changes_state:
                _note_absence(connection, db.tables, outcome, now)
        return len(changed)

    return db.write(work, doing="settling invitations")


def _note_absence(connection: Connection, t: Tables, outcome: Outcome, now: datetime) -> None:
    """Note when a row that is ``unknown`` already was absent first."""
    i, absent_ms = t.invitation.c, outcome.columns.first_absent_ms
    if not isinstance(absent_ms, int):
        return
    connection.execute(
        update(t.invitation)
        .where(
            i.invitation_id == outcome.invitation_id,
            i.state == outcome.state.value,
            i.attempt == outcome.attempt,
            or_(i.first_absent_ms.is_(None), i.first_absent_ms > absent_ms),
        )
        .values(first_absent_ms=absent_ms, updated_at=now)
    )
