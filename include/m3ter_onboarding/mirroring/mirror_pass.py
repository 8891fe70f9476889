"""The work of the task ``snapshot``: m3ter's lists are mirrored, open invitations are settled, and both are logged."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from m3ter_onboarding.mirroring.lost_answers import settle_due
from m3ter_onboarding.mirroring.m3ter_lists import take_snapshot
from m3ter_onboarding.mirroring.mirrored_organisation import LookResult, MirroredOrganisation

log = logging.getLogger(__name__)


async def mirror_and_settle(org: MirroredOrganisation, *, everything: bool) -> dict[str, int]:
    """Mirror m3ter into the ledger, and settle what dead runs left behind.

    :param everything: read all that m3ter holds, not only what is new.
    :returns: counts of what was read and found.
    :raises M3terError: when m3ter cannot be read.
    """
    if everything:
        org = replace(org, full_snapshot_every=timedelta(0))
    looked = await take_snapshot(org)
    _log(org, looked)
    settled = await settle_due(org)
    if settled.waiting + settled.held:
        log.info("%d invitation(s) are open; they are settled when their time has come.", settled.waiting)
    return {
        "invitations": looked.invitations_read,
        "users": looked.users_read,
        "policies": looked.policies_read,
        "adopted": looked.adopted,
        "sent": looked.sent,
        "accepted": looked.accepted,
        "expired": looked.expired,
        "settled": settled.changed,
        "open": settled.waiting + settled.held,
    }


def _log(org: MirroredOrganisation, looked: LookResult) -> None:
    log.info(
        "Read m3ter organisation %s at %s%s: %d invitations%s, %d users, %d permission policies.",
        org.org_id,
        org.m3ter.settings.base_url,
        "" if org.m3ter.settings.allow_invitations else " (this connection may not send invitations)",
        looked.invitations_read,
        "" if looked.full else " (the newest)",
        looked.users_read,
        looked.policies_read,
    )
    log.info(
        "New in the ledger: %d adopted, %d found sent, %d accepted, %d expired.",
        looked.adopted,
        looked.sent,
        looked.accepted,
        looked.expired,
    )
    if looked.ours_unknown:
        log.warning(
            "%d adopted invitation(s) were made by our own service user, and this ledger did not know them: it"
            " was restored from a backup, or a second ledger sends for this organisation.",
            looked.ours_unknown,
        )
