"""The permission policies of m3ter's users, asked for one user at a time, where the list of users does not say them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.unread_policies import store_user_policies, users_to_ask
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_provider.errors import M3terNotFoundError, M3terPermissionError, M3terResponseError

log = logging.getLogger(__name__)

#: Users who are asked about at once, and stored together; the hook paces the requests.
_AT_ONCE = 50


@dataclass(frozen=True)
class PolicyReads:
    """How many users' policies were read, and how many are left for the next run."""

    read: int = 0
    left: int = 0


async def read_user_policies(org: MirroredOrganisation, *, reread_after: timedelta, most: int) -> PolicyReads:
    """Read the policies of users who are new, have changed, or were asked about long ago.

    What was read is stored as it comes: a run that breaks off is gone on with by the next.

    :param most: users of one run.
    :raises M3terError: when m3ter cannot be read.
    """
    now = org.now()
    due = await asyncio.to_thread(users_to_ask, org.db, org.org_id, now, reread_before=now - reread_after, most=most)
    read = 0
    for batch in batches(due.m3ter_ids, _AT_ONCE):
        asked_at = org.now()
        try:
            answers = await asyncio.gather(*(_policies(org, user) for user in batch))
        except (M3terPermissionError, M3terResponseError) as error:
            # Everything else can still be compared; policies that were read before are, too.
            log.warning("%s The policies of users are not compared anew.", error)
            return PolicyReads(read, due.left + len(due.m3ter_ids) - read)
        found = {user: ids for user, ids in zip(batch, answers, strict=True) if ids is not None}
        await asyncio.to_thread(store_user_policies, org.db, org.org_id, found, asked_at)
        read += len(batch)
    return PolicyReads(read, due.left)


async def _policies(org: MirroredOrganisation, user_id: str) -> tuple[str, ...] | None:
    """Return the ids of a user's policies; None: m3ter has no such user any more."""
    try:
        return tuple({policy.id for policy in await org.m3ter.get_user_permission_policies(user_id)})
    except M3terNotFoundError:
        return None
