"""The facts that a plan is made from: the ledger's invitations, and m3ter's own as last mirrored.

They are read once for each hire of a plan, and for these alone. All instants are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from m3ter_onboarding.ledger import mirror, people
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terPolicy, M3terUser
from m3ter_onboarding.ledger.people import LedgerInvitation
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.source.excluded_people import ExcludedPerson
from m3ter_onboarding.source.new_hire import NewHire


@dataclass(frozen=True)
class Facts:
    """Everything that a plan is compared with, keyed for look-up.

    :param ledger: rows of the ledger for the plan's addresses *and* employees, any state, all generations.
    :param invitations: m3ter's invitations for the plan's addresses, from a complete mirror.
    :param users: m3ter's users for the plan's addresses, from a complete mirror.
    :param policies: all permission policies of the organisation.
    :param mirror_full_at: start of the last complete *full* pass over invitations; an invitation of the ledger sent
        before it that the mirror lacks has gone from m3ter's list.
    :param previous_addresses: ``employee_id`` → the address key of that employee that has a live invitation or is a
        member, as an earlier plan decided it, where it differs from the ledger's own ``employee_id`` column (an adopted
        row knows no employee).
    :param excluded_people: rows of ``exclude.query``.
    """

    ledger: Sequence[LedgerInvitation] = ()
    invitations: Sequence[M3terInvitation] = ()
    users: Sequence[M3terUser] = ()
    policies: Sequence[M3terPolicy] = ()
    mirror_full_at: datetime | None = None
    previous_addresses: Mapping[str, str] = field(default_factory=dict, repr=False)
    excluded_people: Sequence[ExcludedPerson] = field(default=(), repr=False)


def read_facts(
    db: LedgerDatabase,
    hires: Iterable[NewHire],
    excluded: Sequence[ExcludedPerson] = (),
    policies: Sequence[M3terPolicy] = (),
    *,
    run: RunKey,
    org_id: str,
    mirror_full_at: datetime | None,
) -> Facts:
    """Look up hires of a plan in ledger and mirror.

    What is known of somebody does not depend on who else is looked up.

    :param hires: valid rows; about an invalid one nothing has to be known.
    :param excluded: rows of ``exclude.query``.
    :param policies: all of the organisation.
    :param run: that the plan is made for; claims of its older plans that were not begun stand in nobody's way.
    :param mirror_full_at: of the mirror, read before this; an older one only makes the plan more careful.
    """
    keys, employees = set[str](), set[str]()
    for hire in hires:
        keys.add(hire.email_key)
        employees.add(hire.employee_id)
    previous = people.previous_addresses(db, org_id, employees)
    keys.update(previous.values())
    ledger = people.read_ledger(db, org_id, keys, employees, planning=run)
    if others := {entry.email_key for entry in ledger} - keys:
        # Of the employees' other addresses everything, also what others had with them.
        found = {entry.invitation_id: entry for entry in ledger}
        found |= {entry.invitation_id: entry for entry in people.read_ledger(db, org_id, others, (), planning=run)}
        ledger = [found[number] for number in sorted(found)]
        keys |= others
    return Facts(
        ledger=ledger,
        invitations=mirror.invitations_of(db, org_id, keys),
        users=mirror.users_of(db, org_id, keys),
        policies=policies,
        mirror_full_at=mirror_full_at,
        previous_addresses=previous,
        excluded_people=excluded,
    )
