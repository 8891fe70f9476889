"""docs/delivery.md, rules 8 to 11: the right to send, reading m3ter again, claims and leases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from sqlalchemy import delete, event, select, update

from m3ter_onboarding.ledger import plans
from m3ter_onboarding.ledger.claim_statements import ClaimRequest
from m3ter_onboarding.ledger.claims import Claimed, begin_attempts, claim_chunk, last_new_row
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.planning.sealed_plan import Planned
from m3ter_onboarding.sending.lease import LEASE_MARGIN, ChunkSize, Lease, boot_clock
from m3ter_onboarding.sending.recurring_checks import LOOK_EVERY
from m3ter_onboarding.sending.right_to_send import Caps, NotAllowedError
from m3ter_onboarding.sending.sender import Sender
from m3ter_onboarding.sending.stop_signals import Stop
from tests.support.world import WINDOW, World

POST = "CreateOrgUserInvitation"
DAY = 24 * 3600


def ready(world: World, *employees: str, run: str = "run-1", **config: Any) -> Planned:
    world.hire(*employees)
    world.snapshot()
    return world.plan(run, **config)


def claim(world: World, plan: Planned, run: str = "run-1", **values: Any) -> list[Claimed]:
    wanted = {
        "run": world.run(run),
        "plan_id": plan.plan_id,
        "org_id": world.m3ter.org_id,
        "token": str(uuid4()),
        "lease_ms": 60_000,
        "size": 500,
        "now": datetime.now(timezone.utc),
        **values,
    }
    return claim_chunk(world.db, ClaimRequest(**wanted))


def set_plan(world: World, plan: Planned, **values: Any) -> None:
    table = world.db.tables.plan
    with world.db.engine.begin() as connection:
        connection.execute(update(table).where(table.c.plan_id == plan.plan_id).values(**values))


def begin_another(world: World, run: str = "run-1") -> None:
    """Begin a new plan of a run, as the task does when it is cleared; it is not sealed yet."""
    plans.begin_plan(
        world.db,
        world.run(run),
        str(uuid4()),
        plans.PlanBeginning(world.m3ter.org_id, "normal", WINDOW.start, WINDOW.end, datetime.now(timezone.utc)),
    )


# -- D8: the right to send is in the ledger ----------------------------------------------------------------------------


def make_too_old(world: World, plan: Planned) -> None:
    world.pass_time(25 * 3600)


def replace_it(world: World, plan: Planned) -> None:
    world.plan()


def begin_its_replacement(world: World, plan: Planned) -> None:
    begin_another(world)


def need_approval(world: World, plan: Planned) -> None:
    set_plan(world, plan, needs_approval=True)


def approve_another(world: World, plan: Planned) -> None:
    now = datetime.now(timezone.utc)
    set_plan(world, plan, needs_approval=True, approved_by="olga", approved_at=now, approved_fingerprint="0" * 64)


def unseal(world: World, plan: Planned) -> None:
    set_plan(world, plan, state="open")


def plan_only(world: World, plan: Planned) -> None:
    set_plan(world, plan, sendable=False, not_sendable_because="it is a test.")


def other_organisation(world: World, plan: Planned) -> None:
    set_plan(world, plan, org_id="another")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (make_too_old, "plan_valid_for"),
        (replace_it, "replaced by a newer one"),
        (begin_its_replacement, "replaced by a newer one"),
        (need_approval, "nobody approved it"),
        (approve_another, "nobody approved it"),
        (unseal, "never completed"),
        (plan_only, "it is a test"),
        (other_organisation, "made for the organisation another"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_d08_plan_without_the_right_is_refused(
    world: World, spoil: Callable[[World, Planned], None], said: str
) -> None:
    plan = ready(world, "e1", "e2")
    spoil(world, plan)
    with pytest.raises(NotAllowedError, match=said):
        world.send(plan)
    assert claim(world, plan) == [], "the claiming statement itself requires it"
    assert (world.posts(), world.states()) == (0, {})
    assert world.decisions(plan) == {"e1": "invite:new", "e2": "invite:new"}


def test_d08_approval_of_exactly_this_plan_allows_it(world: World) -> None:
    plan = ready(world, "e1", "e2", approval_above=1)
    assert plan.needs_approval
    world.approve(plan)
    world.send(plan)
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}


@pytest.mark.parametrize(
    ("caps", "said"),
    [
        (Caps(invitations=2), "max_invitations"),
        (Caps(invitations=0), "max_invitations"),
        (Caps(percent=70), "max_percent"),
        (Caps(per_day=2), "max_invitations_per_day"),
    ],
)
def test_d08_caps_are_checked_before_the_first_e_mail(world: World, caps: Caps, said: str) -> None:
    world.hire("bad", email="no address")
    plan = ready(world, "e1", "e2", "e3")  # 3 of 4 rows: 75 percent
    with pytest.raises(NotAllowedError, match=said):
        world.send(plan, caps=caps)
    assert (world.posts(), world.states()) == (0, {})
    assert world.decisions(plan)["e1"] == "invite:new"
    world.send(plan, caps=Caps(invitations=3, percent=75, per_day=3))
    assert len(world.emails()) == 3


def test_d08_many_small_runs_are_one_big_one(world: World) -> None:
    caps = Caps(invitations=2, per_day=5)
    for number in range(2):
        run = f"day-{number}"
        world.send(ready(world, f"a{number}", f"b{number}", run=run), run, caps=caps)
    plan = ready(world, "a9", "b9", run="day-9")
    with pytest.raises(NotAllowedError, match=r"4 invitations were attempted .* adds 2, more than 5"):
        world.send(plan, "day-9", caps=caps)
    assert len(world.emails()) == 4
    world.pass_time(DAY + 1)
    world.snapshot()
    world.send(world.plan("day-9"), "day-9", caps=caps)
    assert len(world.emails()) == 6


def test_d08_attempts_without_an_answer_count_in_the_daily_cap(world: World) -> None:
    world.claim(ready(world, "e1", "e2", run="dead"), "dead")
    plan = ready(world, "e3", run="next")
    with pytest.raises(NotAllowedError, match="2 invitations were attempted"):
        world.send(plan, "next", caps=Caps(per_day=2))


def test_d08_daily_cap_is_exact_for_two_senders_at_once(world: World) -> None:
    one = ready(world, "e1", "e2", run="one")
    world.correct("e1", loaded_at=datetime(2000, 1, 1, tzinfo=timezone.utc))
    world.correct("e2", loaded_at=datetime(2000, 1, 1, tzinfo=timezone.utc))
    two = ready(world, "e3", "e4", run="two")
    assert len(claim(world, one, "one", day_cap=3)) == 2
    assert len(claim(world, two, "two", day_cap=3)) == 1
    assert claim(world, two, "two", day_cap=3) == []


def test_d08_connection_that_may_not_send_sends_nothing(world: World) -> None:
    plan = ready(world, "e1")
    with pytest.raises(NotAllowedError, match="allow_invitations"):
        world.send(plan, allow_invitations=False)
    assert (world.posts(), world.states()) == (0, {})


def test_d08_right_is_checked_at_every_start(world: World) -> None:
    plan = ready(world, "e1", "e2")
    world.m3ter.switches(may_invite=False)
    with pytest.raises(NotAllowedError):
        world.send(plan)
    world.m3ter.switches(may_invite=True)
    world.pass_time(25 * 3600)
    with pytest.raises(NotAllowedError, match="plan_valid_for"):
        world.send(plan)
    assert world.emails() == {}


# -- D9: every start looks again ---------------------------------------------------------------------------------------


def test_d09_invited_by_hand_or_joined_since_the_plan(world: World) -> None:
    plan = ready(world, "e1", "e2", "e3")
    world.m3ter.seed(invitations=[{"email": "E1@example.com"}], users=[{"email": "e2@Example.com"}])
    world.send(plan)
    assert world.emails() == {"e3@example.com": 1}
    assert [world.state(f"e{n}") for n in (1, 2, 3)] == ["adopted", "accepted", "sent"]


def test_d09_a_retry_looks_again_too(world: World) -> None:
    plan = ready(world, "e1", "e2")
    world.m3ter.switches(may_invite=False)
    with pytest.raises(NotAllowedError):
        world.send(plan)
    world.m3ter.switches(may_invite=True)
    world.m3ter.seed(invitations=[{"email": "e1@example.com"}])
    world.send(plan)
    assert world.emails() == {"e2@example.com": 1}


@pytest.mark.parametrize("change", [{"version": 2}, {"name": "Renamed"}, None], ids=["version", "name", "gone"])
def test_d09_changed_policy_stops_the_plan(world: World, change: dict[str, Any] | None) -> None:
    policy = {"id": "policy-1", "name": "Analyst", "version": 1}
    world.m3ter.seed(policies=[policy])
    world.values["permission_policies"] = ["Analyst"]
    plan = ready(world, "e1")
    world.m3ter.reset()
    world.m3ter.seed(policies=[{**policy, **change}] if change else [])
    with pytest.raises(NotAllowedError, match=r"'Analyst' .* since the plan was made"):
        world.send(plan)
    assert (world.posts(), world.states()) == (0, {})


class MovingClock:
    """The sender's clock; it can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return boot_clock() + self.ahead

    def given_to(self, sender: Sender) -> None:
        sender.clock = self


