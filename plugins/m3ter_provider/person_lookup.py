"""Look up whether a person is a member of an organisation already, or invited into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from m3ter_provider.email_identity import email_key, same_spelling

if TYPE_CHECKING:
    from m3ter_provider.hooks.m3ter import M3terHook
    from m3ter_provider.models import Invitation


@dataclass(frozen=True, slots=True)
class Found:
    """A person whom m3ter has already.

    :param invitation: the invitation that counts, the newest of them; None for a member without one.
    :param user_id: the member's id, None for a person who is only invited.
    :param alike: whether m3ter's address is spelled otherwise, in letters such as ß and ss: perhaps another person's.
    """

    invitation: Invitation | None
    user_id: str | None
    alike: bool = False


def look_up_person(hook: M3terHook, address: str, *, ours_since: datetime | None = None) -> Found | None:
    """Look up an active invitation, or access that has not ended; expired invitations and former members do not count.

    It reads the invitations until one counts, and the users if none is active. Times are compared with m3ter's own
    clock.

    :param hook: the organisation.
    :param address: the person's address, compared as :func:`~m3ter_provider.email_identity.email_key` does.
    :param ours_since: an invitation made since then is the caller's own: it counts even if it has expired already.
    """
    key = email_key(address)
    accepted: Invitation | None = None
    alike: Found | None = None
    for page in hook.iter_invitation_pages():
        now = page.server_time or datetime.now(timezone.utc)
        for invitation in page.items:
            if email_key(invitation.email) != key:
                continue
            exact = same_spelling(invitation.email, address)
            if invitation.accepted:
                accepted = accepted or (invitation if exact else None)
            elif is_active(invitation, now) or _made_since(invitation, ours_since):
                found = Found(invitation, None, alike=not exact)
                if exact:
                    return found
                alike = alike or found
    former = False
    for users in hook.iter_user_pages():
        now = users.server_time or datetime.now(timezone.utc)
        for user in users.items:
            if user.email is not None and email_key(user.email) == key:
                exact = same_spelling(user.email, address)
                if user.dt_end_access is None or user.dt_end_access > now:
                    if exact:
                        return Found(accepted, user.id)
                    alike = alike or Found(None, user.id, alike=True)
                former = former or exact
    # Accepted a moment ago, the list of users lags; or m3ter knows the member by another address.
    return Found(accepted, None) if accepted and not former else alike


def _made_since(invitation: Invitation, moment: datetime | None) -> bool:
    return moment is not None and invitation.dt_created is not None and invitation.dt_created >= moment


def is_active(invitation: Invitation, now: datetime) -> bool:
    """Return whether an invitation that was not accepted still can be.

    :param now: by m3ter's clock, aware.
    """
    return invitation.ends_at is None or invitation.ends_at > now
