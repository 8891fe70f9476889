"""D8: what was excluded, closed or forbidden since the plan is not sent; what was opened since needs a new plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World


@pytest.fixture
def org(world: World) -> Iterator[World]:
    """Return an organisation with three people, one of them at another company."""
    world.values.update(permission_policies=["Finance"], allowed_permission_policies=["Finance", "Sales"])
    world.m3ter.seed(policies=[{"name": "Finance"}, {"name": "Sales"}])
    world.hire("e1", "e2")
    world.hire("e3", email="e3@other.example", permission_policies="Sales")
    with m3ter_connection(world):
        yield world


def planned(world: World, run_id: str = "run-1", **values: Any) -> TaskRun:
    run = TaskRun(world, run_id, (WINDOW.start, WINDOW.end), **values)
    run.snapshot()
    run.plan()
    return run


def worklist(world: World) -> dict[str, str]:
    w = world.db.tables.worklist.c
    with world.db.engine.connect() as connection:
        rows = connection.execute(
            select(w.employee_id, w.decision, w.reason, w.person_name).where(w.closed_at.is_(None))
        ).all()
        assert all(row.person_name for row in rows)
        return {str(row.employee_id): f"{row.decision}:{row.reason}" for row in rows}


@pytest.mark.parametrize(
    ("narrower", "held"),
    [
        ({"exclude": {"employee_ids": ["e1"]}}, {"e1": "skip:excluded"}),
        ({"exclude": {"addresses": ["E2@example.com"]}}, {"e2": "skip:excluded"}),
        ({"exclude": {"domains": ["other.example"]}}, {"e3": "skip:excluded"}),
        ({"allowed_permission_policies": ["Finance"]}, {"e3": "review:policy_not_allowed"}),
    ],
    ids=["employee", "address", "domain", "policy"],
)
def test_d08_what_the_configuration_forbids_since_the_plan_is_not_sent(
    org: World, narrower: Mapping[str, Any], held: dict[str, str]
) -> None:
    run = planned(org)
    run.values = narrower
    run.send()
    assert set(org.emails()) == {"e1@example.com", "e2@example.com", "e3@other.example"} - addresses(held)
    assert worklist(org) == held
    report = run.report()
    assert (report["outcome"], report["withheld"]) == ("success", 1)
    # Nothing that became wider again is sent without a new plan.
    run.values = {}
    run.send()
    assert org.posts() == 2
    planned(org, "run-2").send()
    assert org.posts() == 3
    assert worklist(org) == {}


def addresses(held: Mapping[str, str]) -> set[str]:
    return {"e3@other.example" if employee == "e3" else f"{employee}@example.com" for employee in held}


def test_d08_a_domain_that_the_connection_closed_since_is_not_sent(org: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = planned(org)
    closed = org.m3ter.airflow_connection(timeout_seconds=2, allowed_domains=["example.com"])
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", closed)
    run.send()
    assert run.report()["withheld"] == 1
    assert set(org.emails()) == {"e1@example.com", "e2@example.com"}
    assert worklist(org) == {"e3": "skip:domain_not_allowed"}


def test_d08_a_policy_that_may_make_no_administrators_any_more(org: World) -> None:
    everything = {"effect": "allow", "action": ["all"], "resource": ["*"]}
    org.m3ter.seed(policies=[{"name": "Everything", "permissionPolicy": [everything]}])
    org.values["allowed_permission_policies"] = ["Finance", "Sales", "Everything"]
    org.correct("e3", permission_policies="Everything")
    run = planned(org, values={"allow_administrator_policies": True})
    run.approve(by="olga")
    run.values = {}
    run.send()
    assert set(org.emails()) == {"e1@example.com", "e2@example.com"}
    assert worklist(org) == {"e3": "review:policy_not_allowed"}


def test_d08_people_whom_the_warehouse_excludes_since_are_not_sent(org: World) -> None:
    with org.db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE leavers (employee_id VARCHAR(20), email VARCHAR(80), until VARCHAR(20))"))
    org.exclusions_text = "SELECT employee_id, email, until FROM leavers"
    org.values["exclude"] = {"query": "leavers.sql"}
    try:
        run = planned(org)
        with org.db.engine.begin() as connection:
            connection.execute(
                text("INSERT INTO leavers VALUES ('e1', NULL, NULL), (NULL, 'E2@Example.com', '2020-01-01')")
            )
        run.send()
        assert set(org.emails()) == {"e2@example.com", "e3@other.example"}
        assert worklist(org) == {"e1": "skip:excluded"}
    finally:
        with org.db.engine.begin() as connection:
            connection.execute(text("DROP TABLE leavers"))


def test_d08_a_query_of_exclusions_that_fails_sends_nothing(org: World) -> None:
    from airflow.sdk.exceptions import AirflowException

    run = planned(org)
    org.exclusions_text = "SELECT employee_id FROM a_table_that_is_gone"
    run.values = {"exclude": {"query": "leavers.sql"}}
    with pytest.raises(AirflowException):
        run.send()
    assert org.posts() == 0


def test_d08_who_was_sent_already_is_not_held_back(org: World) -> None:
    run = planned(org)
    run.send()
    run.values = {"exclude": {"employee_ids": ["e1", "e2", "e3"]}}
    run.send()
    assert (org.posts(), run.report()["withheld"], worklist(org)) == (3, 0, {})


def test_d08_a_run_about_one_employee_holds_back_and_opens_nothing(org: World) -> None:
    run = planned(org, params={"only_employee": "e1"})
    run.values = {"exclude": {"employee_ids": ["e1"]}}
    run.send()
    assert (org.posts(), run.report()["withheld"], worklist(org)) == (0, 1, {})


@pytest.mark.parametrize(
    ("planned_with", "narrower", "held"),
    [
        ({"if_rehire": "invite"}, {"if_rehire": "review"}, {"back": "review:rehire"}),
        ({"reinvite": "once"}, {"reinvite": "never"}, {"late": "review:expired"}),
        ({}, {"max_age_days": 10}, {"old": "skip:too_old"}),
        ({}, {"invite_days_before_start": 5}, {"early": "skip:too_early"}),
    ],
    ids=["rehire", "expired", "too old", "too early"],
)
def test_d08_occasions_and_days_that_became_narrower_hold_people_back(
    org: World, planned_with: Mapping[str, Any], narrower: Mapping[str, Any], held: dict[str, str]
) -> None:
    today = org.now().date()
    org.m3ter.seed(
        users=[{"email": "back@example.com", "dtEndAccess": "-5d"}],
        invitations=[{"email": "late@example.com", "dtCreated": "-40d"}],
    )
    org.hire("back", "late")
    org.hire("old", start_date=today - timedelta(days=20))
    org.hire("early", start_date=today + timedelta(days=20))
    run = planned(org, values=planned_with)
    who = set(invited(org))
    assert set(held) <= who
    run.values = {**planned_with, **narrower}
    run.send()
    assert set(org.emails()) == {e3_or(name) for name in who - set(held)}
    # Nothing is asked about people who are too old, as in a plan.
    assert worklist(org).items() >= {name: why for name, why in held.items() if why != "skip:too_old"}.items()
    assert run.report()["withheld"] == 1


def test_d08_a_plan_that_waits_loses_nobody_by_the_days_that_pass(org: World) -> None:
    """People who were just in time when the plan was made are sent, however long an approval took."""
    today = org.now().date()
    org.hire("old", start_date=today - timedelta(days=90))
    org.hire("early", start_date=today + timedelta(days=5))
    run = planned(org, values={"invite_days_before_start": 5})
    assert {"old", "early"} <= set(invited(org))
    d, p, passed = org.db.tables.decision, org.db.tables.plan, timedelta(days=5)
    with org.db.engine.begin() as connection:  # as if five days had passed since
        mine = p.c.plan_id == run.xcoms["plan"]["plan_id"]
        made = connection.execute(select(p.c.created_at).where(mine)).scalar_one()
        connection.execute(update(p).where(mine).values(created_at=made - passed))
        for name, days in (("old", -90), ("early", 5)):
            start = today + timedelta(days=days) - passed
            connection.execute(update(d).where(d.c.employee_id == name).values(start_date=start))
    run.send()
    assert {"old@example.com", "early@example.com"} <= set(org.emails())
    assert run.report()["withheld"] == 0


def test_d08_a_person_who_is_asked_for_by_name_is_not_held_back_by_what_is_to_be_decided(org: World) -> None:
    org.m3ter.seed(users=[{"email": "back@example.com", "dtEndAccess": "-5d"}])
    org.hire("back")
    run = planned(org, params={"mode": "retry_failed", "only_employee": "back"})
    run.send()
    assert set(org.emails()) == {"back@example.com"}


def invited(world: World) -> list[str]:
    d = world.db.tables.decision.c
    with world.db.engine.connect() as connection:
        return list(connection.execute(select(d.employee_id).where(d.decision == "invite")).scalars())


def e3_or(name: str) -> str:
    return "e3@other.example" if name == "e3" else f"{name}@example.com"
