"""What is known before a plan is made: the ledger's invitations, and m3ter's own as last mirrored.

These are the inputs of the planner, read once per plan; they carry no connection and no behaviour.
All instants are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class InvitationState(str, Enum):
    """Where one invitation stands; the ledger's ``state`` column holds the value."""

    SENDING = "sending"  #: claimed by a sender; its POST may or may not have begun
    UNKNOWN = "unknown"  #: the POST got no usable answer; to be looked up in m3ter
    REVIEW = "review"  #: cannot be told by looking; a person decides
    SENT = "sent"  #: m3ter made the invitation and e-mailed it
    ADOPTED = "adopted"  #: found in m3ter, not made by this ledger
    ACCEPTED = "accepted"  #: the person joined, or is a user of the organisation
    EXPIRED = "expired"  #: no longer valid, never accepted
    UNSENT = "unsent"  #: certainly not sent; may be claimed again
    FAILED = "failed"  #: refused by m3ter; claimed again only when the request changed or someone asks
    SUPERSEDED = "superseded"  #: replaced by another invitation


#: One of these exists at most once per address and per employee: the guard against a second e-mail.
LIVE_STATES = frozenset(
    {
        InvitationState.SENDING,
        InvitationState.UNKNOWN,
        InvitationState.REVIEW,
        InvitationState.SENT,
        InvitationState.ADOPTED,
        InvitationState.ACCEPTED,
    }
)

#: Still under way: a run is not finished while one of its people is here.
OPEN_STATES = frozenset({InvitationState.SENDING, InvitationState.UNKNOWN})


@dataclass(frozen=True)
class LedgerInvitation:
    """The ledger's current row of one invitation (see ``ledger/tables.py``)."""

    invitation_id: int
    email_key: str = field(repr=False)
    generation: int
    employee_id: str | None
    state: InvitationState
    request_hash: str | None
    m3ter_id: str | None
    expires_at: datetime | None
    sent_at: datetime | None

    @property
    def live(self) -> bool:
        """Whether this row forbids another invitation to the same address or employee."""
        return self.state in LIVE_STATES


@dataclass(frozen=True)
class M3terInvitation:
    """One invitation as m3ter lists it."""

    m3ter_id: str
    email_key: str = field(repr=False)
    accepted: bool
    expires_at: datetime | None  #: m3ter's ``dtExpiry``; without it, 30 days after creation (m3ter docs)
    created_at: datetime | None


@dataclass(frozen=True)
class M3terUser:
    """One member of the organisation as m3ter lists it."""

    m3ter_id: str
    email_key: str = field(repr=False)
    access_ends_at: datetime | None  #: None: permanent access


@dataclass(frozen=True)
class M3terPolicy:
    """One permission policy as m3ter lists it; names need not be unique."""

    m3ter_id: str
    name: str
    version: int | None
    administrator_like: bool = False  #: whoever has it may do everything

    @property
    def id(self) -> str:
        """m3ter's id of it, as :class:`~m3ter_provider.permission_policies.PolicyBook` asks for it."""
        return self.m3ter_id


@dataclass(frozen=True)
class Known:
    """Everything a plan is compared with, keyed for look-up.

    :param ledger: rows of the ledger for the plan's addresses *and* employees, any state, all generations.
    :param invitations: m3ter's invitations for the plan's addresses, from a complete mirror.
    :param users: m3ter's users for the plan's addresses, from a complete mirror.
    :param policies: all permission policies of the organisation.
    :param mirror_full_at: start of the last complete *full* pass over invitations (UTC); an invitation of the
        ledger sent before it that the mirror lacks has gone from m3ter's list.
    """

    ledger: Iterable[LedgerInvitation] = ()
    invitations: Iterable[M3terInvitation] = ()
    users: Iterable[M3terUser] = ()
    policies: Iterable[M3terPolicy] = ()
    mirror_full_at: datetime | None = None
    previous_addresses: Mapping[str, str] = field(default_factory=dict, repr=False)
    """``employee_id`` → the address key of that employee that has a live invitation or is a member,
    as an earlier plan decided it, where it differs from the ledger's own ``employee_id`` column
    (an adopted row knows no employee)."""
