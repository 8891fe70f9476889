"""What a ledger holds, read and put back by tests: the newest row of each address, decisions, whole copies."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select

from m3ter_onboarding.ledger.database import LedgerDatabase

#: Every row, by table.
Copy = dict[str, list[dict[str, Any]]]


def newest_invitations(db: LedgerDatabase) -> dict[str, dict[str, Any]]:
    """Return the newest row of each address key."""
    table = db.tables.invitation
    with db.engine.connect() as connection:
        rows = connection.execute(select(table).order_by(table.c.generation))
        return {row.email_key: dict(row._mapping) for row in rows}


def states(db: LedgerDatabase) -> dict[str, str]:
    """Return the state of each address key."""
    return {key: row["state"] for key, row in newest_invitations(db).items()}


def decisions(db: LedgerDatabase, plan_id: str) -> dict[str, str]:
    """Return ``decision:reason`` of a plan, by employee."""
    table = db.tables.decision
    with db.engine.connect() as connection:
        rows = connection.execute(select(table).where(table.c.plan_id == plan_id))
        return {row.employee_id: f"{row.decision}:{row.reason}" for row in rows}


def back_up(db: LedgerDatabase) -> Copy:
    """Return every row of the ledger."""
    with db.engine.connect() as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(select(table))] for table in db.tables.all()
        }


def restore(db: LedgerDatabase, copy: Copy) -> None:
    """Put a copy back: later rows are gone."""
    with db.engine.begin() as connection:
        for table in reversed(db.tables.all()):
            connection.execute(delete(table))
        for table in db.tables.all():
            if copy[table.name]:
                connection.execute(insert(table), copy[table.name])
