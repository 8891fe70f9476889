"""The mirror compared with the ledger: what m3ter has and the ledger does not, and what it says of known rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, case, exists, func, null, or_, select

from m3ter_onboarding.clock import MARGIN, from_milliseconds
from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.events import Event, record_events
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import (
    ENDED_STATES,
    FOUND_AGAIN_STATES,
    ON_ITS_WAY_STATES,
    SUCCESS_STATES,
    InvitationState,
    state_values,
)
from m3ter_onboarding.ledger.tables import Tables, once_more, state_in

_ACCEPTED = InvitationState.ACCEPTED.value


@dataclass(frozen=True)
class Match:
    """Something in m3ter that no live row of the ledger stands for, with the address's newest row if there is one."""

    m3ter_id: str
    email_key: str
    email: str
    accepted: bool
    created_at: datetime | None
    expires_at: datetime | None
    inviting_principal_id: str | None
    invitation_id: int | None
    state: InvitationState | None
    generation: int
    attempt_started_ms: int | None
    is_user: bool = False

    @property
    def found_state(self) -> InvitationState:
        """The state of a row that begins with it."""
        return InvitationState.ACCEPTED if self.accepted else InvitationState.ADOPTED

    def has_expired(self, now: datetime) -> bool:
        """Return whether the invitation can no longer be accepted.

        :param now: m3ter's clock (UTC).
        """
        return not self.accepted and self.expires_at is not None and self.expires_at <= now

    def __repr__(self) -> str:
        return f"Match(m3ter_id={self.m3ter_id!r}, state={self.state})"


