"""Decide what has become of an invitation: accepted, not yet, or expired."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from m3ter_provider.models import Invitation
from m3ter_provider.person_lookup import is_active

# Clocks differ, and people accept in the last minute.
_GRACE = timedelta(minutes=5)

Acceptance = Literal["accepted", "pending", "expired"]


def acceptance(invitation: Invitation, now: datetime) -> Acceptance:
    """Return whether an invitation is accepted, still can be, or never will be.

    :param now: aware.
    """
    if invitation.accepted:
        return "accepted"
    return "pending" if is_active(invitation, now - _GRACE) else "expired"
