"""Users and invitations of the mirror, each with all that is known of its person, in batches for the access review."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, or_, select

from m3ter_onboarding.ledger.access_reads import AccessRead
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.erased_people import PREFIX
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.models import InvitationRequest

#: So many users or invitations are in memory at once.
TOGETHER = 500


@dataclass(frozen=True)
class Job:
    """What the warehouse wants for somebody who has a job.

    :param end_given: whether it says until when; ``access_ends_at`` None is then no end.
    :param permission_policies: names or ids; None: it names none.
    """

    end_given: bool
    access_ends_at: datetime | None
    permission_policies: tuple[str, ...] | None


@dataclass(frozen=True)
class AskedEnd:
    """The end of access that an invitation of ours asked for; None: no end."""

    access_ends_at: datetime | None


@dataclass(frozen=True)
class KnownPerson:
    """What warehouse and ledger know of an address.

    :param employees: by the ledger.
    :param starts_on: the latest first day of work that a row ever had; None: none had one.
    :param asked: by the newest invitation of ours; None: there is none.
    :param jobs: by the address.
    :param jobs_by_employee: by the ledger's employees, under another address.
    """

    employees: tuple[str, ...] = field(default=(), repr=False)
    starts_on: date | None = None
    asked: AskedEnd | None = None
    jobs: tuple[Job, ...] = ()
    jobs_by_employee: tuple[Job, ...] = ()


@dataclass(frozen=True)
class ReviewedUser:
    """A user of m3ter.

    :param has_other_access: whether another user with the same address has access.
    :param policy_ids: None: not known.
    """

    m3ter_id: str
    email: str = field(repr=False)
    email_key: str = field(repr=False)
    access_ends_at: datetime | None
    has_other_access: bool
    policy_ids: frozenset[str] | None
    person: KnownPerson


@dataclass(frozen=True)
class ReviewedInvitation:
    """An invitation of m3ter's that can be accepted."""

    m3ter_id: str
    email: str = field(repr=False)
    email_key: str = field(repr=False)
    expires_at: datetime | None
    person: KnownPerson


def iter_users(db: LedgerDatabase, read: AccessRead) -> Iterator[list[ReviewedUser]]:
    """Yield all users that m3ter lists, in batches; erased people are not among them."""
    yield from _walk(db, read, partial(_users_after, t=db.tables, read=read))


def iter_pending(db: LedgerDatabase, read: AccessRead) -> Iterator[list[ReviewedInvitation]]:
    """Yield all invitations that can still be accepted, in batches; erased people are not among them."""
    yield from _walk(db, read, partial(_pending_after, t=db.tables, read=read))


def _walk(db: LedgerDatabase, read: AccessRead, next_batch: Any) -> Iterator[Any]:
    after = ""
    while found := db.read(partial(next_batch, after=after), doing="comparing access"):
        yield found
        after = found[-1].m3ter_id


def _users_after(connection: Connection, *, t: Tables, read: AccessRead, after: str) -> list[ReviewedUser]:
    u = t.mirror_user.c
    rows = _listed(connection, t.mirror_user, read, after)
    people = _people(connection, t, read, {row.email_key for row in rows})
    ended = {row.email_key for row in rows if row.access_ends_at is not None and row.access_ends_at <= read.started_at}
    access = or_(u.access_ends_at.is_(None), u.access_ends_at > read.started_at)
    others = set(
        connection.execute(
            select(u.email_key).where(u.org_id == read.org_id, ~u.gone, access, u.email_key.in_(ended))
        ).scalars()
    )
    return [
        ReviewedUser(
            m3ter_id=row.m3ter_id,
            email=row.email,
            email_key=row.email_key,
            access_ends_at=row.access_ends_at,
            has_other_access=row.email_key in others,
            policy_ids=_policy_ids(row),
            person=people[row.email_key],
        )
        for row in rows
    ]


