"""Everything that may happen to one organisation, in any order: a state machine for hypothesis.

It drives the real planner, ledger, snapshot, settling and sender against a local m3ter over the socket. What must hold
is judged by what m3ter itself holds and by the ledger's history, never by what the code under test returned.
All clocks are one clock (the database's, m3ter's, the worker's and the sender's), and it is moved, never waited for.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import func, select

from m3ter_onboarding.config.organisation import MOST_REINVITATIONS
from m3ter_onboarding.config.run_parameters import Mode, RunParameters
from m3ter_onboarding.errors import DeliveryError, PlanError
from m3ter_onboarding.ledger import plans
from m3ter_onboarding.planning.run_start import plans_only_because
from m3ter_onboarding.planning.sealed_plan import Planned
from m3ter_onboarding.sending.circuit_breaker import Breaker
from m3ter_onboarding.sending.sender import Sender
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_provider import process_state
from m3ter_provider.email_identity import email_key
from m3ter_provider.errors import M3terError
from tests.support import ledger_rows
from tests.support.allowed_transitions import is_allowed
from tests.support.console import Console
from tests.support.interruptions import (
    EMPLOYEES,
    FAULTS,
    LATE,
    POLICIES,
    POST,
    REFUSING,
    Frozen,
    Interruption,
    Killed,
    Paused,
    PowerCut,
    Stopped,
    Uninterrupted,
    changes,
    faults,
    interruptions,
    newcomers,
    people,
)
from tests.support.machine_environment import DAY, MachineEnvironment, PowerCutError, SteeredStop
from tests.support.world import World

LIVE = ("sending", "unknown", "review", "sent", "adopted", "accepted")


SETTLE_AFTER = 120.0


#: How long it may take until m3ter's lists show what was made, in seconds of m3ter's time.
LAG = 60.0


#: Real seconds: a request that hangs, or a frozen sender, costs a test that much.
POST_TIMEOUT = 0.4


#: Requests per second; in haste a millisecond lies between two.
PACE = 20


SHARED, BROKEN = "Team@Example.com", "nobody"


RUNS = ("monday", "tuesday")


def own_addresses(employee: str) -> tuple[str, str]:
    """Return an employee's two addresses, which no other employee has."""
    return f"{employee}@example.com", f"{employee}.new@example.com"


@dataclass
class Book:
    """What the model knows of plans; it goes back in time with a restored ledger.

    :param plans: by run, oldest first; all of them were sealed.
    :param broken: runs in which a planning attempt died: whether it made the older plans outdated is not known.
    """

    plans: dict[str, list[PlanNote]] = field(default_factory=lambda: defaultdict(list))
    broken: set[str] = field(default_factory=set)


@dataclass
class PlanNote:
    """One plan, whether it may be sent, and whether the last sender of it was content."""

    planned: Planned
    run: str
    made_at: datetime
    approved: bool | None = None
    rejected: bool = False
    green: bool = False


@dataclass
class Backup:
    """A copy of the ledger."""

    rows: ledger_rows.Copy
    book: Book


