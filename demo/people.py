"""The people of the demo, day by day, each with the outcome that is right for them.

Every day brings the same mixture to the warehouse: ordinary new hires of many countries, names and addresses that are
odd but valid, rows with each kind of defect, and people whom m3ter knows already. All of it follows from the date.
The labels are written here by hand and know nothing of the application: the demo's verdict is computed against them.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from demo.countries import Country, countries

ORDINARY_A_DAY = 120
SEVERAL = "review:several_addresses"


@dataclass(frozen=True)
class Person:
    """One row of the warehouse, and what should become of it.

    :param label: the decision that the first run over the row should make
    :param mailbox: where the person's e-mail would arrive, case-folded; none where the address is no address
    :param either_of: rows of one group are rivals: together they get one e-mail
    :param in_m3ter: what m3ter holds of the person already: ``member``, ``left``, ``invited``, ``expired``
    """

    employee_id: Any
    email: Any
    first_name: Any
    last_name: Any
    contact_number: Any
    permission_policies: Any
    start_date: Any
    access_end_date: Any
    time_zone: Any
    loaded_at: datetime
    label: str = "invite:new"
    mailbox: str | None = None
    either_of: str | None = None
    in_m3ter: str | None = None

    def row(self) -> tuple[Any, ...]:
        """Return the values of the warehouse's columns, in their order."""
        return (
            self.employee_id,
            self.email,
            self.first_name,
            self.last_name,
            self.contact_number,
            self.permission_policies,
            self.start_date,
            self.access_end_date,
            self.time_zone,
            self.loaded_at.strftime("%Y-%m-%d %H:%M:%S"),
        )


@dataclass
class _Day:
    """Makes the people of one day."""

    day: date
    random: random.Random = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(f"m3ter demo {self.day.isoformat()}")  # noqa: S311  (repeatable)

    def person(self, **changes: Any) -> Person:
        """Make an ordinary new hire, apart from what is given."""
        self.number += 1
        country = self.random.choice(countries())
        first, last = self.random.choice(country.first_names), self.random.choice(country.last_names)
        email = changes.pop("email", None) or self.address(country, first, last)
        start = self.day + timedelta(days=self.random.randint(-20, 25))
        minutes = self.random.randrange(24 * 60)
        made = Person(
            employee_id=f"E{self.day:%y%m%d}-{self.number:03d}",
            email=email,
            first_name=first,
            last_name=last,
            contact_number=f"{country.dialling} {self.random.randint(10**7, 10**9 - 1)}"
            if self.random.random() < 0.7
            else None,
            permission_policies=self.random.choice([None, None, None, "Viewer", "Analyst", "Viewer, Analyst"]),
            start_date=start.isoformat(),
            access_end_date=(start + timedelta(days=400)).isoformat() if self.random.random() < 0.2 else None,
            time_zone=country.time_zone,
            loaded_at=datetime.combine(self.day, time(), timezone.utc) + timedelta(minutes=minutes),
            mailbox=email.strip().casefold(),
        )
        return replace(made, **changes)

    def address(self, country: Country, first: str, last: str) -> str:
        """Make an address in Latin letters, different for each person."""
        name = ".".join(part for part in (_latin(first), _latin(last)) if part)
        local = f"{name or 'staff'}.{self.day:%y%m%d}{self.number:03d}"
        written = self.random.choice([local, local, local.title(), local.upper()])
        return f"{written}@{country.code}.example.com"

    def unique(self, local: str, domain: str = "example.org") -> str:
        """Make an address around a given piece."""
        return f"{local}.{self.day:%y%m%d}{self.number:03d}@{domain}"


def _latin(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in folded if letter.isascii() and letter.isalpha())


def people_of(day: date, follows: bool) -> list[Person]:
    """Return the people whose rows reach the warehouse on a day, in the order of their rows.

    :param day: a calendar day, UTC
    :param follows: whether the day before has been loaded too; then some of its people come again
    """
    maker = _Day(day)
    people = [maker.person() for _ in range(ORDINARY_A_DAY)]
    people += _odd_but_valid(maker)
    people += _known_to_m3ter(maker)
    people += _not_now(maker)
    people += _defects(maker)
    people += _rivals(maker)
    if follows:
        people += _again(maker, people_of(day - timedelta(days=1), follows=False))
    maker.random.shuffle(people)
    return people


