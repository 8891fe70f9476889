"""The tables of results in a warehouse that is another database than the ledger (docs/delivery.md, rule 17).

They are the ledger's own, column by column, without the keys that guard sending: what is published is read by people,
never by us.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, MetaData, String, Table
from sqlalchemy.sql import quoted_name

from m3ter_onboarding.ledger.person_view import PersonTables
from m3ter_onboarding.ledger.results import CopiedRows
from m3ter_onboarding.ledger.tables import Tables
from m3ter_onboarding.reporting.published_types import published_type

#: Where a primary key is more than a remark, and may be deleted and inserted in one transaction (not so in DuckDB).
ENFORCE_KEYS = ("postgresql", "sqlite", "mysql", "mariadb")
#: MySQL's tables would take the database's alphabet, and take E1 and e1 for one.
_OPTIONS: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}

#: Beside the ledger's columns: a hash of what may change in the row, by which a copy that is not current is known.
ROW_VERSION = "row_version"


@dataclass(frozen=True)
class Copy:
    """One of the ledger's tables and its copy.

    :param rows: what is copied.
    :param table: in the warehouse.
    """

    rows: CopiedRows
    table: Table


@dataclass(frozen=True)
class PublishedTables:
    """The published tables of a warehouse."""

    metadata: MetaData
    run: Copy
    plan: Copy
    decision: Copy
    invitation: Copy
    event: Copy
    worklist: Copy
    access_read: Copy
    access_review: Copy
    day_one: Copy
    chase: Copy

    def all(self) -> tuple[Copy, ...]:
        """Every table."""
        of_runs = (self.run, self.plan, self.decision, self.invitation, self.event)
        return (*of_runs, self.worklist, self.access_read, self.access_review, self.day_one, self.chase)

    @property
    def of_people(self) -> PersonTables:
        """The tables of the view of people."""
        return PersonTables(
            self.plan.table, self.decision.table, self.invitation.table, self.event.table, self.worklist.table
        )


def published_tables(ledger: Tables, dialect_name: str) -> PublishedTables:
    """Return the tables that are published to a warehouse.

    :param dialect_name: the warehouse's, in SQLAlchemy's words.
    """
    metadata = MetaData()

    def copy(table: Table, key: tuple[str, ...], version: tuple[str, ...] = ()) -> Copy:
        rows = CopiedRows(table, key, version)
        return Copy(rows, published_table(table, metadata, dialect_name, key=key, versioned=bool(version)))

    run = ("started_at", "delivered_at", "finished_at", "outcome", "mode", "may_invite")
    plan = ("state", "sendable", "asked_at", "approved_by", "approved_at", "rejected_by", "rejected_at", "sealed_at")
    invitation = ("updated_at", "state", "attempt", "absences", "employee_id", "email", "m3ter_id", "expires_at")
    worklist = (
        *("plan_id", "email", "detail", "opened_at", "last_seen_at", "gone_at", "closed_at", "closed_why", "closed_by"),
        *("snoozed_until", "note", "noted_by"),
    )
    access = ("email", "in_m3ter", "wanted", "first_seen_at", "last_seen_at", "ended_at")
    # Whatever else changes in a row, is seen anew with it.
    lasting = ("last_seen_at", "ended_at", "employee_id", "email")
    return PublishedTables(
        metadata,
        run=copy(ledger.run, ("dag_id", "run_id"), run),
        plan=copy(ledger.plan, ("plan_id",), plan),
        decision=copy(ledger.decision, ("plan_id", "row_no")),
        invitation=copy(ledger.invitation, ("invitation_id",), invitation),
        event=copy(ledger.event, ("event_id",)),
        worklist=copy(ledger.worklist, ("item_id",), worklist),
        access_read=copy(ledger.access_read, ("read_id",), ("outcome", "finished_at")),
        access_review=copy(ledger.access_review, ("item_id",), access),
        day_one=copy(ledger.day_one, ("item_id",), lasting),
        chase=copy(ledger.chase, ("item_id",), lasting),
    )


def published_table(
    table: Table, metadata: MetaData, dialect_name: str, *, key: Collection[str] = (), versioned: bool = False
) -> Table:
    """Return one of the ledger's tables as it is published: without the guards, server defaults and indexes.

    :param metadata: where the new table belongs.
    :param dialect_name: the warehouse's, in SQLAlchemy's words.
    :param key: with ``org_id``: the columns of its primary key, where the warehouse enforces one.
    :param versioned: whether it has the column :data:`ROW_VERSION`.
    """
    keys = {"org_id", *key} if key and dialect_name in ENFORCE_KEYS else set()
    # A name such as `at` is none in DuckDB without quotes, which change nothing else there.
    quote = True if dialect_name == "duckdb" else None
    columns = [
        Column(
            quoted_name(column.name, quote),
            published_type(column, dialect_name),
            primary_key=column.name in keys,
            nullable=column.name not in keys,
            autoincrement=False,
        )
        for column in table.columns
    ]
    if versioned:
        columns.append(Column(ROW_VERSION, String(64), nullable=True))
    return Table(table.name, metadata, *columns, **_OPTIONS)
