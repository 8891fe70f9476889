"""D18: people's data leave the ledger when they are erased, stay away, and nobody erased is e-mailed again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from sqlalchemy import select, update

from m3ter_onboarding.errors import ErasureRefusedError, LedgerUnusableError, PlanError
from m3ter_onboarding.ledger.answer_groups import record_answers
from m3ter_onboarding.ledger.erased_people import PREFIX
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.planning.erased_rows import decide_erased, unless_erased_meanwhile
from m3ter_onboarding.reporting.erasure_everywhere import ErasureContext, erase_before, erase_person
from tests.support.ledger_rows import back_up
from tests.support.world import World

SECRET = "a long random text of a test"
VARIABLE = "AIRFLOW_VAR_M3TER_ONBOARDING_ERASURE_SECRET"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)


def context(world: World, **values: Any) -> ErasureContext:
    made: dict[str, Any] = {"by": "an operator", "now": world.now(), **values}
    return ErasureContext(config=world.config(), db=world.db, org_id=world.m3ter.org_id, **made)


def everything(world: World) -> str:
    """Return all that the ledger holds, as text."""
    return json.dumps(back_up(world.db), default=str).lower()


def erasures(world: World) -> list[Any]:
    with world.db.engine.connect() as connection:
        return list(connection.execute(select(world.db.tables.erasure)))


def invited(world: World, *employees: str) -> list[str]:
    addresses = world.hire(*employees)
    world.whole_run()
    return addresses


def leave(world: World, *addresses: str) -> None:
    """Let invitations expire, as m3ter says."""
    for address in addresses:
        world.m3ter.expire(address)
    world.snapshot()


def test_nothing_of_an_erased_person_is_in_the_ledger_and_nobody_else_is_touched(world: World) -> None:
    ann, _ = invited(world, "Ann-1", "Bob-2")
    leave(world, ann)
    world.plan("run-2")
    counts = erase_person(context(world), employee_id="Ann-1")
    assert counts["employees"] == counts["addresses"] == counts["invitations"] == 1
    assert counts["decisions"] == 2
    assert "ann-1" not in everything(world)
    assert "bob-2@example.com" in everything(world)
    (row,) = [row for key, row in world.invitations().items() if key.startswith(PREFIX)]
    assert row["state"] == "expired"
    assert row["m3ter_id"]
    assert row["sent_at"]
    (erasure,) = erasures(world)
    assert erasure.what == "person"
    assert erasure.counts == dict(counts)


def test_an_erased_person_is_never_invited_again_and_does_not_come_back(world: World) -> None:
    ann, bob = invited(world, "Ann-1", "Bob-2")
    leave(world, ann)
    erase_person(context(world), email=ann.upper())
    world.hire("Cy-3")
    world.snapshot()
    plan = world.plan("run-3", reinvite=3, cool_off_days=0, if_rehire="invite")
    assert sorted(plan.counts) == ["invite:new", "skip:already_invited", "skip:erased"]
    world.send(plan, "run-3")
    assert world.emails() == {ann: 1, bob: 1, "cy-3@example.com": 1}
    assert "ann-1" not in everything(world)


def test_an_erased_employee_with_another_address_and_an_address_with_another_employee_are_not_invited(
    world: World,
) -> None:
    (ann,) = invited(world, "Ann-1")
    leave(world, ann)
    erase_person(context(world), employee_id="Ann-1")
    world.correct("Ann-1", email="other@example.com")
    world.hire("Zoe-9", email=ann)
    world.snapshot()
    assert world.plan("run-2", reinvite=3, cool_off_days=0).counts == {"skip:erased": 2}
    assert "other@example" not in everything(world)


def test_a_sealed_plan_that_still_held_the_person_sends_them_nothing(world: World) -> None:
    world.hire("Ann-1", "Bob-2")
    world.snapshot()
    plan = world.plan()
    erase_person(context(world), employee_id="Ann-1")
    world.send(plan)
    assert world.emails() == {"bob-2@example.com": 1}
    assert "ann-1" not in everything(world)


def test_a_plan_that_is_made_while_somebody_is_erased_is_not_sealed(world: World) -> None:
    world.hire("Ann-1")
    world.snapshot()
    _, looked_up = decide_erased(world.db, world.m3ter.org_id, [])
    sealed: list[bool] = []

    def seal() -> None:
        work = unless_erased_meanwhile(world.db, world.m3ter.org_id, looked_up, lambda c: sealed.append(True))
        world.db.write(work, doing="sealing")

    seal()
    erase_person(context(world), employee_id="Ann-1")
    with pytest.raises(PlanError, match="erased while this plan was made"):
        seal()
    assert sealed == [True]


@pytest.mark.parametrize("secret", ["", "another long random text"])
def test_without_the_same_secret_nothing_is_read_planned_or_erased(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    world = sqlite_world
    world.hire("Ann-1")
    world.snapshot()
    erase_person(context(world), employee_id="Ann-1")
    monkeypatch.setenv(VARIABLE, secret)
    world.m3ter.seed(invitations=[{"email": "by-hand@example.com"}])
    with pytest.raises(PlanError, match="m3ter_onboarding_erasure_secret"):
        world.plan()
    with pytest.raises(LedgerUnusableError, match="m3ter_onboarding_erasure_secret"):
        world.snapshot()
    with pytest.raises(LedgerUnusableError, match="m3ter_onboarding_erasure_secret"):
        erase_person(context(world), employee_id="Bob-2")


def test_where_nobody_was_erased_no_secret_is_needed(sqlite_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    invited(sqlite_world, "Ann-1")
    assert sqlite_world.emails() == {"ann-1@example.com": 1}


def test_a_short_secret_is_refused(sqlite_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "short")
    with pytest.raises(LedgerUnusableError, match="fewer than 16"):
        erase_person(context(sqlite_world), employee_id="Ann-1")


def test_an_invitation_without_a_known_outcome_is_settled_first(world: World) -> None:
    world.hire("Ann-1")
    world.snapshot()
    world.claim(world.plan())
    with pytest.raises(ErasureRefusedError, match="no known outcome"):
        erase_person(context(world), employee_id="Ann-1")
    assert erasures(world) == []
    assert world.invitations()["ann-1@example.com"]["state"] == "sending"


def test_a_person_whom_m3ter_still_lists_is_removed_there_first(world: World) -> None:
    (ann,) = invited(world, "Ann-1")
    world.snapshot()
    with pytest.raises(ErasureRefusedError, match="m3ter's console"):
        erase_person(context(world), employee_id="Ann-1")
    assert ann in everything(world)


def test_one_who_was_invited_since_m3ter_was_read_is_not_erased(world: World) -> None:
    (ann,) = invited(world, "Ann-1")
    with pytest.raises(ErasureRefusedError, match="not read since"):
        erase_person(context(world), employee_id="Ann-1")
    assert ann in everything(world)


@pytest.mark.parametrize("accepted", [False, True])
def test_one_who_is_still_in_m3ter_does_not_come_back_from_its_lists(world: World, accepted: bool) -> None:
    (ann,) = invited(world, "Ann-1")
    if accepted:
        world.m3ter.accept(ann)
    world.snapshot()
    erase_person(context(world, still_in_m3ter=True), employee_id="Ann-1")
    world.snapshot()
    assert "ann-1" not in everything(world)
    (row,) = world.invitations().values()
    assert row["state"] == ("accepted" if accepted else "sent")
    # Its later life is still followed.
    if not accepted:
        world.m3ter.accept(ann)
        world.snapshot()
        assert [row["state"] for row in world.invitations().values()] == ["accepted"]
    assert world.plan("run-2").counts == {"skip:erased": 1}
    assert "ann-1" not in everything(world)


def test_a_late_answer_brings_no_data_back(sqlite_world: World) -> None:
    world = sqlite_world
    world.hire("Ann-1")
    world.snapshot()
    (claimed,) = world.claim(world.plan())
    with world.db.engine.begin() as connection:
        connection.execute(update(world.db.tables.invitation).values(state="unsent"))
    erase_person(context(world), employee_id="Ann-1")
    late = Outcome(
        claimed.invitation_id,
        InvitationState.SENT,
        "answered",
        m3ter_id="made-after-all",
        answer={"email": "ann-1@example.com"},
        message="ann-1@example.com was invited",
    )
    assert record_answers(world.db, "a token", [late], world.now()) == 1
    assert "ann-1" not in everything(world)
    assert [row["state"] for row in world.invitations().values()] == ["sent"]


def test_it_may_be_repeated_and_records_only_what_it_did(world: World) -> None:
    (ann,) = invited(world, "Ann-1")
    leave(world, ann)
    erase_person(context(world), employee_id="Ann-1")
    before = everything(world)
    assert not any(erase_person(context(world), employee_id="Ann-1").values())
    assert everything(world) == before
    assert len(erasures(world)) == 1


def test_counting_changes_nothing(world: World) -> None:
    (ann,) = invited(world, "Ann-1")
    leave(world, ann)
    before = everything(world)
    assert erase_person(context(world, rehearse=True), employee_id="Ann-1")["invitations"] == 1
    assert everything(world) == before


def test_one_who_is_unknown_is_kept_from_being_invited(sqlite_world: World) -> None:
    sqlite_world.snapshot()
    erase_person(context(sqlite_world), email="ann-1@example.com")
    sqlite_world.hire("Ann-1")
    assert sqlite_world.plan().counts == {"skip:erased": 1}


def test_an_address_of_several_employees_names_nobody(sqlite_world: World) -> None:
    sqlite_world.hire("Ann-1", "Bob-2", email="shared@example.com")
    sqlite_world.snapshot()
    sqlite_world.plan()
    with pytest.raises(ErasureRefusedError, match="2 employees"):
        erase_person(context(sqlite_world), email="shared@example.com")
    with pytest.raises(ErasureRefusedError, match="Name one person"):
        erase_person(context(sqlite_world))


def test_an_address_that_others_share_takes_only_itself_along(sqlite_world: World) -> None:
    world = sqlite_world
    world.hire("Ann-1", "Bob-2", email="shared@example.com")
    world.snapshot()
    world.plan()
    erase_person(context(world), employee_id="Ann-1")
    held = everything(world)
    assert "shared@example.com" not in held
    assert "ann-1" not in held
    assert "bob-2" in held


def test_open_questions_of_an_erased_person_are_closed_and_not_asked_again(world: World) -> None:
    world.hire("Ann-1", permission_policies="Nobody has it", last_name="Zaphodson")
    world.snapshot()
    world.plan()
    assert "zaphodson" in everything(world)
    erase_person(context(world), employee_id="Ann-1")
    world.plan("run-2")
    with world.db.engine.connect() as connection:
        (entry,) = connection.execute(select(world.db.tables.worklist))
    assert "zaphodson" not in everything(world)
    assert "nobody has it" not in everything(world)
    assert entry.closed_by == "an operator"
    assert entry.person_key.startswith("employee:erased:")


def test_the_run_of_one_employee_names_them_no_more(sqlite_world: World) -> None:
    world = sqlite_world
    world.snapshot()
    world.begin_run(world.run("run-1"), only_employee="Ann-1")
    assert erase_person(context(world), employee_id="Ann-1")["runs"] == 1
    assert "ann-1" not in everything(world)


# -- everything older than a date -------------------------------------------------------------------------------------


def age(world: World, days: int) -> None:
    """Let the ledger's rows be older by some days."""
    t = world.db.tables
    with world.db.engine.begin() as connection:
        for table, names in (
            (t.decision, ("decided_at",)),
            (t.invitation, ("created_at", "updated_at")),
            (t.event, ("at",)),
            (t.worklist, ("opened_at", "first_seen_at", "last_seen_at", "closed_at")),
            (t.run, ("started_at",)),
        ):
            rows = connection.execute(select(table)).all()
            keys = list(table.primary_key)
            for row in rows:
                moved = {
                    name: getattr(row, name) - timedelta(days=days) for name in names if getattr(row, name) is not None
                }
                mine = [key == getattr(row, key.name) for key in keys]
                connection.execute(update(table).where(*mine).values(moved))


