"""Who is to be invited on a day, and who stands in a list; from the documentation, sharing no code with the planner.

The truth is the simulation's own: the rows as they are in the warehouse, m3ter as the sandbox holds it, the settings of
the day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.year.people import GUARDED, LATE, Person
from tests.year.settings import Settings

#: Nothing is to be done: covered by an invitation or a membership, gone, too early, or too old.
NOTHING, COVERED, EARLY, OLD = "nothing", "covered", "skip:too_early", "too_old"
INVITE = "invite"


@dataclass(frozen=True)
class Truth:
    """m3ter at one moment.

    :param active: addresses with an invitation that can be accepted.
    :param expired: when each invitation of an address expired that nobody accepted.
    :param members: addresses of users with access.
    :param former: addresses of users whose access has ended.
    """

    active: frozenset[str] = frozenset()
    expired: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    members: frozenset[str] = frozenset()
    former: frozenset[str] = frozenset()


def truth_of(invitations: Iterable[Mapping[str, Any]], users: Iterable[Mapping[str, Any]], now: datetime) -> Truth:
    """Read what the sandbox holds."""
    found: dict[str, set[str]] = defaultdict(set)
    expired: dict[str, list[datetime]] = defaultdict(list)
    for one in invitations:
        address, expires = one["email"].lower(), _instant(one["dtExpiry"])
        if not one.get("accepted") and expires > now:
            found["active"].add(address)
        elif not one.get("accepted"):
            expired[address].append(expires)
    for user in users:
        ends = user.get("dtEndAccess")
        found["members" if ends is None or _instant(ends) > now else "former"].add(user["email"].lower())
    return Truth(frozenset(found["active"]), expired, frozenset(found["members"]), frozenset(found["former"]))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def expected(person: Person, earlier: Iterable[str], truth: Truth, settings: Settings, now: datetime) -> str:
    """Decide what is due for one person: an invitation, a question's ``decision:reason``, or nothing.

    :param earlier: other addresses that the person had.
    """
    domain = person.email.partition("@")[2]
    if not person.active:
        return NOTHING
    if person.email in truth.active or person.email in truth.members:
        return COVERED
    days = (person.start - now.date()) / timedelta(days=1) if person.start else 0
    if -days > settings.max_age_days:
        return OLD  # neither invited nor asked about any more, whatever else there is to say
    if not person.first_name:
        return "invalid:first_name"
    if domain in settings.excluded_domains:
        return "skip:excluded"
    if domain not in settings.allowed_domains:
        return "skip:domain_not_allowed"
    if days > settings.invite_days_before_start:
        return EARLY
    if any(address in truth.active or address in truth.members for address in earlier):
        return "review:email_changed"
    if person.email in truth.former and settings.if_rehire == "review":
        return "review:rehire"
    expired = [instant for address in (person.email, *earlier) for instant in truth.expired.get(address, ())]
    if len(expired) > settings.reinvitations:
        return "review:expired"
    if expired and max(expired) + timedelta(days=settings.cool_off_days) > now:
        return "skip:cooling_off"
    if person.policies == LATE and LATE not in settings.policies:
        return "invalid:policy"
    if person.policies == GUARDED and GUARDED not in settings.allowed_policies:
        return "review:policy_not_allowed"
    return INVITE
