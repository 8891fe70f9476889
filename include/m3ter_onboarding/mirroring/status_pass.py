"""The work of the status DAG: what became of invitations is read, with requests for what is open and new only.

New invitations and users are at the head of m3ter's lists. An open invitation further back is read by itself, unless
there are so many of them that the whole list costs fewer requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from m3ter_onboarding.clock import MARGIN
from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger import mirror, unread_entries
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.mirror import Kind
from m3ter_onboarding.mirroring.m3ter_lists import (
    NewestFirst,
    mirror_invitations,
    mirror_users,
    record_own_id,
    warn_of_unreadable,
    wholly_before,
)
from m3ter_onboarding.mirroring.mirrored_organisation import LookResult, MirroredOrganisation
from m3ter_onboarding.mirroring.reconciliation import reconcile
from m3ter_provider.errors import M3terNotFoundError
from m3ter_provider.models import Invitation, OrgUser

log = logging.getLogger(__name__)

Entry = TypeVar("Entry", Invitation, OrgUser)

#: Entries of one page of a list (m3ter's most).
_PAGE = 200
#: Requests for single entries that are under way at once; the hook paces them.
_AT_ONCE = 20


@dataclass(frozen=True)
class StatusRead:
    """The result of a status pass; counts only.

    :param looked: what was read from lists, and what changed in the ledger.
    :param read_singly: entries that were read by themselves.
    :param missing: of them, those that m3ter does not have any more.
    """

    looked: LookResult
    read_singly: int
    missing: int

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        looked = self.looked
        return {
            "invitations": looked.invitations_read,
            "users": looked.users_read,
            "read_singly": self.read_singly,
            "missing": self.missing,
            "adopted": looked.adopted,
            "sent": looked.sent,
            "accepted": looked.accepted,
            "expired": looked.expired,
        }


async def follow_invitations(org: MirroredOrganisation, *, everything: bool) -> StatusRead:
    """Read what became of invitations, and bring the ledger up to date with it.

    :param everything: read both lists to their end.
    :raises M3terError: when m3ter cannot be read; what was read until then stays in the mirror.
    """
    # A full pass by age is the onboarding DAG's: this one reads only what is new, once there was a full one.
    org = replace(org, full_snapshot_every=timedelta(0) if everything else timedelta.max)
    started_ms = await asyncio.to_thread(mirror.begin_pass, org.db, org.org_id)
    await record_own_id(org)
    looked = await mirror_invitations(org)
    singly, missing = 0, 0
    if not looked.full:
        unread = await asyncio.to_thread(unread_entries.unread_invitations, org.db, org.org_id, started_ms)
        if len(unread.m3ter_ids) * _PAGE > unread.listed + _PAGE:
            again = await mirror_invitations(replace(org, full_snapshot_every=timedelta(0)))
            looked = replace(again, invitations_read=looked.invitations_read + again.invitations_read)
        else:
            singly, missing = await _read_singly(
                org, started_ms, unread.m3ter_ids, org.m3ter.get_invitation, mirror.store_invitations
            )
    if everything or not await _mirror_newest_users(org, looked):
        await mirror_users(org, looked)
    else:
        ended = await asyncio.to_thread(
            unread_entries.unread_ended_users, org.db, org.org_id, started_ms, looked.server_time
        )
        read, gone = await _read_singly(org, started_ms, ended, org.m3ter.get_user, mirror.store_users)
        singly, missing = singly + read, missing + gone
    await asyncio.to_thread(reconcile, org, looked)
    return StatusRead(looked, singly, missing)


async def _read_singly(
    org: MirroredOrganisation,
    started_ms: int,
    m3ter_ids: Sequence[str],
    get: Callable[[str], Awaitable[Entry]],
    store: Callable[[LedgerDatabase, str, int, Sequence[Entry]], object],
) -> tuple[int, int]:
    """Read invitations or users by themselves, and return how many were read, and how many m3ter has no more."""

    async def one(m3ter_id: str) -> Entry | None:
        try:
            return await get(m3ter_id)
        except M3terNotFoundError:
            return None

    missing = 0
    for batch in batches(m3ter_ids, _AT_ONCE):
        found = [entry for entry in await asyncio.gather(*map(one, batch)) if entry is not None]
        missing += len(batch) - len(found)
        await asyncio.to_thread(store, org.db, org.org_id, started_ms, found)
    return len(m3ter_ids), missing


async def _mirror_newest_users(org: MirroredOrganisation, looked: LookResult) -> bool:
    """Mirror users, newest first, until a page lies wholly behind the last full pass.

    :returns: False: users were never read to the end, or one of them has no date; nothing was read.
    """
    db, org_id = org.db, org.org_id
    state = await asyncio.to_thread(mirror.read_state, db, org_id)
    newest = await asyncio.to_thread(unread_entries.newest_user_created, db, org_id)
    if state.users_full_at is None or newest is None:
        return False
    # Not behind the newest known one: a pass that broke off has stored its first pages and not the rest.
    stop_before = state.users_full_at - MARGIN - 2 * org.settle_after
    started_ms = await asyncio.to_thread(mirror.begin_pass, db, org_id)
    began_at = org.now()
    order = NewestFirst(newest)
    async for page in org.m3ter.iter_user_pages():
        await asyncio.to_thread(mirror.store_users, db, org_id, started_ms, page.items)
        looked.users_read += len(page.items)
        warn_of_unreadable(page)
        if order.holds(page) and page.items and wholly_before(page.items, stop_before):
            return True
    await asyncio.to_thread(mirror.finish_full_pass, db, org_id, Kind.USERS, started_ms, began_at)
    return True
