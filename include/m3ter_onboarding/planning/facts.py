"""The facts that a plan is made from: the ledger's invitations, and m3ter's own as last mirrored.

They are read once per plan and carry neither connection nor behaviour. All instants are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terPolicy, M3terUser
from m3ter_onboarding.ledger.people import LedgerInvitation


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
