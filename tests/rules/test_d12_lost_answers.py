"""docs/delivery.md, rule 12: a lost answer is looked up in m3ter, and only then settled."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, event, func, select, update

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger import mirror
from m3ter_onboarding.ledger.answer_groups import record_answers
from m3ter_onboarding.ledger.claim_statements import ClaimRequest
from m3ter_onboarding.ledger.claims import begin_attempts, claim_chunk
from m3ter_onboarding.ledger.manual_decisions import ManualDecision, decide_by_hand
from m3ter_onboarding.ledger.open_invitations import open_invitations, settle
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.plans import read_plan
from m3ter_onboarding.ledger.remaining import remaining
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.planning.sealed_plan import Planned
from m3ter_onboarding.reporting.run_outcome import problems_of
from m3ter_provider.errors import M3terError
from m3ter_provider.models import PermissionPolicy
from tests.support.world import World

LEASE = 60.0
SETTLE_AFTER = 1.0
POST = "CreateOrgUserInvitation"


def die_while_sending(world: World, *employees: str, run: str = "dead", **claim: Any) -> Planned:
    """Let a sender claim everybody and record that the POSTs begin; nothing records whether they arrived."""
    for employee in employees:
        world.hire(employee)
    world.snapshot()
    plan = world.plan(run)
    world.claim(plan, run, **claim)
    return plan


def settle_after(world: World, seconds: float) -> None:
    world.pass_time(seconds)
    world.settle()


def absent_twice(world: World) -> None:
    settle_after(world, LEASE + SETTLE_AFTER)
    settle_after(world, SETTLE_AFTER)


def set_row(world: World, employee: str, **values: Any) -> None:
    table = world.db.tables.invitation
    with world.db.engine.begin() as connection:
        row_id = world.row(employee)["invitation_id"]
        connection.execute(update(table).where(table.c.invitation_id == row_id).values(**values))


# -- found -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500, "when": "after"},
        {"kind": "status", "status": 502, "when": "after"},
        {"kind": "status", "status": 504, "when": "after"},
        {"kind": "reset", "when": "after"},
        {"kind": "drop", "when": "after"},
        {"kind": "truncated"},
        {"kind": "hang", "when": "after"},
        {"kind": "garbled", "garble": "html"},
        {"kind": "garbled", "garble": "empty"},
        {"kind": "garbled", "garble": "missing_id"},
        {"kind": "status", "status": 302, "when": "after", "headers": {"Location": "/elsewhere"}},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values() if not isinstance(value, dict)),
)
def test_d12_invitation_made_and_answer_lost_is_found_in_the_same_run(
    sqlite_world: World, fault: dict[str, Any]
) -> None:
    world = sqlite_world
    world.extra = {"timeout_seconds": 0.4}
    world.hire("e1", "e2", "e3")
    world.m3ter.faults(operation=POST, email="e2@example.com", count=1, **fault)
    delivered = world.whole_run()
    assert world.emails() == {f"e{n}@example.com": 1 for n in (1, 2, 3)}
    assert set(world.states().values()) == {"sent"}
    assert delivered.unknown == 1
    assert world.events("e2") == [
        (None, "sending", "claimed"),
        ("sending", "unknown", "no_answer"),
        ("unknown", "sent", "found"),
    ]


def test_d12_found_by_key_after_the_sender_died(world: World) -> None:
    die_while_sending(world, "e1", "e2")
    m3ter_id = world.arrive("E1@Example.com")
    settle_after(world, LEASE + SETTLE_AFTER)
    assert world.state("e1") == "sent"
    assert world.row("e1")["m3ter_id"] == m3ter_id
    assert world.state("e2") == "unknown"


@pytest.mark.parametrize("listed", [True, False], ids=["list_keeps_accepted", "list_drops_accepted"])
def test_d12_found_as_user_is_accepted(world: World, listed: bool) -> None:
    world.m3ter.switches(keep_accepted=listed)
    die_while_sending(world, "e1")
    world.arrive("e1@example.com")
    world.m3ter.accept("e1@example.com")
    settle_after(world, LEASE + SETTLE_AFTER)
    assert world.state("e1") == "accepted"


def test_d12_revived_invitation_of_an_older_generation_is_found(world: World) -> None:
    # m3ter may answer a new POST for an expired invitation by extending that one: the same id, modified since.
    world.hire("e1")
    world.m3ter.seed(invitations=[{"id": "one", "email": "e1@example.com", "dtCreated": "-20d"}])
    world.snapshot()
    world.m3ter.reset()
    expired = {"id": "one", "email": "e1@example.com", "dtCreated": "-40d"}
    world.m3ter.seed(invitations=[expired])
    world.snapshot()
    assert world.state("e1") == "expired"

    world.claim(world.plan("dead", reinvite=5, cool_off_days=0), "dead")
    world.m3ter.reset()
    world.m3ter.seed(invitations=[{**expired, "dtLastModified": "+0s", "dtExpiry": "+30d"}])
    absent_twice(world)
    assert world.state("e1") in ("sent", "adopted")


# -- absent ------------------------------------------------------------------------------------------------------------


def test_d12_expired_before_it_was_looked_up_is_not_sent_again(world: World) -> None:
    # m3ter lists it, so it was made; that nobody used it in time says nothing against that.
    die_while_sending(world, "e1", "e2")
    world.arrive("e1@example.com")
    world.arrive("e2@example.com", dtCreated="-45d", dtExpiry="-15d")  # of long ago, not of this attempt
    world.m3ter.expire("e1@example.com")
    absent_twice(world)
    assert world.states() == {"e1@example.com": "expired", "e2@example.com": "unsent"}
    assert world.events("e1")[-2:] == [("sending", "sent", "found_expired"), ("sent", "expired", "m3ter_says")]


@pytest.mark.parametrize("reinvite", ["never", "once"])
def test_d12_expired_under_a_plan_is_not_renewed_by_it(world: World, reinvite: str) -> None:
    # One decision is one e-mail, in any case.
    plan = die_while_sending(world, "e1", "e2")
    world.arrive("e1@example.com")
    world.m3ter.expire("e1@example.com")
    absent_twice(world)
    world.send(plan, "dead")
    assert world.emails() == {"e2@example.com": 1}
    later = world.plan("later", reinvite=reinvite, cool_off_days=0)
    assert world.decisions(later)["e1"] == ("invite:expired" if reinvite == "once" else "review:expired")
    world.send(later, "later")
    assert world.emails() == {"e2@example.com": 1, **({"e1@example.com": 1} if reinvite == "once" else {})}


def test_d12_absent_once_is_unknown(world: World) -> None:
    die_while_sending(world, "e1")
    settle_after(world, LEASE + SETTLE_AFTER)
    assert world.state("e1") == "unknown"
    world.settle()  # at once, not settle_after later
    world.settle()
    assert world.state("e1") == "unknown"


def test_d12_second_look_waits_from_the_end_of_a_long_first(sqlite_world: World) -> None:
    # Else two looks stand side by side, and somebody who accepts between two lists is in neither, both times.
    world = sqlite_world
    die_while_sending(world, "e1")
    world.pass_time(LEASE + SETTLE_AFTER)
    world.m3ter.faults(kind="latency", seconds=0.1, method="GET", path="/invitations", count=1)
    began_ms, _ = open_invitations(world.db, world.m3ter.org_id)
    world.settle()
    assert world.state("e1") == "unknown"
    assert world.row("e1")["first_absent_ms"] >= began_ms + 100


def test_d12_absent_twice_is_unsent_and_sent_by_the_next(world: World) -> None:
    die_while_sending(world, "e1")
    absent_twice(world)
    assert world.state("e1") == "unsent"
    assert world.row("e1")["absences"] == 1
    world.whole_run("next")
    assert world.emails() == {"e1@example.com": 1}


def test_d12_first_look_no_sooner_than_settle_after_behind_the_lease(world: World) -> None:
    # The worker thought dead may have posted in its last moment, and the list lags.
    die_while_sending(world, "e1")
    settle_after(world, LEASE + 0.2)
    settle_after(world, 0.2)
    settle_after(world, 0.2)
    assert world.state("e1") == "sending"
    world.arrive("e1@example.com")
    settle_after(world, SETTLE_AFTER)
    assert world.state("e1") == "sent"


def test_d12_first_look_counts_from_the_end_that_the_sender_recorded(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    plan = world.plan()
    [claimed] = world.claim(plan)
    token = world.row("e1")["claim_token"]
    unknown = Outcome(claimed.invitation_id, InvitationState.UNKNOWN, "no_answer")
    record_answers(world.db, token, [unknown], datetime.now(timezone.utc))
    settle_after(world, 0.5)
    assert world.row("e1")["first_absent_ms"] is None
    settle_after(world, 0.6)  # long before the lease's end
    assert world.row("e1")["first_absent_ms"] is not None
    settle_after(world, SETTLE_AFTER)
    assert world.state("e1") == "unsent"


def test_d12_after_two_attempts_without_a_trace_the_next_run_goes_on(world: World) -> None:
    """An outage of a minute can swallow both: that is no refusal of m3ter's, and nobody has to mend a row."""
    world.hire("e1")
    world.snapshot()
    plan = world.plan()
    for _ in range(2):
        world.claim(plan)
        absent_twice(world)
    assert (world.state("e1"), world.row("e1")["absences"]) == ("unsent", 2)
    assert world.claim(plan) == [], "not a third time by the same plan"
    left = remaining(world.db, plan.plan_id, world.m3ter.org_id)
    assert (left.no_trace, left.unsent, left.failed, left.nothing_left) == (1, 0, 0, True)
    assert world.send(plan).sent == 0
    [problem] = problems_of(read_plan(world.db, plan.plan_id), left, [], fail_on_refused=False)
    assert problem.startswith("1 invitation(s) got no answer in two attempts, and m3ter shows no trace of them")

    assert world.decisions(world.plan("second")) == {"e1": "invite:new"}
    assert world.whole_run("second").sent == 1
    assert world.emails() == {"e1@example.com": 1}


