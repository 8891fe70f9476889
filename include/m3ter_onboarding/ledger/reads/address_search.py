"""The search inside addresses: no index helps there, so that it looks through the newest invitations, and says so."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import CTE, Connection, func, not_, select
from sqlalchemy.sql.expression import and_

from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.invitation_ranges import Narrowing, begins_with, exactly
from m3ter_onboarding.ledger.reads.list_places import Place
from m3ter_onboarding.ledger.reads.reader_sets import is_visible
from m3ter_onboarding.ledger.sql_types import by_bytes
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.email_identity import email_key

#: The newest invitations of a ledger, by number, that are looked through.
NEWEST = 50_000
#: In characters: a shorter text is inside nearly every address.
SHORTEST = 3


@dataclass(frozen=True)
class SearchReach:
    """How far a search looked inside addresses.

    :param newest: it looked through so many invitations, those that the ledger has had last.
    :param complete: whether these are all.
    :param more: whether more addresses than are listed have the text inside.
    """

    newest: int
    complete: bool
    more: bool


def inside_addresses(
    connection: Connection, t: Tables, scopes: CTE, term: str, only: Narrowing
) -> tuple[list[Place], SearchReach | None]:
    """Return the invitations whose address has a text inside, and neither begins with it nor has it for an id.

    :returns: by address, a bounded number; None: the text is too short, nothing was looked through.
    """
    if len(term) < SHORTEST:
        return [], None
    id_ = t.invitation.c.invitation_id
    ends = [select(end(id_)).scalar_subquery() for end in (func.min, func.max)]
    first, last = (end or 0 for end in connection.execute(select(*ends)).one())
    i = t.invitation.c
    # Cheaper than LIKE, which folds case once more; addresses are kept folded.
    position = func.instr if connection.dialect.name == "sqlite" else func.strpos
    # A range of the primary key, and nothing else to choose from: another index would be read to its end.
    newest = (
        select(id_, i.email_key, i.org_id, i.dag_id, i.run_id, i.state, i.employee_id, i.m3ter_id, i.expires_at)
        .where(id_ > last - NEWEST, position(by_bytes(i.email_key), email_key(term)) > 0)
        .order_by(id_)
        .limit(NEWEST)
        .subquery()
    )
    key = by_bytes(newest.c.email_key)
    conditions = [
        is_visible(newest, scopes),
        not_(and_(*begins_with(key, term))),
        not_(exactly(newest.c, term)),
        *only.of_rows(newest.c),
    ]
    rows = connection.execute(
        select(key.label("key"), newest.c.invitation_id.label("id"))
        .where(*conditions)
        .order_by(key, newest.c.invitation_id)
        .limit(COUNTED + 1)
    ).all()
    found = [Place("inside", row.key, row.id) for row in rows[:COUNTED]]
    return found, SearchReach(NEWEST, complete=first > last - NEWEST, more=len(rows) > COUNTED)
