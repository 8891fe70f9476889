"""The attempts that are in flight: begun in the ledger, and not ended (docs/delivery.md, rules 11, 13 and 14)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from m3ter_onboarding.errors import DeliveryError, NotAllowedError
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.sending.attempt import Attempt, NotBegunError, not_begun, post
from m3ter_onboarding.sending.bound_plan import BoundPlan
from m3ter_onboarding.sending.circuit_breaker import Breaker
from m3ter_onboarding.sending.gate import Gate

if TYPE_CHECKING:
    from m3ter_provider.hooks.m3ter import M3terAsyncHook


class InFlight:
    """Runs attempts beside each other; one that fails cancels no other one.

    :param m3ter: an open async hook.
    :param bound: the plan that they belong to.
    :param gate: asked before each POST, repeats included; closed by failures that concern every invitation.
    :param breaker: counts the attempts.
    :param record: called with each attempt that ended, and how.
    """

    def __init__(
        self,
        m3ter: M3terAsyncHook,
        bound: BoundPlan,
        gate: Gate,
        breaker: Breaker,
        record: Callable[[Attempt, Outcome], None],
    ) -> None:
        self._m3ter = m3ter
        self._bound = bound
        self._gate = gate
        self._breaker = breaker
        self._record = record
        self._tasks: dict[Attempt, asyncio.Task[None]] = {}
        self._moved = asyncio.Event()

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def posted(self) -> int:
        """How many of them have begun their POST."""
        return sum(attempt.posted for attempt in self._tasks)

    @property
    def waiting_for_pace(self) -> int:
        """How many of them have not begun their POST."""
        return len(self) - self.posted

    def begin(self, attempt: Attempt) -> None:
        """Begin an attempt; the ledger has recorded that it begins."""
        self._tasks[attempt] = asyncio.create_task(self._run(attempt))

    async def movement(self, seconds: float) -> None:
        """Wait until one of them begins its POST or ends, at most so many seconds."""
        self._moved.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._moved.wait(), seconds)

    async def call_off(self) -> None:
        """Cancel those that have not begun their POST."""
        attempts = [attempt for attempt in self._tasks if not attempt.posted]
        tasks = [self._tasks[attempt] for attempt in attempts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for attempt in attempts:
            if self._tasks.pop(attempt, None) is not None:
                # Cancelled before its first step: none of its code ran, so nothing recorded its end.
                self._record(attempt, not_begun(attempt.claimed))

    async def finish(self) -> None:
        """Wait for those that have begun their POST, as long as the stop allows; settling finds out about the rest."""
        tasks = set(self._tasks.values())
        if not tasks:
            return
        grace = self._gate.stop.grace
        await asyncio.wait(tasks, timeout=self._m3ter.post_timeout_seconds + 1.0 if grace is None else grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, attempt: Attempt) -> None:
        outcome: Outcome | None = None
        try:
            outcome = await self._post(attempt)
        except asyncio.CancelledError:
            if attempt.posted:
                raise  # begun and not answered: the row stays `sending`, settling finds out
            outcome = not_begun(attempt.claimed)
        finally:
            self._tasks.pop(attempt, None)
            if outcome is not None:
                self._record(attempt, outcome)
            self._moved.set()

    async def _post(self, attempt: Attempt) -> Outcome:
        def before_post() -> None:
            if not self._gate.is_open or not attempt.lease.outlasts(self._m3ter.post_timeout_seconds):
                raise NotBegunError
            attempt.posted = True
            self._moved.set()

        ended = await post(self._m3ter, attempt.claimed, self._bound, before_post)
        if ended.stop_because is not None:
            self._gate.close(
                NotAllowedError(ended.stop_because) if ended.for_good else DeliveryError(ended.stop_because)
            )
        if ended.outcome.state is not InvitationState.UNSENT:
            refused = ended.outcome.state is InvitationState.FAILED
            if (failure := self._breaker.note(refused=refused, unanswered=ended.unanswered)) is not None:
                self._gate.close(failure)
        return ended.outcome
