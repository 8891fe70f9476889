"""The people of a simulated year: who joins when, what is wrong with their row, and what becomes of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

#: Domains of addresses, and what the settings of the year do with each.
OWN, PARTNER, CONTRACTOR = "example.com", "partner.example", "contractor.example"
#: Policies: one that exists, one that m3ter gets in the middle of the year, one that may be given only then.
READER, LATE, GUARDED = "Reader", "Late", "Guarded"


@dataclass
class Person:
    """One employee and their row in the warehouse.

    :param kind: what is special about them, for the summary.
    :param loaded: the day on which the row was loaded, which the query looks at.
    :param active: whether the row is in the warehouse.
    :param accepts_after: days from an invitation to its acceptance; None: they never accept.
    """

    employee_id: str
    email: str
    kind: str
    loaded: date
    start: date | None = None
    first_name: str = "Given"
    policies: str | None = None
    active: bool = True
    accepts_after: int | None = 3
    changes: dict[date, Callable[[Person], None]] = field(default_factory=dict)

    def change_on(self, day: date, change: Callable[[Person], None]) -> None:
        """Let the row change on a day."""
        self.changes[day] = change


def mend_name(moves_loaded: bool) -> Callable[[Person, date], None]:
    """Return the correction of a missing name, with or without a new load date."""

    def mend(person: Person, day: date) -> None:
        person.first_name = "Given"
        if moves_loaded:
            person.loaded = day

    return mend


#: Kinds that wait by themselves and so widen the window for everybody, apart from those that do not.
WIDENING = ("early", "expires")
KINDS = (
    *("plain", "late_entry", "mended_moved", "mended_unmoved", "policy_missing", "policy_guarded", "domain_closed"),
    *("excluded", "rehired", "address_changed", "address_changed_unmoved", "by_hand", "by_hand_expires", "leaver"),
)


def people_of(days: int, count: int, first: date, seed: int, *, kinds: Sequence[str]) -> list[Person]:
    """Draw the people of a year.

    :param days: of the simulation; people join in its first two thirds, so that each has time.
    :param kinds: of ``KINDS`` and ``WIDENING``.
    """
    chance = random.Random(seed)
    weights = [6 if kind == "plain" else 1 for kind in kinds]
    return [
        _person(
            number,
            chance.choices(kinds, weights)[0],
            first + timedelta(days=chance.randrange(1, days * 2 // 3)),
            chance,
        )
        for number in range(count)
    ]


def _person(number: int, kind: str, day: date, chance: random.Random) -> Person:
    domain = {"domain_closed": PARTNER, "excluded": CONTRACTOR}.get(kind, OWN)
    person = Person(
        employee_id=f"e{number}",
        email=f"e{number}@{domain}",
        kind=kind,
        loaded=day,
        start=day + timedelta(days=chance.randrange(0, 10)),
        accepts_after=chance.choice([0, 1, 3, 7, 20]),
    )
    later = day + timedelta(days=chance.randrange(5, 25))
    match kind:
        case "early":
            person.start = day + timedelta(days=chance.randrange(20, 60))
        case "late_entry":
            person.start = day - timedelta(days=chance.randrange(1, 30))
        case "mended_moved" | "mended_unmoved":
            person.first_name = ""
            mend = mend_name(kind == "mended_moved")
            person.change_on(later, lambda one, on=later: mend(one, on))  # type: ignore[misc]
        case "policy_missing":
            person.policies = LATE
        case "policy_guarded":
            person.policies = GUARDED
        case "address_changed" | "address_changed_unmoved":
            moved = kind == "address_changed"
            person.change_on(later, lambda one, on=later: _change_address(one, on if moved else None))  # type: ignore[misc]
        case "by_hand_expires" | "expires":
            person.accepts_after = None
        case "leaver":
            person.change_on(later, lambda one: setattr(one, "active", False))
    return person


def _change_address(person: Person, loaded: date | None) -> None:
    person.email = f"new.{person.email}"
    if loaded is not None:
        person.loaded = loaded
