"""Erased people leave the tables that were published to the warehouse, too: their rows are deleted there.

Nothing guards by these rows. What the ledger keeps of them, without data, is published again, as whatever is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, Table, and_, delete, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.databases.failures import describe_database_error
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.personal_columns import People
from m3ter_onboarding.ledger.tables import tables_in
from m3ter_onboarding.reporting.published_tables import published_tables


@dataclass(frozen=True)
class PublishedPeople:
    """A published table that names people.

    :param table: its name.
    :param employee: its column of employee ids; None: it has none.
    :param address: its column of address keys; None: it has none.
    :param instant: its column by which a row is old; None: by people alone.
    :param invitations: the published table of invitations, where it names people by them alone.
    """

    table: str
    employee: str | None = "employee_id"
    address: str | None = "email_key"
    instant: str | None = None
    invitations: str | None = None


#: The published tables that name people; those that name them by another table before that one.
PUBLISHED: tuple[PublishedPeople, ...] = (
    PublishedPeople(
        "m3ter_invitation_event", employee=None, address=None, instant="at", invitations="m3ter_invitation"
    ),
    PublishedPeople("m3ter_onboarding_decision", instant="decided_at"),
    PublishedPeople("m3ter_onboarding_worklist", instant="closed_at"),
    PublishedPeople("m3ter_onboarding_access_review", instant="ended_at"),
    PublishedPeople("m3ter_onboarding_day_one", instant="ended_at"),
    PublishedPeople("m3ter_onboarding_chase", instant="ended_at"),
    PublishedPeople("m3ter_onboarding_run", employee="only_employee", address=None, instant="started_at"),
    PublishedPeople("m3ter_invitation"),
)


def delete_people(warehouse: Engine, org_id: str, people: People, tables: Sequence[PublishedPeople] = PUBLISHED) -> int:
    """Delete the published rows of people, and return how many there were.

    :param tables: those that are published; one that is missing is left out.
    :raises LedgerError: when the warehouse refuses.
    """

    def delete_all() -> int:
        deleted = 0
        present = _present(warehouse, tables)
        by_name = {one.table: (one, table) for one, table in present}
        with warehouse.begin() as connection:
            for one, table in present:
                if one.invitations is None:
                    conditions = list(_theirs(one, table, org_id, people))
                elif one.invitations in by_name:
                    i = by_name[one.invitations][1]
                    conditions = [
                        table.c.invitation_id.in_(select(i.c.invitation_id).where(theirs))
                        for theirs in _theirs(*by_name[one.invitations], org_id, people)
                    ]
                else:
                    continue
                for condition in conditions:
                    statement = delete(table).where(table.c.org_id == org_id, condition)
                    deleted += max(0, connection.execute(statement).rowcount)
        return deleted

    try:
        return delete_all()
    except SQLAlchemyError as error:
        raise _refused(error) from None


def delete_older(
    warehouse: Engine, org_id: str, before: datetime, tables: Sequence[PublishedPeople] = PUBLISHED
) -> int:
    """Delete the published rows that are older than an instant, and return how many there were.

    :param before: UTC.
    :raises LedgerError: when the warehouse refuses.
    """
    deleted = 0
    try:
        present = _present(warehouse, tables)
        with warehouse.begin() as connection:
            for one, table in present:
                if one.instant is not None:
                    mine = table.c.org_id == org_id, table.c[one.instant] < before
                    deleted += max(0, connection.execute(delete(table).where(*mine)).rowcount)
    except SQLAlchemyError as error:
        raise _refused(error) from None
    return deleted


def _theirs(one: PublishedPeople, table: Table, org_id: str, people: People) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that together choose the rows of people."""
    by_column: tuple[tuple[str | None, Collection[str]], ...] = (
        (one.employee, people.employees),
        (one.address, people.addresses),
    )
    for name, values in by_column:
        if name is None:
            continue
        for batch in batches(sorted(values)):
            yield and_(table.c.org_id == org_id, table.c[name].in_(batch))


def _present(warehouse: Engine, tables: Sequence[PublishedPeople]) -> list[tuple[PublishedPeople, Table]]:
    look = inspect(warehouse)
    known = {copy.table.name: copy.table for copy in published_tables(tables_in(None), warehouse.dialect.name).all()}
    return [(one, known[one.table]) for one in tables if look.has_table(one.table)]


def _refused(error: SQLAlchemyError) -> LedgerError:
    return LedgerError(
        f"The published rows could not be deleted from the warehouse: {describe_database_error(error)}. The ledger"
        " still knows whose they are; erase again when the warehouse can be written."
    )
