"""Who was erased, by keyed hashes: so they are still never e-mailed, and their data do not come back.

In a row that stays, ``erased:`` and the hash stand for the address or the employee. m3ter's lists and the query name
such people again and again; before anything is written about them, the hash takes the place of their data.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, func, select, update

from m3ter_onboarding.errors import LedgerUnusableError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.key_sets import one_of, sets_of

Kind = Literal["address", "employee"]

#: The secret of the hashes; Airflow masks a variable with such a name.
ERASURE_VARIABLE = "m3ter_onboarding_erasure_secret"

PREFIX = "erased:"

_SHORTEST_SECRET = 16


def read_secret() -> str | None:
    """Return the secret of the hashes, or None where the Airflow variable is not set."""
    from airflow.sdk import Variable

    value = Variable.get(ERASURE_VARIABLE, default=None)
    return None if value is None else str(value)


@dataclass(frozen=True)
class Pseudonyms:
    """The words that stand for people who were erased.

    :param secret: of the hashes; whoever has it can find out whether a known person was erased.
    """

    org_id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < _SHORTEST_SECRET:
            raise LedgerUnusableError(
                f"The Airflow variable {ERASURE_VARIABLE} has fewer than {_SHORTEST_SECRET} characters, so its hashes"
                " could be guessed. Set it to a long random text before anybody is erased."
            )

    @property
    def check_value(self) -> str:
        """What proves that a later secret is the same."""
        return hmac.new(self.secret.encode(), b"check", hashlib.sha256).hexdigest()

    def hash_of(self, kind: Kind, value: str) -> str:
        """Return the keyed hash of an address key, or of an employee id."""
        return self._keyed(f"{kind}:{self.org_id}:{value}")

    def word(self, kind: Kind, value: str) -> str:
        """Return what stands for an address key, or for an employee id; what stands for one already stays."""
        return value if value.startswith(PREFIX) else f"{PREFIX}{self.hash_of(kind, value)}"

    def of_request(self, request_hash: str | None) -> str | None:
        """Return what stands for the hash of a request: that one has no key, and could be guessed."""
        return None if request_hash is None else self._keyed(f"request:{self.org_id}:{request_hash}")

    def _keyed(self, text: str) -> str:
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class ErasedPeople:
    """Those of some people who were erased.

    :param erasures: how many erasures the organisation had when they were looked up.
    """

    words: Pseudonyms | None
    erasures: int
    addresses: frozenset[str] = field(default=frozenset(), repr=False)
    employees: frozenset[str] = field(default=frozenset(), repr=False)

    def have(self, address: str | None, employee: str | None) -> bool:
        """Return whether somebody with this address key, or this employee id, was erased."""
        return address in self.addresses or employee in self.employees


def look_up_erased(
    db: LedgerDatabase,
    org_id: str,
    addresses: Iterable[str],
    employees: Iterable[str],
    secret: Callable[[], str | None] = read_secret,
) -> ErasedPeople:
    """Return those of these people who were erased; where nobody ever was, neither they nor the secret are looked at.

    :param addresses: address keys.
    :param secret: returns the secret, None where there is none.
    :raises LedgerUnusableError: when the secret is missing, or another one than that of an erasure.
    """
    erasure, erased = db.tables.erasure, db.tables.erased

    def read_checks(connection: Connection) -> list[str]:
        found = connection.execute(select(erasure.c.check_value).where(erasure.c.org_id == org_id))
        return list(found.scalars())

    checks = db.read(read_checks, doing="looking whether people were erased")
    if not checks:
        return ErasedPeople(None, 0)
    words = same_secret(org_id, secret(), checks)
    hashes: dict[tuple[str, str], str] = {}
    for value in addresses:
        hashes["address", words.hash_of("address", value)] = value
    for value in employees:
        hashes["employee", words.hash_of("employee", value)] = value

    def look(connection: Connection) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for batch in sets_of(key_hash for _, key_hash in hashes):
            statement = select(erased.c.kind, erased.c.key_hash).where(
                erased.c.org_id == org_id, one_of(connection, erased.c.key_hash, batch)
            )
            found.update((row.kind, row.key_hash) for row in connection.execute(statement))
        return found

    found = db.read(look, doing="looking whether people were erased")
    of_kind = {
        kind: frozenset(value for (its, one), value in hashes.items() if its == kind and (its, one) in found)
        for kind in ("address", "employee")
    }
    return ErasedPeople(words, len(checks), of_kind["address"], of_kind["employee"])


def same_secret(org_id: str, secret: str | None, checks: Sequence[str]) -> Pseudonyms:
    """Return the pseudonyms of a secret, if it is that of every erasure so far.

    :param checks: the check values of the erasures.
    :raises LedgerUnusableError: when it is missing or another one.
    """
    if not secret:
        raise LedgerUnusableError(
            f"The Airflow variable {ERASURE_VARIABLE} is not set. People were erased or are to be, and only its"
            " keyed hashes keep them from being e-mailed; nothing goes on without it. Set it, and back it up."
        )
    words = Pseudonyms(org_id, secret)
    if not all(hmac.compare_digest(words.check_value, known) for known in checks):
        raise LedgerUnusableError(
            f"The Airflow variable {ERASURE_VARIABLE} is not the secret with which people were erased: they would not"
            " be recognised, and e-mailed again. Nothing goes on until the former value is set again."
        )
    return words


def check_nobody_erased_since(connection: Connection, db: LedgerDatabase, org_id: str, seen: int) -> bool:
    """Return whether an organisation has had no erasure since there were *seen* of them.

    In the transaction that seals a plan: it waits for an erasure under way, and a later one finds the plan sealed.
    """
    lock_organisation(connection, db, org_id)
    erasure = db.tables.erasure
    now = connection.execute(select(func.count()).select_from(erasure).where(erasure.c.org_id == org_id)).scalar_one()
    return int(now) == seen


def lock_organisation(connection: Connection, db: LedgerDatabase, org_id: str) -> None:
    """Keep claims, seals and erasures of an organisation apart, until this transaction ends."""
    o = db.tables.mirror_org.c
    connection.execute(update(db.tables.mirror_org).where(o.org_id == org_id).values(claims=o.claims))


#: Of an entry in m3ter's lists, what may name the person; the rest stays.
_OF_ENTRY = ("entry", "alias_key")


def without_erased(db: LedgerDatabase, org_id: str, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return entries of m3ter's lists, as the mirror keeps them, without the data of people who were erased."""
    keys = {str(row["email_key"]) for row in rows if row.get("email_key")}
    erased = look_up_erased(db, org_id, keys, ()) if keys else ErasedPeople(None, 0)
    words = erased.words
    if words is None or not erased.addresses:
        return rows

    def hidden(row: Mapping[str, Any]) -> Mapping[str, Any]:
        if row.get("email_key") not in erased.addresses:
            return row
        word = words.word("address", str(row["email_key"]))
        return {**row, "email_key": word, "email": word, **{name: None for name in _OF_ENTRY if name in row}}

    return [hidden(row) for row in rows]
