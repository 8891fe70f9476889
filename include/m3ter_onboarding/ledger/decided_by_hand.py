"""What a person decides about an invitation, and who it was (docs/delivery.md, states of an invitation)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, insert, select, update

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.known import InvitationState
from m3ter_onboarding.ledger.database import LedgerDatabase

#: From where a person may decide, and to what.
_WAYS: dict[str, frozenset[str]] = {
    "review": frozenset({"sent", "unsent", "superseded"}),
    "sent": frozenset({"superseded"}),
    "adopted": frozenset({"superseded"}),
}


class DecidedOtherwiseError(LedgerError):
    """The invitation is not any more what the person saw."""


def ways_out(state: str) -> frozenset[str]:
    """Return the states that a person may give to an invitation in this state."""
    return _WAYS.get(state, frozenset())


def decide_by_hand(
    db: LedgerDatabase, invitation_id: int, *, seen: str, to: str, who: str, why: str | None, now: datetime
) -> None:
    """Write what a person decided: one compare-and-set, and an event that names them.

    :param seen: the state that the person saw; in any other nothing is changed.
    :param to: the new state.
    :param who: the user's name in Airflow.
    :param why: in their words; it may name people and stays in the ledger.
    :raises DecidedOtherwiseError: when the invitation has moved on, or no person may decide that.
    """
    if to not in ways_out(seen):
        raise DecidedOtherwiseError(f"An invitation that is {seen!r} cannot be made {to!r} by hand.")
    t = db.tables
    i = t.invitation.c

    def work(connection: Connection) -> bool:
        row = connection.execute(
            select(t.invitation).where(i.invitation_id == invitation_id).with_for_update()
        ).one_or_none()
        if row is None or row.state != seen:
            # An earlier try whose COMMIT went through unheard, or somebody else.
            return row is not None and row.state == to and _is_ours(connection)
        changes: dict[str, Any] = {"state": to, "updated_at": now}
        if to == InvitationState.SENT.value and row.sent_at is None:
            begun = row.attempt_started_ms
            changes["sent_at"] = now if begun is None else datetime.fromtimestamp(begun / 1000, timezone.utc)
        changed = connection.execute(
            update(t.invitation).where(i.invitation_id == invitation_id, i.state == seen).values(**changes)
        ).rowcount
        if changed != 1:
            return False
        connection.execute(
            insert(t.event).values(
                invitation_id=invitation_id,
                org_id=row.org_id,
                from_state=seen,
                to_state=to,
                why="decided",
                plan_id=row.plan_id,
                attempt=row.attempt,
                message=why,
                decided_by=who,
                at=now,
            )
        )
        return True

    def _is_ours(connection: Connection) -> bool:
        e = t.event.c
        newest = connection.execute(
            select(e.decided_by, e.at).where(e.invitation_id == invitation_id).order_by(e.event_id.desc()).limit(1)
        ).one_or_none()
        return newest is not None and newest.decided_by == who and newest.at == now

    if not db.write(work, doing="writing what a person decided"):
        raise DecidedOtherwiseError(
            "This invitation has changed since the page was loaded; nothing was written. Load the page again."
        )