def test_d09_looks_again_while_sending(world: World) -> None:
    assert LOOK_EVERY < 60
    clock = MovingClock()
    asked: list[int] = []

    def a_minute_later() -> None:
        asked.append(world.posts())
        if len(asked) == 2:  # after the look at the start, before the first claim
            world.m3ter.seed(invitations=[{"email": "e1@example.com"}], users=[{"email": "e2@example.com"}])
            clock.ahead += LOOK_EVERY + 1

    plan = ready(world, "e1", "e2", "e3")
    world.send(plan, paused=a_minute_later, before=clock.given_to)
    assert world.emails() == {"e3@example.com": 1}
    assert [world.state(f"e{n}") for n in (1, 2)] == ["adopted", "accepted"]


# -- D10: claims -------------------------------------------------------------------------------------------------------


@contextmanager
def at_once(*works: Callable[[], Any]) -> Iterator[list[BaseException]]:
    """Run several at the same time in threads; return what they raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        try:
            start.wait()
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield errors


@pytest.mark.parametrize("runs_of", ["two_runs", "one_run_and_its_retry"])
def test_d10_two_senders_at_once_send_one_e_mail_each(world: World, runs_of: str) -> None:
    people = [f"e{n}" for n in range(40)]
    first = ready(world, *people)
    second = world.plan("run-2") if runs_of == "two_runs" else first
    other = "run-2" if runs_of == "two_runs" else "run-1"
    with at_once(lambda: world.send(first), lambda: world.send(second, other)) as errors:
        assert not errors
    assert world.emails() == {f"{name}@example.com": 1 for name in people}
    assert set(world.states().values()) == {"sent"}


def test_d10_each_row_belongs_to_one_claim(world: World) -> None:
    plan = ready(world, *(f"e{n}" for n in range(30)))
    owned: list[int] = []
    works = [lambda: owned.extend(c.invitation_id for c in claim(world, plan, size=20)) for _ in range(4)]
    with at_once(*works) as errors:
        assert not errors
    assert len(owned) == len(set(owned)) == 30


def test_d10_no_second_address_of_one_employee(world: World) -> None:
    first = ready(world, "e1", run="one")
    world.correct("e1", email="other@example.com")
    second = world.plan("two")
    assert world.decisions(second) == {"e1": "invite:new"}, "planning reserves nothing"
    world.send(first, "one")
    delivered = world.send(second, "two")
    assert world.emails() == {"e1@example.com": 1}
    assert delivered.left is not None
    assert delivered.left.review == 1


def test_d10_two_addresses_of_one_employee_at_once(world: World) -> None:
    first = ready(world, "e1", run="one")
    world.correct("e1", email="other@example.com")
    second = world.plan("two")
    with at_once(lambda: world.send(first, "one"), lambda: world.send(second, "two")) as errors:
        assert not errors
    assert sum(world.emails().values()) == 1


def test_d10_no_second_generation_while_one_is_live(world: World) -> None:
    world.m3ter.seed(invitations=[{"email": "e1@example.com", "dtCreated": "-40d"}])
    first = ready(world, "e1", run="one", reinvite=5, cool_off_days=0)
    second = world.plan("two", reinvite=5, cool_off_days=0)
    assert world.decisions(second) == {"e1": "invite:expired"}
    world.send(first, "one")
    world.send(second, "two")
    assert world.emails() == {"e1@example.com": 1}


def test_d10_re_planned_and_superseded_address_is_not_sent_later(world: World) -> None:
    # unsent with the old address, sent with the corrected one: the old must not follow.
    old = ready(world, "e1", run="one")
    world.claim(old, "one", begin=False)
    world.pass_time(61)
    world.settle()
    world.correct("e1", email="right@example.com")
    world.send(world.plan("two"), "two")
    world.send(old, "one")
    assert world.emails() == {"right@example.com": 1}


def test_d10_found_in_m3ter_is_not_claimed(world: World) -> None:
    plan = ready(world, "e1", "e2", "e3")
    world.m3ter.seed(invitations=[{"email": "e1@example.com"}], users=[{"email": "e2@example.com"}])
    world.snapshot()
    assert [c.email_key for c in claim(world, plan)] == ["e3@example.com"]


def test_d10_seen_in_m3ter_and_not_yet_adopted_is_not_claimed(world: World) -> None:
    # A look by another task has written its page, and has not compared it with the ledger yet.
    plan = ready(world, "e1", "e2", "e3", "e4")
    world.m3ter.seed(
        invitations=[{"email": "e1@example.com"}, {"email": "e4@example.com", "dtCreated": "-40d"}],
        users=[{"email": "e2@example.com"}],
    )
    world.snapshot()
    with world.db.engine.begin() as connection:
        connection.execute(delete(world.db.tables.invitation))
    assert [c.email_key for c in claim(world, plan)] == ["e3@example.com", "e4@example.com"]


def test_d10_claim_whose_commit_was_not_heard_is_repeated(world: World) -> None:
    plan = ready(world, "e1", "e2")
    token = str(uuid4())
    first = claim(world, plan, token=token)
    again = claim(world, plan, token=token)
    assert [c.invitation_id for c in first] == [c.invitation_id for c in again]
    assert world.events("e1") == [(None, "sending", "claimed")]
    assert world.row("e1")["attempt"] == 1


def test_d10_attempts_begin_once_and_only_for_the_claim_that_holds(world: World) -> None:
    plan = ready(world, "e1", "e2")
    token = str(uuid4())
    ids = [c.invitation_id for c in claim(world, plan, token=token)]
    values: dict[str, Any] = {"token": token, "invitation_ids": ids, "plan_id": plan.plan_id}
    assert begin_attempts(world.db, **{**values, "token": str(uuid4())}) == frozenset()
    assert begin_attempts(world.db, **values) == frozenset(ids)
    started = world.row("e1")["attempt_started_ms"]
    assert begin_attempts(world.db, **values) == frozenset(ids), "an unheard COMMIT, repeated"
    assert world.row("e1")["attempt_started_ms"] == started


def test_d11_attempts_do_not_begin_once_the_lease_ended(world: World) -> None:
    plan = ready(world, "e1")
    token = str(uuid4())
    ids = [c.invitation_id for c in claim(world, plan, token=token)]
    world.pass_time(61)
    assert begin_attempts(world.db, token=token, invitation_ids=ids, plan_id=plan.plan_id) == frozenset()


@pytest.mark.parametrize("spoil", [make_too_old, begin_its_replacement, need_approval], ids=lambda f: f.__name__)
def test_d10_attempts_do_not_begin_once_the_plan_lost_its_right(
    world: World, spoil: Callable[[World, Planned], None]
) -> None:
    plan = ready(world, "e1", "e2")
    token = str(uuid4())
    ids = [c.invitation_id for c in claim(world, plan, token=token, lease_ms=1000 * 3600 * 48)]
    spoil(world, plan)
    assert begin_attempts(world.db, token=token, invitation_ids=ids, plan_id=plan.plan_id) == frozenset()


def test_d10_plan_replaced_in_mid_send_is_not_sent_to_its_end(world: World) -> None:
    people = [f"e{n}" for n in range(40)]
    plan = ready(world, *people)
    replaced: list[int] = []

    def cleared(sender: Sender) -> None:
        original = sender.clock

        def clock() -> float:
            if not replaced and world.posts() >= 3:
                begin_another(world)
                replaced.append(world.db.now_ms())
            return original()

        sender.clock = clock

    with pytest.raises(NotAllowedError, match="replaced by a newer one"):
        world.send(plan, before=cleared, requests_per_second=4)  # groups of 4, chunks of 20
    i = world.db.tables.invitation.c
    with world.db.engine.connect() as connection:
        begun = (
            connection.execute(select(i.attempt_started_ms).where(i.attempt_started_ms.is_not(None))).scalars().all()
        )
    assert 3 <= len(world.emails()) <= len(begun) < len(people)
    assert max(begun) <= replaced[0], "nothing begins once a newer plan has begun"
    world.send(world.plan())
    assert world.emails() == {f"{name}@example.com": 1 for name in people}


def test_d10_no_statement_a_row(world: World) -> None:
    counts = []
    for size in (5, 200):
        plan = ready(world, *(f"s{size}n{n}" for n in range(size)), run=f"run-{size}")
        statements: list[str] = []

        def note(_c: Any, _cur: Any, statement: str, *_rest: Any, into: list[str] = statements) -> None:
            into.append(statement)

        event.listen(world.db.engine, "before_cursor_execute", note)
        try:
            token = str(uuid4())
            ids = [c.invitation_id for c in claim(world, plan, f"run-{size}", token=token)]
            begin_attempts(world.db, token=token, invitation_ids=ids, plan_id=plan.plan_id)
        finally:
            event.remove(world.db.engine, "before_cursor_execute", note)
        assert len(ids) == size
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_d10_a_claim_goes_on_behind_the_last_one_and_comes_back_for_people_before_it(world: World) -> None:
    plan = ready(world, "e1", "e2", "e3", "e4", "e5")
    first = claim(world, plan, size=2)
    position = last_new_row(first, -1)
    assert [one.sealed.row_no for one in first] == [1, 2]
    assert position == 2
    behind = claim(world, plan, size=2, after_row=3)
    assert [one.sealed.row_no for one in behind] == [4, 5]
    left = claim(world, plan, size=2, after_row=last_new_row(behind, position))
    assert [one.employee_id for one in left] == ["e3"], "who was passed over is found where nobody is left behind"
    assert last_new_row(left, 5) == 3
    assert claim(world, plan, after_row=3) == []
    assert last_new_row([], 3) == 3


def test_d10_a_row_that_is_claimed_again_does_not_move_the_position(world: World) -> None:
    plan = ready(world, "e1", "e2", "e3")
    table = world.db.tables.invitation
    [_, _, third] = claim(world, plan)
    with world.db.engine.begin() as connection:
        connection.execute(delete(table).where(table.c.invitation_id != third.invitation_id))
        connection.execute(update(table).values(state="unsent"))
    claimed = claim(world, plan, size=2)
    assert sorted((one.sealed.row_no, one.attempt) for one in claimed) == [(1, 1), (3, 2)]
    assert last_new_row(claimed, -1) == 1


def test_d10_a_sender_looks_for_each_chunk_behind_its_last(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ready(world, *(f"e{number:02}" for number in range(25)))
    asked: list[int] = []

    def recorded(db: LedgerDatabase, wanted: ClaimRequest) -> list[Claimed]:
        asked.append(wanted.after_row)
        return claim_chunk(db, wanted)

    monkeypatch.setattr("m3ter_onboarding.sending.sender.claim_chunk", recorded)
    world.send(plan, requests_per_second=2)
    assert len(world.emails()) == 25
    assert asked[:4] == [-1, 10, 20, 25]
    assert set(asked[3:]) == {25}


# -- D11: leases -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-30, 30])
def test_d11_leases_are_judged_by_the_databases_clock(world: World, days: int) -> None:
    plan = ready(world, "e1")
    with time_machine.travel(time.time() + days * DAY, tick=True):
        world.claim(plan, begin=False)
        assert world.settle().held == 1
    assert world.settle().held == 1
    with time_machine.travel(time.time() + days * DAY, tick=True):
        world.pass_time(61)
        world.settle()
    assert world.state("e1") == "unsent"


def in_another_thread(work: Callable[[], Any]) -> None:
    """Run to the end beside the loop that is asleep meanwhile."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("asleep_for", [100.0, 4000.0])
