"""Findings of the access review: what m3ter has and the warehouse does not agree with, since when, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.access_reads import AccessRead
from m3ter_onboarding.ledger.database import LedgerDatabase


class Finding(str, Enum):
    """The kinds of finding."""

    NO_JOB = "no_job"
    ACCESS_END_DIFFERS = "access_end_differs"
    ACCESS_END_CHANGED = "access_end_changed"
    POLICIES_DIFFER = "policies_differ"
    PENDING_FOR_LEAVER = "pending_for_leaver"


#: Each kind in words; the page and the documents show them.
FINDINGS = {
    Finding.NO_JOB.value: "has access in m3ter, and no job in the warehouse",
    Finding.ACCESS_END_DIFFERS.value: "access in m3ter ends at another day than the warehouse says",
    Finding.ACCESS_END_CHANGED.value: "the warehouse has another end of access than when they were invited",
    Finding.POLICIES_DIFFER.value: "has other permission policies in m3ter than the row or the configuration asks for",
    Finding.PENDING_FOR_LEAVER.value: "has an invitation that can be accepted, and no job in the warehouse",
}


@dataclass(frozen=True)
class FoundAccess:
    """One finding.

    :param m3ter_id: of the user, or of the invitation.
    :param in_m3ter: what m3ter has, in words.
    :param wanted: what the warehouse says, in words.
    """

    finding: Finding
    m3ter_id: str
    email: str = field(repr=False)
    email_key: str = field(repr=False)
    employee_id: str | None = field(repr=False)
    in_m3ter: str
    wanted: str


def record_findings(db: LedgerDatabase, read: AccessRead, found: Sequence[FoundAccess]) -> int:
    """Record findings of a read: new ones, those that came back, and those that are still there.

    :returns: how many were not there before.
    """
    t = db.tables.access_review

    def work(connection: Connection) -> int:
        known: dict[tuple[str, str], Any] = {}
        for some in batches(sorted({one.m3ter_id for one in found})):
            rows = connection.execute(
                select(t.c.item_id, t.c.finding, t.c.m3ter_id, t.c.ended_at, t.c.first_seen_at).where(
                    t.c.org_id == read.org_id, t.c.m3ter_id.in_(some)
                )
            )
            known.update({(row.finding, row.m3ter_id): row for row in rows})
        fresh, seen, new = list[dict[str, Any]](), list[dict[str, Any]](), 0
        for one in found:
            row = known.get((one.finding.value, one.m3ter_id))
            values = _values(one, read)
            if row is None:
                new += 1
                fresh.append({**values, "org_id": read.org_id, "first_seen_at": read.started_at, "ended_at": None})
                continue
            new += row.ended_at is not None
            first = row.first_seen_at if row.ended_at is None else read.started_at
            seen.append({"key": row.item_id, **{f"new_{k}": v for k, v in {**values, "first_seen_at": first}.items()}})
        if fresh:
            connection.execute(insert(t), fresh)
        if seen:
            names = [name.removeprefix("new_") for name in seen[0] if name != "key"]
            changed = {name: bindparam(f"new_{name}", type_=t.c[name].type) for name in names}
            connection.execute(
                update(t)
                .where(t.c.item_id == bindparam("key", type_=t.c.item_id.type))
                .values(**changed, ended_at=None),
                seen,
            )
        return new

    return db.write(work, doing="recording findings about access") if found else 0


def _values(one: FoundAccess, read: AccessRead) -> dict[str, Any]:
    return {
        "finding": one.finding.value,
        "m3ter_id": one.m3ter_id,
        "email": one.email,
        "email_key": one.email_key,
        "employee_id": one.employee_id,
        "in_m3ter": one.in_m3ter,
        "wanted": one.wanted,
        "last_seen_at": read.started_at,
    }


def end_unseen(db: LedgerDatabase, read: AccessRead) -> int:
    """End the findings that an accepted read did not meet any more, and return how many there were."""
    t = db.tables.access_review
    unseen = t.c.org_id == read.org_id, t.c.ended_at.is_(None), t.c.last_seen_at < read.started_at
    return db.write(
        lambda c: c.execute(update(t).where(*unseen).values(ended_at=read.started_at)).rowcount,
        doing="ending findings about access",
    )


def count_findings(db: LedgerDatabase, org_id: str) -> dict[str, int]:
    """Return how many findings there are now, by kind."""
    t = db.tables.access_review.c

    def work(connection: Connection) -> dict[str, int]:
        rows = connection.execute(
            select(t.finding, func.count().label("many"))
            .where(t.org_id == org_id, t.ended_at.is_(None))
            .group_by(t.finding)
        )
        return {row.finding: row.many for row in rows}

    found = db.read(work, doing="counting findings about access")
    return {finding.value: found.get(finding.value, 0) for finding in Finding}
