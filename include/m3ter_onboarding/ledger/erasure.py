"""Erasure: people's data leave the ledger, and a keyed hash stays so that they are still never e-mailed twice.

It is one transaction, which no claim and no seal of the organisation overlaps, and may be repeated.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.errors import ErasureRefusedError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.erased_people import PREFIX, Kind, Pseudonyms, lock_organisation, same_secret
from m3ter_onboarding.ledger.personal_columns import Blanking, People, not_erased, rows_of
from m3ter_onboarding.ledger.states import SUCCESS_STATES, UNANSWERED_STATES, state_values
from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True)
class ErasureRequest:
    """Who asks for an erasure, and where.

    :param by: who asks; recorded.
    :param now: UTC.
    :param secret: of the hashes; None: it is not set.
    :param still_in_m3ter: erase people who are still in m3ter's lists, too.
    :param rehearse: count only; everything is rolled back.
    :param batch: people, or rows, of one transaction, where many are erased.
    """

    org_id: str
    by: str = field(repr=False)
    now: datetime
    secret: str | None = field(repr=False)
    still_in_m3ter: bool = False
    rehearse: bool = False
    batch: int = 200


@dataclass(frozen=True)
class Erased:
    """What an erasure removed.

    :param erasure_id: None: there was nothing left to erase, and nothing was recorded.
    :param counts: rows by where they were, ``people`` and ``addresses`` included.
    """

    erasure_id: str | None
    counts: Mapping[str, int]


def person_of(db: LedgerDatabase, org_id: str, *, employee_id: str | None = None, address: str | None = None) -> People:
    """Return one person: an employee with all their addresses, or an address with its employee.

    :param employee_id: as the warehouse has it.
    :param address: an address key, instead.
    :raises ErasureRefusedError: when the address is of several employees.
    """

    def work(connection: Connection) -> People:
        if employee_id is not None:
            return with_addresses(connection, db.tables, org_id, {employee_id})
        employees: set[str] = set()
        for table in (db.tables.decision, db.tables.invitation, db.tables.worklist):
            mine = table.c.org_id == org_id, table.c.email_key == address, not_erased(table.c.employee_id)
            employees.update(connection.execute(select(table.c.employee_id).where(*mine).distinct()).scalars())
        if len(employees) > 1:
            raise ErasureRefusedError(
                f"This address is of {len(employees)} employees in the ledger, so it does not say who is meant. Nothing"
                " was erased; name the person by employee id."
            )
        found = with_addresses(connection, db.tables, org_id, employees)
        return People(found.employees, found.addresses | {str(address)})

    return db.read(work, doing="looking for a person's data")


@dataclass(frozen=True)
class Erasing:
    """One erasure in one transaction.

    :param erasure_id: under which it is recorded.
    :param what: ``person``, or ``before`` and a date.
    """

    connection: Connection
    tables: Tables
    request: ErasureRequest
    words: Pseudonyms
    erasure_id: str
    what: str

    @property
    def org_id(self) -> str:
        """The organisation."""
        return self.request.org_id

    def blanking(self, people: People | None) -> Blanking:
        """Return how rows of people lose their data; None: of everybody."""
        return Blanking(self.connection, self.tables, self.words, people, self.request.now, self.request.by)

    def record(self, counts: Mapping[str, int]) -> None:
        """Record what was removed, beside what an earlier transaction of this erasure has removed."""
        table = self.tables.erasure
        mine = table.c.erasure_id == self.erasure_id
        before = self.connection.execute(select(table.c.counts).where(mine)).scalar()
        if before is not None:
            self.connection.execute(update(table).where(mine).values(counts=added(before, counts)))
            return
        values = {
            "erasure_id": self.erasure_id,
            "org_id": self.org_id,
            "erased_at": self.request.now,
            "erased_by": self.request.by,
            "what": self.what,
            "check_value": self.words.check_value,
            "counts": dict(counts),
        }
        self.connection.execute(insert(table).values(values))


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the sums of two counts."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def erase_person(db: LedgerDatabase, request: ErasureRequest, people: People) -> Erased:
    """Erase one person from the ledger; again does nothing.

    :param people: of :func:`person_of`.
    :raises ErasureRefusedError: when an invitation of theirs is open, or m3ter still lists them.
    :raises LedgerUnusableError: when the secret is missing, or another one than before.
    """
    erasure_id = str(uuid.uuid4())

    def work(connection: Connection) -> Erased:
        erasing = begin_erasure(connection, db, request, erasure_id, "person")
        # Rows that were written since the person was looked up are theirs too.
        more = with_addresses(connection, db.tables, request.org_id, people.employees)
        everything = People(people.employees, people.addresses | more.addresses)
        check_may_be_erased(erasing, everything)
        counts = erase_people(erasing, everything)
        if not any(counts.values()):
            return Erased(None, counts)
        erasing.record(counts)
        return Erased(erasure_id, counts)

    run = db.rehearse if request.rehearse else db.write
    return run(work, doing="erasing a person's data")


def begin_erasure(
    connection: Connection, db: LedgerDatabase, request: ErasureRequest, erasure_id: str, what: str
) -> Erasing:
    """Keep claims and seals of the organisation away until the transaction ends.

    :raises LedgerUnusableError: when the secret is missing, or another one than before.
    """
    lock_organisation(connection, db, request.org_id)
    e = db.tables.erasure.c
    checks = connection.execute(select(e.check_value).where(e.org_id == request.org_id)).scalars()
    words = same_secret(request.org_id, request.secret, list(checks))
    return Erasing(connection, db.tables, request, words, erasure_id, what)


def check_may_be_erased(erasing: Erasing, people: People) -> None:
    """Check that no outcome is open, and that m3ter lists nobody of these people.

    :raises ErasureRefusedError: when one is, or it does.
    """
    open_states = state_values(UNANSWERED_STATES)
    invitations = rows_of(erasing.connection, erasing.tables.invitation, erasing.org_id, people)
    if many := sum(row.state in open_states for row in invitations):
        raise ErasureRefusedError(
            f"{many} invitation(s) of this person have no known outcome yet, and without the address they could not be"
            " looked up in m3ter. Nothing was erased. Let a run settle them, or decide them on the page, and erase"
            " again."
        )
    if not erasing.request.still_in_m3ter and _begun_since_read(erasing, invitations):
        raise ErasureRefusedError(
            "m3ter was not read since an invitation of this person was sent, so it still lists it. Nothing was erased."
            " Remove them in m3ter's console, let the next run read m3ter, and erase again; or erase with"
            " --still-in-m3ter, which leaves them in m3ter."
        )
    if not erasing.request.still_in_m3ter and listed_in_m3ter(erasing, people.addresses):
        raise ErasureRefusedError(
            "m3ter, as last read, lists this person as a user with access or with an invitation that can be accepted."
            " Nothing was erased. Remove them in m3ter's console, let the next run read m3ter, and erase again; or"
            " erase with --still-in-m3ter, which leaves them in m3ter."
        )


def _begun_since_read(erasing: Erasing, invitations: Sequence[Row[Any]]) -> bool:
    """Return whether an invitation was sent, and m3ter not read to the end since it began, by the database's clock."""
    o = erasing.tables.mirror_org.c
    statement = select(o.complete_ms).where(o.org_id == erasing.org_id)
    read = erasing.connection.execute(statement).scalar() or 0
    sent = state_values(SUCCESS_STATES)
    return any(row.state in sent and (row.attempt_started_ms or 0) >= read for row in invitations)