def test_d11_worker_thought_dead_that_wakes_up_sends_nothing_more(world: World, asleep_for: float) -> None:
    # It sleeps between "this attempt begins" and its POST; meanwhile another settles its rows and sends to everybody.
    plan = ready(world, "e1", "e2")
    rescue = world.plan("rescue")
    clock = MovingClock()
    slept: list[bool] = []

    def rescued() -> None:
        world.pass_time(asleep_for)
        world.settle()
        world.pass_time(1.1)
        world.settle()
        assert set(world.states().values()) == {"unsent"}
        world.send(rescue, "rescue")

    class Sleeper(Stop):
        @property
        def reason(self) -> str | None:
            begun = [row["attempt_started_ms"] for row in world.invitations().values()]
            if begun and all(begun) and not slept:
                slept.append(True)
                in_another_thread(rescued)
                clock.ahead += asleep_for
            return super().reason

    world.send(plan, stop=Sleeper, before=clock.given_to)
    assert slept
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}
    assert world.posts() == 2


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 429}, {"kind": "revoke_token"}],
    ids=["after_429", "after_a_new_token"],
)
def test_d11_repeats_of_a_post_look_at_the_lease_again(sqlite_world: World, fault: dict[str, Any]) -> None:
    world = sqlite_world
    world.m3ter.faults(operation=POST, count=1, **fault)
    plan = ready(world, "e1")
    clock = MovingClock()
    begun: list[str | None] = []

    def jumping(sender: Sender) -> None:
        def now() -> float:
            if not begun and world.posts() >= 1:  # the first POST did nothing, and the lease ends while it waits
                begun.append(world.row("e1")["claim_token"])
                clock.ahead += 3600
            return clock()

        sender.clock = now

    world.send(plan, before=jumping)
    assert begun
    assert world.events("e1")[1] == ("sending", "unsent", "not_begun")
    assert world.row("e1")["claim_token"] != begun[0], "sent by a new claim, not by the repeat"
    assert world.emails() == {"e1@example.com": 1}


