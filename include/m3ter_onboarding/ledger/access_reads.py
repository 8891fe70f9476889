"""Reads of the access review: how each ended, and its rows of the warehouse while they are compared.

The rows name everybody who has a job. So they are deleted with the end of their read, and those of a read that was
killed with the beginning of the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.runs import RunKey

Outcome = Literal["accepted", "refused", "failed"]


@dataclass(frozen=True)
class AccessRead:
    """A read that has begun.

    :param started_at: UTC; a finding that the read meets is last seen then.
    """

    read_id: int
    org_id: str
    started_at: datetime


@dataclass(frozen=True)
class ReadSize:
    """How many people a read found.

    :param people: with a job, by the warehouse.
    :param users: with access, by m3ter.
    """

    people: int
    users: int


def begin_read(db: LedgerDatabase, org_id: str, config_name: str, run: RunKey, now: datetime) -> AccessRead:
    """Begin a read, and delete the rows that an earlier one left.

    :param now: UTC.
    """
    t = db.tables

    def work(connection: Connection) -> AccessRead:
        connection.execute(delete(t.access_job).where(t.access_job.c.org_id == org_id))
        unfinished = t.access_read.c.org_id == org_id, t.access_read.c.outcome == "running"
        killed = {"outcome": "failed", "finished_at": now, "why": "It was broken off."}
        connection.execute(update(t.access_read).where(*unfinished).values(**killed))
        values = {"org_id": org_id, "config_name": config_name, "started_at": now, "outcome": "running", "counts": {}}
        values |= {"dag_id": run.dag_id, "run_id": run.run_id}
        inserted = connection.execute(insert(t.access_read).values(**values).returning(t.access_read.c.read_id))
        return AccessRead(int(inserted.scalar_one()), org_id, now)

    return db.write(work, doing="beginning an access review")


def store_jobs(db: LedgerDatabase, read: AccessRead, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store rows of the warehouse.

    :param rows: by column, without ``read_id`` and ``org_id``.
    """
    mine = {"read_id": read.read_id, "org_id": read.org_id}
    values = [{**row, **mine} for row in rows]
    if values:
        db.write(lambda c: c.execute(insert(db.tables.access_job), values), doing="storing who has a job")


def read_size(db: LedgerDatabase, read: AccessRead) -> ReadSize:
    """Return how many people the warehouse's rows name, and how many users of the mirror have access."""
    j, u = db.tables.access_job.c, db.tables.mirror_user.c

    def work(connection: Connection) -> ReadSize:
        person = func.coalesce(j.email_key, "employee:" + j.employee_id)
        people = connection.execute(select(func.count(person.distinct())).where(j.read_id == read.read_id)).scalar_one()
        access = or_(u.access_ends_at.is_(None), u.access_ends_at > read.started_at)
        users = connection.execute(select(func.count()).where(u.org_id == read.org_id, ~u.gone, access)).scalar_one()
        return ReadSize(int(people), int(users))

    return db.read(work, doing="counting who has a job")


def names_policies(db: LedgerDatabase, read: AccessRead) -> bool:
    """Return whether a row of the warehouse names permission policies."""
    j = db.tables.access_job.c
    statement = select(j.row_no).where(j.read_id == read.read_id, j.permission_policies.is_not(None)).limit(1)
    return db.read(lambda c: c.execute(statement).first() is not None, doing="counting who has a job")


def last_accepted(db: LedgerDatabase, org_id: str) -> ReadSize | None:
    """Return the size of the last accepted read; None: there is none."""
    r = db.tables.access_read.c

    def work(connection: Connection) -> ReadSize | None:
        row = connection.execute(
            select(r.people, r.users)
            .where(r.org_id == org_id, r.outcome == "accepted")
            .order_by(r.read_id.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else ReadSize(int(row.people or 0), int(row.users or 0))

    return db.read(work, doing="looking for the last access review")


def finish_read(
    db: LedgerDatabase,
    read: AccessRead,
    outcome: Outcome,
    now: datetime,
    *,
    why: str | None = None,
    size: ReadSize | None = None,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Record how a read ended, and delete its rows; one that was ended by a later one stays ended.

    :param now: UTC.
    :param why: it was not accepted; without personal data.
    """
    t = db.tables
    values: dict[str, Any] = {"outcome": outcome, "finished_at": now, "why": why, "counts": dict(counts or {})}
    if size is not None:
        values |= {"people": size.people, "users": size.users}

    def work(connection: Connection) -> None:
        connection.execute(delete(t.access_job).where(t.access_job.c.read_id == read.read_id))
        mine = and_(t.access_read.c.read_id == read.read_id, t.access_read.c.outcome == "running")
        connection.execute(update(t.access_read).where(mine).values(**values))

    db.write(work, doing="finishing an access review")