def newest_of(t: Tables, org_id: ColumnElement[str], email: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the join condition of the newest row of an address.

    By a look-up for each address: as an anti-join inside an outer join PostgreSQL compares every row with every other,
    once for each address, until it has statistics of the tables.
    """
    row = once_more(t.invitation, "newest")
    newest = (
        select(row.c.invitation_id)
        .where(row.c.org_id == org_id, row.c.email_key == email)
        .order_by(row.c.generation.desc())
        .limit(1)
        .scalar_subquery()
    )
    return t.invitation.c.invitation_id == newest


def _match(row: Any, *, is_user: bool) -> Match:
    """Return a match of a row with the columns of an entry of m3ter's and of the newest row of its address."""
    return Match(
        m3ter_id=row.m3ter_id,
        email_key=row.email_key,
        email=row.email,
        accepted=is_user or row.accepted,
        created_at=row.created_at,
        expires_at=None if is_user else row.expires_at,
        inviting_principal_id=None if is_user else row.inviting_principal_id,
        invitation_id=row.invitation_id,
        state=None if row.state is None else InvitationState(row.state),
        generation=row.generation or 0,
        attempt_started_ms=row.attempt_started_ms,
        is_user=is_user,
    )


def unmatched_invitations(db: LedgerDatabase, org_id: str, now: datetime) -> list[Match]:
    """Return active or accepted invitations of m3ter that no row holds by m3ter's id, unless as expired or not sent.

    Expired ones too where an attempt of ours was made for their address: it may be the one that got no answer.
    Addresses that have a sent, adopted or accepted row already are left out: nothing is to be learnt for them.

    :param now: m3ter's clock (UTC), to judge what has expired.
    :returns: the active and accepted first, each in the order in which m3ter made them.
    """
    given = {"org_id": org_id, "now": now}

    def work(connection: Connection) -> list[Match]:
        return [_match(row, is_user=False) for row in connection.execute(_unmatched_invitations(db.tables), given)]

    return db.read(work, doing="comparing the ledger with m3ter")


@built_once
def _unmatched_invitations(t: Tables) -> Select[Any]:
    m, i, known = t.mirror_invitation.c, t.invitation.c, once_more(t.invitation, "known_by_id")
    org_id, now = bindparam("org_id", type_=m.org_id.type), bindparam("now", type_=m.expires_at.type)
    valid = or_(m.accepted, m.expires_at.is_(None), m.expires_at > now)
    same_entry = and_(known.c.org_id == org_id, known.c.m3ter_id == m.m3ter_id)
    attempted = and_(i.attempt_started_ms.is_not(None), i.state.not_in(state_values(ENDED_STATES)))
    return (
        select(
            *(m.m3ter_id, m.email_key, m.email, m.accepted, m.created_at, m.expires_at, m.inviting_principal_id),
            *(i.invitation_id, i.state, i.generation, i.attempt_started_ms),
        )
        .select_from(t.mirror_invitation)
        .outerjoin(t.invitation, newest_of(t, org_id, m.email_key))
        .where(
            m.org_id == org_id,
            ~m.gone,
            or_(valid, attempted),
            or_(i.state.is_(None), i.state.not_in(state_values(SUCCESS_STATES))),
            ~exists().where(same_entry, ~state_in(known, FOUND_AGAIN_STATES)),
        )
        .order_by(case((valid, 0), else_=1), m.created_at, m.m3ter_id)
    )


def unmatched_users(db: LedgerDatabase, org_id: str, now: datetime) -> list[Match]:
    """Return users with access for whose address the ledger's newest row does not say ``accepted``."""
    given = {"org_id": org_id, "now": now}

    def work(connection: Connection) -> list[Match]:
        return [_match(row, is_user=True) for row in connection.execute(_unmatched_users(db.tables), given)]

    return db.read(work, doing="comparing the ledger with m3ter")


@built_once
def _unmatched_users(t: Tables) -> Select[Any]:
    u, i = t.mirror_user.c, t.invitation.c
    org_id, now = bindparam("org_id", type_=u.org_id.type), bindparam("now", type_=u.access_ends_at.type)
    return (
        select(
            *(u.m3ter_id, u.email_key, u.email, u.created_at),
            *(i.invitation_id, i.state, i.generation, i.attempt_started_ms),
        )
        .select_from(t.mirror_user)
        .outerjoin(t.invitation, newest_of(t, org_id, u.email_key))
        .where(
            u.org_id == org_id,
            ~u.gone,
            or_(u.access_ends_at.is_(None), u.access_ends_at > now),
            or_(i.state.is_(None), i.state != _ACCEPTED),
        )
        .order_by(u.created_at, u.m3ter_id)
    )


def progress_of_tracked(db: LedgerDatabase, org_id: str, now: datetime) -> list[Outcome]:
    """Return what became of sent and adopted rows (accepted, expired), and of accepted ones whose access has ended.

    :param now: m3ter's clock (UTC).
    """
    given = {"org_id": org_id, "now": now}

    def work(connection: Connection) -> list[Outcome]:
        listed, dropped, ended = (connection.execute(one, given).all() for one in _progress(db.tables))
        found: list[Outcome] = []
        for invitation_id, accepted in listed:
            state = InvitationState.ACCEPTED if accepted else InvitationState.EXPIRED
            found.append(Outcome(invitation_id, state, "m3ter_says"))
        found.extend(Outcome(row.invitation_id, InvitationState.EXPIRED, "m3ter_says") for row in dropped)
        # They no longer forbid a new invitation.
        found.extend(
            Outcome(row.invitation_id, InvitationState.SUPERSEDED, "access_ended", m3ter_user_id=row.m3ter_id)
            for row in ended
        )
        return found

    return db.read(work, doing="comparing the ledger with m3ter")


@built_once
def _progress(t: Tables) -> tuple[Select[Any], ...]:
    """Return what reads rows that m3ter lists as accepted or expired, that it dropped, and whose access has ended."""
    i, m, u = t.invitation.c, t.mirror_invitation.c, t.mirror_user.c
    org_id, now = bindparam("org_id", type_=i.org_id.type), bindparam("now", type_=i.expires_at.type)
    of_org = i.org_id == org_id
    on_its_way = i.state.in_(state_values(ON_ITS_WAY_STATES))
    in_list = and_(m.org_id == org_id, m.m3ter_id == i.m3ter_id, ~m.gone)
    listed = select(i.invitation_id, m.accepted).join(t.mirror_invitation, in_list)
    ended = select(i.invitation_id, u.m3ter_id).join(
        t.mirror_user, and_(u.org_id == org_id, u.email_key == i.email_key, ~u.gone)
    )
    return (
        listed.where(of_org, on_its_way, or_(m.accepted, m.expires_at <= now)),
        select(i.invitation_id).where(of_org, on_its_way, i.expires_at <= now, ~exists().where(in_list)),
        ended.where(of_org, i.state == _ACCEPTED, u.access_ends_at <= now),
    )


def insert_found(db: LedgerDatabase, org_id: str, matches: Sequence[Match], now: datetime) -> int:
    """Insert what m3ter has and the ledger does not; a row that another task inserted first stays.

    :returns: how many rows were inserted.
    """
    t = db.tables
    table = t.invitation

    def work(connection: Connection) -> int:
        inserted = 0
        for some in batches(matches):
            batch = {match.email_key: match for match in some}
            rows = [vars(_found_row(org_id, match, now)) for match in batch.values()]
            returned = db.insert_new(table).returning(table.c.invitation_id, table.c.email_key)
            new = connection.execute(returned, rows).all()
            record_events(
                connection,
                t,
                [
                    Event(row.invitation_id, org_id, None, found.found_state, "found", now, m3ter_id=found.m3ter_id)
                    for row in new
                    for found in (batch[row.email_key],)
                ],
            )
            inserted += len(new)
        return inserted

    return db.write(work, doing="adopting what m3ter holds")


@dataclass(frozen=True)
class _FoundRow:
    """A row that begins with what was found in m3ter, column by column."""

    org_id: str
    email_key: str
    email: str
    generation: int
    state: str
    origin: str
    m3ter_id: str | None
    m3ter_user_id: str | None
    inviting_principal_id: str | None
    expires_at: datetime | None
    accepted_at: datetime | None
    created_at: datetime
    updated_at: datetime


def _found_row(org_id: str, match: Match, now: datetime) -> _FoundRow:
    return _FoundRow(
        org_id=org_id,
        email_key=match.email_key,
        email=match.email,
        generation=match.generation + 1,
        state=match.found_state.value,
        origin="found",
        m3ter_id=None if match.is_user else match.m3ter_id,
        m3ter_user_id=match.m3ter_id if match.is_user else None,
        inviting_principal_id=match.inviting_principal_id,
        expires_at=match.expires_at,
        accepted_at=now if match.accepted else None,
        created_at=now,
        updated_at=now,
    )


def own_principals(db: LedgerDatabase, org_id: str) -> frozenset[str]:
    """Return the ids under which m3ter lists our own service user's invitations, as far as they are known."""
    t = db.tables

    def work(connection: Connection) -> frozenset[str]:
        known = connection.execute(
            select(t.mirror_org.c.service_user_id).where(t.mirror_org.c.org_id == org_id)
        ).scalars()
        answered = (
            select(t.invitation.c.inviting_principal_id)
            .where(
                t.invitation.c.org_id == org_id,
                t.invitation.c.origin == "claimed",
                t.invitation.c.http_status == 200,
                t.invitation.c.inviting_principal_id.is_not(None),
            )
            .order_by(t.invitation.c.invitation_id.desc())
            .limit(200)
            .subquery()
        )
        learnt = connection.execute(select(answered.c.inviting_principal_id).distinct()).scalars()
        return frozenset(value for value in (*known, *learnt) if value)

    return db.read(work, doing="looking up our own service user")


@dataclass(frozen=True)
class Appearance:
    """An entry of m3ter's that the ledger cannot explain.

    :param at_ms: when it appeared, as m3ter dates it; by the database's clock (ms since 1970).
    :param first_seen_ms: when the ledger first mirrored it, by the same clock.
    :param changed_ms: when m3ter changed it long after it had appeared; None: it did not.
    """

    at_ms: int
    first_seen_ms: int
    changed_ms: int | None = None

    def may_come_from(self, attempt_started_ms: int, margin_ms: int) -> bool:
        """Return whether an attempt may have made it: what was mirrored before the attempt began does not.

        But m3ter may answer a POST by renewing an invitation that is there, of an address that it takes for the same.
        """
        if self.changed_ms is not None and self.changed_ms >= attempt_started_ms - margin_ms:
            return True
        return self.at_ms >= attempt_started_ms - margin_ms and self.first_seen_ms >= attempt_started_ms


def unexplained_since(
    db: LedgerDatabase, org_id: str, since_ms: int, own: Collection[str], clock_ahead: timedelta
) -> list[Appearance]:
    """Return invitations of our own service user, and users, that appeared and that the ledger cannot explain.

    m3ter may have rewritten an address: then the invitation of an open row stands there under another one.

    :param since_ms: how far back to look, by the database's clock (ms since 1970).
    :param own: ids of our own service user; empty: any invitation may be ours.
    :param clock_ahead: how far m3ter's clock is ahead of the database's.
    """
    t = db.tables
    m, u, i = t.mirror_invitation.c, t.mirror_user.c, t.invitation.c
    since = from_milliseconds(since_ms) + clock_ahead

    def appeared(table: Any) -> ColumnElement[bool]:
        return or_(table.created_at >= since, and_(table.created_at.is_(None), table.first_seen_ms >= since_ms))

    def claimed(same: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(i.org_id == org_id, i.origin == "claimed", same)

    def work(connection: Connection) -> list[Appearance]:
        ours = m.inviting_principal_id.in_(list(own)) if own else m.m3ter_id.is_not(None)
        invitations = connection.execute(
            select(m.created_at, m.first_seen_ms, m.modified_at).where(
                m.org_id == org_id,
                ~m.gone,
                or_(appeared(m), and_(~m.accepted, m.modified_at >= since)),
                or_(ours, m.inviting_principal_id.is_(None)),
                ~claimed(i.m3ter_id == m.m3ter_id),
                ~claimed(i.email_key == m.email_key),
            )
        ).all()
        users = connection.execute(
            select(u.created_at, u.first_seen_ms, null()).where(
                u.org_id == org_id,
                ~u.gone,
                appeared(u),
                ~exists().where(m.org_id == org_id, m.email_key == u.email_key),
                ~claimed(i.email_key == u.email_key),
            )
        ).all()
        return [_appearance(at, seen, changed, clock_ahead) for at, seen, changed in (*invitations, *users)]

    return db.read(work, doing="comparing the ledger with m3ter")


def _appearance(
    created_at: datetime | None, seen_ms: int, modified_at: datetime | None, clock_ahead: timedelta
) -> Appearance:
    def by_our_clock(instant: datetime) -> int:
        return int((instant - clock_ahead).timestamp() * 1000)

    if created_at is None:
        return Appearance(seen_ms, seen_ms)
    changed = modified_at is not None and modified_at > created_at + MARGIN
    return Appearance(by_our_clock(created_at), seen_ms, by_our_clock(modified_at) if modified_at and changed else None)


def count_rows(db: LedgerDatabase, org_id: str) -> dict[str, int]:
    """Return how many invitations of the organisation are in each state."""
    i = db.tables.invitation.c

    def work(connection: Connection) -> dict[str, int]:
        rows = connection.execute(
            select(i.state, func.count()).where(i.org_id == org_id).group_by(i.state).order_by(i.state)
        )
        return {row.state: int(row[1]) for row in rows}

    return db.read(work, doing="counting invitations")