def _odd_but_valid(maker: _Day) -> Iterator[Person]:
    names = [
        ("Nil", "Na"),  # words for nothing elsewhere, names here
        ("True", "False"),
        ("X", "Æ"),
        ("Robert'); DROP TABLE hires;--", "Tables"),
        ("Seán", "O'Brien & Söhne"),
        ("  Padded  ", "\tTabbed\t"),
        ("Zoe\u0308", "Nu\u0301n\u0303ez"),  # decomposed
        ("Maria Anna Sofia Cecilia Kalogeropoulou", "de la Santísima Trinidad y von und zu Liechtenstein-Montfort"),
        ("N" * 100, "L" * 100),
        ("%s %d $HOME", "%00 100%"),
        ("Ẹniọlá 🌍", "Ọláyínká"),
        ("می‌خواهم", "نیم‌فاصله"),  # a joiner inside is Persian spelling
    ]
    for first, last in names:
        yield maker.person(first_name=first, last_name=last)
    number = f"{maker.day:%y%m%d}"
    addresses = [
        (f"o'brien.{number}@example.org", None),
        (f"a+new.hire.{number}@example.org", None),
        (f"A+NEW.{number}@EXAMPLE.ORG", None),
        (f"  spaced.{number}@example.org  ", None),
        (f"jörg.{number}@example.org", None),
        (f"kontakt.{number}@bücher.example.net", f"kontakt.{number}@xn--bcher-kva.example.net"),
        (f"x_{number}@a-b.c-d.example.org", None),
        (f"{number}@example.org", None),
        (f"{'l' * 57}{number}@example.org", None),
    ]
    for email, mailbox in addresses:
        yield maker.person(email=email, mailbox=mailbox or email.strip().casefold())
    yield maker.person(employee_id=int(f"9{number}01"))
    yield maker.person(contact_number="+" + "4" * 49)
    yield maker.person(permission_policies='["Viewer", "Analyst"]')
    yield maker.person(time_zone=None, start_date=None, contact_number=None, permission_policies=None)
    yield maker.person(access_end_date="9999-12-31")
    yield maker.person(contact_number=" ", permission_policies=" ", access_end_date="")


def _known_to_m3ter(maker: _Day) -> Iterator[Person]:
    for _ in range(6):
        yield maker.person(label="skip:already_member", in_m3ter="member")
    for _ in range(6):
        yield maker.person(label="skip:already_invited", in_m3ter="invited")
    for _ in range(2):
        yield maker.person(label="review:expired", in_m3ter="expired")
    for _ in range(2):
        yield maker.person(label="review:rehire", in_m3ter="left")


def _not_now(maker: _Day) -> Iterator[Person]:
    day = maker.day
    for days in (200, 365):
        yield maker.person(
            label="skip:too_early", start_date=(day + timedelta(days=days)).isoformat(), access_end_date=None
        )
    for days in (200, 5000):
        yield maker.person(
            label="skip:too_old", start_date=(day - timedelta(days=days)).isoformat(), access_end_date=None
        )
    for local in ("temp", "Interim"):
        yield maker.person(label="skip:excluded", email=maker.unique(local, "Contractors.example.com"))


def _defects(maker: _Day) -> Iterator[Person]:
    day = maker.day
    for value in (None, "", "   "):
        yield maker.person(label="invalid:employee_id", employee_id=value)
    no_addresses = (
        "",
        "none",
        "@example.com",
        "name@",
        "two@@example.com",
        "a b@example.com",
        "dot.@example.com",
        "someone@localhost",
        "someone@example..com",
        "bcc@example.com\nBcc: all@example.com",
        f"{'l' * 65}@example.com",
        "first@example.com, second@example.com",
    )
    for email in no_addresses:
        yield replace(maker.person(label="invalid:email"), email=email, mailbox=None)
    yield replace(maker.person(label="invalid:email"), email=None, mailbox=None)
    for name in (None, " \t ", "N" * 101, "<script>alert(1)</script>", "{{ ds }} www.example.com", "Hid\u202eden"):
        yield maker.person(label="invalid:first_name", first_name=name)
    for name in (None, "L" * 101, "Nul\x00"):
        yield maker.person(label="invalid:last_name", last_name=name)
    yield maker.person(label="invalid:contact_number", contact_number="1" * 51)
    yield maker.person(label="invalid:time_zone", time_zone="Mars/Olympus")
    for changes in (
        {"start_date": "31.02.2026"},
        {"start_date": "soon"},
        {"start_date": day.isoformat(), "access_end_date": (day - timedelta(days=1)).isoformat()},
        {"start_date": None, "access_end_date": "2020-02-29"},
    ):
        yield maker.person(label="invalid:dates", **changes)
    yield maker.person(label="invalid:policy", permission_policies="Wizard")
    yield maker.person(label="review:policy_not_allowed", permission_policies="Administrator")


def _rivals(maker: _Day) -> Iterator[Person]:
    """Make two rows for one address, which get one e-mail, and two addresses for one employee, which are a question."""
    for _ in range(3):
        first = maker.person()
        group = f"address {first.employee_id}"
        yield replace(first, either_of=group)
        yield replace(first, either_of=group, email=first.email.swapcase())
    for _ in range(2):
        first = maker.person()
        other = maker.person(employee_id=first.employee_id)
        yield replace(first, label=SEVERAL)
        yield replace(other, label=SEVERAL)


def _again(maker: _Day, yesterday: list[Person]) -> Iterator[Person]:
    """Load rows of yesterday's people a second time, as warehouses do."""
    plain = [
        person
        for person in yesterday
        if person.label == "invite:new" and person.either_of is None and person.start_date
    ]
    chosen = maker.random.sample(plain, 11)
    for person in chosen[:8]:
        again = maker.person(label="skip:already_invited")
        changed = person.email.swapcase() if str(person.email).isascii() else person.email
        yield replace(
            person, email=changed, contact_number=again.contact_number, loaded_at=again.loaded_at, label=again.label
        )
    for person in chosen[8:]:
        again = maker.person(label="review:email_changed")
        # Where both rows are read, the one that starts later counts.
        start = date.fromisoformat(person.start_date) + timedelta(days=3)
        yield replace(again, employee_id=person.employee_id, start_date=start.isoformat(), access_end_date=None)
