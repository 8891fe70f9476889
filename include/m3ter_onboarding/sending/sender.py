"""Step three: send what was planned, each invitation exactly once (docs/delivery.md, rules 8 to 15).

Claim a chunk and commit; record that attempts begin and commit; wait for the pace, look at the lease, POST; commit the
answers, at most a second apart. What has no answer is looked up in m3ter and only then settled. Everything that may
happen twice, late or not at all is decided by the ledger, never here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from m3ter_onboarding.errors import DeliveryError, LedgerError
from m3ter_onboarding.ledger import mirror, plans
from m3ter_onboarding.ledger.claims import Claimed, attempted_by_run, attempted_in_a_day, begin_attempts, claim_chunk
from m3ter_onboarding.ledger.outcomes import Outcome, record_answers
from m3ter_onboarding.ledger.plan_counts import events_of_plan
from m3ter_onboarding.ledger.remaining import Remaining, remaining
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.mirroring.lost_answers import settle_due
from m3ter_onboarding.mirroring.m3ter_lists import look_again
from m3ter_onboarding.mirroring.organisation import M3terMirror
from m3ter_onboarding.sending.attempt import NotBegunError, not_begun, not_looked, post
from m3ter_onboarding.sending.circuit_breaker import Breaker
from m3ter_onboarding.sending.lease import ChunkSize, Lease, boot_clock
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_onboarding.sending.right_to_send import (
    Caps,
    NotAllowedError,
    check_caps,
    check_connection,
    check_plan,
    check_policies,
    check_threshold,
)
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_provider.errors import M3terError

if TYPE_CHECKING:
    from m3ter_onboarding.ledger.database import LedgerDatabase


P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

#: Seconds between two readings of m3ter's newest invitations and users while sending; with the time that the reading
#: takes, less than a minute.
LOOK_EVERY = 45.0
#: Answers are committed at least this often, in seconds.
COMMIT_EVERY = 0.5
#: Progress is logged this often, in seconds.
PROGRESS_EVERY = 10.0
#: So many rounds of claims without one e-mail: what hinders them does not pass by itself.
MOST_IN_VAIN = 3
#: Seconds between two questions to the ledger whether another sender is done.
ASK_HELD_EVERY = 1.0
#: How long a sender waits for leases and settling beyond what they need, in seconds.
PATIENCE = 120.0


@dataclass
class Delivered:
    """What a sender did; counts only.

    :param sent: POSTs that m3ter answered with an invitation.
    :param unknown: POSTs without a usable answer.
    :param events: invitations by the state to which they came under this plan, found ones included.
    :param left: what stands between the plan and its end.
    """

    sent: int = 0
    unknown: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    left: Remaining | None = None

    def summary(self) -> dict[str, int]:
        """Return the counts for XCom and log."""
        counts = {name: self.events.get(name, 0) for name in ("sent", "adopted", "accepted", "failed", "review")}
        return {**counts, "without_answer": self.unknown}


@dataclass(eq=False)
class _Attempt:
    """One claimed invitation on its way through this sender."""

    claimed: Claimed
    token: str
    lease: Lease
    posted: bool = False
    task: asyncio.Task[None] | None = None


@dataclass
class Sender:
    """Sends one plan.

    :param org: the organisation in m3ter and its mirror.
    :param run: the DAG run.
    :param plan_id: its plan.
    :param caps: the most that may be sent.
    :param stop: asked before every POST.
    :param pause: asked before each chunk.
    :param breaker: when to stop because too much fails.
    :param clock: seconds; also runs while the machine is suspended.
    """

    org: M3terMirror
    run: RunKey
    plan_id: str
    caps: Caps
    stop: Stop
    pause: PauseSwitch
    breaker: Breaker = field(default_factory=Breaker)
    clock: Callable[[], float] = boot_clock

    done: Delivered = field(default_factory=Delivered)
    _pending: deque[_Attempt] = field(default_factory=deque)
    _under_way: set[_Attempt] = field(default_factory=set)
    _answers: list[tuple[str, Outcome]] = field(default_factory=list)
    _rejected: list[tuple[str, Outcome]] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: DeliveryError | None = None
    _committed_at: float = 0.0
    _looked_at: float = 0.0
    _asked_at: float = -math.inf
    _logged_at: float = 0.0
    _to_send: int = 0
    _claimed: int = 0

    @property
    def db(self) -> LedgerDatabase:
        """The ledger."""
        return self.org.db

    async def send(self) -> Delivered:
        """Send the plan, and return when nothing of it is open or unsent.

        :raises NotAllowedError: when the plan may not be sent; nothing was.
        :raises DeliveryError: when something is left; Airflow's retry goes on with it.
        """
        self._started_at = self._logged_at = self._committed_at = self.clock()
        if not await self._prepare():
            return self.done
        self._chunk = ChunkSize.at_pace(self.org.m3ter.settings.requests_per_second, self._post_timeout)
        self._group = max(4, math.ceil(self.org.m3ter.settings.requests_per_second / 2))
        try:
            await self._until_nothing_is_left()
        finally:
            await self._let_go()
        self.done.events = await self._in_thread(events_of_plan, self.plan_id)
        self.done.left = left = await self._remaining()
        if not left.nothing_left:
            raise await self._why_not(left)
        return self.done

    # -- before the first e-mail ------------------------------------------------------------------------------------

    async def _prepare(self) -> bool:
        """Check that the plan may be sent, and look again in m3ter; False: nothing is left to do."""
        plan = check_plan(await self._in_thread(plans.read_plan, self.plan_id, self.run), self.plan_id, self.org.org_id)
        check_threshold(plan, self.caps)
        left = self.done.left = await self._remaining()
        if left.nothing_left:
            return False
        check_connection(plan, allow_invitations=self.org.m3ter.settings.allow_invitations)
        if not plan.sendable:
            raise NotAllowedError(f"Plan {self.plan_id} may not be sent: {plan.not_sendable_because}")
        await asyncio.to_thread(self.db.prove_guard)
        await look_again(self.org, policies=True)
        self._looked_at = self.clock()
        check_policies(plan.policies, await self._in_thread(mirror.policies_of, self.org.org_id))
        left = await self._remaining()
        self._to_send = left.unsent
        check_caps(
            plan,
            self.caps,
            still_to_send=left.unsent,
            attempted_before=await self._in_thread(attempted_by_run, self.run, other_than=self.plan_id),
            attempted_in_a_day=await self._in_thread(attempted_in_a_day, self.org.org_id),
            attempted_by_backfills=(
                0
                if self.caps.backfill is None
                else await self._in_thread(attempted_in_a_day, self.org.org_id, self.run.dag_id)
            ),
        )
        reason = await self.pause.reason()
        if reason is not None:
            raise NotAllowedError(f"Sending is paused: {reason}. Nothing is sent, nobody is lost.")
        return True

    # -- the loop ---------------------------------------------------------------------------------------------------

    async def _until_nothing_is_left(self) -> None:
        waited_until = self.clock() + self._longest_wait()
        looked_for = in_vain = 0
        while self.stop.reason is None and self._failure is None:
            sent, claimed = self.done.sent, self._claimed
            await self._send_all()
            if self.stop.reason is not None or self._failure is not None:
                return
            left = await self._remaining()
            if left.open and self.done.unknown > looked_for:
                looked_for = self.done.unknown  # most of them were made: see it now rather than when absence counts
                await self._look()
                left = await self._remaining()
            if left.nothing_left or self._failure is not None:
                return
            settled = await settle_due(self.org)
            in_vain = 0 if self.done.sent > sent else in_vain + (self._claimed > claimed)
            # Claimed and let go again, since the lease ended while it waited: a new claim has a new lease.
            if settled.changed or self.done.sent > sent or (self._claimed > claimed and in_vain < MOST_IN_VAIN):
                waited_until = self.clock() + self._longest_wait()
                continue
            if settled.next_due_in is None or self.clock() > waited_until:
                return  # nothing to wait for, yet something is left: said by _judge
            if left.open + left.held == 0:
                return  # open are only people of other plans
            self._log_waiting(left, settled.next_due_in)
            # Another sender at work is most often done long before its lease ends.
            await self.stop.wait(min(settled.next_due_in + 0.05, ASK_HELD_EVERY if left.held else LOOK_EVERY))
            await self._ask_whether_to_stop()

    def _longest_wait(self) -> float:
        return self._chunk.lease_seconds + 3 * self.org.settle_after.total_seconds() + PATIENCE

    async def _send_all(self) -> None:
        """Claim and send until a claim comes back empty and nothing is under way."""
        exhausted = False
        while True:
            await self._ask_whether_to_stop()
            if self._may_begin():
                if len(self._pending) < self._group and not exhausted:
                    exhausted = not await self._claim()
                if self._pending and self._waiting_for_pace() < self._group:
                    await self._begin_group()
                    exhausted = False
            if not self._may_begin() or (exhausted and not self._pending and not self._under_way):
                break
            await self._next_movement()
            await self._commit(force=False)
            self._log_progress()
        await self._commit(force=not self._under_way)

    def _may_begin(self) -> bool:
        return self.stop.reason is None and self._failure is None

    def _waiting_for_pace(self) -> int:
        return sum(not attempt.posted for attempt in self._under_way)

    async def _claim(self) -> bool:
        token = str(uuid.uuid4())
        started = self.clock()
        claimed = await self._in_thread(
            claim_chunk,
            run=self.run,
            plan_id=self.plan_id,
            org_id=self.org.org_id,
            token=token,
            lease_ms=int(self._chunk.lease_seconds * 1000),
            size=self._chunk.size,
            day_cap=self.caps.per_day,
            backfill_cap=self.caps.backfill,
            now=self.org.now(),
        )
        lease = Lease.begun_at(started, self._chunk.lease_seconds, self.clock)
        self._pending.extend(_Attempt(row, token, lease) for row in claimed)
        self._claimed += len(claimed)
        return bool(claimed)

    async def _begin_group(self) -> None:
        """Record that the next attempts begin, commit that, and only then let them go."""
        group: list[_Attempt] = []
        while self._pending and len(group) < self._group:
            if group and self._pending[0].token != group[0].token:
                break
            attempt = self._pending.popleft()
            if attempt.lease.outlasts(self._post_timeout):
                group.append(attempt)
            else:
                self._note(attempt, Outcome(attempt.claimed.invitation_id, InvitationState.UNSENT, "lease_too_short"))
        if not group:
            return
        begun = await self._in_thread(
            begin_attempts,
            token=group[0].token,
            invitation_ids=[attempt.claimed.invitation_id for attempt in group],
            plan_id=self.plan_id,
        )
        for attempt in group:
            if attempt.claimed.invitation_id in begun:
                self._under_way.add(attempt)
                attempt.task = asyncio.create_task(self._attempt(attempt))
            else:  # found in m3ter meanwhile, or the plan may not be sent any more
                self._note(attempt, not_begun(attempt.claimed))

    async def _next_movement(self) -> None:
        self._moved.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._moved.wait(), COMMIT_EVERY / 2)

    # -- one invitation ---------------------------------------------------------------------------------------------

    async def _attempt(self, attempt: _Attempt) -> None:
        outcome: Outcome | None = None
        try:
            outcome = await self._post(attempt)
        except asyncio.CancelledError:
            if attempt.posted:
                raise  # begun and not answered: the row stays `sending`, settling finds out
            outcome = not_begun(attempt.claimed)
        finally:
            self._under_way.discard(attempt)
            if outcome is not None:
                self._note(attempt, outcome)
            self._moved.set()

    async def _post(self, attempt: _Attempt) -> Outcome:
        def before_post() -> None:
            if not self._may_begin() or not attempt.lease.outlasts(self._post_timeout):
                raise NotBegunError
            attempt.posted = True
            self._moved.set()

        ended = await post(self.org.m3ter, attempt.claimed, before_post)
        if ended.stop_because is not None:
            self._fail(NotAllowedError(ended.stop_because) if ended.for_good else DeliveryError(ended.stop_because))
        if ended.outcome.state is not InvitationState.UNSENT:
            refused = ended.outcome.state is InvitationState.FAILED
            if (failure := self.breaker.note(refused=refused, unanswered=ended.unanswered)) is not None:
                self._fail(failure)
        return ended.outcome

    def _note(self, attempt: _Attempt, outcome: Outcome) -> None:
        if outcome.state is InvitationState.FAILED:
            self._rejected.append((attempt.token, outcome))
        else:
            self._answers.append((attempt.token, outcome))
        self.done.sent += outcome.state is InvitationState.SENT
        self.done.unknown += outcome.state is InvitationState.UNKNOWN

    def _fail(self, failure: DeliveryError) -> None:
        """Begin nothing more; the first failure is the one that is told."""
        if self._failure is None:
            self._failure = failure
            self._moved.set()

    # -- what is committed, asked and said --------------------------------------------------------------------------

    async def _commit(self, *, force: bool) -> None:
        waiting = len(self._answers) + len(self._rejected)
        if not waiting or not (force or self.clock() - self._committed_at >= COMMIT_EVERY or waiting >= 100):
            return
        if self._rejected:
            await self._look_for_rejected()
        answers, self._answers = self._answers, []
        self._committed_at = self.clock()
        by_token: dict[str, list[Outcome]] = {}
        for token, outcome in answers:
            by_token.setdefault(token, []).append(outcome)
        try:
            for token in list(by_token):
                await self._in_thread(record_answers, token, by_token[token], self.org.now())
                del by_token[token]
        except LedgerError as error:
            # Kept: the next commit, or the last one, tries again. Nothing begins without a ledger.
            self._answers = [(token, o) for token, outcomes in by_token.items() for o in outcomes] + self._answers
            self._fail(DeliveryError(str(error)))

    async def _look_for_rejected(self) -> None:
        """400 and 409 may mean that the invitation exists: look once, and call only the rest ``failed``."""
        rejected, self._rejected = self._rejected, []
        try:
            looked = await self._look_unless_stopped()
        except (M3terError, LedgerError) as error:
            looked = False
            self._fail(DeliveryError(f"m3ter refused invitations, and looking whether they exist failed: {error}"))
        # What the look found is not `sending` any more, so that "failed" does not touch it.
        self._answers.extend(rejected if looked else [(token, not_looked(outcome)) for token, outcome in rejected])

    async def _ask_whether_to_stop(self) -> None:
        """Ask the pause switch, and look again in m3ter when it is time; what cannot be asked means stop."""
        if not self._may_begin():
            return
        if self.clock() - self._asked_at >= 1.0:
            reason = await self.pause.reason()
            self._asked_at = self.clock()
            if reason is not None:
                self.stop.request(f"sending is paused: {reason}")
                return
        if self.clock() - self._looked_at >= LOOK_EVERY:
            await self._look()

    async def _look_unless_stopped(self) -> bool:
        """Look again in m3ter; False: a stop was requested meanwhile, and the look was given up for it."""
        looking = asyncio.create_task(look_again(self.org))
        stopping = asyncio.create_task(self.stop.wait(math.inf))
        try:
            await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                await looking
                return True
            return False
        finally:
            for task in (looking, stopping):
                task.cancel()
            await asyncio.gather(looking, stopping, return_exceptions=True)

    async def _look(self) -> None:
        try:
            await self._look_unless_stopped()
        except (M3terError, LedgerError) as error:
            self._fail(DeliveryError(f"Looking again in m3ter failed, so sending stops: {error}"))
        self._looked_at = self.clock()

    async def _let_go(self) -> None:
        """Begin nothing more, wait for what has begun as long as may be, and commit whatever is known."""
        await self._call_off([attempt for attempt in self._under_way if not attempt.posted])
        for attempt in self._pending:
            self._note(attempt, not_begun(attempt.claimed))
        self._pending.clear()
        await self._last_commit()
        tasks = {attempt.task for attempt in self._under_way if attempt.task is not None}
        if tasks:
            grace = self.stop.grace
            await asyncio.wait(tasks, timeout=self._post_timeout + 1.0 if grace is None else grace)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._last_commit()  # also what came to its end during the first

    async def _call_off(self, attempts: list[_Attempt]) -> None:
        tasks = [attempt.task for attempt in attempts if attempt.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for attempt in self._under_way.intersection(attempts):
            # Cancelled before its first step: nothing of it ran, not even what notes its end.
            self._under_way.discard(attempt)
            self._note(attempt, not_begun(attempt.claimed))

    async def _last_commit(self) -> None:
        if self.stop.grace is not None and self._rejected:
            # No time to look: settling will.
            self._answers.extend((token, not_looked(outcome)) for token, outcome in self._rejected)
            self._rejected = []
        await self._commit(force=True)

    async def _remaining(self) -> Remaining:
        return await self._in_thread(remaining, self.plan_id, self.org.org_id)

    async def _why_not(self, left: Remaining) -> DeliveryError:
        """Say why somebody is left, and whether trying again may help."""
        waiting = f"Sent {self.done.sent}; {left.unsent + left.fallen_back} unsent, {left.open + left.held} open."
        if self.stop.reason is not None:
            return DeliveryError(f"Stopped: {self.stop.reason}. {waiting} Nobody is lost: the next try goes on.")
        if self._failure is not None:
            return type(self._failure)(f"{self._failure} {waiting} Nobody is lost: the next try goes on.")
        try:
            check_plan(await self._in_thread(plans.read_plan, self.plan_id, self.run), self.plan_id, self.org.org_id)
        except NotAllowedError as error:
            return NotAllowedError(f"{error} {waiting}")
        if self.caps.backfill is not None and left.unsent:
            used = await self._in_thread(attempted_in_a_day, self.org.org_id, self.run.dag_id)
            if used >= self.caps.backfill:
                return NotAllowedError(
                    f"Runs of backfills attempted {used} invitations in the last 24 hours, as many as a backfill may"
                    f" (`max_invitations` counts for all of its runs together). {waiting} The next daily run sends the"
                    " rest, or a backfill with a higher `max_invitations`."
                )
        if self.caps.per_day is not None and left.unsent:
            used = await self._in_thread(attempted_in_a_day, self.org.org_id)
            if used >= self.caps.per_day:
                return NotAllowedError(
                    f"{used} invitations were attempted for this organisation in the last 24 hours"
                    f" (`max_invitations_per_day` is {self.caps.per_day}). {waiting} A later run sends the rest."
                )
        if left.fallen_back and not left.unsent + left.open + left.held:
            return NotAllowedError(
                f"{left.fallen_back} people were on their way by another run when this plan was made, and were not sent"
                f" after all. {waiting} Clear the task `plan`, or let the next run invite them."
            )
        return DeliveryError(f"Not everybody of the plan could be settled. {waiting} The next try goes on from here.")

    def _log_progress(self) -> None:
        now = self.clock()
        if now - self._logged_at < PROGRESS_EVERY:
            return
        self._logged_at = now
        elapsed = max(now - self._started_at, 0.001)
        rate = self.done.sent / elapsed
        left = max(self._to_send - self.done.sent - self.done.unknown, 0)
        rest = f", about {timedelta(seconds=round(left / rate))} to go" if rate and left else ""
        log.info("Sent %d (%.1f/s), %d left, %d without answer%s.", self.done.sent, rate, left, self.done.unknown, rest)

    def _log_waiting(self, left: Remaining, seconds: float) -> None:
        now = self.clock()
        if now - self._logged_at >= PROGRESS_EVERY or self._logged_at == self._started_at:
            self._logged_at = now
            log.info(
                "Waiting for %d open invitation(s) of this plan: the next look in m3ter is due in %.0f s.",
                left.open + left.held,
                seconds,
            )

    @property
    def _post_timeout(self) -> float:
        return self.org.m3ter.post_timeout_seconds

    async def _in_thread(
        self, work: Callable[Concatenate[LedgerDatabase, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do ledger work beside the loop: a slow database must not make answers late."""
        return await asyncio.to_thread(work, self.db, *args, **kwargs)
