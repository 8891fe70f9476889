"""The proof that the ledger's database can guard against a second e-mail (docs/delivery.md, rule 16)."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import IntegrityError

from m3ter_onboarding.errors import LedgerUnusableError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.states import InvitationState

#: What the first row must keep out: how a second one differs from it, and what to say when it was accepted.
_RIVALS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "a second row of one address and generation was accepted",
        {"employee_id": "2", "m3ter_id": "2", "state": InvitationState.UNSENT.value},
    ),
    ("a second live row of one address was accepted", {"generation": 2, "employee_id": "2", "m3ter_id": "2"}),
    ("a second live row of one employee was accepted", {"email_key": "b", "m3ter_id": "2"}),
    ("a second live row of one m3ter id was accepted", {"email_key": "b", "employee_id": "2"}),
)


def prove_guard(db: LedgerDatabase) -> None:
    """Show, in a transaction that is rolled back, that unique keys hold and changes are counted.

    Done before the first send of each task: that a ledger's tables were made by hand without their keys, or that it is
    read-only, must not come out in mid-send.

    :raises LedgerUnusableError: with the reason, when it cannot guard.
    """
    table = db.tables.invitation
    statement = db.insert_new(table)
    first_row = _first_row()
    mine = table.c.org_id == first_row["org_id"]

    def count(connection: Connection) -> int:
        return int(connection.execute(select(func.count()).where(mine)).scalar_one())

    def prove(connection: Connection) -> str | None:
        connection.execute(statement, first_row)
        if count(connection) != 1:
            return "an inserted row was not there"
        for wrong, difference in _RIVALS:
            connection.execute(statement, {**first_row, **difference})
            if count(connection) != 1:
                return wrong
        change = (
            update(table)
            .where(mine, table.c.state == InvitationState.SENDING.value)
            .values(state=InvitationState.UNSENT.value)
        )
        if connection.execute(change).rowcount != 1:
            return "it does not report how many rows a change touched"
        if connection.execute(change).rowcount != 0:
            return "a change that named another state touched a row"
        return None

    def work(connection: Connection) -> str | None:
        try:
            return prove(connection)
        except IntegrityError:
            return "a unique key raised where the statement says to do nothing"

    wrong = db.rehearse(work, doing="proving that it can guard against a second e-mail")
    if wrong:
        raise LedgerUnusableError(_cannot_guard(db, wrong))


def _cannot_guard(db: LedgerDatabase, because: str) -> str:
    return (
        f"The ledger (connection {db.name!r}, {db.engine.dialect.name}) cannot guard against a second e-mail:"
        f" {because}. Planning and dry runs work; for sending set `ledger_conn_id` to a SQLite or PostgreSQL database"
        " with this package's tables."
    )


def _first_row() -> dict[str, Any]:
    now = datetime(2000, 1, 1, tzinfo=timezone.utc)
    return {
        "org_id": f"proof-{random.getrandbits(64):016x}",
        "email_key": "a",
        "email": "a",
        "generation": 1,
        "employee_id": "1",
        "state": InvitationState.SENDING.value,
        "origin": "claimed",
        "m3ter_id": "1",
        "created_at": now,
        "updated_at": now,
    }
