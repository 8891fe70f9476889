"""What a person decides about an invitation, and who it was (docs/delivery.md, states of an invitation)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, insert, or_, select, update

from m3ter_onboarding.clock import from_milliseconds
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.tables import Tables

#: From where a person may decide, and to what.
_WAYS: dict[str, frozenset[str]] = {
    "review": frozenset({"sent", "unsent", "superseded"}),
    "sent": frozenset({"superseded"}),
    "adopted": frozenset({"superseded"}),
    # Only while m3ter lists neither an invitation nor a user of it.
    "accepted": frozenset({"superseded"}),
}


class DecidedOtherwiseError(LedgerError):
    """The invitation is not any more what the person saw."""


def ways_out(state: str, *, listed: bool = True) -> frozenset[str]:
    """Return the states that a person may give to an invitation in this state.

    :param listed: whether m3ter lists something of it: who is a member stays one, whatever the ledger says.
    """
    if state == InvitationState.ACCEPTED.value and listed:
        return frozenset()
    return _WAYS.get(state, frozenset())


def is_listed(connection: Connection, t: Tables, row: Any) -> bool:
    """Tell whether m3ter, as last read, lists an invitation or a user of this one; never read to the end: perhaps.

    :param row: of the invitation: ``org_id``, ``email_key``, ``m3ter_id`` and ``m3ter_user_id``.
    """
    o, i, u = t.mirror_org.c, t.mirror_invitation.c, t.mirror_user.c
    complete = exists().where(o.org_id == row.org_id, o.complete_ms.is_not(None))
    # One question each, not one with OR: each then has an index of its own.
    found = [
        exists().where(columns.org_id == row.org_id, ~columns.gone, same)
        for columns, same in (
            (i, i.email_key == row.email_key),
            (i, i.m3ter_id == row.m3ter_id),
            (u, u.email_key == row.email_key),
            (u, u.m3ter_id == row.m3ter_user_id),
        )
    ]
    return not connection.execute(select(and_(complete, ~or_(*found)))).scalar()


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
    if to not in ways_out(seen, listed=False):
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
        if to not in ways_out(seen, listed=is_listed(connection, t, row)):
            raise DecidedOtherwiseError(
                "m3ter, as it was last read, still lists an invitation or a user of this one: what was accepted is"
                " replaced only where it lists neither. Nothing was written. See in m3ter's console."
            )
        changes: dict[str, Any] = {"state": to, "updated_at": now}
        if to == InvitationState.SENT.value and row.sent_at is None:
            begun = row.attempt_started_ms
            changes["sent_at"] = now if begun is None else from_milliseconds(begun)
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
