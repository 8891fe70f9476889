"""The wait for open invitations: they are settled when they are due, then the rest of the plan is sent (rule 15)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from m3ter_onboarding.ledger.remaining import Remaining, remaining
from m3ter_onboarding.mirroring.lost_answers import settle_due
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.sending.progress import Progress
from m3ter_onboarding.sending.recurring_checks import LOOK_EVERY, RecurringChecks

#: The wait ends after so many rounds of claims without one e-mail: their hindrance does not pass by itself.
MOST_IN_VAIN = 3
#: Seconds between two questions to the ledger whether another sender is done.
ASK_HELD_EVERY = 1.0
#: How long a sender waits for leases and settling beyond what they need, in seconds.
PATIENCE = 120.0


class SettlingWait:
    """Decides after each round of sending whether there is to be another one, and waits until it is time for it.

    :param org: the organisation in m3ter and its mirror.
    :param plan_id: the plan that is sent.
    :param checks: made while waiting; no other round begins once they closed the gate.
    :param progress: counts of what was sent and claimed.
    :param longest: seconds that leases and settling may take; the wait ends so long after anything moved.
    :param clock: seconds.
    """

    def __init__(
        self,
        org: MirroredOrganisation,
        plan_id: str,
        checks: RecurringChecks,
        progress: Progress,
        *,
        longest: float,
        clock: Callable[[], float],
    ) -> None:
        self._org = org
        self._plan_id = plan_id
        self._checks = checks
        self._progress = progress
        self._longest = longest
        self._clock = clock
        self._wait_until = clock() + longest
        self._sent = self._claimed = 0
        self._looked_for = 0
        self._in_vain = 0

    async def another_round(self) -> bool:
        """Settle open rows that are due, and wait for the others; False: nothing is left, or waiting does not help."""
        left = await self._remaining()
        if left.open and self._progress.done.unknown > self._looked_for:
            # Most of them were made: see it now rather than when absence counts.
            self._looked_for = self._progress.done.unknown
            await self._checks.look()
            left = await self._remaining()
        if left.nothing_left or self._checks.gate.failure is not None:
            return False
        settled = await settle_due(self._org)
        if self._moved() or settled.changed:
            self._wait_until = self._clock() + self._longest
            return True
        if settled.next_due_in is None or self._clock() > self._wait_until:
            return False  # nothing to wait for, yet something is left
        if left.open + left.held == 0:
            return False  # open are only people of other plans
        self._progress.log_waiting(left, settled.next_due_in)
        # Another sender at work is most often done long before its lease ends.
        await self._checks.gate.stop.wait(min(settled.next_due_in + 0.05, ASK_HELD_EVERY if left.held else LOOK_EVERY))
        await self._checks.check_what_is_due()
        return True

    def _moved(self) -> bool:
        """Return whether the last round sent or claimed something, claims that keep being released aside."""
        sent, claimed = self._progress.done.sent, self._progress.claimed
        has_sent, has_claimed = sent > self._sent, claimed > self._claimed
        self._sent, self._claimed = sent, claimed
        self._in_vain = 0 if has_sent else self._in_vain + has_claimed
        # Claimed and released, since the lease ended while it waited: a new claim has a new lease.
        return has_sent or (has_claimed and self._in_vain < MOST_IN_VAIN)

    async def _remaining(self) -> Remaining:
        return await asyncio.to_thread(remaining, self._org.db, self._plan_id, self._org.org_id, self._org.now())
