"""Wait in the triggerer until somebody has accepted an invitation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from m3ter_provider.triggers.acceptance_poller import shared_poller


class M3terInvitationAcceptedTrigger(BaseTrigger):
    """Wait until an invitation is accepted, or cannot be any more.

    Its arguments are all that it needs, so it goes on after a restart of the triggerer. There is no personal data in
    them, and none in its event.

    :param invitation_id: m3ter's id of the invitation.
    :param m3ter_conn_id: a connection of type ``m3ter``.
    :param poll_interval: seconds between two looks.
    :param not_before: when the first look is due, aware.
    """

    def __init__(self, invitation_id: str, m3ter_conn_id: str, poll_interval: float, not_before: datetime) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.invitation_id = invitation_id
        self.m3ter_conn_id = m3ter_conn_id
        self.poll_interval = poll_interval
        self.not_before = not_before

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, as Airflow keeps them, encrypted."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "invitation_id": self.invitation_id,
                "m3ter_conn_id": self.m3ter_conn_id,
                "poll_interval": self.poll_interval,
                "not_before": self.not_before,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: what became of the invitation."""
        poller = shared_poller(self.m3ter_conn_id)
        outcome = await poller.wait_for(self.invitation_id, interval=self.poll_interval, not_before=self.not_before)
        yield TriggerEvent({"what": outcome.what, "message": outcome.message})  # type: ignore[no-untyped-call]
