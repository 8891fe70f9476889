"""The status of an address, from the ledger and from m3ter together (docs/delivery.md, rule 7).

An address is *taken* by an active invitation, or by access that has not ended, or where either is possible. An address
that is taken is never invited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from m3ter_onboarding.clock import MARGIN
from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terUser
from m3ter_onboarding.ledger.people import LedgerInvitation
from m3ter_onboarding.ledger.states import ON_ITS_WAY_STATES, OPEN_STATES, InvitationState
from m3ter_onboarding.planning.facts import Facts
from m3ter_provider.email_identity import same_spelling
from m3ter_provider.models import INVITATION_LIFE


class Status(str, Enum):
    """What an address is to the organisation; what is more in the way comes first."""

    MEMBER = "member"  #: a user with access
    INVITED = "invited"  #: an invitation that can still be accepted
    UNDER_WAY = "under_way"  #: claimed by a sender, or sent with no answer yet
    IN_REVIEW = "in_review"  #: nobody can tell whether it was sent; a person decides
    MISSING = "missing"  #: invited or joined, and m3ter knows nothing of it any more
    ENDED = "ended"  #: was a member, access has ended
    EXPIRED = "expired"  #: was invited, never accepted
    FREE = "free"  #: nothing stands against an invitation


#: An address of these has an e-mail that counts, or may have one.
TAKEN = frozenset({Status.MEMBER, Status.INVITED, Status.UNDER_WAY, Status.IN_REVIEW, Status.MISSING})


class AddressStatus(NamedTuple):
    """The status of an address, and the ledger's row that it rests on.

    :param row: the live row, else the newest of the address; None: the ledger has none.
    """

    status: Status
    row: LedgerInvitation | None

    @property
    def refused_hash(self) -> str | None:
        """The hash of the request that m3ter refused last, if the newest row of the address says so."""
        refused = self.row is not None and self.row.state is InvitationState.FAILED
        return self.row.request_hash if self.row and refused else None


#: Of an address of which neither ledger nor m3ter knows anything.
_UNKNOWN = AddressStatus(Status.FREE, None)


def _live_of(rows: Sequence[LedgerInvitation]) -> LedgerInvitation | None:
    """Return the live row of an address, of which there is one at most."""
    for row in rows:
        if row.live:
            return row
    return None


class AddressStatuses:
    """The status of every address of a plan, and of every employee's other addresses.

    :param facts: ledger and mirror.
    :param now: aware, UTC; judges what has expired and ended.
    """

    def __init__(self, facts: Facts, now: datetime) -> None:
        self._now = now
        self._full_at = facts.mirror_full_at
        self._previous = facts.previous_addresses
        self._rows: dict[str, list[LedgerInvitation]] = defaultdict(list)
        self._keys_of_employee: dict[str, set[str]] = defaultdict(set)
        for row in sorted(facts.ledger, key=lambda row: (row.generation, row.invitation_id)):
            self._rows[row.email_key].append(row)
        for key, rows in self._rows.items():
            newest = _live_of(rows) or rows[-1]
            # An invitation that is superseded, or was never sent, is not in the way.
            if newest.employee_id is not None and (newest.live or newest.state is InvitationState.EXPIRED):
                self._keys_of_employee[newest.employee_id].add(key)
        self._invitations: dict[str, list[M3terInvitation]] = defaultdict(list)
        for invitation in facts.invitations:
            self._invitations[invitation.email_key].append(invitation)
        self._users: dict[str, list[M3terUser]] = defaultdict(list)
        for user in facts.users:
            self._users[user.email_key].append(user)
        self._known = frozenset({*self._rows, *self._invitations, *self._users})

    def of_address(self, key: str) -> AddressStatus:
        """Return the status of an address."""
        if key not in self._known:
            return _UNKNOWN
        rows = self._rows.get(key, [])
        live = _live_of(rows)
        return AddressStatus(self._status(key, rows, live), live or (rows[-1] if rows else None))

    def looks_alike(self, address: AddressStatus, key: str, email: str) -> bool:
        """Return whether only addresses that are spelled otherwise stand against an address: perhaps another person's.

        :param address: its status.
        :param key: of the address.
        :param email: the address, as it will be sent.
        """
        if address.status is Status.FREE and not (address.row and address.row.live):
            return False
        found = False
        for known in (self._rows, self._users, self._invitations):
            for one in known.get(key, ()):
                if one.email is None or same_spelling(one.email, email):
                    return False
                found = True
        return found

    def elsewhere(self, employee_id: str, key: str) -> Status | None:
        """Return the status of an employee's address other than ``key``; None: there is no other.

        Of several the one that is most in the way.
        """
        if employee_id not in self._keys_of_employee and employee_id not in self._previous:
            return None
        others = self._keys_of_employee.get(employee_id, set()) - {key}
        previous = self._previous.get(employee_id, key)
        if not others and previous == key:
            return None
        found = {self.of_address(other).status for other in others}
        if previous != key and previous not in others:
            found.add(self._seen_before(previous))
        return next((status for status in Status if status in found), None)

    def _seen_before(self, key: str) -> Status:
        """Judge an address that an earlier plan saw taken; only knowledge of that address says otherwise."""
        seen = self.of_address(key)
        if seen.row is None:
            return Status.MEMBER if seen.status is Status.FREE else seen.status
        replaced = seen.row.state is InvitationState.SUPERSEDED and seen.status in TAKEN
        return Status.FREE if replaced else seen.status

    def _status(self, key: str, rows: list[LedgerInvitation], live: LedgerInvitation | None) -> Status:
        users, invitations = self._users.get(key, []), self._invitations.get(key, [])
        state = live.state if live else None
        if any(user.access_ends_at is None or user.access_ends_at > self._now for user in users):
            return Status.MEMBER
        if state in OPEN_STATES:
            return Status.UNDER_WAY
        if any(not invitation.accepted and not self._has_expired(invitation) for invitation in invitations):
            return Status.INVITED
        if state is InvitationState.REVIEW:
            return Status.IN_REVIEW
        if live and state in ON_ITS_WAY_STATES:
            unlisted = self._unlisted(live, invitations)
            if unlisted is not None:
                return unlisted
        if users:
            return Status.ENDED
        if state is InvitationState.ACCEPTED or any(invitation.accepted for invitation in invitations):
            return Status.MISSING
        if live or invitations or any(row.state is InvitationState.EXPIRED for row in rows):
            return Status.EXPIRED
        return Status.FREE

    def _unlisted(self, live: LedgerInvitation, invitations: list[M3terInvitation]) -> Status | None:
        """Judge an invitation of the ledger that m3ter does not list; None: m3ter lists it, and is to be believed."""
        if any(live.m3ter_id in (None, invitation.m3ter_id) for invitation in invitations):
            return None
        if live.expires_at is not None and live.expires_at <= self._now:
            return Status.EXPIRED
        long_ago = live.sent_at is None or (self._full_at is not None and live.sent_at + MARGIN < self._full_at)
        return Status.MISSING if self._full_at is not None and long_ago else Status.INVITED

    def _has_expired(self, invitation: M3terInvitation) -> bool:
        expires_at = invitation.expires_at
        if expires_at is None and invitation.created_at is not None:
            expires_at = invitation.created_at + INVITATION_LIFE
        return expires_at is not None and expires_at <= self._now
