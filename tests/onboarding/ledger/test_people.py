"""The ledger's rows of a plan's hires."""

from __future__ import annotations

import pytest

from m3ter_onboarding.ledger import people
from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terUser
from m3ter_onboarding.ledger.people import LedgerInvitation
from m3ter_onboarding.ledger.states import InvitationState
from tests.support.starting_people import ORG, StartingPeople
from tests.support.world import World


@pytest.mark.parametrize("strangers", [0, 1, 2, 700], ids=lambda many: f"{many} more")
def test_who_was_invited_is_found_however_many_are_looked_for(world: World, strangers: int) -> None:
    """A few are looked up, and for many all of a small ledger is read: it is the same."""
    made = StartingPeople(world.db)
    for employee, state in (("e1", "sent"), ("e2", "accepted"), ("e3", "expired"), ("e4", "adopted"), (None, "sent")):
        made.invite(employee, state=state, email=f"{employee}-{state}@example.com")
    StartingPeople(world.db, "org-2").invite("e5")
    wanted = ["e1", "e3", "e5", *(f"x{number}" for number in range(strangers))]
    assert people.among_invited(world.db, ORG, wanted) == {"e1"}
    assert people.among_invited(world.db, ORG, [*wanted, "e2", "e4"]) == {"e1", "e2", "e4"}
    assert people.among_invited(world.db, ORG, []) == frozenset()


def test_nobody_is_named_in_a_repr() -> None:
    address, employee = "zaphod@example.com", "e-zaphod"
    entries = [
        LedgerInvitation(1, address, 1, employee, InvitationState.SENT, None, "m1", None, None, None, address),
        M3terInvitation("m1", address, accepted=True, expires_at=None, created_at=None, email=address),
        M3terUser("u1", address, access_ends_at=None, email=address),
    ]
    for entry in entries:
        assert "m3ter_id=" in repr(entry)
        assert "zaphod" not in f"{entry} {entry!r} {[entry]}"