def _policy_ids(row: Row[Any]) -> frozenset[str] | None:
    """Return the policies of a user: m3ter's list says them, or m3ter was asked, or they are not known."""
    listed = (row.entry or {}).get("permissionPolicyIds")
    if isinstance(listed, list):
        return frozenset(map(str, listed))
    return None if row.permission_policy_ids is None else frozenset(row.permission_policy_ids)


def _pending_after(connection: Connection, *, t: Tables, read: AccessRead, after: str) -> list[ReviewedInvitation]:
    m = t.mirror_invitation.c
    active = and_(~m.accepted, or_(m.expires_at.is_(None), m.expires_at > read.started_at))
    rows = _listed(connection, t.mirror_invitation, read, after, active)
    people = _people(connection, t, read, {row.email_key for row in rows})
    return [
        ReviewedInvitation(row.m3ter_id, row.email, row.email_key, row.expires_at, people[row.email_key])
        for row in rows
    ]


def _listed(
    connection: Connection, table: Table, read: AccessRead, after: str, *conditions: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    c = table.c
    mine = c.org_id == read.org_id, c.m3ter_id > after, ~c.gone, ~c.email_key.startswith(PREFIX, autoescape=True)
    return connection.execute(select(table).where(*mine, *conditions).order_by(c.m3ter_id).limit(TOGETHER)).all()


def _people(connection: Connection, t: Tables, read: AccessRead, keys: Collection[str]) -> dict[str, KnownPerson]:
    """Return what is known of some addresses."""
    d, i, j = t.decision.c, t.invitation.c, t.access_job.c
    employees: dict[str, set[str]] = {key: set() for key in keys}
    starts: dict[str, date] = {}
    decided = (
        select(d.email_key, d.employee_id, func.max(d.start_date).label("starts_on"))
        .where(d.org_id == read.org_id, d.email_key.in_(keys))
        .group_by(d.email_key, d.employee_id)
    )
    for row in connection.execute(decided):
        if row.employee_id is not None:
            employees[row.email_key].add(row.employee_id)
        if row.starts_on is not None:
            starts[row.email_key] = max(row.starts_on, starts.get(row.email_key, row.starts_on))
    asked: dict[str, AskedEnd | None] = {}
    invited = (
        select(i.email_key, i.employee_id, d.request)
        .outerjoin(t.decision, and_(d.plan_id == i.plan_id, d.row_no == i.row_no))
        .where(i.org_id == read.org_id, i.email_key.in_(keys))
        .order_by(i.invitation_id)
    )
    for row in connection.execute(invited):
        if row.employee_id is not None:
            employees[row.email_key].add(row.employee_id)
        asked[row.email_key] = _asked_end(row.request) or asked.get(row.email_key)
    by_address = _jobs(connection, t, read, j.email_key, keys)
    by_employee = _jobs(connection, t, read, j.employee_id, {one for some in employees.values() for one in some})
    return {
        key: KnownPerson(
            employees=tuple(sorted(employees[key])),
            starts_on=starts.get(key),
            asked=asked.get(key),
            jobs=tuple(by_address.get(key, ())),
            jobs_by_employee=tuple(job for one in sorted(employees[key]) for job in by_employee.get(one, ())),
        )
        for key in keys
    }


def _asked_end(request: Any) -> AskedEnd | None:
    try:
        return AskedEnd(InvitationRequest.model_validate(request).dt_end_access) if request else None
    except ValueError:
        return None


def _jobs(
    connection: Connection, t: Tables, read: AccessRead, column: ColumnElement[Any], values: Collection[str]
) -> dict[str, list[Job]]:
    j = t.access_job.c
    found: dict[str, list[Job]] = {}
    statement = (
        select(column.label("value"), j.end_given, j.access_ends_at, j.permission_policies)
        .where(j.read_id == read.read_id, column.in_(values))
        .order_by(j.row_no)
    )
    for row in connection.execute(statement):
        policies = None if row.permission_policies is None else tuple(row.permission_policies)
        found.setdefault(row.value, []).append(Job(row.end_given, row.access_ends_at, policies))
    return found
