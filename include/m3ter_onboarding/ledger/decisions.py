"""What was decided about one row, as the ledger keeps it: appended to an unsealed plan, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_provider.models import InvitationRequest

Verdict = Literal["invite", "skip", "invalid", "review"]


@dataclass(frozen=True)
class Decision:
    """What happens with one row of the query. Its ``repr`` names nobody.

    :param email: as the warehouse has it; ``request.email`` is what m3ter gets.
    :param request: only with ``invite``: complete, as it will be POSTed.
    :param request_hash: of ``request``; the same from run to run while nothing changes.
    :param detail: why, a sentence without personal data.
    :param invitation_id: the ledger's row that the decision rests on.
    """

    row_no: int
    decision: Verdict
    reason: str
    employee_id: str | None = field(repr=False)
    email: str | None = field(repr=False)
    email_key: str | None = field(repr=False)
    request: InvitationRequest | None = field(default=None, repr=False)
    request_hash: str | None = None
    detail: str | None = None
    start_date: date | None = None
    invitation_id: int | None = None

    @property
    def name(self) -> str:
        """Decision and reason: ``invite:new``, ``skip:already_member``, …"""
        return f"{self.decision}:{self.reason}"


_BATCH = 500


def write_decisions(db: LedgerDatabase, plan_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append the decisions of an unsealed plan."""
    table, plan = db.tables.decision, db.tables.plan

    def work(connection: Connection) -> None:
        state = connection.execute(select(plan.c.state).where(plan.c.plan_id == plan_id)).scalar()
        if state != "open":
            raise LedgerError(f"Plan {plan_id} is {state or 'missing'}; its decisions are not changed any more.")
        connection.execute(delete(table).where(table.c.plan_id == plan_id))
        for start in range(0, len(rows), _BATCH):
            connection.execute(insert(table), [dict(row) for row in rows[start : start + _BATCH]])

    db.write(work, doing="writing decisions")
