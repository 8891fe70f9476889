"""Decisions on their way into the ledger: their rows as the database gets them, thousands at once.

The general way, a dictionary a row and a function a value, took longer than deciding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection, Table, delete, select, text

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.sealing import SealedRequest, SealingKey
from m3ter_provider.answer_values import usable_identity, whole_text

#: The columns of a :data:`DecisionRow`, in order, and PostgreSQL's type of each.
COLUMNS: Mapping[str, str] = {
    "row_no": "integer",
    "employee_id": "text",
    "email": "text",
    "email_key": "text",
    "decision": "text",
    "reason": "text",
    "detail": "text",
    "start_date": "date",
    "person_name": "text",
    "wrong_value": "text",
    "request": "json",
    "request_hash": "text",
    "seal": "text",
    "extra": "json",
    "invitation_id": "bigint",
}
#: Those that are the same in all rows of a plan.
_OF_PLAN: Mapping[str, str] = {"plan_id": "text", "org_id": "text", "decided_at": "timestamptz"}

DecisionRow: TypeAlias = tuple[int | str | None, ...]


def write_decisions(db: LedgerDatabase, rows: DecisionRows, parts: Iterable[Sequence[DecisionRow]]) -> None:
    """Append the decisions of an unsealed plan, all in one transaction.

    :param rows: of the plan.
    :param parts: what *rows* made of the decisions; read once more where the transaction is repeated.
    :raises LedgerError: when the plan is sealed or missing.
    """
    table, plan, plan_id = db.tables.decision, db.tables.plan, rows.plan_id

    def work(connection: Connection) -> None:
        state = connection.execute(select(plan.c.state).where(plan.c.plan_id == plan_id)).scalar()
        if state != "open":
            raise LedgerError(f"Plan {plan_id} is {state or 'missing'}; its decisions are not changed any more.")
        connection.execute(delete(table).where(table.c.plan_id == plan_id))
        rows.insert(connection, parts)

    db.write(work, doing="writing decisions")


class DecisionRows:
    """The rows of one plan's decisions.

    :param decided_at: UTC.
    :param key: of the seals over those to invite.
    """

    def __init__(self, db: LedgerDatabase, plan_id: str, org_id: str, decided_at: datetime, key: SealingKey) -> None:
        self._table = db.tables.decision
        self.plan_id = plan_id
        self._org_id = org_id
        self._decided_at = decided_at
        self._key = key
        columns = self._table.c
        self._longest_employee = columns.employee_id.type.length  # type: ignore[attr-defined]
        self._longest_email = columns.email.type.length  # type: ignore[attr-defined]
        self._longest_key = columns.email_key.type.length  # type: ignore[attr-defined]
        self._plain = min(self._longest_employee, self._longest_email, self._longest_key)

    def of(self, decision: Decision, request: str | None) -> DecisionRow:
        """Return the row of a decision, sealed where it invites.

        :param request: the body of its POST, in canonical JSON.
        """
        employee_id, email, email_key, detail = self._stored(decision)
        seal = None
        if request is not None:
            sealed = SealedRequest(
                self.plan_id,
                self._org_id,
                decision.row_no,
                decision.reason,
                decision.employee_id,
                decision.email_key,
                None,
                decision.request_hash,
            )
            seal = self._key.of_written_request(sealed, request)
        return (
            decision.row_no,
            employee_id,
            email,
            email_key,
            decision.decision,
            decision.reason,
            detail,
            None if decision.start_date is None else decision.start_date.isoformat(),
            decision.person_name,
            decision.wrong_value,
            request,
            decision.request_hash,
            seal,
            None if decision.extra is None else json.dumps(dict(decision.extra)),
            decision.invitation_id,
        )

    def _stored(self, decision: Decision) -> tuple[str | None, ...]:
        """Return employee, address, key and detail of a decision, as a ledger can store them."""
        given = employee_id, email, email_key, detail = (
            decision.employee_id,
            decision.email,
            decision.email_key,
            decision.detail,
        )
        together = f"{employee_id}{email}{email_key}{detail}"
        if len(together) <= self._plain and together.isascii() and "\0" not in together:
            return given  # almost every one
        return (
            None if employee_id is None else usable_identity(employee_id, self._longest_employee),
            None if email is None else whole_text(email)[: self._longest_email],
            None if email_key is None else usable_identity(email_key, self._longest_key),
            None if detail is None else whole_text(detail),
        )

    def insert(self, connection: Connection, parts: Iterable[Sequence[DecisionRow]]) -> None:
        """Insert rows, part by part, in the transaction of a connection."""
        if connection.dialect.name == "postgresql":
            self._insert_documents(connection, parts)
        else:
            self._insert_many(connection, parts)

    def _insert_documents(self, connection: Connection, parts: Iterable[Sequence[DecisionRow]]) -> None:
        """Insert each part by one statement, from one JSON document: drivers write arrays value by value, in Python."""
        of_plan = ", ".join(f"CAST(:{name} AS {kind})" for name, kind in _OF_PLAN.items())
        of_row = ", ".join(_from_document(place, kind) for place, kind in enumerate(COLUMNS.values()))
        statement = text(
            f"INSERT INTO {_named(connection, self._table)} ({', '.join((*_OF_PLAN, *COLUMNS))})"  # noqa: S608
            f" SELECT {of_plan}, {of_row} FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS given (one)"
        )
        plan = {"plan_id": self.plan_id, "org_id": self._org_id, "decided_at": self._decided_at}
        for rows in parts:
            if rows:
                connection.execute(statement, {**plan, "rows": json.dumps(rows)})

    def _insert_many(self, connection: Connection, parts: Iterable[Sequence[DecisionRow]]) -> None:
        """Insert each part row by row, in one call of the driver."""
        columns = (*_OF_PLAN, *COLUMNS)
        statement = (
            f"INSERT INTO {_named(connection, self._table)} ({', '.join(columns)})"  # noqa: S608
            f" VALUES ({', '.join('?' * len(columns))})"
        )
        # Most indexes of this table are in no order that rows could come in: their pages stay in memory.
        connection.exec_driver_sql("PRAGMA cache_size = -98304")
        stored = self._table.c.decided_at.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        plan = (self.plan_id, self._org_id, stored(self._decided_at) if stored else self._decided_at)
        for rows in parts:
            if rows:
                connection.exec_driver_sql(statement, [(*plan, *row) for row in rows])


def _from_document(place: int, kind: str) -> str:
    value = f"one ->> {place}"
    return value if kind == "text" else f"CAST({value} AS {kind})"


def _named(connection: Connection, table: Table) -> str:
    return connection.dialect.identifier_preparer.format_table(table)