def test_d12_three_runs_without_a_trace_are_for_a_person(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    for run in ("first", "second", "third"):
        plan = world.plan(run)
        for _ in range(2):
            assert len(world.claim(plan, run)) == 1
            absent_twice(world)
    assert (world.state("e1"), world.row("e1")["absences"]) == ("review", 6)
    assert world.decisions(world.plan("fourth")) == {"e1": "review:unknown_outcome"}
    row = world.row("e1")
    decision = ManualDecision(row["invitation_id"], seen="review", to="unsent", who="olga")
    decide_by_hand(world.db, decision, world.now())
    assert world.row("e1")["absences"] == 0, "a person's decision is a new start"
    assert world.whole_run("fifth").sent == 1


def test_d12_not_begun_is_unsent_and_not_counted(world: World) -> None:
    die_while_sending(world, "e1", begin=False)
    for run in ("second", "third", "fourth"):
        settle_after(world, LEASE + 0.1)
        assert (world.state("e1"), world.row("e1")["absences"]) == ("unsent", 0)
        world.claim(world.plan(run), run, begin=False)
    settle_after(world, LEASE + 0.1)
    world.whole_run("last")
    assert world.emails() == {"e1@example.com": 1}


def test_d12_live_lease_is_not_settled(world: World) -> None:
    die_while_sending(world, "e1")
    settled = world.settle()
    assert (settled.changed, settled.held) == (0, 1)
    settle_after(world, LEASE - 5)
    assert world.state("e1") == "sending"
    assert world.row("e1")["first_absent_ms"] is None


# -- undecided --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0, 90, -90, 7200, -7200])
def test_d12_rewritten_address_is_for_review(sqlite_world: World, ahead: int) -> None:
    world = sqlite_world
    world.m3ter.advance(ahead)
    world.hire("e1", email="e1+work@example.com")
    world.hire("e2")
    world.snapshot()
    world.claim(world.plan())
    world.arrive("e1@example.com")  # what m3ter made of e1+work
    world.arrive("e2@example.com")
    absent_twice(world)
    assert world.states()["e1+work@example.com"] == "review"
    assert world.states()["e2@example.com"] == "sent"


def test_d12_rewritten_address_of_someone_who_joined_is_for_review(world: World) -> None:
    world.m3ter.switches(keep_accepted=False)
    world.hire("e1", email="e1+work@example.com")
    world.snapshot()
    world.claim(world.plan())
    world.arrive("e1@example.com")
    world.m3ter.accept("e1@example.com")
    absent_twice(world)
    assert world.states()["e1+work@example.com"] == "review"


def test_d12_invitation_made_by_hand_explains_nothing(world: World) -> None:
    die_while_sending(world, "e1")
    world.m3ter.seed(invitations=[{"email": "somebody.else@example.com"}])
    absent_twice(world)
    assert world.state("e1") == "unsent"


def test_d12_any_unknown_invitation_may_be_ours_where_m3ter_does_not_name_our_user(world: World) -> None:
    world.m3ter.faults(kind="status", status=404, method="GET", path="/users/me")
    die_while_sending(world, "e1")
    world.m3ter.seed(invitations=[{"email": "somebody.else@example.com"}])
    absent_twice(world)
    assert world.state("e1") == "review"


def test_d12_an_entry_mirrored_before_the_attempt_explains_nothing(world: World) -> None:
    """An unrelated user of the last minutes sent every unanswered row to a person."""
    world.m3ter.seed(users=[{"email": "an.unrelated.user@example.com", "dtCreated": "-5s"}])
    die_while_sending(world, "e1", "e2")
    absent_twice(world)
    assert (world.state("e1"), world.state("e2")) == ("unsent", "unsent")
    assert world.whole_run("next").left is not None
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}


