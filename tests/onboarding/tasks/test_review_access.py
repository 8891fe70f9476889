"""The task ``review_access``: access in m3ter compared with the jobs in the warehouse."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy import create_engine, func, select, text, update

from m3ter_onboarding import access_review_dag
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.ledger.erasure import ErasureRequest, erase_person, person_of
from m3ter_onboarding.ledger.erasure_by_age import erase_before
from m3ter_onboarding.reporting.publication import publish
from m3ter_onboarding.reporting.published_erasure import delete_people
from m3ter_onboarding.tasks.review_access import AccessReviewOperator
from tests.support.task_runs import m3ter_connection
from tests.support.world import World

DOCUMENT = Path(__file__).parent.parent.parent.parent / "docs" / "access_review.md"
SECRET = "a secret of more than sixteen characters"


def select_jobs(*rows: dict[str, Any]) -> str:
    """Return a query that returns these rows."""
    selects = [
        ", ".join("NULL" if value is None else f"'{value}'" for value in row.values()) + f" FROM (SELECT {number}) AS n"
        for number, row in enumerate(rows)
    ]
    first = ", ".join(f"'' AS {name}" for name in rows[0])
    return f"SELECT {first} FROM (SELECT 0) AS n WHERE 1 = 0 UNION ALL SELECT " + " UNION ALL SELECT ".join(selects)


def jobs(world: World, *addresses: str, **columns: Any) -> None:
    """Let these people have a job, each with the same further columns."""
    world.job_query = select_jobs(*({"email": address, **columns} for address in addresses))


def review(world: World, params: dict[str, Any] | None = None, **settings: Any) -> dict[str, int]:
    """Run the task as its DAG does."""
    values = {"access_review": {"query": "jobs.sql", **settings.pop("access_review", {})}, **settings}
    (task,) = access_review_dag(world.config(**values)).tasks
    assert isinstance(task, AccessReviewOperator)
    context: Any = {"dag_run": SimpleNamespace(dag_id=task.dag_id, run_id="run-1"), "params": params or {}}
    with m3ter_connection(world):
        counts = task.execute(context)
    assert isinstance(counts, dict)
    if counts["unknown_policies"] and "No such policy" not in settings.get("permission_policies", ()):
        with world.db.engine.connect() as connection:
            mirrored = connection.execute(select(world.db.tables.mirror_policy)).mappings().all()
        pytest.fail(f"policies that m3ter has were not found in the mirror: {mirrored}")
    return counts


def findings(world: World) -> set[tuple[str, str]]:
    """Return the findings that are open: kind and address."""
    t = world.db.tables.access_review.c
    with world.db.engine.connect() as connection:
        rows = connection.execute(select(t.finding, t.email_key).where(t.ended_at.is_(None)))
        return {(row.finding, row.email_key) for row in rows}


def reads(world: World) -> list[tuple[str, int | None, int | None]]:
    t = world.db.tables.access_read.c
    with world.db.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(t.outcome, t.people, t.users).order_by(t.read_id))]


def members(world: World, *addresses: str, **fields: Any) -> None:
    world.m3ter.seed(users=[{"id": f"id-{address}", "email": address, **fields} for address in addresses])


def test_access_without_a_job_is_found_and_ends_when_the_access_or_the_reason_does(world: World) -> None:
    members(world, "stays@example.com", "Left@Example.com")
    members(world, "gone@example.com", dtEndAccess="-1d")
    jobs(world, "STAYS@example.com")

    counts = review(world)
    assert findings(world) == {("no_job", "left@example.com")}
    assert (counts["people"], counts["users"], counts["no_job"], counts["new_findings"]) == (1, 2, 1, 1)
    assert reads(world) == [("accepted", 1, 2)]
    assert review(world)["new_findings"] == 0

    jobs(world, "stays@example.com", "left@example.com")
    assert review(world)["ended_findings"] == 1
    assert findings(world) == set()
    jobs(world, "stays@example.com", "other@example.com")
    assert review(world)["new_findings"] == 1  # came back
    assert world.posts() == 0
    assert all(one["method"] == "GET" or one["path"].endswith("/oauth/token") for one in world.m3ter.requests())


def test_rows_of_the_warehouse_are_kept_no_longer_than_the_read(world: World) -> None:
    members(world, "a@example.com")
    jobs(world, "a@example.com", employee_id="e1")
    review(world)
    with world.db.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(world.db.tables.access_job)).scalar_one() == 0


def test_ends_of_access_that_differ_are_found_and_one_that_changed_since_the_invitation_is_told_apart(
    world: World,
) -> None:
    world.hire("e1")
    world.whole_run()
    world.m3ter.accept("e1@example.com")  # was invited without an end
    members(world, "same@example.com", dtEndAccess="2035-06-30T23:59:59.999Z")
    members(world, "midnight@example.com", dtEndAccess="2035-07-01T00:00:00Z")
    members(world, "other@example.com", dtEndAccess="2035-06-29T12:00:00Z")
    members(world, "none@example.com")
    members(world, "locked@example.com", dtEndAccess="-1d")
    everybody = [user["email"] for user in world.m3ter.users()]
    jobs(world, *everybody, access_end_date="2035-06-30")

    review(world)
    assert findings(world) == {
        ("access_end_changed", "e1@example.com"),
        ("access_end_differs", "other@example.com"),
        ("access_end_differs", "none@example.com"),
        ("access_end_differs", "locked@example.com"),
    }


def test_a_query_without_ends_compares_none(sqlite_world: World) -> None:
    members(sqlite_world, "a@example.com", dtEndAccess="2035-06-29T12:00:00Z")
    jobs(sqlite_world, "a@example.com")
    review(sqlite_world)
    assert findings(sqlite_world) == set()


def test_invitations_of_leavers_are_found_and_those_of_people_who_start_later_are_not(world: World) -> None:
    world.hire("left", start_date="2020-01-01")
    world.hire("later", start_date="2036-01-01")
    world.whole_run()
    world.m3ter.seed(invitations=[{"email": "hand@example.com"}, {"email": "old@example.com", "dtExpiry": "-1d"}])
    members(world, "a@example.com")
    jobs(world, "a@example.com")

    review(world)
    assert findings(world) == {("pending_for_leaver", "left@example.com"), ("pending_for_leaver", "hand@example.com")}


def test_a_person_with_two_users_has_a_job_with_both(world: World) -> None:
    world.hire("e1", email="old@example.com")
    world.whole_run()
    world.m3ter.accept("old@example.com")
    members(world, "new@example.com")
    jobs(world, "new@example.com", employee_id="e1", access_end_date=None)
    review(world)
    assert findings(world) == set()

    members(world, "twice@example.com", dtEndAccess="-3d")
    world.m3ter.seed(users=[{"email": "Twice@example.com"}])
    world.job_query = select_jobs(
        {"email": "new@example.com", "employee_id": "e1", "access_end_date": None},
        {"email": "twice@example.com", "employee_id": "e2", "access_end_date": None},
    )
    review(world)
    assert findings(world) == set()


def test_ignored_and_excluded_people_are_left_out(sqlite_world: World) -> None:
    addresses = ["robot@example.com", "help@m3ter.example", "boss@example.com", "left@example.com"]
    members(sqlite_world, *addresses, "a@example.com")
    jobs(sqlite_world, "a@example.com")
    review(
        sqlite_world,
        access_review={"ignore": ["Robot@example.com", "m3ter.example"]},
        exclude={"addresses": ["boss@example.com"]},
    )
    assert findings(sqlite_world) == {("no_job", "left@example.com")}


def test_a_row_with_a_flaw_still_says_that_somebody_has_a_job(sqlite_world: World) -> None:
    sqlite_world.hire("e1")
    sqlite_world.whole_run()
    sqlite_world.m3ter.accept("e1@example.com")
    members(sqlite_world, "a@example.com")
    sqlite_world.job_query = select_jobs(
        {"email": None, "employee_id": "e1", "access_end_date": None},
        {"email": "a@example.com", "employee_id": None, "access_end_date": "soon"},
    )
    counts = review(sqlite_world)
    assert findings(sqlite_world) == set()
    assert (counts["flawed_rows"], counts["rows_that_name_nobody"]) == (2, 0)


def test_a_read_that_is_empty_or_has_shrunk_is_refused_and_changes_no_finding(world: World) -> None:
    people = [f"p{n}@example.com" for n in range(10)]
    members(world, *people, "left@example.com")
    jobs(world, *people)
    review(world)
    before = findings(world)

    jobs(world, *people[:7], "left@example.com")
    review(world)  # 8 of 10 are 20% fewer: allowed
    assert findings(world) == {("no_job", one) for one in people[7:]}
    before = findings(world)
    jobs(world, *people[:6])
    with pytest.raises(AirflowFailException, match=r"found 6 people .*; the last accepted one found 8, .* allows 20%"):
        review(world)
    world.job_query = "SELECT email FROM hires WHERE 1 = 0"
    with pytest.raises(AirflowFailException, match=r"found no people .*; the last accepted one found 8\."):
        review(world, {"accept_shrunken_read": True})
    assert findings(world) == before
    assert reads(world) == [("accepted", 10, 11), ("accepted", 8, 11), ("refused", 6, 11), ("refused", 0, 11)]

    jobs(world, *people[:6])
    review(world, {"accept_shrunken_read": True})
    assert len(findings(world)) == 5


def test_users_of_m3ter_that_have_shrunk_are_refused_too(sqlite_world: World) -> None:
    people = [f"p{n}@example.com" for n in range(10)]
    members(sqlite_world, *people)
    jobs(sqlite_world, *people[:9])
    review(sqlite_world)
    sqlite_world.m3ter.reset()
    sqlite_world.m3ter.switches(requests_per_second=0)
    members(sqlite_world, *people[:5])
    with pytest.raises(AirflowFailException, match=r"found 5 users .*; the last accepted one found 10"):
        review(sqlite_world)
    assert findings(sqlite_world) == {("no_job", "p9@example.com")}


def test_a_read_that_fails_changes_no_finding(sqlite_world: World) -> None:
    members(sqlite_world, *(f"m{n}@example.com" for n in range(250)), "left@example.com")
    jobs(sqlite_world, *(f"m{n}@example.com" for n in range(250)))
    review(sqlite_world)
    before = findings(sqlite_world)
    jobs(sqlite_world, *(f"m{n}@example.com" for n in range(250)), "left@example.com")
    sqlite_world.m3ter.faults(kind="status", status=404, method="GET", path="/users$", skip=1)  # the second page
    with pytest.raises(AirflowFailException):
        review(sqlite_world)
    sqlite_world.m3ter.clear_faults()
    sqlite_world.job_query = "SELECT email FROM no_such_table"
    with pytest.raises(AirflowFailException, match="refused the query of `access_review`"):
        review(sqlite_world)
    assert findings(sqlite_world) == before
    assert [outcome for outcome, _, _ in reads(sqlite_world)] == ["accepted", "failed", "failed"]


def test_columns_of_another_contract_are_named(sqlite_world: World) -> None:
    sqlite_world.job_query = "SELECT email, first_name FROM hires"
    with pytest.raises(AirflowFailException, match=r"has the columns email, first_name\. It must have email"):
        review(sqlite_world)


def test_without_a_query_there_is_no_such_dag(sqlite_world: World) -> None:
    with pytest.raises(ConfigurationError, match=r"needs the key 'access_review\.query'"):
        access_review_dag(sqlite_world.config())


def test_the_documented_query_runs_as_it_stands(sqlite_world: World) -> None:
    (query, *_) = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    row = "SELECT 'a@example.com' AS work_email, 7 AS employee_number, '2035-06-30' AS last_day,"
    table = f"({row} NULL AS m3ter_policies, NULL AS office_time_zone)"
    sqlite_world.job_query = query.replace("hr.employees", table)
    members(sqlite_world, "a@example.com")
    review(sqlite_world)
    assert findings(sqlite_world) == {("access_end_differs", "a@example.com")}


def test_findings_are_published_when_they_change_and_leave_with_erased_people(world: World, tmp_path: Path) -> None:
    members(world, "a@example.com", "left@example.com")
    jobs(world, "a@example.com")
    review(world)
    warehouse = create_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    published = text("SELECT finding, email, ended_at IS NULL FROM m3ter_onboarding_access_review")

    def copied() -> list[tuple[Any, ...]]:
        publish(world.db, warehouse, world.m3ter.org_id)
        with warehouse.connect() as connection:
            return [tuple(row) for row in connection.execute(published)]

    assert copied() == [("no_job", "left@example.com", 1)]
    jobs(world, "a@example.com", "left@example.com")
    review(world)
    assert copied() == [("no_job", "left@example.com", 0)]

    people = person_of(world.db, world.m3ter.org_id, address="left@example.com")
    delete_people(warehouse, world.m3ter.org_id, people)
    with warehouse.connect() as connection:
        assert connection.execute(published).all() == []
    request = ErasureRequest(world.m3ter.org_id, "olga", world.now(), SECRET, still_in_m3ter=True)
    assert erase_person(world.db, request, people).counts["access_review"] == 1
    ((_, email, _),) = copied()
    assert email.startswith("erased:")


def test_findings_that_ended_long_ago_lose_their_data_and_open_ones_keep_them(world: World) -> None:
    members(world, "a@example.com", "left@example.com")
    jobs(world, "a@example.com")
    review(world)
    request = ErasureRequest(world.m3ter.org_id, "olga", world.now(), SECRET)
    later = world.now() + timedelta(days=1)
    assert "access_review" not in {name for name, many in erase_before(world.db, request, later).counts.items() if many}
    jobs(world, "a@example.com", "left@example.com")
    review(world)
    assert erase_before(world.db, request, later).counts["access_review"] == 1
    t = world.db.tables.access_review.c
    with world.db.engine.connect() as connection:
        (row,) = connection.execute(select(t.email, t.in_m3ter, t.wanted))
    assert row.email.startswith("erased:")
    assert (row.in_m3ter, row.wanted) == (None, None)


def asked(world: World) -> int:
    """Return for how many users m3ter was asked for their policies."""
    return sum(one["path"].endswith("/permissions") for one in world.m3ter.requests())


def with_policies(world: World) -> None:
    world.m3ter.seed(policies=[{"id": "p-view", "name": "Viewer"}, {"id": "p-edit", "name": "Editor"}])
    members(world, "view@example.com", dtCreated="-3d", policyIds=["p-view"])
    members(world, "both@example.com", dtCreated="-3d", policyIds=["p-view", "p-edit"])
    members(world, "edit@example.com", dtCreated="-3d", policyIds=["p-edit"])


def test_policies_that_differ_from_the_row_or_the_configuration_are_found(world: World) -> None:
    with_policies(world)
    world.job_query = select_jobs(
        {"email": "view@example.com", "permission_policies": None},
        {"email": "both@example.com", "permission_policies": "Editor, p-view"},
        {"email": "edit@example.com", "permission_policies": "Viewer"},
    )
    counts = review(world)
    assert findings(world) == {("policies_differ", "edit@example.com")}
    assert (counts["users_asked_about_policies"], counts["users_left_to_ask"]) == (3, 0)
    t = world.db.tables.access_review.c
    with world.db.engine.connect() as connection:
        assert connection.execute(select(t.in_m3ter, t.wanted)).all() == [("Editor", "Viewer")]

    review(world, permission_policies=["Editor"])
    assert findings(world) == {("policies_differ", "edit@example.com"), ("policies_differ", "view@example.com")}
    review(world, permission_policies=["No such policy"])
    assert findings(world) == {("policies_differ", "edit@example.com")}
    assert asked(world) == 3
    review(world, access_review={"compare_policies": False})
    assert findings(world) == set()


def test_nobody_is_asked_about_where_no_policies_are_wanted(sqlite_world: World) -> None:
    with_policies(sqlite_world)
    jobs(sqlite_world, "view@example.com", "both@example.com", "edit@example.com")
    review(sqlite_world)
    assert asked(sqlite_world) == 0


def test_a_run_asks_about_so_many_users_and_the_next_goes_on_with_the_others(sqlite_world: World) -> None:
    with_policies(sqlite_world)
    jobs(sqlite_world, "view@example.com", "both@example.com", "edit@example.com", permission_policies="Viewer")
    settings = {"policy_reads_per_run": 2}
    counts = review(sqlite_world, access_review=settings)
    assert (counts["users_asked_about_policies"], counts["users_left_to_ask"]) == (2, 1)
    counts = review(sqlite_world, access_review=settings)
    assert (counts["users_asked_about_policies"], counts["users_left_to_ask"]) == (1, 0)
    assert {who for _, who in findings(sqlite_world)} == {"both@example.com", "edit@example.com"}
    u = sqlite_world.db.tables.mirror_user
    with sqlite_world.db.engine.begin() as connection:  # as if they had been asked about long ago
        connection.execute(update(u).values(policies_read_at=sqlite_world.now() - timedelta(days=31)))
    assert review(sqlite_world)["users_asked_about_policies"] == 3
    with sqlite_world.db.engine.begin() as connection:  # before the users were last modified
        connection.execute(update(u).values(policies_read_at=sqlite_world.now() - timedelta(days=5)))
    assert review(sqlite_world)["users_asked_about_policies"] == 3
    assert review(sqlite_world)["users_asked_about_policies"] == 0


def test_policies_that_may_not_be_read_are_not_compared_anew_and_the_rest_is(sqlite_world: World) -> None:
    with_policies(sqlite_world)
    members(sqlite_world, "left@example.com")
    jobs(sqlite_world, "view@example.com", "both@example.com", "edit@example.com", permission_policies="Viewer")
    sqlite_world.m3ter.faults(kind="status", status=403, method="GET", path="/permissions$")
    review(sqlite_world)
    assert findings(sqlite_world) == {("no_job", "left@example.com")}


def test_requests_grow_with_the_pages_of_the_lists_once_policies_are_known(sqlite_world: World) -> None:
    many = 210
    sqlite_world.m3ter.seed(
        policies=[{"id": "p-view", "name": "Viewer"}],
        users=[
            {"id": f"u{n}", "email": f"u{n}@example.com", "policyIds": ["p-view"], "dtCreated": "-3d"}
            for n in range(many)
        ],
    )
    sqlite_world.job_query = (
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 208)"
        " SELECT 'u' || i || '@example.com' AS email, 'Viewer' AS permission_policies FROM n"
    )
    counts = review(sqlite_world)
    assert (counts["users_asked_about_policies"], counts["no_job"], counts["policies_differ"]) == (many, 1, 0)
    before = len(sqlite_world.m3ter.requests())
    review(sqlite_world)
    assert (
        len(sqlite_world.m3ter.requests()) - before <= 1 + 1 + 1 + 3 + 1
    )  # token, own id, invitations, users, policies
