"""Entries of m3ter's lists, as the mirror keeps them. All instants are aware and in UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class M3terInvitation:
    """One invitation as m3ter lists it."""

    m3ter_id: str
    email_key: str = field(repr=False)
    accepted: bool
    expires_at: datetime | None  #: m3ter's ``dtExpiry``; without it, 30 days after creation (m3ter docs)
    created_at: datetime | None
    email: str | None = field(default=None, repr=False)  #: as m3ter spells it; None: not known


@dataclass(frozen=True)
class M3terUser:
    """One member of the organisation as m3ter lists it."""

    m3ter_id: str
    email_key: str = field(repr=False)
    access_ends_at: datetime | None  #: None: permanent access
    email: str | None = field(default=None, repr=False)  #: as m3ter spells it; None: not known


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