def test_d12_an_invitation_that_was_there_and_that_m3ter_renews_may_be_of_the_attempt(world: World) -> None:
    """m3ter takes e1+work@ for e1@, an invitation of ours from before the ledger: the e-mail went to e1+work@."""
    world.m3ter.switches(email_stored_as="without_tag", pending_invitation="update_with_email")
    world.hire("e1", email="e1+work@example.com")
    world.snapshot()
    world.arrive("e1@example.com", dtCreated="-3d")
    world.extra = {"timeout_seconds": 0.5}
    world.m3ter.faults(operation=POST, kind="drop", when="after", count=1)
    world.whole_run()
    assert world.emails() == {"e1+work@example.com": 1}
    assert world.states()["e1+work@example.com"] == "review"


@pytest.mark.parametrize("accepted", [False, True])
def test_d12_an_old_invitation_explains_nothing_where_nobody_or_only_its_person_changed_it(
    world: World, accepted: bool
) -> None:
    world.hire("e1")
    world.snapshot()
    world.arrive("an.older.one@example.com", dtCreated="-3d")
    world.snapshot()
    world.claim(world.plan("dead"), "dead")
    if accepted:
        world.m3ter.accept("an.older.one@example.com")
    absent_twice(world)
    assert world.state("e1") == "unsent"