def listed_in_m3ter(erasing: Erasing, addresses: frozenset[str]) -> frozenset[str]:
    """Return those addresses that have access in m3ter, or an invitation that can be accepted, as last read."""
    u, m, now = erasing.tables.mirror_user, erasing.tables.mirror_invitation, erasing.request.now
    access = or_(u.c.access_ends_at.is_(None), u.c.access_ends_at > now)
    pending = and_(~m.c.accepted, or_(m.c.expires_at.is_(None), m.c.expires_at > now))
    found: set[str] = set()
    for table, active in ((u, access), (m, pending)):
        for batch in batches(sorted(addresses)):
            listed = table.c.org_id == erasing.org_id, ~table.c.gone, active, table.c.email_key.in_(batch)
            found.update(erasing.connection.execute(select(table.c.email_key).where(*listed)).scalars())
    return frozenset(found)


def erase_people(erasing: Erasing, people: People) -> dict[str, int]:
    """Keep the hashes of people, blank all their rows, and return how many there were."""
    connection, t, org_id = erasing.connection, erasing.tables, erasing.org_id
    blanking = erasing.blanking(people)
    invitations = rows_of(connection, t.invitation, org_id, people)
    # What a review that was killed has left; one that is under way compares nobody then, and the next one all.
    connection.execute(delete(t.access_job).where(t.access_job.c.org_id == org_id))
    return {
        **_keep_hashes(erasing, people),
        "decisions": blanking.decisions(rows_of(connection, t.decision, org_id, people)),
        "invitations": blanking.invitations(invitations),
        "events": _blank_events(connection, t, [row.invitation_id for row in invitations]),
        "worklist": blanking.worklist(rows_of(connection, t.worklist, org_id, people)),
        "access_review": blanking.access(rows_of(connection, t.access_review, org_id, people)),
        "day_one": blanking.day_one(rows_of(connection, t.day_one, org_id, people)),
        "chase": blanking.chase(rows_of(connection, t.chase, org_id, people)),
        "runs": _blank_runs(erasing, people),
        "mirror": blanking.mirror(people.addresses),
    }


