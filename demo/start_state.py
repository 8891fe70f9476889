"""What m3ter holds before the first run: permission policies, members and invitations of earlier days."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from demo.people import Person
from m3ter_sandbox.testing import SandboxServer

POLICIES = ("Viewer", "Analyst", "Administrator")


def seed_organisation(m3ter: SandboxServer) -> None:
    """Give an empty organisation its policies, and members and invitations that have nothing to do with the warehouse.

    More than a page of each, so that paging matters.

    :param m3ter: the running sandbox
    """
    users = [
        {"email": f"Member.{number:03d}@Example.com", "firstName": "Member", "lastName": str(number)}
        for number in range(230)
    ]
    invitations: list[dict[str, Any]] = [
        {
            "email": f"earlier.{number:03d}@example.com",
            "firstName": "Earlier",
            "lastName": str(number),
            "dtCreated": f"-{300 - number}d",
            "accepted": number % 2 == 0,
        }
        for number in range(210)
    ]
    m3ter.seed(policies=[{"name": name} for name in POLICIES], users=users, invitations=invitations)


def seed_people(m3ter: SandboxServer, people: Iterable[Person]) -> None:
    """Make m3ter know those of the people whose label says so, under addresses in another case.

    :param m3ter: the running sandbox
    :param people: of one or more days
    """
    users: list[dict[str, Any]] = []
    invited: list[dict[str, Any]] = []
    expired: list[dict[str, Any]] = []
    for person in people:
        entry = {
            "email": str(person.email).strip().swapcase(),
            "firstName": person.first_name,
            "lastName": person.last_name,
        }
        if person.in_m3ter == "member":
            users.append({**entry, "dtCreated": "-60d"})
        elif person.in_m3ter == "left":
            users.append({**entry, "dtCreated": "-400d", "dtEndAccess": "-30d"})
        elif person.in_m3ter == "invited":
            invited.append({**entry, "dtCreated": "-5d", "dtExpiry": "+25d"})
        elif person.in_m3ter == "expired":
            expired.append({**entry, "dtCreated": "-45d", "dtExpiry": "-15d"})
    m3ter.seed(users=users, invitations=expired + invited)  # oldest first, as lists show the newest first