def before(world: World) -> datetime:
    return world.now() - timedelta(days=200)


def old(world: World, **values: Any) -> ErasureContext:
    world.values["max_age_days"] = 90
    return context(world, **values)


def test_what_is_old_and_over_is_erased_and_what_is_live_or_new_stays(world: World) -> None:
    ann, bob = invited(world, "Ann-1", "Bob-2")
    leave(world, ann)
    age(world, 400)
    counts = erase_before(old(world), before(world))
    assert counts["employees"] == counts["addresses"] == 1
    held = everything(world)
    assert "ann-1" not in held
    assert {key.partition(":")[0] for key in world.invitations()} == {"erased", bob}
    with world.db.engine.connect() as connection:
        decisions = connection.execute(select(world.db.tables.decision)).all()
    assert all(row.employee_id.startswith(PREFIX) and row.request is None for row in decisions)
    # The one who is live is guarded by the invitation, and was not made an erased person.
    world.snapshot()
    again = world.plan("run-2", reinvite=3, cool_off_days=0)
    assert again.counts == {"skip:already_invited": 1, "skip:erased": 1}
    assert not any(erase_before(old(world), before(world)).values())


def test_one_of_whom_something_is_new_is_not_erased(world: World) -> None:
    (ann,) = invited(world, "Ann-1")
    leave(world, ann)
    age(world, 400)
    world.plan("run-2")
    assert not erase_before(old(world), before(world)).get("employees")
    assert ann in world.invitations()


