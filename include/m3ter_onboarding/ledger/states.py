"""The states of an invitation, every set of them, and which change leads from one to another."""

from __future__ import annotations

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