def with_addresses(connection: Connection, t: Tables, org_id: str, employees: Collection[str]) -> People:
    """Return employees with all the addresses that the ledger knows of them."""
    addresses: set[str] = set()
    for table in (t.decision, t.invitation, t.worklist):
        for batch in batches(sorted(employees)):
            mine = table.c.org_id == org_id, table.c.employee_id.in_(batch), not_erased(table.c.email_key)
            addresses.update(connection.execute(select(table.c.email_key).where(*mine).distinct()).scalars())
    return People(frozenset(employees), frozenset(addresses))


def _keep_hashes(erasing: Erasing, people: People) -> dict[str, int]:
    table, words = erasing.tables.erased, erasing.words
    of_kind: tuple[tuple[Kind, frozenset[str]], ...] = (
        ("employee", people.employees),
        ("address", people.addresses),
    )
    hashes = {
        (kind, words.hash_of(kind, one)) for kind, values in of_kind for one in values if not one.startswith(PREFIX)
    }
    known: set[tuple[str, str]] = set()
    for batch in batches(sorted({one for _, one in hashes})):
        mine = table.c.org_id == erasing.org_id, table.c.key_hash.in_(batch)
        known.update((row.kind, row.key_hash) for row in erasing.connection.execute(select(table).where(*mine)))
    new = sorted(hashes - known)
    for some in batches(new):
        same = {"org_id": erasing.org_id, "erased_at": erasing.request.now, "erasure_id": erasing.erasure_id}
        erasing.connection.execute(insert(table), [{**same, "kind": kind, "key_hash": one} for kind, one in some])
    kinds = [kind for kind, _ in new]
    return {"employees": kinds.count("employee"), "addresses": kinds.count("address")}


def _blank_events(connection: Connection, t: Tables, invitation_ids: list[int]) -> int:
    e, changed = t.event.c, 0
    for batch in batches(invitation_ids):
        mine = e.invitation_id.in_(batch), e.message.is_not(None)
        changed += connection.execute(update(t.event).where(*mine).values(message=None)).rowcount
    return changed


def _blank_runs(erasing: Erasing, people: People) -> int:
    table, changed = erasing.tables.run, 0
    for employee in sorted(people.employees):
        mine = table.c.org_id == erasing.org_id, table.c.only_employee == employee
        word = erasing.words.word("employee", employee)
        changed += erasing.connection.execute(update(table).where(*mine).values(only_employee=word)).rowcount
    return changed
