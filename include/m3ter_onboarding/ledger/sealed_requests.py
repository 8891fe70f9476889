"""What a plan will POST, read back row by row as the ledger holds it now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, and_, func, select

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import sealed_request
from m3ter_onboarding.ledger.sealing import SealedRequest
from m3ter_provider.email_identity import email_key

#: So many rows are read at once.
_BATCH = 1_000


@dataclass(frozen=True)
class StoredRequest:
    """A decision to invite as it is stored, and its seal.

    :param shown: the address that people see of it, who are asked for an approval.
    """

    sealed: SealedRequest
    seal: str | None = field(repr=False)
    shown: str | None = field(repr=False)

    @property
    def shows_what_is_sent(self) -> bool:
        """Whether the address that people see is the one that is e-mailed, in whatever case."""
        return self.shown is not None and email_key(self.shown) == self.sealed.email_key


def read_requests(db: LedgerDatabase, plan_id: str) -> Iterator[StoredRequest]:
    """Yield every decision to invite of a plan, by row; they are read a batch at a time."""
    d = db.tables.decision
    last = -1
    columns = (d.c.plan_id, d.c.org_id, d.c.row_no, d.c.reason, d.c.employee_id, d.c.email_key, d.c.request)

    def work(connection: Connection) -> list[StoredRequest]:
        chosen = (
            select(*columns, d.c.request_hash, d.c.seal, d.c.email)
            .where(d.c.plan_id == plan_id, d.c.decision == "invite", d.c.row_no > last)
            .order_by(d.c.row_no)
            .limit(_BATCH)
        )
        return [StoredRequest(sealed_request(row._mapping), row.seal, row.email) for row in connection.execute(chosen)]

    while batch := db.read(work, doing="reading what the plan will send"):
        yield from batch
        last = batch[-1].sealed.row_no


def erased_since(db: LedgerDatabase, plan_id: str) -> int:
    """Return how many rows of a plan were erased after it was sealed."""
    d = db.tables.decision.c
    mine = and_(d.plan_id == plan_id, d.decision == "skip", d.reason == "erased")
    return db.read(
        lambda connection: int(
            connection.execute(select(func.count()).select_from(db.tables.decision).where(mine)).scalar_one()
        ),
        doing="counting erased rows",
    )


def keys_of_employees(db: LedgerDatabase, plan_id: str, employees: Collection[str]) -> frozenset[str]:
    """Return the address keys that a plan's rows of some employees have, whatever was decided about them."""
    d, found = db.tables.decision.c, set[str]()

    def work(connection: Connection, batch: Sequence[str]) -> list[str]:
        chosen = select(d.email_key).where(d.plan_id == plan_id, d.employee_id.in_(batch), d.email_key.is_not(None))
        return list(connection.execute(chosen).scalars())

    for batch in batches(sorted(employees)):
        found.update(db.read(partial(work, batch=list(batch)), doing="looking for addresses of excluded employees"))
    return frozenset(found)
