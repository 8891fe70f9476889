"""The mirror: invitations, users and policies of one organisation, as last read from m3ter.

Passes may overlap (two runs at once): an entry has gone only when a *complete* pass, begun after the entry was
last seen by anyone, did not meet it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Table, false, func, or_, select, true, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.erased_people import without_erased
from m3ter_onboarding.ledger.key_sets import one_of, sets_of
from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terPolicy, M3terUser
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.storable_values import storable_answer
from m3ter_provider.answer_values import is_substitute
from m3ter_provider.email_identity import alias_key, email_key
from m3ter_provider.models import Invitation, Me, OrgUser, PermissionPolicy
from m3ter_provider.pasted_text import trim


class Kind(str, Enum):
    """The kinds of list that a pass reads."""

    INVITATIONS = "invitations"
    USERS = "users"
    POLICIES = "policies"


@dataclass(frozen=True)
class MirrorState:
    """How current the mirror of one organisation is.

    :param name: the organisation's own; None: it is not known.
    :param complete_ms: the last snapshot that read all three kinds to the end, by the database's clock.
    """

    service_user_id: str | None = None
    name: str | None = None
    invitations_through: datetime | None = None
    invitations_full_at: datetime | None = None
    users_full_at: datetime | None = None
    policies_full_at: datetime | None = None
    complete_ms: int | None = None


def read_state(db: LedgerDatabase, org_id: str) -> MirrorState:
    """Return how current the mirror is; empty before the first snapshot."""
    table = db.tables.mirror_org

    def work(connection: Connection) -> MirrorState:
        row = connection.execute(select(table).where(table.c.org_id == org_id)).one_or_none()
        if row is None:
            return MirrorState()
        return MirrorState(
            service_user_id=row.service_user_id,
            name=row.name,
            invitations_through=row.invitations_through,
            invitations_full_at=row.invitations_full_at,
            users_full_at=row.users_full_at,
            policies_full_at=row.policies_full_at,
            complete_ms=row.complete_ms,
        )

    return db.read(work, doing="reading the mirror's state")


def record_ourselves(db: LedgerDatabase, org_id: str, me: Me) -> None:
    """Record the service user by which we reach an organisation, and the organisation's name, where m3ter has them."""
    row: dict[str, str | int | datetime] = {"org_id": org_id}
    if me.service_user is not None:
        row["service_user_id"] = me.service_user.id
    if me.organization is not None and (name := trim(me.organization.name or "")):
        row["name"] = name
    if len(row) > 1:
        _record(db, row)


def record_newest_invitations(db: LedgerDatabase, org_id: str, began_at: datetime) -> None:
    """Record that the newest invitations were read.

    :param began_at: when that reading began, by m3ter's clock.
    """
    _record(db, {"org_id": org_id, "invitations_through": began_at})


def mark_complete(db: LedgerDatabase, org_id: str, began_ms: int) -> None:
    """Record that invitations, users and policies were all read to the end.

    :param began_ms: when the first of them began, by the database's clock.
    """
    _record(db, {"org_id": org_id, "complete_ms": began_ms})


def _record(db: LedgerDatabase, row: dict[str, str | int | datetime]) -> None:
    db.write(lambda connection: db.upsert(connection, db.tables.mirror_org, [row]), doing="recording a pass")


def begin_pass(db: LedgerDatabase, org_id: str) -> int:
    """Return the moment a pass begins, by the database's clock.

    Never before the last attempt of the organisation: a clock that was set back meanwhile must not make an entry that
    came from an attempt seem older than it.
    """
    attempted = db.tables.invitation.c

    def work(connection: Connection) -> int:
        db.upsert(connection, db.tables.mirror_org, [{"org_id": org_id}])
        now = int(connection.execute(select(db_now_ms())).scalar_one())
        last = select(func.max(attempted.attempt_started_ms)).where(attempted.org_id == org_id)
        return max(now, connection.execute(last).scalar_one() or 0)

    return db.write(work, doing="beginning a pass")


def _address(email: str) -> dict[str, str]:
    key = email_key(email)
    return {"email": email, "email_key": key, "alias_key": alias_key(key)}


