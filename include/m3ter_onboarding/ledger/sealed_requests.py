"""What a plan will POST, read back row by row as the ledger holds it now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
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


def keys_of_employees(db: LedgerDatabase, org_id: str, plan_id: str, employees: Collection[str]) -> frozenset[str]:
    """Return the address keys that a plan's rows of some employees have, whatever was decided about them."""
    d, found = db.tables.decision.c, set[str]()

    def work(connection: Connection, batch: Sequence[str]) -> list[str]:
        mine = d.org_id == org_id, d.employee_id.in_(batch), d.plan_id == plan_id
        return list(connection.execute(select(d.email_key).where(*mine, d.email_key.is_not(None))).scalars())

    for batch in batches(sorted(employees)):
        found.update(db.read(partial(work, batch=list(batch)), doing="looking for addresses of excluded employees"))
    return frozenset(found)


def rows_starting_outside(
    db: LedgerDatabase, plan_id: str, most_before: int, most_after: int | None
) -> tuple[list[int], list[int]]:
    """Return the rows of a plan's invitations with a start date too long before it was made, and those too late after.

    :param most_before: in days.
    :param most_after: likewise; None: no start is too late.
    """
    d, p = db.tables.decision.c, db.tables.plan.c

    def work(connection: Connection) -> tuple[list[int], list[int]]:
        made = connection.execute(select(p.created_at).where(p.plan_id == plan_id)).scalar_one().date()
        mine = and_(d.plan_id == plan_id, d.decision == "invite")
        rows = select(d.row_no).where(mine)
        old = connection.execute(rows.where(d.start_date < _days_from(made, -most_before))).scalars().all()
        if most_after is None:
            return list(old), []
        return list(old), list(connection.execute(rows.where(d.start_date > _days_from(made, most_after))).scalars())

    return db.read(work, doing="looking for start dates that are out of time")


def _days_from(day: date, days: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))