def test_one_who_is_still_asked_about_is_not_erased(sqlite_world: World) -> None:
    world = sqlite_world
    (ann,) = invited(world, "Ann-1")
    leave(world, ann)
    world.plan("run-2")
    age(world, 400)
    assert not erase_before(old(world), before(world)).get("employees")


def test_many_leave_in_batches(sqlite_world: World) -> None:
    world = sqlite_world
    addresses = invited(world, *(f"e-{number}" for number in range(5)))
    leave(world, *addresses[:4])
    age(world, 400)
    counted = erase_before(old(world, rehearse=True, batch=2), before(world))
    counts = erase_before(old(world, batch=2), before(world))
    assert counts["employees"] == 4
    assert counts == counted
    (erasure,) = erasures(world)
    assert erasure.counts["employees"] == 4


def test_nobody_who_may_still_be_invited_is_forgotten_by_a_date_too_near(sqlite_world: World) -> None:
    with pytest.raises(ErasureRefusedError, match="max_age_days"):
        erase_before(old(sqlite_world), sqlite_world.now() - timedelta(days=89))


def test_the_decision_that_alone_knows_whose_an_invitation_is_stays(sqlite_world: World) -> None:
    world = sqlite_world
    world.hire("Ann-1")
    world.m3ter.seed(invitations=[{"email": "ann-1@example.com"}])
    world.snapshot()
    world.plan()
    age(world, 400)
    erase_before(old(world), before(world))
    world.correct("Ann-1", email="other@example.com")
    world.snapshot()
    assert world.plan("run-2").counts == {"review:email_changed": 1}


def test_what_is_logged_and_raised_names_nobody(sqlite_world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (ann,) = invited(sqlite_world, "Ann-1")
    with pytest.raises(AirflowException) as error:
        erase_person(context(sqlite_world), email=ann)
    assert "ann-1" not in str(error.value).lower()
    leave(sqlite_world, ann)
    caplog.clear()
    request = context(sqlite_world)
    erase_person(request, email=ann)
    assert "Erasure" in caplog.text
    assert "ann-1" not in caplog.text.lower()
    assert SECRET not in repr(request.request)
    assert "operator" not in repr(request)
