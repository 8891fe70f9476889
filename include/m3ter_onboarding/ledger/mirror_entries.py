"""Entries of m3ter's lists, as the mirror keeps them. All instants are aware and in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from m3ter_onboarding.privacy import repr_of


class M3terInvitation(NamedTuple):
    """One invitation as m3ter lists it."""

    m3ter_id: str
    email_key: str
    accepted: bool
    expires_at: datetime | None  #: m3ter's ``dtExpiry``; without it, 30 days after creation (m3ter docs)
    created_at: datetime | None
    email: str | None = None  #: as m3ter spells it; None: not known

    def __repr__(self) -> str:
        """Name nobody."""
        return repr_of(self, "m3ter_id", "accepted", "expires_at", "created_at")


class M3terUser(NamedTuple):
    """One member of the organisation as m3ter lists it."""

    m3ter_id: str
    email_key: str
    access_ends_at: datetime | None  #: None: permanent access
    email: str | None = None  #: as m3ter spells it; None: not known

    def __repr__(self) -> str:
        """Name nobody."""
        return repr_of(self, "m3ter_id", "access_ends_at")


@dataclass(frozen=True)
class M3terPolicy:
    """One permission policy as m3ter lists it; names need not be unique."""

    m3ter_id: str
    name: str
    version: int | None
    administrator_like: bool = False  #: people who have it decide about access
    statements_shown: bool = True  #: m3ter shows what it allows

    @property
    def id(self) -> str:
        """m3ter's id of it, under the name that :class:`~m3ter_provider.permission_policies.PolicyBook` uses."""
        return self.m3ter_id
