"""Limits while sending: a breaker for failures, caps that count over all runs of a backfill."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.sending.circuit_breaker import Breaker
from m3ter_onboarding.sending.right_to_send import NotAllowedError
from m3ter_onboarding.sending.sender import Sender
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World

POST = "CreateOrgUserInvitation"


def people(count: int) -> list[str]:
    return [f"e{n:02d}" for n in range(1, count + 1)]


def broken(breaker: Breaker) -> Any:
    def take_hold(sender: Sender) -> None:
        sender.breaker = breaker

    return take_hold


#: One POST after the other: a second's wait is 20 ms.
SLOWLY = {"requests_per_second": 2}


@pytest.fixture
def org(sqlite_world: World) -> World:
    """Return thirty people, on SQLite: the rule is about m3ter."""
    sqlite_world.hire(*people(30))
    sqlite_world.snapshot()
    return sqlite_world


def test_refusals_in_a_row_open_the_breaker(org: World) -> None:
    org.m3ter.faults(operation=POST, kind="status", status=400)
    with pytest.raises(NotAllowedError, match=r"5 invitations in a row failed \(`stop_after_failures`\)"):
        org.send(org.plan(), before=broken(Breaker(5, None)), **SLOWLY)
    assert 5 <= org.posts() <= 10
    states = list(org.states().values())
    assert states.count("failed") == org.posts()
    assert set(states) <= {"failed", "unsent"}
    org.m3ter.clear_faults()
    posts = org.posts()
    org.snapshot()
    org.send(org.plan("run-2"), "run-2")
    assert org.posts() == 30, "the next run goes on with the rest"
    assert len(org.emails()) == 30 - posts


def test_a_success_in_between_begins_the_count_anew(org: World) -> None:
    for number, name in enumerate(people(30)):
        if number % 5:  # four of five
            org.m3ter.faults(operation=POST, kind="status", status=400, email=f"{name}@example.com")
    org.send(org.plan(), before=broken(Breaker(10, None)), **SLOWLY)
    assert org.posts() == 30


@pytest.mark.parametrize(("percent", "stops"), [(50, True), (60, False)])
def test_a_rate_of_failures_opens_the_breaker(org: World, percent: float, stops: bool) -> None:
    for name in people(30)[::2]:
        org.m3ter.faults(operation=POST, kind="status", status=400, email=f"{name}@example.com")
    plan = org.plan()
    if stops:
        with pytest.raises(NotAllowedError, match=r"`stop_at_failure_percent`"):
            org.send(plan, before=broken(Breaker(None, percent)), **SLOWLY)
        assert 10 <= org.posts() < 20
    else:
        org.send(plan, before=broken(Breaker(None, percent)), **SLOWLY)
        assert org.posts() == 30


def test_lost_answers_in_a_row_open_the_breaker_and_another_try_may_help(org: World) -> None:
    org.m3ter.faults(operation=POST, kind="status", status=504, when="before")
    with pytest.raises(DeliveryError, match="no usable answer to 4 invitations in a row") as raised:
        org.send(org.plan(), before=broken(Breaker(4, None)), **SLOWLY)
    assert not isinstance(raised.value, NotAllowedError), "m3ter may be well again when Airflow tries again"
    assert org.posts() < 15


def test_few_failures_do_not_open_the_breaker(sqlite_world: World) -> None:
    sqlite_world.hire(*people(9))
    sqlite_world.m3ter.faults(operation=POST, kind="status", status=400)
    sqlite_world.snapshot()
    sqlite_world.send(sqlite_world.plan())
    assert sqlite_world.posts() == 9


def test_a_breaker_without_limits_never_opens(org: World) -> None:
    org.m3ter.faults(operation=POST, kind="status", status=400)
    org.send(org.plan(), before=broken(Breaker(None, None)))
    assert org.posts() == 30


def test_the_configuration_sets_the_breakers_limits(sqlite_world: World) -> None:
    sqlite_world.hire(*people(12))
    sqlite_world.m3ter.faults(operation=POST, kind="status", status=400)
    with m3ter_connection(sqlite_world, requests_per_second=20):
        run = TaskRun(sqlite_world, "run-1", (WINDOW.start, WINDOW.end), values={"stop_after_failures": 2})
        with pytest.raises(AirflowFailException, match=r"[2-4] invitations in a row failed"):
            run.all()


# -- a backfill's runs are one -----------------------------------------------------------------------------------------


def backfill(world: World, run_id: str, employee: str, **params: Any) -> TaskRun:
    params = {"allow_backfill_send": True, "only_employee": employee, **params}
    return TaskRun(world, run_id, (WINDOW.start, WINDOW.end), run_type="backfill", params=params)


def test_the_cap_counts_for_all_runs_of_a_backfill_together(world: World) -> None:
    world.hire("e1", "e2", "e3")
    world.values["max_invitations"] = 2
    with m3ter_connection(world):
        backfill(world, "b1", "e1").all()
        backfill(world, "b2", "e2").all()
        with pytest.raises(AirflowFailException, match=r"attempted 2 .* this plan adds 1"):
            backfill(world, "b3", "e3").all()
        assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}
        backfill(world, "b3", "e3", max_invitations=3).all()
        assert world.posts() == 3
        world.pass_time(25 * 3600)


def test_one_person_alone_is_no_percentage(sqlite_world: World) -> None:
    sqlite_world.hire("e1", "e2", "e3")
    sqlite_world.values["max_percent"] = 50
    with m3ter_connection(sqlite_world):
        with pytest.raises(AirflowFailException, match="max_percent"):
            TaskRun(sqlite_world, "all", (WINDOW.start, WINDOW.end)).all()
        TaskRun(sqlite_world, "one", (WINDOW.start, WINDOW.end), params={"only_employee": "e1"}).all()
    assert sqlite_world.posts() == 1


def test_other_runs_do_not_count_for_a_backfill(world: World) -> None:
    world.hire("e1", "e2")
    world.values["max_invitations"] = 1
    with m3ter_connection(world):
        TaskRun(world, "daily", (WINDOW.start, WINDOW.end), params={"only_employee": "e1"}).all()
        backfill(world, "b1", "e2").all()
    assert world.posts() == 2


def test_the_claim_itself_keeps_to_the_cap_of_backfills(world: World) -> None:
    """Two runs that looked at the same time."""
    world.hire("e1", "e2", "e3")
    world.snapshot()
    world.begin_run(world.run("run-1"), run_type="backfill")
    plan = world.plan()
    claimed = [len(world.claim(plan, backfill_cap=2)) for _ in range(2)]
    assert claimed == [2, 0]