def test_d11_lease_counts_from_before_the_claim(world: World) -> None:
    plan = ready(world, "e1")
    clock = MovingClock()
    slow: list[bool] = []

    def claiming_takes_long(sender: Sender) -> None:
        def now() -> float:
            if not slow and world.states():
                slow.append(True)
                clock.ahead += 600
            return clock()

        sender.clock = now

    world.send(plan, before=claiming_takes_long)
    assert world.events("e1")[1] == ("sending", "unsent", "lease_too_short")
    assert world.emails() == {"e1@example.com": 1}


def test_d11_lease_must_outlast_the_whole_time_out() -> None:
    now = [100.0]
    lease = Lease.begun_at(100.0, 40.0, lambda: now[0])
    assert lease.outlasts(30.0)
    now[0] = 100.0 + 40.0 - LEASE_MARGIN - 30.0
    assert not lease.outlasts(30.0)


@pytest.mark.parametrize("pace", [0.5, 2, 20, 50, 500])
def test_d11_chunk_is_sent_within_its_lease(pace: float) -> None:
    chunk = ChunkSize.at_pace(pace, 30.0)
    assert chunk.lease_seconds > chunk.size / pace + 30.0 + LEASE_MARGIN


def test_d11_senders_clock_runs_while_the_machine_is_suspended() -> None:
    assert boot_clock() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=0.5)


def test_d11_pace_first_then_the_clock_then_the_post(sqlite_world: World) -> None:
    # The lease ends while those of one group wait for their pace: they look after the wait, and do not post.
    world = sqlite_world
    plan = ready(world, *(f"e{n}" for n in range(4)))
    clock = MovingClock()
    ended: list[bool] = []

    def ending(sender: Sender) -> None:
        def now() -> float:
            if not ended and world.posts() >= 1:
                ended.append(True)
                clock.ahead += 3600
            return clock()

        sender.clock = now

    world.send(plan, before=ending, requests_per_second=0.6)  # 30 a second in haste
    assert ended
    seconds = [world.events(f"e{n}")[1] for n in range(4)]
    assert ("sending", "unsent", "not_begun") in seconds
    assert world.emails() == {f"e{n}@example.com": 1 for n in range(4)}


def test_d11_nothing_is_claimed_for_longer_than_the_database_says(world: World) -> None:
    plan = ready(world, "e1")
    claim(world, plan, lease_ms=5000)
    table = world.db.tables.invitation
    with world.db.engine.connect() as connection:
        until = connection.execute(select(table.c.lease_until_ms)).scalar_one()
    assert 0 < until - world.db.now_ms() <= 5000
