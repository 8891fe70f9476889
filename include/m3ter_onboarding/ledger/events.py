"""Events: every change of an invitation's state, only ever added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert

from m3ter_onboarding.ledger.states import InvitationState, leads_to
from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True)
class Event:
    """One change of state; made before anything is written, so that no other change can be.

    :param from_state: None: the row begins.
    :param message: m3ter's, ours, or a person's; it may quote personal data and stays in the ledger.
    :param at: the worker's clock (UTC).
    :raises ValueError: when that is no transition of ``states.TRANSITIONS``: a programming error.
    """

    invitation_id: int
    org_id: str
    from_state: InvitationState | None
    to_state: InvitationState
    why: str
    at: datetime
    plan_id: str | None = None
    claim_token: str | None = field(default=None, repr=False)
    attempt: int | None = None
    http_status: int | None = None
    m3ter_id: str | None = None
    message: str | None = field(default=None, repr=False)
    decided_by: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.to_state not in leads_to(self.why, self.from_state):
            before = self.from_state.value if self.from_state else "(none)"
            raise ValueError(f"An invitation does not go from {before} to {self.to_state.value} by {self.why!r}.")


def record_events(connection: Connection, t: Tables, events: Sequence[Event]) -> None:
    """Add events, in one statement."""
    if events:
        connection.execute(
            insert(t.event),
            [
                {
                    **vars(event),
                    "from_state": event.from_state.value if event.from_state else None,
                    "to_state": event.to_state.value,
                }
                for event in events
            ],
        )
