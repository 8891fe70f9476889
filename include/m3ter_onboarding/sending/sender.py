"""The sender: it sends a sealed plan, each invitation exactly once (docs/delivery.md, rules 8 to 15).

Claim a chunk and commit; record that attempts begin and commit; wait for the pace, look at the lease, POST; commit the
answers, at most a second apart. Lost answers are looked up in m3ter and only then settled. Everything that may happen
twice, late or not at all is decided by the ledger, never here.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from m3ter_onboarding.ledger.claim_statements import ClaimRequest
from m3ter_onboarding.ledger.claims import begin_attempts, claim_chunk, last_new_row
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.plan_counts import events_of_plan
from m3ter_onboarding.ledger.remaining import Remaining, remaining
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.planning.rare_collections import WHILE_SENDING, rare_collections
from m3ter_onboarding.sending.attempt import Attempt, not_begun
from m3ter_onboarding.sending.bound_plan import BoundPlan
from m3ter_onboarding.sending.circuit_breaker import Breaker
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.in_flight import InFlight
from m3ter_onboarding.sending.lease import ChunkSize, Lease, boot_clock
from m3ter_onboarding.sending.outbox import COMMIT_EVERY, Outbox
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_onboarding.sending.preflight import look_and_check, read_plan_that_may_be_sent
from m3ter_onboarding.sending.progress import Delivered, Progress
from m3ter_onboarding.sending.recurring_checks import RecurringChecks
from m3ter_onboarding.sending.right_to_send import PlanToSend
from m3ter_onboarding.sending.settling_wait import PATIENCE, SettlingWait
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_onboarding.sending.todays_settings import TodaysSettings
from m3ter_onboarding.sending.unsent_reasons import why_left


@dataclass
class Sender:
    """Sends one plan, once.

    :param org: the organisation in m3ter and its mirror.
    :param to_send: the plan, its run, and the most that may be sent.
    :param stop: asked before every POST.
    :param pause: the pause switch.
    :param today: the settings of now; None: those of the plan alone.
    :param breaker: when to stop because too much fails.
    :param told: called with how each attempt ended.
    :param clock: seconds; also runs while the machine is suspended.
    """

    org: MirroredOrganisation
    to_send: PlanToSend
    stop: Stop
    pause: PauseSwitch
    today: TodaysSettings | None = None
    breaker: Breaker = field(default_factory=Breaker)
    told: Callable[[Outcome], None] = lambda _outcome: None
    clock: Callable[[], float] = boot_clock

    async def send(self) -> Delivered:
        """Send the plan, and return when none of its invitations is open or unsent.

        :raises NotAllowedError: when the plan may not be sent; nothing was.
        :raises DeliveryError: when something is left; Airflow's retry goes on with it.
        """
        bound = await read_plan_that_may_be_sent(self.org, self.to_send)
        self._make_parts(bound)
        done = self._progress.done
        done.left = await self._remaining()
        if done.left.nothing_left:
            return done
        self._progress.to_send = await look_and_check(
            self.org, bound, self.to_send, self._checks, self.pause, self.today
        )
        with rare_collections(WHILE_SENDING):
            try:
                await self._until_nothing_is_left()
            finally:
                await self._finish()
        done.events = await asyncio.to_thread(events_of_plan, self.org.db, self.to_send.plan_id)
        done.left = left = await self._remaining()
        if not left.nothing_left:
            raise await why_left(self.org, self.to_send, self._gate, sent=done.sent, left=left)
        return done

    def _make_parts(self, bound: BoundPlan) -> None:
        self._others_without_approval = self.to_send.caps.others_without_approval(bound.plan)
        self._gate = Gate(self.stop)
        self._progress = Progress(self.clock)
        self._checks = RecurringChecks(self.org, self.pause, self._gate, self.clock)
        self._outbox = Outbox(self.org, self._checks, self._gate, self.clock)
        self.in_flight = InFlight(self.org.m3ter, bound, self._gate, self.breaker, self._record)
        self._pending: deque[Attempt] = deque()
        self._last_row = -1
        pace = self.org.m3ter.settings.requests_per_second
        self._chunk = ChunkSize.at_pace(pace, self._post_timeout)
        self._group_size = max(4, math.ceil(pace / 2))

    async def _until_nothing_is_left(self) -> None:
        settling = self.org.settle_after.total_seconds()
        wait = SettlingWait(
            self.org,
            self.to_send.plan_id,
            self._checks,
            self._progress,
            longest=self._chunk.lease_seconds + 3 * settling + PATIENCE,
            clock=self.clock,
        )
        while self._gate.is_open:
            await self._send_all()
            if self._gate.is_open:
                await self._send_all(turned_away=True)
            if not self._gate.is_open or not await wait.another_round():
                return

    async def _send_all(self, *, turned_away: bool = False) -> None:
        """Claim and send until a claim comes back empty and nothing is in flight.

        :param turned_away: those who were turned away before; else all others.
        """
        exhausted = False
        while True:
            await self._checks.check_what_is_due()
            if self._gate.is_open:
                if len(self._pending) < self._group_size and not exhausted:
                    exhausted = not await self._claim(turned_away=turned_away)
                if self._pending and self.in_flight.waiting_for_pace < self._group_size:
                    await self._begin_group()
                    exhausted = False
            if not self._gate.is_open or (exhausted and not self._pending and not self.in_flight):
                break
            await self.in_flight.movement(COMMIT_EVERY / 2)
            await self._outbox.commit_if_due()
            self._progress.log_sending()
        if self.in_flight:
            await self._outbox.commit_if_due()
        else:
            await self._outbox.commit()

    async def _claim(self, *, turned_away: bool) -> bool:
        """Claim a chunk; False: nothing may be claimed now."""
        token = str(uuid.uuid4())
        started = self.clock()
        wanted = ClaimRequest(
            run=self.to_send.run,
            plan_id=self.to_send.plan_id,
            org_id=self.org.org_id,
            token=token,
            lease_ms=int(self._chunk.lease_seconds * 1000),
            size=self._chunk.size,
            day_cap=self.to_send.caps.per_day,
            backfill_cap=self.to_send.caps.backfill,
            others_without_approval=self._others_without_approval,
            now=self.org.now(),
            turned_away=turned_away,
            after_row=self._last_row,
        )
        claimed = await asyncio.to_thread(claim_chunk, self.org.db, wanted)
        lease = Lease.begun_at(started, self._chunk.lease_seconds, self.clock)
        self._pending.extend(Attempt(row, token, lease) for row in claimed)
        self._last_row = last_new_row(claimed, self._last_row)
        self._progress.claimed += len(claimed)
        return bool(claimed)

    async def _begin_group(self) -> None:
        """Record that the next attempts begin, commit that, and only then begin them."""
        group: list[Attempt] = []
        while self._pending and len(group) < self._group_size:
            if group and self._pending[0].token != group[0].token:
                break
            attempt = self._pending.popleft()
            if attempt.lease.outlasts(self._post_timeout):
                group.append(attempt)
            else:
                self._record(attempt, not_begun(attempt.claimed, "lease_too_short"))
        if not group:
            return
        begun = await asyncio.to_thread(
            begin_attempts,
            self.org.db,
            token=group[0].token,
            invitation_ids=[attempt.claimed.invitation_id for attempt in group],
            plan_id=self.to_send.plan_id,
        )
        for attempt in group:
            if attempt.claimed.invitation_id in begun:
                self.in_flight.begin(attempt)
            else:  # found in m3ter meanwhile, or the plan may not be sent any more
                self._record(attempt, not_begun(attempt.claimed))

    async def _finish(self) -> None:
        """Begin nothing more, wait for POSTs that have begun as long as the stop allows, and commit every outcome."""
        await self.in_flight.call_off()
        for attempt in self._pending:
            self._record(attempt, not_begun(attempt.claimed))
        self._pending.clear()
        await self._outbox.commit_at_the_end()
        await self.in_flight.finish()
        await self._outbox.commit_at_the_end()  # also attempts that ended during the first

    def _record(self, attempt: Attempt, outcome: Outcome) -> None:
        self._outbox.add(attempt.token, outcome)
        self._progress.count(outcome)
        self.told(outcome)

    async def _remaining(self) -> Remaining:
        return await asyncio.to_thread(remaining, self.org.db, self.to_send.plan_id, self.org.org_id, self.org.now())

    @property
    def _post_timeout(self) -> float:
        return self.org.m3ter.post_timeout_seconds
