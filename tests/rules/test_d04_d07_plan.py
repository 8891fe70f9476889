"""docs/delivery.md, rules 4 to 7: the window, what planning reserves, the seal, and which addresses are taken."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from types import FrameType
from typing import Any

import pytest
import time_machine
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from sqlalchemy import event, select

from m3ter_onboarding.errors import LedgerError, NotAllowedError, PlanError
from m3ter_onboarding.ledger import plans, runs
from m3ter_onboarding.ledger.decision_rows import DecisionRows, write_decisions
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.planning.fingerprint import fingerprint
from m3ter_onboarding.sending.right_to_send import check_policies
from m3ter_onboarding.source.email_addresses import sendable_address
from m3ter_provider.models import InvitationRequest
from tests.support.console import Console
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import World

MONDAY = datetime(2027, 3, 1, tzinfo=timezone.utc)
ONE = timedelta(days=1)


@pytest.fixture
def connected(world: World) -> Iterator[World]:
    """Return a world whose connection ``m3ter_default`` Airflow knows."""
    world.values.update(look_back_days=0, max_age_days=90)
    with m3ter_connection(world):
        yield world


def day(world: World, number: int, run: str | None = None, **values: Any) -> TaskRun:
    """Return the run for the day so many days after Monday, started when that day is over."""
    start = MONDAY + number * ONE
    return TaskRun(world, run or f"day-{number}", (start, start + ONE), **values)


def load(world: World, employee: str, number: int, **columns: Any) -> None:
    world.hire(employee, loaded_at=MONDAY + number * ONE + timedelta(hours=9), **columns)


def at(number: float) -> time_machine.travel:
    """Let the worker's clock show a moment after Monday's midnight."""
    return time_machine.travel(MONDAY + number * ONE, tick=True)


def run_day(world: World, number: int, run: str | None = None, **values: Any) -> TaskRun:
    with at(number + 1.25):
        return day(world, number, run, **values).all()


def window_of(world: World, run: str) -> tuple[datetime, datetime]:
    begun = runs.read_run(world.db, world.run(run))
    assert begun is not None
    return begun.window_start, begun.window_end


def emailed(world: World) -> set[str]:
    assert set(world.emails().values()) <= {1}
    return {address.removesuffix("@example.com") for address in world.emails()}


# -- D4: the window ----------------------------------------------------------------------------------------------------


def test_d04_day_that_failed_is_picked_up_by_the_next_run(connected: World) -> None:
    world = connected
    load(world, "mon", 0)
    run_day(world, 0)
    load(world, "tue", 1)
    world.m3ter.switches(may_invite=False)
    with pytest.raises(AirflowException):
        run_day(world, 1)
    world.m3ter.switches(may_invite=True)
    load(world, "wed", 2)
    run_day(world, 2)
    assert emailed(world) == {"mon", "tue", "wed"}


def test_d04_day_whose_warehouse_failed_is_picked_up(connected: World) -> None:
    world = connected
    load(world, "mon", 0)
    run_day(world, 0)
    load(world, "tue", 1)
    with pytest.raises(AirflowException):
        run_day(world, 1, values={"min_expected_rows": 5})
    run_day(world, 2)
    assert emailed(world) == {"mon", "tue"}


def test_d04_month_of_pause_is_picked_up(connected: World) -> None:
    world = connected
    run_day(world, 0)
    for number in (3, 14, 29):
        load(world, f"d{number}", number)
    run_day(world, 30)
    assert window_of(world, "day-30")[0] == MONDAY + ONE
    assert emailed(world) == {"d3", "d14", "d29"}


def test_d04_run_for_one_employee_is_not_a_run_over_everybody(connected: World) -> None:
    world = connected
    run_day(world, 0)
    load(world, "one", 1)
    load(world, "other", 1)
    run_day(world, 1, params={"only_employee": "one"})
    assert emailed(world) == {"one"}
    run_day(world, 2)
    assert window_of(world, "day-2")[0] == MONDAY + ONE
    assert emailed(world) == {"one", "other"}


@pytest.mark.parametrize(
    "harmless", [{"params": {"mode": "dry_run"}}, {"run_type": "backfill"}], ids=["dry_run", "backfill"]
)
def test_d04_run_that_sends_nothing_ends_no_window(connected: World, harmless: dict[str, Any]) -> None:
    world = connected
    run_day(world, 0)
    load(world, "tue", 1)
    run_day(world, 1, **harmless)
    assert emailed(world) == set()
    run_day(world, 2)
    assert emailed(world) == {"tue"}


def test_d04_cleared_run_is_not_finished_any_more(connected: World) -> None:
    world = connected
    run_day(world, 0)
    load(world, "late", 1)
    run_day(world, 1)
    with at(2.5):
        day(world, 1).snapshot()  # cleared, and going on
    with at(3.25):
        day(world, 2).snapshot()
    assert window_of(world, "day-2")[0] == MONDAY + ONE


def test_d04_window_into_the_future_ends_where_its_run_began(connected: World) -> None:
    world = connected
    with at(1.5):  # by hand, at noon, for a day that is not over
        day(world, 1).all()
    load(world, "afternoon", 1, email="afternoon@example.com")
    world.correct("afternoon", loaded_at=MONDAY + 1.75 * ONE)
    run_day(world, 2)
    assert emailed(world) == {"afternoon"}


def test_d04_age_limit_ends_what_is_caught_up(connected: World) -> None:
    world = connected
    run_day(world, 0)
    load(world, "ancient", 5)
    load(world, "recent", 150)
    run_day(world, 200)
    assert window_of(world, "day-200")[0] >= MONDAY + 110 * ONE
    assert emailed(world) == {"recent"}


def test_d04_a_person_who_started_too_long_ago_is_not_invited(connected: World) -> None:
    world = connected
    load(world, "old", 0, start_date="2026-01-01")
    load(world, "new", 0, start_date="2027-03-01")
    run_day(world, 0)
    assert emailed(world) == {"new"}


def test_d04_too_early_is_picked_up_when_it_is_time(connected: World) -> None:
    world = connected
    world.values["invite_days_before_start"] = 7
    world.m3ter.advance(
        (MONDAY + 34 * ONE - datetime.now(timezone.utc)).total_seconds()
    )  # so that it lasts until day 35
    load(world, "future", 0, start_date=f"{MONDAY + 40 * ONE:%Y-%m-%d}")
    for number in (0, 1, 2):
        run_day(world, number)
    assert emailed(world) == set()
    run_day(world, 3, "dry", params={"mode": "dry_run"})
    run_day(world, 34)
    assert emailed(world) == {"future"}
    run_day(world, 35)
    assert window_of(world, "day-35")[0] == MONDAY + 35 * ONE, "nobody waits any more"


def test_d04_late_row_within_the_look_back(connected: World) -> None:
    world = connected
    world.values["look_back_days"] = 3
    run_day(world, 3)
    load(world, "late", 1)  # loaded with the date of two days ago
    run_day(world, 4)
    assert emailed(world) == {"late"}


# -- D5: planning reserves nothing -------------------------------------------------------------------------------------


def test_d05_planning_writes_decisions_only(world: World) -> None:
    world.hire("e1", "e2")
    world.snapshot()
    plans = [world.plan("one"), world.plan("two"), world.plan("dry", may_invite=False)]
    assert world.states() == {}
    assert [world.decisions(plan) for plan in plans] == [{"e1": "invite:new", "e2": "invite:new"}] * 3
    world.send(plans[1], "two")
    assert emailed(world) == {"e1", "e2"}


def test_d05_planning_reads_each_fact_once_and_validates_each_address_once(world: World) -> None:
    world.hire("e1", "e2", "e3")
    world.snapshot()
    read: Counter[str] = Counter()
    validated = 0

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        what = (
            " by alias" if re.search(r"alias_key (IN|= ANY)", statement) else ""
        )  # whether another address may be the same mailbox
        read.update(table + what for table in re.findall(r"FROM (m3ter_mirror_\w+)", statement))

    def profile(frame: FrameType, event_name: str, _argument: Any) -> None:
        nonlocal validated
        validated += event_name == "call" and frame.f_code is sendable_address.__code__

    event.listen(world.db.engine, "before_cursor_execute", note)
    sys.setprofile(profile)
    try:
        plan = world.plan()
    finally:
        sys.setprofile(None)
        event.remove(world.db.engine, "before_cursor_execute", note)
    assert plan.counts == {"invite:new": 3}
    kinds = ("org", "invitation", "user", "policy")
    aliases = ("invitation by alias", "user by alias")
    assert read == {f"m3ter_mirror_{kind}": 1 for kind in (*kinds, *aliases)}
    assert validated == 3


def test_d05_backfill_plans_only_unless_it_is_allowed_to_send(connected: World) -> None:
    world = connected
    load(world, "mon", 0)
    with at(10):
        run = day(world, 0, "backfill", run_type="backfill")
        run.snapshot()
        assert run.plan()["count"] == 1
        with pytest.raises(AirflowSkipException):
            run.send()
        assert world.states() == {}
        assert not run.report() or world.posts() == 0
        run_day(world, 9, "normal")  # takes nothing from others
        allowed = day(world, 0, "allowed", run_type="backfill", params={"allow_backfill_send": True}).all()
    assert allowed.xcoms["plan"]["sendable"]
    assert emailed(world) == {"mon"}


def test_d05_backfill_over_days_already_sent_posts_nothing(connected: World) -> None:
    world = connected
    for number in range(3):
        load(world, f"d{number}", number)
        run_day(world, number)
    before = world.posts()
    for number in range(3):
        again = day(world, number, f"back-{number}", run_type="backfill", params={"allow_backfill_send": True})
        with at(5):
            again.all()
    assert (world.posts(), emailed(world)) == (before, {"d0", "d1", "d2"})


def test_d05_dry_plan_is_refused_by_the_sender_whatever_calls_it(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    plan = world.plan("dry", may_invite=False)
    with pytest.raises(NotAllowedError, match="may not be sent"):
        world.send(plan, "dry")
    assert (world.posts(), world.states()) == (0, {})


# -- D6: the seal ------------------------------------------------------------------------------------------------------


EMPTY_SEAL = plans.PlanSeal(
    fingerprint="0" * 64,
    rows_read=0,
    invitations=0,
    counts={},
    policies=[],
    sendable=False,
    not_sendable_because=None,
    approval_because=(),
    no_approval_because=None,
    sealed_at=MONDAY,
    valid_for=ONE,
)


def test_d06_sealed_once_and_never_changed(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    plan = world.plan()
    row = plans.read_plan(world.db, plan.plan_id)
    assert row is not None
    seal = replace(EMPTY_SEAL, rows_read=1, sealed_at=datetime.now(timezone.utc), invitations=9)
    rows = DecisionRows(world.db, plan.plan_id, world.m3ter.org_id, MONDAY, world.seals)
    with pytest.raises(LedgerError, match="could not be sealed"):
        plans.seal_plan(world.db, plan.plan_id, seal, world.seals)
    with pytest.raises(LedgerError, match="not changed any more"):
        write_decisions(world.db, rows, [])
    plans.seal_plan(world.db, plan.plan_id, replace(seal, fingerprint=plan.fingerprint), world.seals)  # COMMIT unheard
    assert plans.read_plan(world.db, plan.plan_id) == row


def test_d06_plan_without_a_decision_for_every_row_is_not_sealed(world: World) -> None:
    plan_id = "11111111-2222-3333-4444-555555555555"
    beginning = plans.PlanBeginning(world.m3ter.org_id, "normal", MONDAY, MONDAY + ONE, MONDAY)
    plans.begin_plan(world.db, world.run("run-1"), plan_id, beginning)
    with pytest.raises(LedgerError, match="0 decisions for 2 rows"):
        plans.seal_plan(world.db, plan_id, replace(EMPTY_SEAL, rows_read=2), world.seals)


def test_d06_plan_that_was_cleared_is_never_sent_and_the_new_one_is(connected: World) -> None:
    world = connected
    load(world, "mon", 0)
    with at(1.25):
        run = day(world, 0)
        run.snapshot()
        old = run.plan()
        world.correct("mon", email="corrected@example.com")
        new = run.plan()
        assert new["plan_id"] != old["plan_id"]
        run.xcoms["plan"] = old  # what a send that was not cleared would still see
        with pytest.raises(AirflowFailException, match="replaced by a newer one"):
            run.send()
        run.xcoms["plan"] = new
        run.send()
    assert emailed(world) == {"corrected"}


def test_d06_planning_that_died_leaves_no_plan_to_send(connected: World) -> None:
    world = connected
    load(world, "mon", 0)
    with at(1.25):
        run = day(world, 0)
        run.snapshot()
        sealed = run.plan()
        run.values = {"min_expected_rows": 5}
        with pytest.raises(AirflowFailException, match="min_expected_rows"):
            run.plan()  # cleared, and this time it fails half-way
        run.xcoms["plan"] = sealed
        with pytest.raises(AirflowFailException, match="replaced by a newer one"):
            run.send()
        run.xcoms.pop("plan")
        with pytest.raises(AirflowFailException, match="left no plan"):
            run.send()  # marked successful by hand
    assert world.posts() == 0


REQUEST = InvitationRequest(
    email="ann@example.com",
    first_name="Ann",
    last_name="Example",
    contact_number="1",
    permission_policy_ids=("policy-1",),
    dt_end_access=MONDAY,
    dt_expiry=MONDAY,
    m3ter_user=False,
    version=1,
)
CHANGED: dict[str, Any] = {
    "email": "Ann@example.com",
    "first_name": "Anne",
    "last_name": "Sample",
    "contact_number": None,
    "permission_policy_ids": ("policy-2",),
    "dt_end_access": MONDAY + timedelta(milliseconds=1),
    "dt_expiry": MONDAY + timedelta(milliseconds=1),
    "m3ter_user": True,
    "version": 2,
}
fingerprint_of = partial(fingerprint, org_id="org-1")
POLICIES = (M3terPolicy("policy-1", "Viewer", 1), M3terPolicy("policy-2", "Analyst", 1))


def decided(request: InvitationRequest | None) -> Decision:
    verdict = "invite" if request else "skip"
    return Decision(
        row_no=1,
        decision=verdict,  # type: ignore[arg-type]
        reason="new",
        employee_id="e1",
        email="ann@example.com",
        email_key="ann@example.com",
        request=request,
    )


@pytest.mark.parametrize("field", sorted(InvitationRequest.model_fields))
def test_d06_fingerprint_covers_every_field_that_is_posted(field: str) -> None:
    other = REQUEST.model_copy(update={field: CHANGED[field]})
    assert fingerprint_of([decided(other)], POLICIES) != fingerprint_of([decided(REQUEST)], POLICIES)


def test_d06_fingerprint_covers_policies_and_people() -> None:
    whole = fingerprint_of([decided(REQUEST)], POLICIES)
    newer = (replace(POLICIES[0], version=2), POLICIES[1])
    assert fingerprint_of([decided(REQUEST)], newer) != whole
    assert fingerprint_of([decided(REQUEST)._replace(employee_id="e2")], POLICIES) != whole
    assert fingerprint_of([], POLICIES) != whole
    unused = (POLICIES[0], replace(POLICIES[1], version=2))
    assert fingerprint_of([decided(REQUEST), decided(None)], unused) == whole


def test_d06_plan_records_the_policies_with_id_and_version(world: World) -> None:
    world.m3ter.seed(policies=[{"id": "policy-1", "name": "Analyst", "version": 7}])
    world.hire("e1")
    world.snapshot()
    plan = world.plan(permission_policies=["Analyst"])
    row = plans.read_plan(world.db, plan.plan_id)
    assert row is not None
    assert list(row.policies) == [plans.PlannedPolicy("policy-1", "Analyst", 7, administrator_like=False)]
    decision, head = world.db.tables.decision, world.db.tables.plan
    with world.db.engine.connect() as connection:
        request = connection.execute(select(decision.c.request).where(decision.c.plan_id == plan.plan_id)).scalar_one()
        kept = connection.execute(select(head.c.policies).where(head.c.plan_id == plan.plan_id)).scalar_one()
    shown = {"administrator_like": False, "statements_shown": True}
    assert kept == [{"id": "policy-1", "name": "Analyst", "version": 7, **shown}]
    assert request["permissionPolicyIds"] == ["policy-1"]


@pytest.mark.parametrize(("name", "said"), [("Analist", "did you mean 'Analyst'"), ("Twin", "use an id")])
def test_d06_policy_that_is_missing_or_ambiguous_is_an_error(world: World, name: str, said: str) -> None:
    world.m3ter.seed(policies=[{"name": "Analyst"}, {"id": "a", "name": "Twin"}, {"id": "b", "name": "Twin"}])
    world.hire("e1", permission_policies=name)
    world.hire("e2")
    world.snapshot()
    plan = world.plan("row")
    assert world.decisions(plan) == {"e1": "invalid:policy", "e2": "invite:new"}
    with pytest.raises(PlanError, match=said):
        world.plan("configured", permission_policies=[name])
    newest = plans.newest_plan_id(world.db, world.run("configured"))
    row = plans.read_plan(world.db, newest) if newest else None
    assert row is None or row.state != "sealed"
    world.send(world.plan("by-id", permission_policies=["a"]), "by-id")
    assert emailed(world) == {"e2"}


EVERYTHING = [{"effect": "allow", "action": ["*"], "resource": ["*"]}]


def test_f42_administrator_policies_need_their_own_switch(world: World) -> None:
    world.m3ter.seed(policies=[{"name": "Chief", "permissionPolicy": EVERYTHING}, {"name": "Analyst"}])
    world.hire("e1", permission_policies="Administrator")
    world.hire("e2", permission_policies="Chief")
    world.hire("e3", permission_policies="Read Only,Analyst")
    world.snapshot()
    everything_else = ["Administrator", "Chief", "Read Only", "Analyst"]
    plan = world.plan("row", allowed_permission_policies=everything_else)
    refused = "review:policy_not_allowed"
    assert world.decisions(plan) == {"e1": refused, "e2": refused, "e3": "invite:new"}
    with pytest.raises(PlanError, match="would make everybody an administrator: 'Administrator'"):
        world.plan("default", permission_policies=["Administrator"])
    allowed = world.plan("allowed", allowed_permission_policies=everything_else, allow_administrator_policies=True)
    assert set(world.decisions(allowed).values()) == {"invite:new"}
    world.send(plan, "row")
    assert emailed(world) == {"e3"}


def test_f42_three_policies_that_make_an_administrator_together(world: World) -> None:
    thirds = [
        {"name": verb, "permissionPolicy": [{"effect": "allow", "action": [f"config:{verb}"], "resource": ["*"]}]}
        for verb in ("create", "update", "delete")
    ]
    world.m3ter.seed(policies=thirds)
    world.hire("e1", permission_policies="create,update,delete")
    world.snapshot()
    for run, allowed in (("default", None), ("any", "any"), ("named", ["create", "update", "delete"])):
        plan = world.plan(run, allowed_permission_policies=allowed)
        assert world.decisions(plan) == {"e1": "review:policy_not_allowed"}
        assert not plan.needs_approval
    approved = world.plan("switched", allowed_permission_policies="any", allow_administrator_policies=True)
    assert world.decisions(approved) == {"e1": "invite:new"}
    assert approved.needs_approval


def test_d09_policy_that_comes_to_grant_everything_after_the_plan_stops_the_sender(world: World) -> None:
    console = Console(world.m3ter)
    console.make_policy("Analyst")
    world.hire("e1")
    world.snapshot()
    plan = world.plan(permission_policies=["Analyst"])
    found = console.policies("Analyst")[0]
    content = {"name": "Analyst", "permissionPolicy": EVERYTHING, "version": found["version"]}
    console.call("PUT", f"permissionpolicies/{found['id']}", content)
    with pytest.raises(NotAllowedError, match=r"'Analyst' .* was changed in m3ter"):
        world.send(plan)
    assert world.posts() == 0
    with pytest.raises(PlanError, match="would make everybody an administrator"):
        world.plan("again", permission_policies=["Analyst"])  # the sender's look is in the mirror


def test_d09_also_where_m3ter_gives_no_version() -> None:
    first_version = plans.PlannedPolicy.from_json({"id": "p", "name": "Analyst", "version": None})
    planned = plans.PlannedPolicy("p", "Analyst", None, administrator_like=False)
    harmless, powerful = M3terPolicy("p", "Analyst", None), M3terPolicy("p", "Analyst", None, administrator_like=True)
    check_policies([planned], [harmless])
    check_policies([replace(planned, administrator_like=True)], [powerful])
    for plan in (first_version, planned):
        with pytest.raises(NotAllowedError, match="was changed in m3ter"):
            check_policies([plan], [powerful])


# -- D7: an address that is taken, or never silently skipped ----------------------------------------------------------


def people_of_every_kind(world: World) -> None:
    world.hire("pending", "member", "expired", "ended", "free")
    world.m3ter.seed(
        invitations=[{"email": "pending@example.com"}, {"email": "expired@example.com", "dtCreated": "-40d"}],
        users=[{"email": "member@example.com"}, {"email": "ended@example.com", "dtEndAccess": "-5d"}],
    )
    world.snapshot()


def test_d07_dead_ones_are_for_review_by_default(world: World) -> None:
    people_of_every_kind(world)
    plan = world.plan()
    assert world.decisions(plan) == {
        "pending": "skip:already_invited",
        "member": "skip:already_member",
        "expired": "review:expired",
        "ended": "review:rehire",
        "free": "invite:new",
    }
    world.send(plan)
    assert emailed(world) == {"free"}


def test_d07_dead_ones_are_invited_where_the_configuration_says_so(world: World) -> None:
    people_of_every_kind(world)
    plan = world.plan(reinvite=5, cool_off_days=0, if_rehire="invite")
    assert world.decisions(plan)["expired"] == "invite:expired"
    assert world.decisions(plan)["ended"] == "invite:rehire"
    world.send(plan)
    assert emailed(world) == {"free", "expired", "ended"}
    assert set(world.decisions(world.plan("again", reinvite=5, cool_off_days=0, if_rehire="invite")).values()) == {
        "skip:already_invited",
        "skip:already_member",
    }


def test_d07_own_invitation_that_expired_gets_a_second_generation(world: World) -> None:
    world.hire("e1")
    world.whole_run()
    world.m3ter.expire("e1@example.com")
    world.snapshot()
    assert world.state("e1") == "expired"
    assert world.decisions(world.plan("next")) == {"e1": "review:expired"}
    world.send(world.plan("invite", reinvite=5, cool_off_days=0), "invite")
    assert world.emails() == {"e1@example.com": 2}, "a person asked for this, by the configuration"
    assert (world.row("e1")["generation"], world.row("e1")["state"]) == (2, "sent")


def test_d07_member_whose_access_ended_is_a_rehire(world: World) -> None:
    world.hire("e1")
    world.whole_run()
    world.m3ter.accept("e1@example.com")
    world.snapshot()
    assert world.decisions(world.plan("member")) == {"e1": "skip:already_member"}
    world.m3ter.reset()
    world.m3ter.seed(users=[{"email": "e1@example.com", "dtEndAccess": "-1d"}])
    world.now = lambda: datetime.now(timezone.utc) + timedelta(days=8)
    world.snapshot()
    assert world.decisions(world.plan("left")) == {"e1": "review:rehire"}
    world.send(world.plan("back", if_rehire="invite"), "back")
    assert world.emails() == {"e1@example.com": 1}, "since the reset"


def test_d07_changed_address_of_someone_invited_is_for_review(world: World) -> None:
    world.hire("e1")
    world.whole_run()
    world.correct("e1", email="married@example.com")
    plan = world.plan("next")
    assert world.decisions(plan) == {"e1": "review:email_changed"}
    world.send(plan, "next")
    assert emailed(world) == {"e1"}


def test_d07_changed_address_of_someone_adopted_is_for_review(world: World) -> None:
    world.hire("e1")
    world.m3ter.seed(invitations=[{"email": "e1@example.com"}])
    world.whole_run()
    world.correct("e1", email="married@example.com")
    assert world.decisions(world.plan("next")) == {"e1": "review:email_changed"}
