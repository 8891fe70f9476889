"""The search inside addresses and names: no index helps, so it looks through the newest invitations, and says so."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import CTE, Connection, and_, func, not_, or_, select

from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.invitation_ranges import Narrowing, begins_with, exactly
from m3ter_onboarding.ledger.reads.list_places import Place
from m3ter_onboarding.ledger.reads.listed_names import decided_name
from m3ter_onboarding.ledger.reads.reader_sets import is_visible
from m3ter_onboarding.ledger.sql_types import by_bytes
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.email_identity import email_key

#: The newest invitations of a ledger, by number, that are looked through.
NEWEST = 50_000
#: Of these, so many are looked through for names, which stand in the requests of plans.
NAMED_NEWEST = 2_000
#: In characters: a shorter text is inside nearly every address.
SHORTEST = 3


@dataclass(frozen=True)
class SearchReach:
    """How far a search looked inside addresses and names.

    :param newest: it looked through so many addresses, those that the ledger has had last.
    :param complete: whether these are all.
    :param names: it looked through so many names, of the newest invitations.
    :param names_complete: whether these are all.
    :param more: whether more than are listed have the text inside.
    """

    newest: int
    complete: bool
    names: int
    names_complete: bool
    more: bool


def inside_addresses(
    connection: Connection, t: Tables, scopes: CTE, term: str, only: Narrowing
) -> tuple[list[Place], SearchReach | None]:
    """Return the invitations whose address or name has a text inside, and neither begins with it nor has it for an id.

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
    columns = (id_, i.email_key, i.org_id, i.dag_id, i.run_id, i.state, i.employee_id, i.m3ter_id, i.expires_at)
    newest = (
        select(*columns)
        .where(id_ > last - NEWEST, position(by_bytes(i.email_key), email_key(term)) > 0)
        .order_by(id_)
        .limit(NEWEST)
        .subquery()
    )
    named = (
        select(*columns, decided_name(t, t.invitation).label("person_name"))
        .where(id_ > last - NAMED_NEWEST)
        .order_by(id_)
    )
    bearers = named.limit(NAMED_NEWEST).subquery()
    has_it = or_(*(bearers.c.person_name.icontains(one, autoescape=True) for one in spellings(term)))
    rows = set()
    for source, conditions in ((newest, []), (bearers, [has_it])):
        key = by_bytes(source.c.email_key)
        others = [not_(and_(*begins_with(key, term))), not_(exactly(source.c, term)), *only.of_rows(source.c)]
        found = connection.execute(
            select(key, source.c.invitation_id)
            .where(is_visible(source, scopes), *others, *conditions)
            .order_by(key, source.c.invitation_id)
            .limit(COUNTED + 1)
        )
        rows |= {(row[0], row[1]) for row in found}
    places = [Place("inside", key, one) for key, one in sorted(rows)[:COUNTED]]
    reach = SearchReach(
        *(NEWEST, first > last - NEWEST, NAMED_NEWEST, first > last - NAMED_NEWEST), more=len(rows) > COUNTED
    )
    return places, reach


def spellings(term: str) -> list[str]:
    """Return in which letters a text is looked for where case does not count: SQLite folds that of ASCII alone."""
    return sorted({term, term.lower(), term.upper(), term.title()}) if not term.isascii() else [term]
