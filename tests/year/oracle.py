"""Who is to be invited on a day, and who stands in a list; from the documentation, sharing no code with the planner.

The truth is the simulation's own: the rows as they are in the warehouse, m3ter as the sandbox holds it, the settings of
the day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
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
    :param expired: addresses with an expired one.
    :param members: addresses of users with access.
    :param former: addresses of users whose access has ended.
    """

    active: frozenset[str] = frozenset()
    expired: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    former: frozenset[str] = frozenset()
    addresses: Mapping[str, frozenset[str]] = field(default_factory=dict)


def truth_of(invitations: Iterable[Mapping[str, Any]], users: Iterable[Mapping[str, Any]], now: datetime) -> Truth:
    """Read what the sandbox holds."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in invitations:
        if not one.get("accepted"):
            found["active" if _instant(one["dtExpiry"]) > now else "expired"].add(one["email"].lower())
    for user in users:
        ends = user.get("dtEndAccess")
        found["members" if ends is None or _instant(ends) > now else "former"].add(user["email"].lower())
    return Truth(*(frozenset(found[name]) for name in ("active", "expired", "members", "former")))


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
    if not person.first_name:
        return "invalid:first_name"
    if domain in settings.excluded_domains:
        return "skip:excluded"
    if domain not in settings.allowed_domains:
        return "skip:domain_not_allowed"
    days = (person.start - now.date()) / timedelta(days=1) if person.start else 0
    if -days > settings.max_age_days:
        return OLD
    if days > settings.invite_days_before_start:
        return EARLY
    if any(address in truth.active or address in truth.members for address in earlier):
        return "review:email_changed"
    if person.email in truth.former and settings.if_rehire == "review":
        return "review:rehire"
    expired = any(address in truth.expired for address in (person.email, *earlier))
    if person.email not in truth.former and expired and settings.reinvite == "never":
        return "review:expired"
    if person.policies == LATE and LATE not in settings.policies:
        return "invalid:policy"
    if person.policies == GUARDED and GUARDED not in settings.allowed_policies:
        return "review:policy_not_allowed"
    return INVITE
