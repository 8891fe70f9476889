"""Permission policies of m3ter's users in the mirror: whose are not known or may have changed, and what m3ter said."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select, update

from m3ter_onboarding.clock import MARGIN, in_utc, parse_iso
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.erased_people import PREFIX

_TOGETHER = 1000
_NEVER = datetime(1, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class UsersToAsk:
    """Users whose policies m3ter must be asked for.

    :param m3ter_ids: those that were never asked about first, then those who were asked about the longest ago.
    :param left: how many more there are.
    """

    m3ter_ids: tuple[str, ...]
    left: int


def users_to_ask(db: LedgerDatabase, org_id: str, now: datetime, *, reread_before: datetime, most: int) -> UsersToAsk:
    """Return the users with access whose policies are not in m3ter's list, and not known or perhaps not current.

    :param now: UTC.
    :param reread_before: policies that were read before then are read again.
    :param most: of them.
    """
    many = 0

    def due() -> Iterator[tuple[datetime, str]]:
        nonlocal many
        for row in _users(db, org_id, now):
            if _is_due(row, reread_before):
                many += 1
                yield row.policies_read_at or _NEVER, row.m3ter_id

    chosen = heapq.nsmallest(most, due())
    return UsersToAsk(tuple(m3ter_id for _, m3ter_id in chosen), many - len(chosen))


def _users(db: LedgerDatabase, org_id: str, now: datetime) -> Iterator[Row[Any]]:
    u, after = db.tables.mirror_user.c, ""
    access = or_(u.access_ends_at.is_(None), u.access_ends_at > now)
    named = ~u.email_key.startswith(PREFIX, autoescape=True)
    statement = (
        select(u.m3ter_id, u.entry, u.policies_read_at)
        .where(u.org_id == org_id, ~u.gone, access, named, u.m3ter_id > bindparam("after"))
        .order_by(u.m3ter_id)
        .limit(_TOGETHER)
    )

    def work(connection: Connection) -> list[Row[Any]]:
        return list(connection.execute(statement, {"after": after}))

    while rows := db.read(work, doing="looking for users whose policies are not known"):
        yield from rows
        after = rows[-1].m3ter_id


def _is_due(row: Row[Any], reread_before: datetime) -> bool:
    entry = row.entry or {}
    if isinstance(entry.get("permissionPolicyIds"), list):
        return False
    read_at = row.policies_read_at
    if read_at is None or read_at < reread_before:
        return True
    try:
        return bool(in_utc(parse_iso(str(entry["dtLastModified"]))) > read_at - MARGIN)
    except (KeyError, ValueError, OverflowError):
        return False


def store_user_policies(db: LedgerDatabase, org_id: str, found: Mapping[str, tuple[str, ...]], now: datetime) -> None:
    """Store which policies users have.

    :param found: ids of policies, by the user's id.
    :param now: when m3ter was asked (UTC).
    """
    u = db.tables.mirror_user
    statement = (
        update(u)
        .where(u.c.org_id == org_id, u.c.m3ter_id == bindparam("user"))
        .values(permission_policy_ids=bindparam("ids", type_=u.c.permission_policy_ids.type), policies_read_at=now)
    )
    values = [{"user": user, "ids": sorted(ids)} for user, ids in sorted(found.items())]
    if values:
        db.write(lambda c: c.execute(statement, values), doing="mirroring policies of users")
