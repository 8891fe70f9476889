"""Entries of m3ter's that an incremental pass did not meet, and that the ledger is about to draw conclusions from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.states import ON_ITS_WAY_STATES, InvitationState, state_values


@dataclass(frozen=True)
class UnreadInvitations:
    """Invitations on their way that a pass did not meet.

    :param m3ter_ids: of them, in m3ter's own ids.
    :param listed: how many invitations m3ter's list is known to hold.
    """

    m3ter_ids: tuple[str, ...]
    listed: int


def unread_invitations(db: LedgerDatabase, org_id: str, since_ms: int) -> UnreadInvitations:
    """Return invitations that were sent or adopted, and were not read since a moment.

    :param since_ms: when the pass began, by the database's clock (ms since 1970).
    """
    t = db.tables
    i, m = t.invitation.c, t.mirror_invitation.c

    def work(connection: Connection) -> UnreadInvitations:
        ids = connection.execute(
            select(i.m3ter_id)
            .outerjoin(t.mirror_invitation, and_(m.org_id == i.org_id, m.m3ter_id == i.m3ter_id))
            .where(
                i.org_id == org_id,
                i.state.in_(state_values(ON_ITS_WAY_STATES)),
                i.m3ter_id.is_not(None),
                or_(m.m3ter_id.is_(None), m.last_seen_ms < since_ms),
            )
            .order_by(i.m3ter_id)
        ).scalars()
        listed = connection.execute(select(func.count()).where(m.org_id == org_id, ~m.gone)).scalar_one()
        return UnreadInvitations(tuple(ids), int(listed))

    return db.read(work, doing="looking for invitations that were not read")


def unread_ended_users(db: LedgerDatabase, org_id: str, since_ms: int, now: datetime) -> tuple[str, ...]:
    """Return m3ter's ids of members whose access has ended by the mirror, and who were not read since a moment.

    Their access may have been extended meanwhile.

    :param since_ms: when the pass began, by the database's clock (ms since 1970).
    :param now: m3ter's clock (UTC).
    """
    t = db.tables
    i, u = t.invitation.c, t.mirror_user.c

    def work(connection: Connection) -> tuple[str, ...]:
        accepted = and_(i.org_id == u.org_id, i.email_key == u.email_key, i.state == InvitationState.ACCEPTED.value)
        rows = connection.execute(
            select(u.m3ter_id)
            .join(t.invitation, accepted)
            .where(u.org_id == org_id, ~u.gone, u.access_ends_at <= now, u.last_seen_ms < since_ms)
            .distinct()
            .order_by(u.m3ter_id)
        ).scalars()
        return tuple(rows)

    return db.read(work, doing="looking for members that were not read")


def newest_user_created(db: LedgerDatabase, org_id: str) -> datetime | None:
    """Return when the newest listed user was created, by m3ter's clock; None: one has no date, or there is none."""
    u = db.tables.mirror_user.c

    def work(connection: Connection) -> datetime | None:
        undated = select(u.m3ter_id).where(u.org_id == org_id, ~u.gone, u.created_at.is_(None)).limit(1)
        if connection.execute(undated).first() is not None:
            return None
        return connection.execute(select(func.max(u.created_at)).where(u.org_id == org_id, ~u.gone)).scalar()

    return db.read(work, doing="reading the mirror")
