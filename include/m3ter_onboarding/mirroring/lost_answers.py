"""Lost answers are looked up in m3ter, and only then settled (docs/delivery.md, rule 12).

A row is settled only when its sender can no longer act: its lease has ended by the database's clock, or its own
sender recorded that the attempt ended without an answer. Absence counts after two looks that find nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime

from m3ter_onboarding.clock import MARGIN, from_milliseconds
from m3ter_onboarding.ledger import mirror_comparison
from m3ter_onboarding.ledger.claim_statements import ABSENCES_OF_A_PLAN
from m3ter_onboarding.ledger.open_invitations import OpenInvitation, open_invitations, settle
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.mirroring.m3ter_lists import look_again
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_provider.models import INVITATION_LIFE

log = logging.getLogger(__name__)

#: After this many proven absences of attempts that may have been posted, a person is asked: three runs had two each
#: (:data:`.claim_statements.ABSENCES_OF_A_PLAN`).
MOST_ABSENCES = 3 * ABSENCES_OF_A_PLAN
#: Seconds that the looks before a plan may take.
LOOKS_TAKE = 60.0
#: Seconds between two questions to the ledger whether what was open is settled.
ASK_EVERY = 0.5


@dataclass(frozen=True)
class Settled:
    """The result of one round of settling.

    :param changed: rows that are not open any more.
    :param held: open rows whose sender may still act on them.
    :param waiting: open rows that cannot be settled yet.
    :param next_due_in: seconds until the next of them may be looked at, by the database's clock; None: nothing waits.
    """

    changed: int
    held: int
    waiting: int
    next_due_in: float | None


async def settle_due(org: MirroredOrganisation) -> Settled:
    """Settle every open row of the organisation that is due, whoever made it.

    :raises M3terError: when m3ter cannot be read; every row then stays as it is.
    """
    db, org_id = org.db, org.org_id
    wait_ms = int(org.settle_after.total_seconds() * 1000)
    now_ms, rows = await asyncio.to_thread(open_invitations, db, org_id)
    due = [row for row in rows if not row.held(now_ms) and row.due_ms(wait_ms) <= now_ms]
    changed = 0
    if due:
        changed = await _look_and_settle(org, due, now_ms)
        now_ms, rows = await asyncio.to_thread(open_invitations, db, org_id)
    held = sum(row.held(now_ms) for row in rows)
    moments = [max(row.due_ms(wait_ms), row.lease_until_ms if row.held(now_ms) else 0) for row in rows]
    next_due_in = max(0.0, (min(moments) - now_ms) / 1000) if moments else None
    return Settled(changed=changed, held=held, waiting=len(rows) - held, next_due_in=next_due_in)


async def settle_before_planning(org: MirroredOrganisation, *, looks_take: float = LOOKS_TAKE) -> None:
    """Wait until all that is open now is settled: people who are released by that belong to the next plan.

    The wait is bounded by the leases of now and two looks. Claims that another sender makes meanwhile are left to it.

    :param looks_take: seconds that the looks may take, beyond the waits before them.
    :raises M3terError: when m3ter cannot be read; every row then stays as it is.
    """
    now_ms, rows = await asyncio.to_thread(open_invitations, org.db, org.org_id)
    if not rows:
        return
    under_way = {_claim_of(row) for row in rows}
    held_ms = max(row.lease_until_ms - now_ms if row.held(now_ms) else 0 for row in rows)
    longest = held_ms / 1000 + 2 * org.settle_after.total_seconds() + looks_take
    log.info(
        "%d invitation(s) are under way. The plan waits for them, at most %.0f s: people who are not sent after all"
        " belong to it.",
        len(rows),
        longest,
    )
    last = time.monotonic() + longest
    while True:
        await settle_due(org)
        _, rows = await asyncio.to_thread(open_invitations, org.db, org.org_id)
        if under_way.isdisjoint(_claim_of(row) for row in rows) or time.monotonic() >= last:
            return
        await asyncio.sleep(ASK_EVERY)  # only the ledger knows when they are settled


def _claim_of(row: OpenInvitation) -> tuple[int, int, str | None]:
    return row.invitation_id, row.attempt, row.claim_token


async def _look_and_settle(org: MirroredOrganisation, due: list[OpenInvitation], look_ms: int) -> int:
    """Look once for all rows that are due, and settle those that are not found.

    :param look_ms: when this look began, by the database's clock.
    """
    db, org_id = org.db, org.org_id
    begun = [row.attempt_started_ms for row in due if row.attempt_started_ms is not None]
    oldest_ms = min(begun, default=look_ms)
    # m3ter's clock may be ahead or behind; the first page of the look shows it, the margin covers the rest.
    until = from_milliseconds(oldest_ms) - 2 * MARGIN
    looked = await look_again(org, until=until)
    ahead = looked.server_time - from_milliseconds(look_ms)
    if ahead < -MARGIN:
        looked = await look_again(org, until=from_milliseconds(oldest_ms) + ahead - 2 * MARGIN)

    # Absence is dated by the end of a look, which may take long: the next one begins `settle_after` later than that.
    looked_ms, still_open = await asyncio.to_thread(open_invitations, db, org_id)
    same = {_claim_of(row) for row in due}
    absent = [row for row in still_open if _claim_of(row) in same]
    found = len(due) - len(absent)
    own = await asyncio.to_thread(mirror_comparison.own_principals, db, org_id)
    margin_ms = int(MARGIN.total_seconds() * 1000)
    unexplained = await asyncio.to_thread(
        mirror_comparison.unexplained_since, db, org_id, oldest_ms - margin_ms, own, ahead
    )
    settle_after_ms = int(org.settle_after.total_seconds() * 1000)
    settlements = [
        _settlement(
            row,
            look_ms,
            looked_ms,
            settle_after_ms,
            unexplained=any(entry.may_come_from(row.attempt_started_ms or 0, margin_ms) for entry in unexplained),
        )
        for row in absent
    ]
    changed = await asyncio.to_thread(settle, db, settlements, org.now())
    if settlements or found:
        log.info(
            "Settling: %d open, %d found in m3ter, %d absent (%d of them released, %d for review).",
            len(due),
            found,
            len(absent),
            sum(s.state is InvitationState.UNSENT for s in settlements),
            sum(s.state is InvitationState.REVIEW for s in settlements),
        )
    return changed + found


def _end_of_life(row: OpenInvitation, started_ms: int) -> datetime:
    """Return until when m3ter certainly lists an invitation of this attempt, by its own clock."""
    return row.asked_expiry or from_milliseconds(started_ms) + INVITATION_LIFE


def _settlement(
    row: OpenInvitation, look_ms: int, looked_ms: int, settle_after_ms: int, *, unexplained: bool
) -> Outcome:
    """Return what not being found in this look, from *look_ms* to *looked_ms*, means for one open row."""
    if row.attempt_started_ms is None:
        return row.settled(InvitationState.UNSENT, "not_begun")
    if from_milliseconds(look_ms) > _end_of_life(row, row.attempt_started_ms):
        return row.settled(
            InvitationState.REVIEW,
            "older_than_life",
            message="The attempt is older than an invitation's life: its absence proves nothing.",
        )
    if unexplained:
        return row.settled(
            InvitationState.REVIEW,
            "unexplained_entry",
            message="m3ter holds an invitation or user of that time that the ledger cannot explain: perhaps this one,"
            " under an address that m3ter rewrote.",
        )
    if row.first_absent_ms is None:
        return row.settled(InvitationState.UNKNOWN, "absent_once", first_absent_ms=looked_ms)
    if look_ms < row.first_absent_ms + settle_after_ms:
        return row.settled(InvitationState.UNKNOWN, "absent_once", first_absent_ms=row.first_absent_ms)
    if row.absences + 1 >= MOST_ABSENCES:
        return row.settled(
            InvitationState.REVIEW,
            "absent_again",
            message=f"{row.absences + 1} attempts in several runs got no answer, and m3ter shows no invitation of any.",
        )
    return row.settled(InvitationState.UNSENT, "absent_twice")