def test_d12_an_entry_that_came_after_the_attempt_may_be_of_it(world: World) -> None:
    """However m3ter dates it."""
    die_while_sending(world, "e1")
    world.m3ter.seed(users=[{"email": "an.unrelated.user@example.com", "dtCreated": "-5s"}])
    absent_twice(world)
    assert world.state("e1") == "review"


@pytest.mark.parametrize("seconds", [5, 3600])
def test_d12_a_database_clock_that_was_set_back_since_the_attempt_makes_no_entry_older(
    world: World, seconds: int
) -> None:
    die_while_sending(world, "e1")
    t = world.db.tables.invitation
    with world.db.engine.begin() as connection:  # as if the clock had been so far ahead when it began
        connection.execute(update(t).values(attempt_started_ms=t.c.attempt_started_ms + seconds * 1000))
    world.m3ter.seed(users=[{"email": "an.unrelated.user@example.com"}])
    world.snapshot()
    mirrored = world.db.tables.mirror_user.c
    with world.db.engine.connect() as connection:
        begun = connection.execute(select(func.max(t.c.attempt_started_ms))).scalar_one()
        first_seen = select(func.min(mirrored.first_seen_ms)).where(
            mirrored.email_key == "an.unrelated.user@example.com"
        )
        assert connection.execute(first_seen).scalar_one() >= begun


def test_d03_a_database_clock_that_is_set_back_during_a_pass_makes_nothing_gone(sqlite_world: World) -> None:
    db, policies = sqlite_world.db, [PermissionPolicy.model_validate({"id": "p-view", "name": "Viewer"})]
    shift = [0.0]

    def set_clock(dbapi_connection: Any, *_: Any) -> None:
        dbapi_connection.create_function(
            "julianday", 1, lambda _now: (utc_now().timestamp() + shift[0]) / 86400 + 2440587.5
        )

    event.listen(db.engine, "checkout", set_clock)
    try:
        started = mirror.begin_pass(db, "org-1")
        shift[0] = -10.0
        mirror.store_policies(db, "org-1", started, policies)
        mirror.finish_full_pass(db, "org-1", mirror.Kind.POLICIES, started, utc_now())
    finally:  # other tests have the same engine, and would have its connections with this clock
        event.remove(db.engine, "checkout", set_clock)
        db.engine.dispose()
    with db.engine.connect() as connection:
        assert connection.execute(select(db.tables.mirror_policy.c.gone)).scalar_one() is False


