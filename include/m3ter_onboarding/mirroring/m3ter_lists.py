"""m3ter's lists, read into the mirror: invitations first, then users, then policies (docs/delivery.md, rules 1 to 3).

A person who accepts between two of these readings is then seen twice, never not at all. The ledger is used in
threads: the same code looks again while POSTs are in flight, and a slow database must not make their answers late.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from m3ter_onboarding.clock import MARGIN
from m3ter_onboarding.ledger import mirror
from m3ter_onboarding.ledger.known_hosts import fix_host
from m3ter_onboarding.ledger.mirror import Kind
from m3ter_onboarding.ledger.request_differences import note_differences
from m3ter_onboarding.mirroring.mirrored_organisation import LookResult, MirroredOrganisation
from m3ter_onboarding.mirroring.reconciliation import reconcile
from m3ter_provider.errors import M3terStatusError
from m3ter_provider.models import Invitation, OrgUser, Page

log = logging.getLogger(__name__)


async def take_snapshot(org: MirroredOrganisation) -> LookResult:
    """Read invitations, users and policies, and bring the ledger up to date with them.

    :raises M3terError: when m3ter cannot be read; the mirror then stays incomplete for this run.
    """
    started_ms = await asyncio.to_thread(mirror.begin_pass, org.db, org.org_id)
    await record_own_id(org)
    looked = await mirror_invitations(org)
    await mirror_users(org, looked)
    await mirror_policies(org, looked)
    await asyncio.to_thread(mirror.mark_complete, org.db, org.org_id, started_ms)
    await asyncio.to_thread(reconcile, org, looked)
    await asyncio.to_thread(note_differences, org.db, org.org_id, org.now())
    return looked


async def look_again(org: MirroredOrganisation, *, until: datetime | None = None, policies: bool = False) -> LookResult:
    """Read the newest invitations and all users once more, and bring the ledger up to date.

    :param until: read back at least to here (m3ter's clock), even if the mirror knows it already.
    :param policies: read permission policies too.
    """
    looked = await mirror_invitations(org, until=until)
    await mirror_users(org, looked)
    if policies:
        await mirror_policies(org, looked)
    await asyncio.to_thread(reconcile, org, looked)
    return looked


async def record_own_id(org: MirroredOrganisation) -> None:
    """Record by which service user we reach the organisation, and its name, where m3ter answers."""
    try:
        me = await org.m3ter.get_me()
    except M3terStatusError:
        return  # not every service user may read itself; then any invitation may be ours (settling is the more careful)
    await asyncio.to_thread(mirror.record_ourselves, org.db, org.org_id, me)


async def mirror_invitations(org: MirroredOrganisation, *, until: datetime | None = None) -> LookResult:
    """Mirror invitations, newest first, until a page lies wholly behind the last pass.

    Reads to the end when there was no full pass for ``full_snapshot_every``, when an entry has no
    ``dtCreated``, and when the order does not hold: newest first is a general rule of m3ter's docs, not a
    promise for this list.

    :param until: read back at least to here, by m3ter's clock.
    """
    db, org_id = org.db, org.org_id
    started_ms = await asyncio.to_thread(mirror.begin_pass, db, org_id)
    state = await asyncio.to_thread(mirror.read_state, db, org_id)
    looked = LookResult(server_time=org.now())
    stop_before = _stop_before(org, state, until)
    if stop_before is not None and await asyncio.to_thread(mirror.order_is_doubtful, db, org_id):
        stop_before = None
    newest_first = NewestFirst(await asyncio.to_thread(mirror.newest_created, db, org_id))
    reached_end = True
    first = True
    async for page in org.m3ter.iter_invitation_pages():
        if first:
            await asyncio.to_thread(fix_host, db, org.place, org.now())
            looked.server_time = page.server_time or looked.server_time - MARGIN
            first = False
        await asyncio.to_thread(mirror.store_invitations, db, org_id, started_ms, page.items)
        looked.invitations_read += len(page.items)
        warn_of_unreadable(page)
        ordered = newest_first.holds(page)
        if stop_before is not None and ordered and page.items and wholly_before(page.items, stop_before):
            reached_end = False
            break
    if reached_end:
        looked.full = True
        await asyncio.to_thread(mirror.finish_full_pass, db, org_id, Kind.INVITATIONS, started_ms, looked.server_time)
    else:
        await asyncio.to_thread(mirror.record_newest_invitations, db, org_id, looked.server_time)
    return looked


def _stop_before(org: MirroredOrganisation, state: mirror.MirrorState, until: datetime | None) -> datetime | None:
    """Return the moment before which an incremental pass may stop; None: read to the end."""
    if state.invitations_full_at is None or state.invitations_through is None:
        return None
    if org.now() - state.invitations_full_at > org.full_snapshot_every:
        return None
    overlap = state.invitations_through - MARGIN - 2 * org.settle_after
    return overlap if until is None else min(overlap, until)


def warn_of_unreadable(page: Page[Any]) -> None:
    """Log how many entries of a page have no id or no address that can be read: nobody is matched with them."""
    if page.unreadable:
        log.warning(
            "%d entries of m3ter's lists have no id or no address that can be read. The others are used; look at these"
            " in m3ter's console.",
            page.unreadable,
        )


class NewestFirst:
    """Judges, page by page, whether a list comes newest first; entries of one and the same instant prove nothing.

    :param known: when the newest known entry was created; a list that begins with older ones begins at its other end,
        or has lost entries.
    """

    def __init__(self, known: datetime | None) -> None:
        self._known = known
        self._oldest: datetime | None = None
        self._doubt = False
        self._fell = False

    def holds(self, page: Page[Invitation] | Page[OrgUser]) -> bool:
        """Take the next page, and return whether the list has shown by now that it comes newest first."""
        if self._oldest is None and self._known is not None:
            known = self._known
            self._doubt = bool(page.items) and all(i.dt_created is None or i.dt_created < known for i in page.items)
        for item in page.items:
            if item.dt_created is None or (self._oldest is not None and item.dt_created > self._oldest):
                self._doubt = True
                break
            self._fell = self._fell or (self._oldest is not None and item.dt_created < self._oldest)
            self._oldest = item.dt_created
        return self._fell and not self._doubt


def wholly_before(items: Sequence[Invitation | OrgUser], moment: datetime) -> bool:
    """Return whether every entry of a page was created before a moment."""
    return all(item.dt_created is not None and item.dt_created < moment for item in items)


async def mirror_users(org: MirroredOrganisation, looked: LookResult) -> None:
    """Mirror all users of the organisation."""
    started_ms = await asyncio.to_thread(mirror.begin_pass, org.db, org.org_id)
    began_at = org.now()
    async for page in org.m3ter.iter_user_pages():
        await asyncio.to_thread(mirror.store_users, org.db, org.org_id, started_ms, page.items)
        looked.users_read += len(page.items)
        warn_of_unreadable(page)
    await asyncio.to_thread(mirror.finish_full_pass, org.db, org.org_id, Kind.USERS, started_ms, began_at)


async def mirror_policies(org: MirroredOrganisation, looked: LookResult) -> None:
    """Mirror all permission policies of the organisation."""
    started_ms = await asyncio.to_thread(mirror.begin_pass, org.db, org.org_id)
    began_at = org.now()
    async for page in org.m3ter.iter_permission_policy_pages():
        await asyncio.to_thread(mirror.store_policies, org.db, org.org_id, started_ms, page.items)
        looked.policies_read += len(page.items)
        looked.policies += mirror.as_mirrored(org.db, page.items)
        warn_of_unreadable(page)
    await asyncio.to_thread(mirror.finish_full_pass, org.db, org.org_id, Kind.POLICIES, started_ms, began_at)
