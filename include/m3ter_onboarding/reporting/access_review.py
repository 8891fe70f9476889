"""The access review: access in m3ter compared with the jobs in the warehouse. It changes nothing in m3ter.

A failed or shrunken read is not "everybody left": findings change only by a read that was accepted, whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import LedgerError, OnboardingError, SourceError
from m3ter_onboarding.ledger import access_findings, access_reads, mirror, reviewed_access
from m3ter_onboarding.ledger.access_reads import AccessRead, ReadSize
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.mirroring.user_policies import PolicyReads
from m3ter_onboarding.reporting.access_comparison import AccessComparison, ReviewRules
from m3ter_onboarding.source.current_job import CurrentJob, current_job
from m3ter_onboarding.source.warehouse import iter_current_jobs
from m3ter_provider.errors import M3terError

log = logging.getLogger(__name__)


class ReadRefusedError(SourceError):
    """A read is empty or has shrunk; nothing was changed by it."""


@dataclass(frozen=True)
class Reviewing:
    """What a review needs.

    :param warehouse: an engine.
    :param mirror_m3ter: reads invitations, users and policies into the mirror, each to the end, and those of single
        users if its argument says so.
    :param now: the worker's clock.
    :param accept_shrunken: a person accepts a read that has shrunk.
    """

    db: LedgerDatabase
    org_id: str
    config: OnboardingConfig
    run: RunKey
    warehouse: Engine
    mirror_m3ter: Callable[[bool], Awaitable[PolicyReads]]
    now: Callable[[], datetime]
    accept_shrunken: bool = False


def review_access(reviewing: Reviewing) -> dict[str, int]:
    """Read the warehouse and m3ter, compare them, and record the findings.

    :returns: counts by name.
    :raises ReadRefusedError: when a read is empty or has shrunk; no finding was changed.
    :raises OnboardingError: when the warehouse or the ledger cannot be read; likewise.
    :raises M3terError: when m3ter cannot be read; likewise.
    """
    db = reviewing.db
    read = access_reads.begin_read(db, reviewing.org_id, reviewing.config.name, reviewing.run, reviewing.now())
    try:
        return _review(reviewing, read)
    except ReadRefusedError as refused:
        access_reads.finish_read(db, read, "refused", reviewing.now(), why=str(refused), size=_size(db, read))
        raise
    except (OnboardingError, M3terError) as error:
        with suppress(LedgerError):  # the first error is the one that matters
            access_reads.finish_read(db, read, "failed", reviewing.now(), why=str(error))
        raise


def _size(db: LedgerDatabase, read: AccessRead) -> ReadSize:
    return access_reads.read_size(db, read)


def _review(reviewing: Reviewing, read: AccessRead) -> dict[str, int]:
    db = reviewing.db
    rows, flawed, nobody = _store_jobs(reviewing, read)
    before = access_reads.last_accepted(db, read.org_id)
    _check_size("people with a job in the warehouse", _size(db, read).people, before.people if before else 0, reviewing)
    wanted = reviewing.config.permission_policies or access_reads.names_policies(db, read)
    policies = asyncio.run(_mirror(reviewing, bool(wanted) and reviewing.config.access_review.compare_policies))
    size = _size(db, read)
    _check_size("users with access in m3ter", size.users, before.users if before else 0, reviewing)
    comparison = AccessComparison(
        ReviewRules.from_config(reviewing.config), tuple(mirror.policies_of(db, read.org_id)), read.started_at
    )
    new = _record(db, read, comparison)
    ended = access_findings.end_unseen(db, read)
    open_now = access_findings.count_findings(db, read.org_id)
    counts = {
        "rows": rows,
        "flawed_rows": flawed,
        "rows_that_name_nobody": nobody,
        "users_asked_about_policies": policies.read,
        "users_left_to_ask": policies.left,
        "unknown_policies": comparison.unresolved,
        "new_findings": new,
        "ended_findings": ended,
        **open_now,
    }
    access_reads.finish_read(db, read, "accepted", reviewing.now(), size=size, counts=counts)
    return {"people": size.people, "users": size.users, **counts}


async def _mirror(reviewing: Reviewing, policies_of_users: bool) -> PolicyReads:
    return await reviewing.mirror_m3ter(policies_of_users)


def _store_jobs(reviewing: Reviewing, read: AccessRead) -> tuple[int, int, int]:
    """Store the rows of the warehouse, and return how many there were, with a flaw, and of nobody."""
    chunks: Iterable[list[CurrentJob]] = (
        [current_job(row, reviewing.config.time_zone) for row in chunk]
        for chunk in iter_current_jobs(reviewing.warehouse, reviewing.config.job_query_text)
    )
    if reviewing.warehouse.dialect.name == "sqlite":
        chunks = list(chunks)  # its reader would keep a ledger in the same file from writing
    counts: Counter[str] = Counter()
    for chunk in chunks:
        usable = [job for job in chunk if job.names_somebody]
        counts.update(rows=len(chunk), flawed=sum(job.flawed for job in chunk), nobody=len(chunk) - len(usable))
        access_reads.store_jobs(
            reviewing.db,
            read,
            [
                {
                    "row_no": job.row_no,
                    "email_key": job.email_key,
                    "employee_id": job.employee_id,
                    "end_given": job.end_given,
                    "access_ends_at": job.access_ends_at,
                    "permission_policies": list(job.permission_policies) if job.permission_policies else None,
                }
                for job in usable
            ],
        )
    if counts["flawed"]:
        log.warning(
            "%d of %d rows have a value that cannot be used, %d of them name nobody: a person with such a row may be"
            " found to have no job.",
            counts["flawed"],
            counts["rows"],
            counts["nobody"],
        )
    return counts["rows"], counts["flawed"], counts["nobody"]


def _check_size(what: str, now: int, before: int, reviewing: Reviewing) -> None:
    """Check that a read is not empty, and has not shrunk by more than is allowed.

    :raises ReadRefusedError: naming both counts.
    """
    nothing = "Nothing was changed by this review."
    if now == 0:
        raise ReadRefusedError(
            f"The access review found no {what}; the last accepted one found {before}. An empty read is never"
            f" taken for true. {nothing} Correct the query, or the rights of the connection."
        )
    percent = reviewing.config.access_review.max_change_percent
    if before and now < before * (1 - percent / 100) and not reviewing.accept_shrunken:
        raise ReadRefusedError(
            f"The access review found {now} {what}; the last accepted one found {before}, and"
            f" access_review.max_change_percent allows {percent}% fewer. {nothing} If so many did leave, run it by hand"
            " with accept_shrunken_read; else correct the query."
        )


def _record(db: LedgerDatabase, read: AccessRead, comparison: AccessComparison) -> int:
    """Record what differs, batch by batch, and return how many findings are new."""
    new = 0
    for users in reviewed_access.iter_users(db, read):
        found = [one for user in users for one in comparison.of_user(user)]
        new += access_findings.record_findings(db, read, found)
    for invitations in reviewed_access.iter_pending(db, read):
        pending = [one for invitation in invitations for one in comparison.of_invitation(invitation)]
        new += access_findings.record_findings(db, read, pending)
    return new