def store_invitations(db: LedgerDatabase, org_id: str, started_ms: int, items: Sequence[Invitation]) -> None:
    """Write one page of invitations into the mirror.

    :param started_ms: what :func:`begin_pass` returned for the pass that read them; so for all three lists.
    """
    rows = [
        {
            "m3ter_id": item.id,
            **_address(item.email),
            "accepted": bool(item.accepted),
            "created_at": item.dt_created,
            "modified_at": item.dt_last_modified,
            "expires_at": item.ends_at,
            "inviting_principal_id": item.inviting_principal_id or item.created_by,
            "entry": storable_answer(item.as_answered),
        }
        for item in items
    ]
    _store(db, db.tables.mirror_invitation, org_id, started_ms, rows)


def store_users(db: LedgerDatabase, org_id: str, started_ms: int, items: Sequence[OrgUser]) -> None:
    """Write one page of users into the mirror; users without an address cannot be anyone's invitation."""
    rows = [
        {
            "m3ter_id": item.id,
            **_address(item.email),
            "access_ends_at": item.dt_end_access,
            "created_at": item.dt_created,
            "entry": storable_answer(item.as_answered),
        }
        for item in items
        if item.email
    ]
    _store(db, db.tables.mirror_user, org_id, started_ms, rows)


def store_policies(db: LedgerDatabase, org_id: str, started_ms: int, items: Sequence[PermissionPolicy]) -> None:
    """Write one page of permission policies into the mirror; one without a usable id can be given to nobody."""
    _store(db, db.tables.mirror_policy, org_id, started_ms, _policy_rows(items))


def as_mirrored(db: LedgerDatabase, items: Sequence[PermissionPolicy]) -> list[M3terPolicy]:
    """Return permission policies that were just read, as the mirror would hold them, and not as it says."""
    columns, dialect = db.tables.mirror_policy.c, db.engine.dialect

    def stored(name: str, value: Any) -> Any:
        kind: Any = columns[name].type
        return kind.process_bind_param(value, dialect)

    return [
        M3terPolicy(
            stored("m3ter_id", row["m3ter_id"]),
            stored("name", row["name"]),
            stored("version", row["version"]),
            row["administrator_like"],
            row["statements_shown"],
        )
        for row in _policy_rows(items)
    ]


def _policy_rows(items: Sequence[PermissionPolicy]) -> list[dict[str, Any]]:
    return [
        {
            "m3ter_id": item.id,
            "name": item.name,
            "version": item.version,
            "managed": bool(item.managed_policy),
            "administrator_like": item.administrator_like,
            "statements_shown": bool(item.permission_policy),
        }
        for item in items
        if not is_substitute(item.id)
    ]


def _store(db: LedgerDatabase, table: Table, org_id: str, started_ms: int, rows: list[dict[str, Any]]) -> None:
    unique = {
        row["m3ter_id"]: row for row in without_erased(db, org_id, rows)
    }  # a list that shifts while it is paged may repeat an entry

    def work(connection: Connection) -> None:
        # A clock that was set back during the pass must not make what it met seem to be gone.
        now = max(started_ms, int(connection.execute(select(db_now_ms())).scalar_one()))
        seen = {"org_id": org_id, "first_seen_ms": now, "last_seen_ms": now, "gone": False}
        db.upsert(connection, table, [{**row, **seen} for row in unique.values()], keep={"first_seen_ms"})

    if unique:
        db.write(work, doing="mirroring m3ter")


def finish_full_pass(db: LedgerDatabase, org_id: str, kind: Kind, started_ms: int, began_at: datetime) -> None:
    """Mark as gone all entries that a full pass did not meet, and the pass as complete.

    :param started_ms: what :func:`begin_pass` returned.
    :param began_at: when the pass began, by m3ter's clock.
    """
    table = {
        Kind.INVITATIONS: db.tables.mirror_invitation,
        Kind.USERS: db.tables.mirror_user,
        Kind.POLICIES: db.tables.mirror_policy,
    }[kind]

    def work(connection: Connection) -> None:
        connection.execute(
            update(table)
            .where(table.c.org_id == org_id, table.c.last_seen_ms < started_ms, ~table.c.gone)
            .values(gone=True)
        )
        values: dict[str, Any] = {"org_id": org_id, f"{kind.value}_full_at": began_at}
        if kind is Kind.INVITATIONS:
            values["invitations_through"] = began_at
        db.upsert(connection, db.tables.mirror_org, [values])

    db.write(work, doing="completing a pass")


