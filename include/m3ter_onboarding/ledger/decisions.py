"""The decision about one row, as the ledger keeps it: appended to an unsealed plan, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from m3ter_onboarding.ledger.sealing import SealedRequest
from m3ter_onboarding.privacy import repr_of
from m3ter_provider.models import InvitationRequest

#: The columns that a seal covers, in the order of its fields.
SEALED = tuple(field.name for field in fields(SealedRequest))

Verdict = Literal["invite", "skip", "invalid", "review"]


class Decision(NamedTuple):
    """The decision about one row of the query. Its ``repr`` names nobody.

    :param email: as the warehouse has it; ``request.email`` is what m3ter gets.
    :param request: only with ``invite``: complete, as it will be POSTed.
    :param request_hash: of ``request``, without an expiry that is reckoned from now; the same from run to run while
        nothing changes.
    :param detail: why, a sentence without personal data.
    :param invitation_id: the ledger's row that the decision rests on.
    :param extra: what the row says beside the contract, by column, perhaps personal; never logged.
    :param updated_at: of an invalid row, when it was written, UTC; not recorded.
    :param person_name: of a question, first and last name as far as the row has them; those of an invitation are in
        ``request``.
    :param wrong_value: of a question, what the row has where it is wrong.
    """

    row_no: int
    decision: Verdict
    reason: str
    employee_id: str | None
    email: str | None
    email_key: str | None
    request: InvitationRequest | None = None
    request_hash: str | None = None
    detail: str | None = None
    start_date: date | None = None
    invitation_id: int | None = None
    extra: Mapping[str, str] | None = None
    updated_at: datetime | None = None
    person_name: str | None = None
    wrong_value: str | None = None

    def __repr__(self) -> str:
        """Name nobody."""
        return repr_of(self, "row_no", "decision", "reason", "request_hash", "detail", "start_date", "invitation_id")

    @property
    def name(self) -> str:
        """Decision and reason: ``invite:new``, ``skip:already_member``, …"""
        return f"{self.decision}:{self.reason}"


def name_in(request: Mapping[str, Any] | None) -> str | None:
    """Return first and last name of a request, as m3ter gets it."""
    names = ((request or {}).get("firstName"), (request or {}).get("lastName"))
    return " ".join(name for name in names if name) or None


def sealed_request(row: Mapping[Any, Any]) -> SealedRequest:
    """Return what the seal of a decision covers.

    :param row: its columns, by name.
    """
    return SealedRequest(**{name: row[name] for name in SEALED})