def test_d12_older_than_an_invitations_life_is_for_review(world: World) -> None:
    die_while_sending(world, "e1", "e2", begin=True)
    world.pass_time(31 * 86400)
    world.snapshot()
    assert (world.state("e1"), world.state("e2")) == ("review", "review")


@pytest.mark.parametrize(("planned_days_ago", "state"), [(1, "unsent"), (8, "review")])
def test_d12_a_shorter_life_that_was_asked_for_counts(world: World, planned_days_ago: int, state: str) -> None:
    world.values["validity_days"] = 6
    world.hire("e1")
    world.snapshot()
    world.now = lambda: utc_now() - timedelta(days=planned_days_ago)
    world.claim(world.plan("dead"), "dead", begin=True)
    world.now = utc_now
    absent_twice(world)
    assert world.state("e1") == state


def test_d12_review_blocks_a_second_e_mail_until_it_is_found(world: World) -> None:
    die_while_sending(world, "e1")
    world.pass_time(31 * 86400)
    world.snapshot()
    plan = world.plan("next")
    assert world.decisions(plan) == {"e1": "review:unknown_outcome"}
    world.send(plan, "next")
    assert world.posts() == 0
    world.arrive("e1@example.com")
    world.snapshot()
    assert world.state("e1") == "sent"


@pytest.mark.parametrize("list_that_fails", ["/invitations", "/users$"])
def test_d12_failed_look_settles_nothing(world: World, list_that_fails: str) -> None:
    die_while_sending(world, "e1")
    settle_after(world, LEASE + SETTLE_AFTER)
    world.m3ter.faults(kind="status", status=404, method="GET", path=list_that_fails)
    for _ in range(3):
        world.pass_time(SETTLE_AFTER)
        with pytest.raises(M3terError):
            world.settle()
    assert world.state("e1") == "unknown"
    world.m3ter.clear_faults()
    world.arrive("e1@example.com")
    world.settle()
    assert world.state("e1") == "sent"


# -- clocks and lists --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "header"), [(0, 0), (90, 0), (-90, 0), (0, 90), (0, -90), (90, -90), (-90, 90), (7200, 0), (-7200, 0)]
)
def test_d12_m3ters_clock_may_differ(sqlite_world: World, ahead: int, header: int) -> None:
    world = sqlite_world
    world.m3ter.advance(ahead)
    world.m3ter.switches(date_header_skew_seconds=header)
    die_while_sending(world, "e1", "e2", "e3")
    world.arrive("e1@example.com")
    world.m3ter.seed(invitations=[{"email": f"young{n}@example.org"} for n in range(210)])  # a page before it
    absent_twice(world)
    assert [world.state(f"e{n}") for n in (1, 2, 3)] == ["sent", "unsent", "unsent"]
    world.whole_run("next")
    assert world.emails() == {"e2@example.com": 1, "e3@example.com": 1}


@pytest.mark.parametrize("precision", ["seconds", "minutes"])
def test_d12_dates_may_be_cut_off(sqlite_world: World, precision: str) -> None:
    world = sqlite_world
    world.m3ter.switches(date_precision=precision)
    world.hire("e1", "e2")
    world.m3ter.faults(operation=POST, kind="status", status=504, when="after", count=1)
    world.whole_run()
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}
    assert set(world.states().values()) == {"sent"}


def test_d12_list_that_lags_less_than_settle_after(sqlite_world: World) -> None:
    world = sqlite_world
    world.values["settle_after"] = "0.5s"
    world.m3ter.switches(list_lag_seconds=0.4)
    world.hire("e1", "e2")
    world.m3ter.faults(operation=POST, kind="status", status=504, when="after", count=1)
    world.whole_run()
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}


