"""The progress of a sender: its counts, and the lines of the log that show them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.remaining import Remaining
from m3ter_onboarding.ledger.states import InvitationState

log = logging.getLogger(__name__)

#: Progress is logged this often, in seconds.
PROGRESS_EVERY = 10.0
_SUMMED = (
    InvitationState.SENT,
    InvitationState.ADOPTED,
    InvitationState.ACCEPTED,
    InvitationState.FAILED,
    InvitationState.REVIEW,
)


@dataclass
class Delivered:
    """The work of one sender; counts only.

    :param sent: POSTs that m3ter answered with an invitation.
    :param unknown: POSTs without a usable answer.
    :param events: invitations by the state to which they came under this plan, found ones included.
    :param left: of the plan, when the sender ended.
    """

    sent: int = 0
    unknown: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    left: Remaining | None = None

    def summary(self) -> dict[str, int]:
        """Return the counts for XCom and log."""
        counts = {state.value: self.events.get(state.value, 0) for state in _SUMMED}
        return {**counts, "without_answer": self.unknown}


class Progress:
    """Counts what one sender does, and logs it now and then.

    :param clock: seconds; the rate is counted from now on.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started_at = self._logged_at = clock()
        self.done = Delivered()
        #: Invitations that were unsent when sending began.
        self.to_send = 0
        #: Invitations that were claimed, those that were released again included.
        self.claimed = 0

    def count(self, outcome: Outcome) -> None:
        """Count how one attempt ended."""
        self.done.sent += outcome.state is InvitationState.SENT
        self.done.unknown += outcome.state is InvitationState.UNKNOWN

    def log_sending(self) -> None:
        """Log how far sending is, if that was not logged lately."""
        now = self._clock()
        if now - self._logged_at < PROGRESS_EVERY:
            return
        self._logged_at = now
        elapsed = max(now - self._started_at, 0.001)
        rate = self.done.sent / elapsed
        left = max(self.to_send - self.done.sent - self.done.unknown, 0)
        rest = f", about {timedelta(seconds=round(left / rate))} to go" if rate and left else ""
        log.info("Sent %d (%.1f/s), %d left, %d without answer%s.", self.done.sent, rate, left, self.done.unknown, rest)

    def log_waiting(self, left: Remaining, seconds: float) -> None:
        """Log the wait for open invitations, at once and then as often as progress.

        :param seconds: until the next look in m3ter is due.
        """
        now = self._clock()
        if now - self._logged_at >= PROGRESS_EVERY or self._logged_at == self._started_at:
            self._logged_at = now
            log.info(
                "Waiting for %d open invitation(s) of this plan: the next look in m3ter is due in %.0f s.",
                left.open + left.held,
                seconds,
            )