class OrganisationMachine(RuleBasedStateMachine):
    """One organisation from its first hire on.

    :param environment: database, m3ter and clock.
    """

    #: How often each thing happened, over all examples.
    tally: ClassVar[Counter[str]] = Counter()

    def __init__(self, environment: MachineEnvironment) -> None:
        super().__init__()
        self.environment, self.clock, self.m3ter = environment, environment.clock, environment.m3ter
        environment.power.restore()
        self.clock.reset()
        self.m3ter.reset()
        self.m3ter.switches(requests_per_second=0)
        process_state.forget_all()
        self.judge = environment.database.world(self.m3ter, settle_after=f"{SETTLE_AFTER:g}s")
        self.judge.now = self.clock.now
        self.world = replace(self.judge, db=environment.worker)
        self.console = Console(self.m3ter)
        self.rows: dict[str, dict[str, Any]] = {}
        self.book = Book()
        self.lost_plans: list[PlanNote] = []
        self.backup: Backup | None = None
        self.loose: set[str] = set()
        self.refused: set[str] = set()
        self.vanished: set[str] = set()
        self.runs = 0
        self.tally["examples"] += 1

    # -- the beginning ----------------------------------------------------------------------------------------------

    @initialize(
        hired=st.integers(1, 4),
        lag=st.booleans(),
        keep=st.tuples(st.booleans(), st.booleans()),
        pending=st.sampled_from(["second_email", "error_409", "error_400", "update_with_email"]),
        precision=st.sampled_from(["milliseconds", "minutes"]),
        when_dead=st.tuples(*[st.sampled_from(["review", "invite"])] * 2),
    )
    def begin(
        self,
        hired: int,
        lag: bool,
        keep: tuple[bool, bool],
        pending: str,
        precision: str,
        when_dead: tuple[str, str],
    ) -> None:
        """Choose what m3ter's documents leave open and what the configuration says."""
        self.lag = LAG if lag else 0.0
        self.keeps_accepted, self.keeps_expired = keep
        self.lists = {"list_lag_seconds": self.lag, "user_list_lag_seconds": self.lag}
        self.m3ter.switches(
            **self.lists,
            keep_accepted=keep[0],
            keep_expired=keep[1],
            pending_invitation=pending,
            date_precision=precision,
        )
        reinvite = "never" if when_dead[0] == "review" else MOST_REINVITATIONS
        self.judge.values.update(reinvite=reinvite, cool_off_days=0, if_rehire=when_dead[1])
        # Policies come and go, and a name in the list that two of them bear would stop every plan.
        self.judge.values.update(allowed_permission_policies="any")
        self.m3ter.seed(policies=[{"name": name} for name in POLICIES])
        self._hire(hired)
        self._snapshot()

    # -- people in the warehouse ------------------------------------------------------------------------------------

    def _hire(self, count: int) -> None:
        for employee in EMPLOYEES[len(self.rows) :][:count]:
            self.rows[employee] = {"email": own_addresses(employee)[0], "permission_policies": None}
            self.judge.hire(employee)

    @rule(person=people, change=changes)
    def correct(self, person: int, change: tuple[str, Any]) -> None:
        """Correct a row: another address, name or policy."""
        employee, (column, value) = self._hired(person), change
        value = (*own_addresses(employee), SHARED, BROKEN)[value] if column == "email" else value
        self.rows[employee][column] = value
        self.judge.correct(employee, **{column: value})

    def _hired(self, person: int) -> str:
        return EMPLOYEES[person % len(self.rows)]

    # -- the steps of a run -----------------------------------------------------------------------------------------

    @rule(interruption=st.just(Uninterrupted()) | st.builds(PowerCut, st.integers(0, 20)))
    def snapshot(self, interruption: Uninterrupted | PowerCut) -> None:
        with self._interrupted_by(interruption):
            self._snapshot()

    def _snapshot(self, world: World | None = None) -> None:
        self.clock.let_m3ter_finish()  # else the check below sees more than the snapshot could
        process_state.forget_all()  # each task is a process of its own
        (world or self.world).snapshot()
        self._a_late_success_has_won()

    @rule(interruption=st.just(Uninterrupted()) | st.builds(PowerCut, st.integers(0, 3)))
    def settle(self, interruption: Uninterrupted | PowerCut) -> None:
        process_state.forget_all()
        with self._interrupted_by(interruption):
            self.world.settle()

    @rule(
        run=st.sampled_from(RUNS),
        kind=st.sampled_from(["normal", "normal", "dry_run", "backfill", "backfill_send", "retry_failed", "baseline"]),
        approval=st.booleans(),
        interruption=st.just(Uninterrupted()) | st.just(Uninterrupted()) | st.builds(PowerCut, st.integers(0, 15)),
    )
    def plan(self, run: str, kind: str, approval: bool, interruption: Uninterrupted | PowerCut) -> None:
        with self._interrupted_by(interruption):
            try:
                self._plan(self.world, run, kind, approval)
            except PowerCutError:
                self.book.broken.add(run)
                raise

    def _plan(self, world: World, run: str, kind: str = "normal", approval: bool = False) -> PlanNote | None:
        """Make a plan; None where m3ter was not read for a day, or its configured policies are missing."""
        mode = Mode(kind) if kind in {mode.value for mode in Mode} else Mode.NORMAL
        parameters = RunParameters(mode=mode, allow_backfill_send=kind == "backfill_send")
        may = plans_only_because("backfill" if kind.startswith("backfill") else "scheduled", parameters) is None
        assert may == (kind in ("normal", "backfill_send", "retry_failed"))
        before = self._ledger_rows()
        try:
            planned = world.plan(run, may_invite=may, mode=mode, approval_above=0 if approval else None)
        except PlanError:
            return None  # before the plan was begun
        assert planned.rows == len(self.rows), "rows in, decisions out"
        assert self._ledger_rows() == before, "planning reserves nothing"
        note = PlanNote(planned, run, self.clock.now(), False if planned.needs_approval else None)
        self.book.plans[run].append(note)
        self.book.broken.discard(run)
        return note

    @rule(
        run=st.sampled_from(RUNS),
        which=st.sampled_from([-1, -1, -1, -2]),
        answer=st.sampled_from(["approve", "approve", "of another plan", "reject", "too late"]),
    )
    def answer(self, run: str, which: int, answer: str) -> None:
        """Let somebody answer the question about a plan, be it one that was replaced meanwhile."""
        plans = self.book.plans[run]
        if len(plans) >= -which and plans[which].approved is not None:
            self._answer(plans[which], answer)

    def _answer(self, note: PlanNote, answer: str = "approve") -> None:
        db, plan_id, now = self.judge.db, note.planned.plan_id, self.clock.now()
        self.tally[f"answered: {answer}"] += 1
        if answer in ("reject", "too late"):
            plans.record_rejection(
                db, self.judge.run(note.run), plan_id, by="olga" if answer == "reject" else None, at=now
            )
            note.rejected = True
            return
        right = answer == "approve"
        shown = self.judge.shown(plan_id, note.planned.fingerprint if right else "0" * 64)
        counts = plans.record_approval(db, self.judge.run(note.run), shown, self.judge.seals, by="olga", at=now)
        newest = note is self.book.plans[note.run][-1]
        if note.run not in self.book.broken:
            assert counts == (right and newest and not note.rejected), "an approval counts for exactly this plan"
        note.approved = note.approved or counts

    @rule(
        run=st.sampled_from(RUNS),
        which=st.sampled_from([-1, -1, -1, -2, 0]),
        fault=faults,
        interruption=interruptions,
    )
    def send(self, run: str, which: int, fault: dict[str, Any] | None, interruption: Interruption) -> None:
        """Send a run's newest plan, the one before, or one that the ledger lost: a retry, a cleared task, a rival."""
        plans = self.book.plans[run]
        if which == 0 and self.lost_plans:
            self._send(self.lost_plans[-1], None, Uninterrupted(), may=False)
        elif len(plans) >= -which > 0:
            self._send(plans[which], fault, interruption)

    @rule(newcomers=newcomers, fault=faults, interruption=interruptions)
    def day(self, newcomers: int, fault: dict[str, Any] | None, interruption: Interruption) -> None:
        """Let a day pass on which somebody joins: snapshot, plan, approval, send."""
        self._hire(newcomers)
        self._whole_run(self.world, fault, interruption)

    @rule(newcomers=newcomers, fault=faults, interruption=interruptions)
    def another_day(self, newcomers: int, fault: dict[str, Any] | None, interruption: Interruption) -> None:
        """Let one more pass: every rule is as likely as any other, and on days most happens."""
        self._hire(newcomers)
        self._whole_run(self.world, fault, interruption)

    def _whole_run(
        self, world: World, fault: dict[str, Any] | None = None, interruption: Interruption | None = None
    ) -> PlanNote | None:
        self.runs += 1
        try:
            self._snapshot(world)
        except M3terError:
            return None
        note = self._plan(world, f"run-{self.runs}", approval=self.runs % 3 == 0)
        if note is not None:
            if note.approved is not None:
                self._answer(note)
            self._send(note, fault, interruption or Uninterrupted(), world=world)
        return note

    def _send(
        self,
        note: PlanNote,
        fault: dict[str, Any] | None,
        interruption: Interruption,
        *,
        may: bool | None = None,
        world: World | None = None,
    ) -> None:
        may = self._may_send(note) if may is None else may
        if isinstance(interruption, Paused) and interruption.asked == 0:
            may = False
        process_state.forget_all()
        before = self._posts()
        note.green = False
        self._switch_on(fault)
        try:
            with self._interrupted_by(interruption):
                try:
                    done = (world or self.world).send(
                        note.planned,
                        note.run,
                        stop=lambda: self._stop(interruption, note),
                        paused=self._switch(interruption),
                        before=lambda sender: self._take_hold(sender, interruption),
                        timeout_seconds=POST_TIMEOUT,
                        requests_per_second=PACE,
                    )
                    self.tally["sent"] += done.sent
                    assert done.left is not None
                    assert done.left.nothing_left
                    note.green = True
                except (DeliveryError, M3terError) as error:
                    self.tally[f"send: {type(error).__name__}"] += 1
        finally:
            if fault:
                self._switch_off()
        if may is False and not isinstance(interruption, Frozen):
            assert self._posts() == before, "what may not be sent sends nothing"

    def _switch(self, interruption: Interruption) -> Callable[[], str | None]:
        """Return the pause switch that a sender asks."""
        asked = 0

        def read() -> str | None:
            nonlocal asked
            asked += 1
            if not isinstance(interruption, Paused) or asked <= interruption.asked:
                return "none"
            self.tally[f"paused: {interruption.says}"] += 1
            if interruption.says is None:
                raise ConnectionError("Airflow is away")
            return interruption.says

        return read

    def _take_hold(self, sender: Sender, interruption: Interruption) -> None:
        sender.clock = self.clock.boot
        sender.breaker = Breaker(3, 50)
        if isinstance(interruption, Frozen) and isinstance(sender.stop, SteeredStop):
            # A POST after its last check of the clock may not be on the wire yet: a sender that is frozen there, and
            # resumed when all others have settled it, sends it all the same. That is documented as not promised.
            sender.stop.may_interrupt = lambda: not sender.in_flight.posted

    def _may_send(self, note: PlanNote) -> bool | None:
        """Return whether a plan may be sent now; None: only the ledger knows."""
        if not note.planned.sendable or note.approved is False or note.rejected:
            return False
        if note is not self.book.plans[note.run][-1]:
            return False
        if self.clock.now() - note.made_at > timedelta(hours=24, seconds=1):
            return False
        return None if note.run in self.book.broken else True

    def _switch_on(self, fault: dict[str, Any] | None) -> None:
        if fault is None:
            return
        spec = {**FAULTS[fault["of"]], "count": fault["count"], "skip": fault["skip"]}
        if spec["operation"] == POST and fault["person"] is not None:
            spec["email"] = self.rows[self._hired(fault["person"])]["email"]
        if spec["operation"] == POST and spec.get("status") in REFUSING:
            self.refused.update(email_key(row["email"]) for row in self.rows.values())
        self.m3ter.faults(**spec)
        self.tally[f"fault: {spec['kind']} {spec.get('status', '')}"] += 1

    def _switch_off(self) -> None:
        hit = any(one["hits"] for one in self.m3ter.active_faults())
        self.tally["faults that hit"] += hit
        self.m3ter.clear_faults()
        self.clock.work_may_be_late(LATE + 0.02)

    @contextmanager
    def _interrupted_by(self, interruption: Interruption) -> Iterator[None]:
        if isinstance(interruption, PowerCut):
            self.environment.power.cut_at(interruption.transaction)
        try:
            yield
        except PowerCutError:
            self.tally[f"died: {type(interruption).__name__}"] += 1
            self.clock.work_may_be_late(0.02)  # what was POSTed may still be on the wire
        finally:
            self.environment.power.restore()

    def _stop(self, interruption: Interruption, note: PlanNote) -> Stop:
        if isinstance(interruption, Uninterrupted | PowerCut | Paused):
            return SteeredStop(self.clock)
        return SteeredStop(self.clock, interruption.question, lambda stop: self._interrupt(interruption, note, stop))

    def _interrupt(self, interruption: Killed | Stopped | Frozen, note: PlanNote, stop: Stop) -> None:
        self.tally[f"interrupted: {type(interruption).__name__}"] += 1
        if isinstance(interruption, Stopped):
            stop.request("it is a test", grace=None)
        elif isinstance(interruption, Killed):
            self.environment.power.cut()
            stop.request("the process is gone")
        else:
            self._beside(interruption.meanwhile, note)

    def _beside(self, meanwhile: tuple[str, ...], note: PlanNote) -> None:
        """Let things happen while a sender is frozen: in another process, as far as it sees."""
        raised: list[BaseException] = []

        def work() -> None:
            try:
                for what in meanwhile:
                    self._happens(what, note)
            except BaseException as error:
                raised.append(error)

        other = threading.Thread(target=work)
        began = time.monotonic()
        other.start()
        other.join()
        # The frozen sender's own timers stood still too, and are overdue when it is resumed: above all that of a POST
        # after its last check of the clock that was not on the wire yet.
        time.sleep(max(0.0, began + POST_TIMEOUT + 0.05 - time.monotonic()))
        if raised:
            raise raised[0]

    def _happens(self, what: str, note: PlanNote) -> None:
        if what == "a minute passes":
            self.clock.advance(60)
        elif what == "an hour passes":
            self.clock.advance(3600)
        elif what == "settle":
            self.judge.settle()
        elif what == "snapshot":
            self.judge.snapshot()
        elif what == "another run":
            self._whole_run(self.judge)
        elif what == "the same plan":
            self._send(note, None, Frozen(0, ()), world=self.judge)
        elif self._plan(self.judge, note.run) is None:
            return

    # -- time -------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, LAG, SETTLE_AFTER, 600.0, 600.0, 3600.0, 25 * 3600.0, 31 * DAY]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # -- m3ter, and who works in it -----------------------------------------------------------------------------------

    @rule(person=people, joins=st.booleans())
    def answer_invitation(self, person: int, joins: bool) -> None:
        """Accept an invitation, or let it expire."""
        invited = sorted(address for address, one in self._active_of().items() if one.pending)
        if not invited:
            return
        address = invited[person % len(invited)]
        if joins:
            self.m3ter.accept(address)
        else:
            self.m3ter.expire(address)
            self.vanished |= set() if self.keeps_expired else {address}
        self.tally["accepted" if joins else "expired"] += 1

    @rule(person=people)
    def leave(self, person: int) -> None:
        """End a member's access."""
        active = self._active_of()
        members = [user for user in self.m3ter.users() if active[email_key(user["email"])].member]
        if members:
            user = members[person % len(members)]
            end = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
            self.console.call("PUT", f"users/{user['id']}", {"version": user["version"], "dtEndAccess": end})
            self.clock.advance(1)
            # Joined and left between two looks, and the list does not show who joined.
            self.vanished |= set() if self.keeps_accepted else {email_key(user["email"])}
            self.tally["left"] += 1

    @rule(person=people, which=st.sampled_from([0, 0, 1, 2]), look=st.booleans())
    def invite_by_hand(self, person: int, which: int, look: bool) -> None:
        """Invite somebody in the console who has no invitation yet; m3ter's list shows it before we look again."""
        employee = EMPLOYEES[min(person, len(self.rows), len(EMPLOYEES) - 1)] if which == 0 else self._hired(person)
        address = (*own_addresses(employee), SHARED)[which]
        if self._active_of()[email_key(address)].count == 0:
            self.m3ter.seed(invitations=[{"email": address, "invitingPrincipalId": "console", "createdBy": "console"}])
            self.loose.add(employee)  # m3ter does not say which employee an address belongs to
            self.clock.advance(self.lag)
            self.tally["invited by hand"] += 1
            if look:
                self._snapshot()

    @rule(name=st.sampled_from(POLICIES), change=st.sampled_from(["delete", "change", "make"]))
    def change_policy(self, name: str, change: str) -> None:
        """Delete a policy, change it, or make one of that name."""
        if change == "make":
            self.m3ter.seed(policies=[{"name": name}])
            return
        for policy in self.console.policies(name)[:1]:
            if change == "delete":
                self.console.call("DELETE", f"permissionpolicies/{policy['id']}")
            else:
                statement = {"effect": "allow", "action": ["all"], "resource": ["*"]}
                content = {"name": name, "version": policy["version"], "permissionPolicy": [statement]}
                self.console.call("PUT", f"permissionpolicies/{policy['id']}", content)

    @rule()
    def hide_what_was_made(self) -> None:
        """Let m3ter's lists hide what is new for longer than anybody may expect, and nothing be sent meanwhile."""
        self.m3ter.switches(list_lag_seconds=40 * DAY, user_list_lag_seconds=40 * DAY)
        try:
            for _ in range(2):
                self.clock.advance(SETTLE_AFTER + 60)
                self.world.settle()
        finally:
            self.m3ter.switches(**self.lists)
        self.clock.advance(self.lag)
        self._snapshot()

    # -- the ledger's database ----------------------------------------------------------------------------------------

    @rule()
    def back_up(self) -> None:
        self.backup = Backup(ledger_rows.back_up(self.judge.db), deepcopy(self.book))

    @rule()
    def restore(self) -> None:
        """Go back to the backup; nothing is sent until m3ter's lists show everything."""
        if self.backup is None:
            return
        self.tally["restored"] += 1
        ledger_rows.restore(self.judge.db, self.backup.rows)
        known = {note.planned.plan_id for notes in self.backup.book.plans.values() for note in notes}
        now_lost = [note for notes in self.book.plans.values() for note in notes]
        self.lost_plans += [note for note in now_lost if note.planned.plan_id not in known]
        self.book = deepcopy(self.backup.book)
        self.loose.update(EMPLOYEES)  # which employee an invitation was for, the ledger forgot
        self.clock.advance(self.lag)

    # -- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def nobody_has_two(self) -> None:
        active = self._active_of()
        for address, one in active.items():
            assert one.count <= 1, f"{address} has {one.pending} invitations and is a member: {one.member}"
        for employee in set(EMPLOYEES) - self.loose:
            assert sum(active[address].count for address in own_addresses(employee)) <= 1, f"{employee} has two"
        sent = Counter(mail["invitationId"] for mail in self.m3ter.mailbox())
        assert all(count == 1 for count in sent.values()), "one e-mail for each invitation"

    @invariant()
    def ledger_keeps_its_rules(self) -> None:
        db = self.judge.db
        row, happened, plan, decision = db.tables.invitation, db.tables.event, db.tables.plan, db.tables.decision
        with db.engine.connect() as connection:
            rows = connection.execute(select(row)).all()
            events = connection.execute(select(happened).order_by(happened.c.event_id)).all()
            plans = connection.execute(
                select(plan.c.rows_read, func.count(decision.c.row_no))
                .outerjoin(decision, decision.c.plan_id == plan.c.plan_id)
                .where(plan.c.state == "sealed")
                .group_by(plan.c.plan_id)
            ).all()
        assert all(rows_read == decisions for rows_read, decisions in plans), "rows in, decisions out"
        self._moves_as_allowed({one.invitation_id: one.state for one in rows}, events)
        for keys in (
            [(one.email_key, one.generation) for one in rows],
            [one.email_key for one in rows if one.state in LIVE],
            [one.employee_id for one in rows if one.state in LIVE and one.employee_id],
            [one.m3ter_id for one in rows if one.state in LIVE and one.m3ter_id],
        ):
            assert len(keys) == len(set(keys)), "keys are unique"

    @staticmethod
    def _moves_as_allowed(states: Mapping[int, str], events: Any) -> None:
        at: dict[int, str | None] = dict.fromkeys(states)
        for one in events:
            came_from = at[one.invitation_id]
            assert is_allowed(came_from, one.to_state, one.why), f"{came_from} -> {one.to_state} ({one.why})"
            assert one.from_state in (None, came_from), f"from {one.from_state}, and the row was {came_from}"
            at[one.invitation_id] = one.to_state
        assert at == states, "the history ends where the rows are"

    def _a_late_success_has_won(self) -> None:
        """Check, after a snapshot, that the ledger has as sent or found what m3ter's list shows as active."""
        newest = self._newest_states_of_pending()
        if newest & {"expired", "superseded"}:
            self.judge.snapshot()  # one look says that something ended, the next what came after it
            newest = self._newest_states_of_pending()
        assert newest <= {"sent", "adopted", "accepted"}, f"m3ter has it active, and the ledger says {newest}"

    def _newest_states_of_pending(self) -> set[str | None]:
        newest = self.judge.states()
        shown = self.clock.now() - timedelta(seconds=self.lag + 1)
        return {
            newest.get(email_key(invitation["email"]))
            for invitation in self.m3ter.invitations()
            if self._is_pending(invitation) and _instant(invitation["dtCreated"]) < shown
        }

    # -- the end ------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Let everything be well, and runs come and go until nothing moves; then nobody is forgotten."""
        try:
            if self.rows:
                self._until_quiet()
                self.nobody_has_two()
                self.ledger_keeps_its_rules()
                self._nobody_is_forgotten()
        finally:
            self.clock.let_m3ter_finish()

    def _until_quiet(self) -> None:
        self.m3ter.clear_faults()
        for _ in range(8):
            self.clock.advance(3600)  # what is gone from the lists counts as gone after a quarter of an hour
            note = self._whole_run(self.world)
            states = Counter(self.judge.states().values())
            if note is not None and note.green and not note.planned.invitations:
                assert not states["sending"] + states["unknown"], "a green run leaves nothing open"
                return
        raise AssertionError(f"After many runs the ledger still has {dict(states)}.")

    def _nobody_is_forgotten(self) -> None:
        self._snapshot()
        note = self._plan(self.world, "the last")
        assert note is not None
        decided = self.judge.decisions(note.planned)
        self.tally.update(f"end: {name}" for name in decided.values())
        for employee in self.rows:
            self._explained(employee, decided[employee])

    def _explained(self, employee: str, name: str) -> None:
        """Check, by what m3ter holds and what was done to it, that a person's last decision is right."""
        row, rows = self.rows[employee], self.judge.invitations()
        key = email_key(row["email"])
        mine = [email_key(address) for address in (*own_addresses(employee), SHARED)]
        active, invitations = self._active_of(), self.m3ter.invitations()
        state = rows[key]["state"] if key in rows else None
        wanted = row["permission_policies"]
        rights: dict[str, Callable[[], bool]] = {
            "skip:already_member": lambda: active[key].member,
            "skip:already_invited": lambda: active[key].pending == 1,
            "skip:refused_before": lambda: state == "failed" and key in self.refused,
            "invalid:email": lambda: row["email"] == BROKEN,
            "invalid:policy": lambda: wanted is not None and len(self.console.policies(wanted)) != 1,
            "invalid:duplicate_in_batch": lambda: any(
                other != employee and email_key(one["email"]) == key for other, one in self.rows.items()
            ),
            "review:unknown_outcome": lambda: state == "review",
            "review:email_changed": lambda: any(
                active[other].count or other in self.vanished or rows.get(other, {}).get("state") == "review"
                for other in mine
                if other != key
            ),
            "review:policy_not_allowed": lambda: any(
                "all" in statement["action"]
                for policy in self.console.policies(wanted)
                for statement in policy.get("permissionPolicy") or ()
            ),
            # Gone from the list before its time.
            "review:missing_in_m3ter": lambda: key in self.vanished,
            "review:expired": lambda: (
                (self.judge.values["reinvite"] == "never" or self._emails_of(mine) > MOST_REINVITATIONS)
                and any(
                    email_key(one["email"]) in mine and not one.get("accepted") and not self._is_pending(one)
                    for one in invitations
                )
            ),
            "review:rehire": lambda: (
                self.judge.values["if_rehire"] == "review"
                and any(email_key(one["email"]) in mine for one in self.m3ter.users())
            ),
        }
        assert name in rights, f"{employee} ends as {name}, and the ledger says {state}"
        assert rights[name](), f"{employee} ends as {name} for no reason; the ledger says {state}"
        if name == "review:unknown_outcome":
            self.tally[f"review: {rows[key]['message'][:40]}"] += 1

    def _emails_of(self, keys: Collection[str]) -> int:
        """Return how many e-mails these addresses may have got at most, by hand and by runs."""
        listed = sum(email_key(one["email"]) in keys for one in self.m3ter.invitations())
        return listed + sum(sent for email, sent in self.judge.emails().items() if email_key(email) in keys)

    # -- what m3ter holds ---------------------------------------------------------------------------------------------

    def _active_of(self) -> defaultdict[str, Held]:
        """Return what of each address is active in m3ter, also those that its lists hide."""
        active: defaultdict[str, Held] = defaultdict(Held)
        for invitation in self.m3ter.invitations():
            active[email_key(invitation["email"])].pending += self._is_pending(invitation)
        for user in self.m3ter.users():
            end = user.get("dtEndAccess")
            active[email_key(user["email"])].member |= end is None or _instant(end) > self.clock.now()
        return active

    def _is_pending(self, invitation: Mapping[str, Any]) -> bool:
        return not invitation.get("accepted") and _instant(invitation["dtExpiry"]) > self.clock.now()

    def _posts(self) -> int:
        return self.m3ter.posts()

    def _ledger_rows(self) -> list[tuple[Any, ...]]:
        with self.judge.db.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(select(self.judge.db.tables.invitation))]


@dataclass
class Held:
    """Active invitations and memberships of one address."""

    pending: int = 0
    member: bool = False

    @property
    def count(self) -> int:
        """How many of them."""
        return self.pending + self.member


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