@pytest.mark.parametrize("answer", ["drop", "reset", "504"])
def test_d12_commit_that_comes_after_the_answer(sqlite_world: World, answer: str) -> None:
    world = sqlite_world
    world.values["settle_after"] = "0.4s"
    world.hire("e1", "e2")
    world.m3ter.faults(operation=POST, kind="late_commit", seconds=0.3, answer=answer, count=1)
    world.whole_run()
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}
    assert set(world.states().values()) == {"sent"}


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "hang"}])
def test_d12_post_that_never_arrived_is_sent_again_by_the_same_run(sqlite_world: World, fault: dict[str, Any]) -> None:
    world = sqlite_world
    world.values["settle_after"] = "0.2s"
    world.extra = {"timeout_seconds": 0.4}
    world.hire("e1", "e2")
    world.m3ter.faults(operation=POST, when="before", count=1, **fault)
    world.whole_run()
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}
    assert world.posts() == 3


# -- a success always wins ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 6], ids=["from_unsent", "from_review"])
def test_d12_late_e_mail_found_wins_over_unsent_and_review(world: World, times: int) -> None:
    die_while_sending(world, "e1")
    absent_twice(world)
    for number in range(2, times + 1):
        world.claim(world.plan(f"run {number}"), f"run {number}")
        absent_twice(world)
    assert world.state("e1") == ("unsent" if times == 1 else "review")
    world.arrive("e1@example.com")
    world.snapshot()
    assert world.state("e1") == "sent"
    world.whole_run("next")
    assert world.posts() == 0


def test_d12_late_e_mail_found_ends_a_claim_that_has_not_begun(world: World) -> None:
    die_while_sending(world, "e1")
    absent_twice(world)
    plan = world.plan("second")
    [claimed] = world.claim(plan, "second", begin=False)
    token = world.row("e1")["claim_token"]
    world.arrive("e1@example.com")
    world.snapshot()
    assert world.state("e1") in ("sent", "adopted")
    begun = begin_attempts(world.db, token=token, invitation_ids=[claimed.invitation_id], plan_id=plan.plan_id)
    assert begun == frozenset()


@pytest.mark.parametrize("became", ["unsent", "failed", "unknown", "claimed_again", "review"])
def test_d12_senders_own_late_answer_wins(world: World, became: str) -> None:
    die_while_sending(world, "e1")
    token, row_id = world.row("e1")["claim_token"], world.row("e1")["invitation_id"]
    if became in ("unsent", "claimed_again"):
        absent_twice(world)
    if became == "claimed_again":
        world.claim(world.plan("second"), "second")
        assert world.row("e1")["claim_token"] != token
    elif became != "unsent":
        set_row(world, "e1", state=became)
    answer = Outcome(row_id, InvitationState.SENT, "answered", m3ter_id="late", http_status=200)
    record_answers(world.db, token, [answer], datetime.now(timezone.utc))
    assert (world.state("e1"), world.row("e1")["m3ter_id"]) == ("sent", "late")
    refusal = Outcome(row_id, InvitationState.FAILED, "refused", http_status=400)
    record_answers(world.db, token, [refusal], datetime.now(timezone.utc))
    assert world.state("e1") == "sent"


def test_d12_late_answer_other_than_success_needs_the_claim(world: World) -> None:
    die_while_sending(world, "e1")
    token, row_id = world.row("e1")["claim_token"], world.row("e1")["invitation_id"]
    absent_twice(world)
    world.claim(world.plan("second"), "second")
    for state, why in (
        (InvitationState.UNSENT, "turned_away"),
        (InvitationState.FAILED, "refused"),
        (InvitationState.UNKNOWN, "no_answer"),
    ):
        record_answers(world.db, token, [Outcome(row_id, state, why)], datetime.now(timezone.utc))
        assert world.state("e1") == "sending"


def test_d12_late_success_of_a_second_address_is_kept(world: World) -> None:
    # Both addresses of one employee got an e-mail: the late one cannot be live as the employee's, nor may it vanish.
    die_while_sending(world, "e1")
    token, row_id = world.row("e1")["claim_token"], world.row("e1")["invitation_id"]
    absent_twice(world)
    world.correct("e1", email="new@example.com")
    world.whole_run("second")
    assert world.states() == {"e1@example.com": "superseded", "new@example.com": "sent"}

    set_row(world, "e1", state="unsent")  # as if the correction had been sent by another ledger
    answer = Outcome(row_id, InvitationState.SENT, "answered", m3ter_id="late", http_status=200)
    record_answers(world.db, token, [answer], datetime.now(timezone.utc))
    assert world.states() == {"e1@example.com": "sent", "new@example.com": "sent"}
    world.hire("e2", email="e1@example.com")
    world.whole_run("third")
    assert world.emails() == {"new@example.com": 1}