def invitations_of(db: LedgerDatabase, org_id: str, email_keys: Iterable[str]) -> list[M3terInvitation]:
    """Return m3ter's invitations for these addresses."""
    table = db.tables.mirror_invitation
    columns = (
        table.c.m3ter_id,
        table.c.email_key,
        table.c.accepted,
        table.c.expires_at,
        table.c.created_at,
        table.c.email,
    )
    return [M3terInvitation(*row) for row in _of_keys(db, table, columns, org_id, email_keys)]


def users_of(db: LedgerDatabase, org_id: str, email_keys: Iterable[str]) -> list[M3terUser]:
    """Return m3ter's users for these addresses."""
    table = db.tables.mirror_user
    columns = (table.c.m3ter_id, table.c.email_key, table.c.access_ends_at, table.c.email)
    return [M3terUser(*row) for row in _of_keys(db, table, columns, org_id, email_keys)]


def doubles_of(db: LedgerDatabase, org_id: str, alias_keys: Iterable[str], now: datetime) -> list[tuple[str, str]]:
    """Return addresses that m3ter has invited or made members, and that may be aliases of each other.

    :param alias_keys: as :func:`~m3ter_provider.email_identity.alias_key` makes them.
    :param now: UTC; access that has ended does not count, nor an invitation that expired.
    :returns: pairs of an alias key and an address key.
    """
    users, invitations = db.tables.mirror_user.c, db.tables.mirror_invitation.c
    has_access = or_(users.access_ends_at.is_(None), users.access_ends_at > now)
    lasts = or_(invitations.accepted, invitations.expires_at.is_(None), invitations.expires_at > now)

    def work(connection: Connection) -> list[tuple[str, str]]:
        found = set[tuple[str, str]]()
        for batch in sets_of(alias_keys):
            for c, counts in ((users, has_access), (invitations, lasts)):
                statement = select(c.alias_key, c.email_key).where(
                    c.org_id == org_id, one_of(connection, c.alias_key, batch), ~c.gone, counts
                )
                found.update((row.alias_key, row.email_key) for row in connection.execute(statement))
        return sorted(found)

    return db.read(work, doing="reading the mirror")


def _of_keys(
    db: LedgerDatabase, table: Table, columns: Sequence[Any], org_id: str, email_keys: Iterable[str]
) -> list[Sequence[Any]]:
    """Return entries, by m3ter's id, which is the first of the columns."""
    wanted = frozenset(email_keys)

    def work(connection: Connection) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        for batch in sets_of(wanted):
            statement = select(*columns).where(
                table.c.org_id == org_id, ~table.c.gone, one_of(connection, table.c.email_key, batch)
            )
            found.extend(connection.execute(statement).all())
        # Not by the database: for the sake of the order SQLite would read every entry of the organisation.
        return sorted(found, key=lambda row: str(row[0]))

    return db.read(work, doing="reading the mirror")


def policies_of(db: LedgerDatabase, org_id: str) -> list[M3terPolicy]:
    """Return the permission policies of the organisation."""
    table = db.tables.mirror_policy

    def work(connection: Connection) -> list[M3terPolicy]:
        statement = (
            select(
                *(table.c.m3ter_id, table.c.name, table.c.version),
                func.coalesce(table.c.administrator_like, true()),
                func.coalesce(table.c.statements_shown, false()),
            )
            .where(table.c.org_id == org_id, ~table.c.gone)
            .order_by(table.c.m3ter_id)
        )
        return [M3terPolicy(*row) for row in connection.execute(statement)]

    return db.read(work, doing="reading the mirror")


def order_is_doubtful(db: LedgerDatabase, org_id: str) -> bool:
    """Return whether an incremental pass may miss entries: one in the list has no ``dtCreated``."""
    table = db.tables.mirror_invitation

    def work(connection: Connection) -> bool:
        return (
            connection.execute(
                select(table.c.m3ter_id)
                .where(table.c.org_id == org_id, ~table.c.gone, table.c.created_at.is_(None))
                .limit(1)
            ).first()
            is not None
        )

    return db.read(work, doing="reading the mirror")


def newest_created(db: LedgerDatabase, org_id: str) -> datetime | None:
    """Return when the newest listed invitation was created, by m3ter's clock."""
    table = db.tables.mirror_invitation

    def work(connection: Connection) -> datetime | None:
        return connection.execute(
            select(table.c.created_at)
            .where(table.c.org_id == org_id, ~table.c.gone, table.c.created_at.is_not(None))
            .order_by(table.c.created_at.desc())
            .limit(1)
        ).scalar()

    return db.read(work, doing="reading the mirror")
