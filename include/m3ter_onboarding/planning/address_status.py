"""Where one address stands, seen from the ledger and from m3ter together (docs/delivery.md, rule 7).

*Alive* means: an invitation that has not expired, or access that has not ended. Whoever is alive is never invited.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from m3ter_onboarding.clock import MARGIN
from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terUser
from m3ter_onboarding.ledger.people import LedgerInvitation
from m3ter_onboarding.ledger.states import OPEN_STATES, InvitationState
from m3ter_onboarding.planning.facts import Known
from m3ter_provider.models import INVITATION_LIFE


class Standing(str, Enum):
    """What an address is to the organisation."""

    MEMBER = "member"  #: a user with access
    INVITED = "invited"  #: an invitation that can still be accepted
    UNDER_WAY = "under_way"  #: claimed by a sender, or sent with no answer yet
    IN_REVIEW = "in_review"  #: nobody can tell whether it was sent; a person decides
    MISSING = "missing"  #: invited or joined, and m3ter knows nothing of it any more
    ENDED = "ended"  #: was a member, access has ended
    EXPIRED = "expired"  #: was invited, never accepted
    FREE = "free"  #: nothing stands against an invitation


#: Whoever stands here has an e-mail that counts, or may have one.
ALIVE = frozenset({Standing.MEMBER, Standing.INVITED, Standing.UNDER_WAY, Standing.IN_REVIEW, Standing.MISSING})


@dataclass(frozen=True)
class AddressStanding:
    """Where an address stands, and the ledger's row that says so.

    :param row: the live row, else the newest of the address; None: the ledger has none.
    """

    standing: Standing
    row: LedgerInvitation | None

    @property
    def refused_hash(self) -> str | None:
        """The hash of the request that m3ter refused last, if the newest row of the address says so."""
        refused = self.row is not None and self.row.state is InvitationState.FAILED
        return self.row.request_hash if self.row and refused else None


class Standings:
    """Answers where an address or an employee stands.

    :param known: ledger and mirror.
    :param now: aware, UTC; judges what has expired and ended.
    """

    def __init__(self, known: Known, now: datetime) -> None:
        self._now = now
        self._full_at = known.mirror_full_at
        self._previous = known.previous_addresses
        self._rows: dict[str, list[LedgerInvitation]] = defaultdict(list)
        self._keys_of_employee: dict[str, set[str]] = defaultdict(set)
        for row in sorted(known.ledger, key=lambda row: (row.generation, row.invitation_id)):
            self._rows[row.email_key].append(row)
        for key, rows in self._rows.items():
            newest = next((row for row in rows if row.live), rows[-1])
            # What a person replaced (superseded), or what was never sent, does not stand in the way.
            if newest.employee_id is not None and (newest.live or newest.state is InvitationState.EXPIRED):
                self._keys_of_employee[newest.employee_id].add(key)
        self._invitations: dict[str, list[M3terInvitation]] = defaultdict(list)
        for invitation in known.invitations:
            self._invitations[invitation.email_key].append(invitation)
        self._users: dict[str, list[M3terUser]] = defaultdict(list)
        for user in known.users:
            self._users[user.email_key].append(user)

    def of_address(self, key: str) -> AddressStanding:
        """Tell where an address stands."""
        rows = self._rows.get(key, [])
        live = next((row for row in rows if row.live), None)
        return AddressStanding(self._standing(key, rows, live), live or (rows[-1] if rows else None))

    def elsewhere(self, employee_id: str, key: str) -> Standing | None:
        """Tell where an employee stands with another address than ``key``; None: with no other.

        Of several the one that is most in the way.
        """
        others = self._keys_of_employee.get(employee_id, set()) - {key}
        standings = {self.of_address(other).standing for other in others}
        previous = self._previous.get(employee_id, key)
        if previous != key and previous not in others:
            standings.add(self._seen_before(previous))
        return next((standing for standing in Standing if standing in standings), None)

    def _seen_before(self, key: str) -> Standing:
        """Judge an address that an earlier plan saw alive; only knowledge of that address says otherwise."""
        seen = self.of_address(key)
        if seen.row is None:
            return Standing.MEMBER if seen.standing is Standing.FREE else seen.standing
        replaced = seen.row.state is InvitationState.SUPERSEDED and seen.standing in ALIVE
        return Standing.FREE if replaced else seen.standing

    def _standing(self, key: str, rows: list[LedgerInvitation], live: LedgerInvitation | None) -> Standing:
        users, invitations = self._users.get(key, []), self._invitations.get(key, [])
        state = live.state if live else None
        if any(user.access_ends_at is None or user.access_ends_at > self._now for user in users):
            return Standing.MEMBER
        if state in OPEN_STATES:
            return Standing.UNDER_WAY
        if any(not invitation.accepted and not self._has_expired(invitation) for invitation in invitations):
            return Standing.INVITED
        if state is InvitationState.REVIEW:
            return Standing.IN_REVIEW
        if live and state in (InvitationState.SENT, InvitationState.ADOPTED):
            unlisted = self._unlisted(live, invitations)
            if unlisted is not None:
                return unlisted
        if users:
            return Standing.ENDED
        if state is InvitationState.ACCEPTED or any(invitation.accepted for invitation in invitations):
            return Standing.MISSING
        if live or invitations or any(row.state is InvitationState.EXPIRED for row in rows):
            return Standing.EXPIRED
        return Standing.FREE

    def _unlisted(self, live: LedgerInvitation, invitations: list[M3terInvitation]) -> Standing | None:
        """Judge an invitation of the ledger that m3ter does not list; None: m3ter lists it, and is to be believed."""
        if any(live.m3ter_id in (None, invitation.m3ter_id) for invitation in invitations):
            return None
        if live.expires_at is not None and live.expires_at <= self._now:
            return Standing.EXPIRED
        long_ago = live.sent_at is None or (self._full_at is not None and live.sent_at + MARGIN < self._full_at)
        return Standing.MISSING if self._full_at is not None and long_ago else Standing.INVITED

    def _has_expired(self, invitation: M3terInvitation) -> bool:
        expires_at = invitation.expires_at
        if expires_at is None and invitation.created_at is not None:
            expires_at = invitation.created_at + INVITATION_LIFE
        return expires_at is not None and expires_at <= self._now
