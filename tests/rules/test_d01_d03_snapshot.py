"""docs/delivery.md, rules 1 to 3: reading m3ter, adopting its invitations, settling what dead runs left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.ledger.mirror import read_state
from m3ter_provider.errors import M3terNotFoundError
from tests.support.world import World

PAGE = 200


def strangers(count: int, age: str = "-10d") -> list[dict[str, Any]]:
    """Return invitations that others made long ago, as many as it takes for several pages."""
    return [
        {"id": f"stranger-{n}", "email": f"stranger{n}@example.org", "dtCreated": age, "dtExpiry": "+20d"}
        for n in range(count)
    ]


def listed_pages(world: World) -> int:
    return sum(r["method"] == "GET" and r["path"].endswith("/invitations") for r in world.m3ter.requests())


def gone(world: World) -> int:
    table = world.db.tables.mirror_invitation
    with world.db.engine.connect() as connection:
        return len(connection.execute(select(table).where(table.c.gone)).all())


# -- D1: invitations, then users, then policies; a plan refuses an incomplete mirror ----------------------------------


@pytest.mark.parametrize("list_that_fails", ["/invitations", "/users$", "/permissionpolicies"])
def test_d01_plan_refuses_a_mirror_that_was_never_read_to_the_end(world: World, list_that_fails: str) -> None:
    world.hire("e1")
    world.m3ter.faults(kind="status", status=404, method="GET", path=list_that_fails)
    with pytest.raises(M3terNotFoundError):
        world.snapshot()
    with pytest.raises(PlanError, match="never read to the end"):
        world.plan()
    assert world.posts() == 0

    world.m3ter.clear_faults()
    world.whole_run()
    assert world.emails() == {"e1@example.com": 1}


def test_d01_plan_refuses_a_mirror_that_is_too_old(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    world.pass_time(25 * 3600)
    with pytest.raises(PlanError, match="25 hours ago"):
        world.plan()


def test_d01_a_service_user_that_may_not_read_itself_hinders_nothing(world: World) -> None:
    world.snapshot()
    assert read_state(world.db, world.m3ter.org_id).name == "Sandbox organization"
    world.m3ter.faults(kind="status", status=403, method="GET", path="/users/me", count=9)
    world.hire("e1")
    world.snapshot()
    world.send(world.plan())
    assert world.states() == {"e1@example.com": "sent"}
    assert read_state(world.db, world.m3ter.org_id).name == "Sandbox organization", "as it was known before"


def test_d01_reads_invitations_before_users_before_policies(sqlite_world: World) -> None:
    # A person who accepts between the readings is then seen twice, the other way round never.
    sqlite_world.snapshot()
    lists = ("invitations", "users", "permissionpolicies")
    paths = [r["path"].rsplit("/", 1)[-1] for r in sqlite_world.m3ter.requests() if r["method"] == "GET"]
    assert [path for path in paths if path in lists] == list(lists)


def test_d01_incremental_pass_stops_behind_the_last_complete_one(world: World) -> None:
    world.m3ter.seed(invitations=strangers(2 * PAGE + 50))
    assert world.snapshot().full
    world.m3ter.seed(invitations=[{"email": "new@example.org"}])
    before = listed_pages(world)
    looked = world.snapshot()
    assert not looked.full
    assert listed_pages(world) - before == 2  # the first page that lies wholly behind ends it, the third is not read
    assert looked.adopted == 1


def test_d01_incremental_pass_overlaps_the_last_one(world: World) -> None:
    # An entry that the list showed late is dated before the last pass, and a page of younger ones stands before it.
    world.m3ter.seed(invitations=strangers(PAGE))
    world.snapshot()
    late = [{"email": "late@example.org", "dtCreated": "-2m"}]
    young = [{"email": f"young{n}@example.org", "dtCreated": "-1m"} for n in range(PAGE)]
    world.m3ter.seed(invitations=late + young)
    assert world.snapshot().adopted == PAGE + 1


def test_d01_pass_that_breaks_off_forgets_nothing(world: World) -> None:
    world.m3ter.seed(invitations=strangers(PAGE + 50))
    world.hire("e1", email="stranger0@example.org")
    world.snapshot()
    world.now = lambda: utc_now() + timedelta(days=8)  # so that a full pass is due
    world.m3ter.faults(kind="status", status=404, method="GET", path="/invitations", skip=1)
    with pytest.raises(M3terNotFoundError):
        world.snapshot()
    assert gone(world) == 0
    assert world.decisions(world.plan()) == {"e1": "skip:already_invited"}


def test_d01_full_pass_when_an_entry_has_no_date(sqlite_world: World) -> None:
    world = sqlite_world
    world.m3ter.seed(invitations=strangers(2 * PAGE))
    world.m3ter.switches(omit_fields=["dtCreated"])
    world.snapshot()
    world.m3ter.seed(invitations=[{"email": "new@example.org", "dtCreated": "-20d"}])
    looked = world.snapshot()
    assert looked.full
    assert looked.adopted == 1


@pytest.mark.parametrize("dates", ["different", "equal", "equal, and nothing newer"])
def test_d01_full_pass_when_the_order_does_not_hold(sqlite_world: World, dates: str) -> None:
    world = sqlite_world
    old = [
        {**entry, "dtCreated": f"-{900_000 - n if dates == 'different' else 900_000}s"}
        for n, entry in enumerate(strangers(PAGE + 50))
    ]
    world.m3ter.switches(list_order="oldest_first")
    newer = [] if "nothing newer" in dates else [{"email": "last@example.org", "dtCreated": "-1h"}]
    world.m3ter.seed(invitations=[*old, *newer])
    world.snapshot()
    world.m3ter.seed(invitations=[{"email": "new@example.org"}])
    looked = world.snapshot()
    assert looked.adopted == 1
    assert looked.full


def test_d01_order_within_a_page_does_not_matter_for_what_is_found(sqlite_world: World) -> None:
    world = sqlite_world
    world.m3ter.switches(list_order="unstable")
    world.m3ter.seed(
        invitations=[{**entry, "dtCreated": f"-{900_000 - n}s"} for n, entry in enumerate(strangers(PAGE + 50))]
    )
    world.snapshot()
    world.m3ter.seed(invitations=[{"email": "new@example.org"}])
    assert world.snapshot().adopted == 1


def test_d01_empty_page_is_not_the_end(sqlite_world: World) -> None:
    world = sqlite_world
    world.m3ter.switches(sparse_pages=True)
    world.snapshot()
    world.m3ter.seed(invitations=strangers(PAGE + 50, age="-1m"))
    assert world.snapshot().adopted == PAGE + 50


def test_d01_full_pass_every_week_finds_what_has_gone(world: World) -> None:
    world.hire("e1")
    others = [*strangers(PAGE + 50), {"id": "newest", "email": "newest@example.org", "dtCreated": "-1d"}]
    world.m3ter.seed(invitations=[{"email": "e1@example.com", "dtCreated": "-12d"}, *others])
    world.snapshot()
    world.m3ter.reset()
    world.m3ter.seed(invitations=others)
    assert not world.snapshot().full
    assert gone(world) == 0

    world.now = lambda: utc_now() + timedelta(days=8)
    assert world.snapshot().full
    assert gone(world) == 1
    assert world.decisions(world.plan()) == {"e1": "review:missing_in_m3ter"}


# -- D2: what m3ter has and the ledger does not is adopted ------------------------------------------------------------


def test_d02_what_m3ter_has_is_adopted_once_and_not_invited(world: World) -> None:
    world.m3ter.seed(
        invitations=[
            {"email": "Pending@Example.com"},
            {"email": "joined@example.com", "accepted": True},
            {"email": "expired@example.com", "dtCreated": "-40d"},
        ],
        users=[{"email": "member@example.com"}],
    )
    looked = world.snapshot()
    assert (looked.adopted, looked.ours_unknown) == (2, 0)
    assert world.states() == {
        "pending@example.com": "adopted",
        "joined@example.com": "accepted",
        "member@example.com": "accepted",
    }
    again = world.snapshot()
    assert (again.adopted, again.accepted, again.sent) == (0, 0, 0)

    world.hire("e1", email="pending@example.com")
    world.hire("e2", email="MEMBER@example.com")
    world.hire("e3")
    world.send(world.plan())
    assert world.emails() == {"e3@example.com": 1}


def test_d02_two_invitations_of_one_address_are_one(world: World) -> None:
    world.m3ter.seed(invitations=[{"email": "twice@example.com"}, {"email": "Twice@example.com"}])
    world.snapshot()
    world.snapshot()
    assert world.states() == {"twice@example.com": "adopted"}


def test_d02_restored_ledger_is_noticed_and_sends_nobody_a_second_e_mail(world: World) -> None:
    world.hire("e1", "e2")
    world.whole_run()
    tables = world.db.tables
    with world.db.engine.begin() as connection:  # back to a backup of last week
        for table in tables.all():
            if table is not tables.schema_version:
                connection.execute(delete(table))

    looked = world.snapshot()
    assert looked.ours_unknown == 2
    world.hire("e3")
    world.send(world.plan("run-2"), "run-2")
    assert world.emails() == {f"e{n}@example.com": 1 for n in (1, 2, 3)}


def test_d02_unsent_person_found_in_m3ter_is_adopted(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    world.claim(world.plan(), begin=False)
    world.pass_time(61)
    world.snapshot()
    assert world.state("e1") == "unsent"
    world.m3ter.seed(invitations=[{"email": "e1@example.com"}])
    world.snapshot()
    assert world.state("e1") == "adopted"


# -- D3: then settle what a dead run left behind, of any run -----------------------------------------------------------


def test_d03_snapshot_settles_the_dead_runs_of_others(world: World) -> None:
    world.hire("e1", "e2")
    world.snapshot()
    world.claim(world.plan("dead"), "dead")
    world.m3ter.seed(invitations=[{"email": "e1@example.com", "invitingPrincipalId": None}])  # e1's POST had arrived
    world.snapshot()
    assert (world.state("e1"), world.state("e2")) == ("adopted", "sending")

    world.pass_time(62)
    world.snapshot()
    assert world.state("e2") == "unknown"
    world.pass_time(1.1)
    world.snapshot()
    assert world.state("e2") == "unsent"
    world.send(world.plan("alive"), "alive")
    assert world.emails() == {"e2@example.com": 1}


def test_d03_snapshot_leaves_a_live_lease_alone(world: World) -> None:
    world.hire("e1", "e2")
    world.snapshot()
    plan = world.plan()
    world.claim(plan)
    world.pass_time(55)
    world.snapshot()
    assert set(world.states().values()) == {"sending"}


def test_d03_what_was_claimed_and_not_begun_is_free_when_the_lease_ends(world: World) -> None:
    world.hire("e1")
    world.snapshot()
    world.claim(world.plan("dead"), "dead", begin=False)
    world.pass_time(60.5)
    world.snapshot()
    assert world.state("e1") == "unsent"
    assert world.invitations()["e1@example.com"]["absences"] == 0
