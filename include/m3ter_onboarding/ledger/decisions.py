"""The decision about one row, as the ledger keeps it: appended to an unsealed plan, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.sealing import SealedRequest, SealingKey
from m3ter_provider.models import InvitationRequest

_SEALED = tuple(field.name for field in fields(SealedRequest))

Verdict = Literal["invite", "skip", "invalid", "review"]


@dataclass(frozen=True)
class Decision:
    """The decision about one row of the query. Its ``repr`` names nobody.

    :param email: as the warehouse has it; ``request.email`` is what m3ter gets.
    :param request: only with ``invite``: complete, as it will be POSTed.
    :param request_hash: of ``request``, without an expiry that is reckoned from now; the same from run to run while
        nothing changes.
    :param detail: why, a sentence without personal data.
    :param invitation_id: the ledger's row that the decision rests on.
    :param extra: what the row says beside the contract, by column, perhaps personal; never logged.
    :param updated_at: of an invalid row, when it was written, UTC; not recorded.
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
    extra: Mapping[str, str] | None = field(default=None, repr=False)
    updated_at: datetime | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Decision and reason: ``invite:new``, ``skip:already_member``, …"""
        return f"{self.decision}:{self.reason}"


def write_decisions(
    db: LedgerDatabase, plan_id: str, decisions: Sequence[Decision], decided_at: datetime, key: SealingKey
) -> None:
    """Append the decisions of an unsealed plan.

    :param key: of the seals over those to invite.
    :raises LedgerError: when the plan is sealed or missing.
    """
    table, plan = db.tables.decision, db.tables.plan

    def work(connection: Connection) -> None:
        begun = connection.execute(select(plan.c.state, plan.c.org_id).where(plan.c.plan_id == plan_id)).one_or_none()
        if begun is None or begun.state != "open":
            state = "missing" if begun is None else begun.state
            raise LedgerError(f"Plan {plan_id} is {state}; its decisions are not changed any more.")
        connection.execute(delete(table).where(table.c.plan_id == plan_id))
        plan_values = {"plan_id": plan_id, "org_id": begun.org_id, "decided_at": decided_at}
        for batch in batches(decisions):
            rows = [{**plan_values, **_columns_of(decision)} for decision in batch]
            for row in rows:
                row["seal"] = key.of_request(sealed_request(row)) if row["request"] is not None else None
            connection.execute(insert(table), rows)

    db.write(work, doing="writing decisions")


def sealed_request(row: Mapping[Any, Any]) -> SealedRequest:
    """Return what the seal of a decision covers.

    :param row: its columns, by name.
    """
    return SealedRequest(**{name: row[name] for name in _SEALED})


def _columns_of(decision: Decision) -> dict[str, Any]:
    return {
        "row_no": decision.row_no,
        "employee_id": decision.employee_id,
        "email": decision.email,
        "email_key": decision.email_key,
        "decision": decision.decision,
        "reason": decision.reason,
        "detail": decision.detail,
        "start_date": decision.start_date,
        "request": None if decision.request is None else decision.request.to_json(),
        "request_hash": decision.request_hash,
        "invitation_id": decision.invitation_id,
        "extra": None if decision.extra is None else dict(decision.extra),
    }