# -- two who settle ----------------------------------------------------------------------------------------------------


def test_d12_two_settlers_count_an_absence_once(world: World) -> None:
    die_while_sending(world, "e1")
    settle_after(world, LEASE + SETTLE_AFTER)
    world.pass_time(SETTLE_AFTER)
    _, [seen] = open_invitations(world.db, world.m3ter.org_id)
    settlement = seen.settled(InvitationState.UNSENT, "absent_twice")
    now = datetime.now(timezone.utc)
    assert settle(world.db, [settlement], now) == 1
    world.claim(world.plan("second"), "second")
    assert settle(world.db, [settlement], now) == 0, "a stale look must not release the next attempt"
    assert (world.state("e1"), world.row("e1")["absences"]) == ("sending", 1)


def test_d12_stale_look_at_a_sending_row_does_not_touch_the_next_claim(world: World) -> None:
    die_while_sending(world, "e1", begin=False)
    world.pass_time(LEASE + 1)
    _, [seen] = open_invitations(world.db, world.m3ter.org_id)
    world.settle()
    world.claim(world.plan("second"), "second")
    now = datetime.now(timezone.utc)
    for state, why in (
        (InvitationState.UNSENT, "not_begun"),
        (InvitationState.UNKNOWN, "absent_once"),
        (InvitationState.REVIEW, "unexplained_entry"),
    ):
        assert settle(world.db, [seen.settled(state, why)], now) == 0
    assert world.state("e1") == "sending"


def test_d12_settlers_at_once_and_a_sender_make_one_e_mail(world: World) -> None:
    die_while_sending(world, "e1", "e2")
    world.arrive("e1@example.com")
    settle_after(world, LEASE + SETTLE_AFTER)
    world.pass_time(SETTLE_AFTER)
    errors: list[BaseException] = []

    def settle_too() -> None:
        try:
            world.settle()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=settle_too) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert world.row("e2")["absences"] == 1
    world.whole_run("next")
    assert world.emails() == {"e2@example.com": 1}
    assert world.states() == {"e1@example.com": "sent", "e2@example.com": "sent"}


def test_d12_lost_row_of_the_mirror_does_not_hide_an_invitation(world: World) -> None:
    # The look itself must read m3ter, back to the attempt, not only what the mirror remembers.
    die_while_sending(world, "e1")
    world.arrive("e1@example.com", dtCreated="-50s")
    world.m3ter.seed(invitations=[{"email": f"young{n}@example.org"} for n in range(210)])
    world.snapshot()
    assert world.state("e1") in ("sent", "sending")
    mirror = world.db.tables.mirror_invitation
    with world.db.engine.begin() as connection:
        connection.execute(delete(mirror).where(mirror.c.email_key == "e1@example.com"))
    set_row(world, "e1", state="sending", m3ter_id=None)
    absent_twice(world)
    assert world.state("e1") == "sent"


def claim_again(world: World, plan_id: str, run: str) -> list[Any]:
    wanted = ClaimRequest(
        run=world.run(run),
        plan_id=plan_id,
        org_id=world.m3ter.org_id,
        token=str(uuid4()),
        lease_ms=60_000,
        size=10,
        now=datetime.now(timezone.utc),
    )
    return claim_chunk(world.db, wanted)


def test_d12_failed_is_claimed_again_only_when_the_request_changed(world: World) -> None:
    die_while_sending(world, "e1")
    set_row(world, "e1", state="failed", message="refused")
    plan = world.plan("same")
    assert claim_again(world, plan.plan_id, "same") == []
    world.correct("e1", first_name="Other")
    plan = world.plan("changed")
    assert len(claim_again(world, plan.plan_id, "changed")) == 1


def test_d12_sender_waits_for_what_others_left_open(sqlite_world: World) -> None:
    # "already on its way" in the plan, and its sender was killed: not green before it is settled.
    world = sqlite_world
    world.values["settle_after"] = "0.2s"
    die_while_sending(world, "e1", lease_ms=300)
    world.arrive("e1@example.com")
    world.hire("e2")
    plan = world.plan("next")
    assert world.decisions(plan) == {"e1": "skip:already_invited", "e2": "invite:new"}
    world.send(plan, "next")
    assert set(world.states().values()) == {"sent"}
