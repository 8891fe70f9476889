"""The overview: what is, what needs attention, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone

from sqlalchemy import Engine, insert, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.overview_figures import CHART_RUNS, ledger_figures
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from tests.onboarding.page.conftest import Page
from tests.support.page_ledger import DAG_A, DAG_B, NOW, ORG_A, PLAN, PLAN_BEFORE, RUN, RUN_BEFORE, crowd
from tests.support.page_plans import statements_of


def test_the_overview_has_states_dags_and_funnel(page: Callable[[str], Page]) -> None:
    answer = page("anna").get("api/overview")
    [ledger] = answer["ledgers"]
    assert ledger["states"] == {"review": 1, "sent": 5, "adopted": 1, "accepted": 1, "expired": 1, "failed": 1}
    [dag] = ledger["dags"]
    assert (dag["org_id"], dag["allow_invitations"]) == (ORG_A, True)
    assert dag["funnel"] == {"run_id": RUN, "planned": 3, "sent": 3, "accepted": 1}
    assert dag["left"] == {"failed": 1, "unsent": 0}, "what a run finds that retries"
    assert ledger["questions"] == {"invalid:email": 1, "review:email_changed": 1}
    assert [run["run_id"] for run in ledger["runs"]] == [RUN, RUN_BEFORE]
    assert answer["user"] == "anna"
    assert [(one["dag_id"], "dry_run" in one["modes"]) for one in answer["dags"]] == [(DAG_A, True)]


def test_one_ledger_that_is_away_leaves_the_others(page: Callable[[str], Page]) -> None:
    ledgers = {ledger["name"]: ledger for ledger in page("root").get("api/overview")["ledgers"]}
    assert len(ledgers) == 4
    assert ledgers["page_ledger"]["problem"] is None
    assert "'page_away'" in ledgers["page_away"]["problem"]
    assert "unable to open database file" in ledgers["page_away"]["problem"]
    assert ledgers["page_empty"] | {"key": ""} == {
        "key": "",
        "name": "page_empty",
        "empty": True,
        "problem": "No run has begun yet: the ledger is still empty.",
    }
    assert "not defined in Airflow" in ledgers["page_not_defined"]["problem"]


def test_counting_stops_at_a_limit(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    crowd(ledger, COUNTED + 50)
    assert page("anna").get("api/overview")["ledgers"][0]["states"]["sent"] == COUNTED + 1


def test_people_who_cannot_accept_in_time_are_counted(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    t = ledger.tables
    with ledger.engine.begin() as connection:
        connection.execute(update(t.decision).values(start_date=(NOW + timedelta(days=30)).date()))
    assert page("anna").get("api/overview")["ledgers"][0]["expire_before_start"] == 5
    with ledger.engine.begin() as connection:
        connection.execute(update(t.decision).values(start_date=(NOW + timedelta(days=2)).date()))
    assert page("anna").get("api/overview")["ledgers"][0]["expire_before_start"] == 0


def test_the_chart_counts_invitations_by_day(page: Callable[[str], Page]) -> None:
    days = page("anna").get("api/chart")["days"]
    assert sum(day["accepted"] for day in days) == 1
    assert sum(day["waiting"] for day in days) == 5
    assert sum(day["other"] for day in days) == 2
    today = datetime.now(timezone.utc).date()
    assert [day["day"] for day in days] == [f"{today - timedelta(days=29 - number)}" for number in range(30)]


def test_the_chart_begins_with_a_whole_day_where_runs_are_too_many(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    r = ledger.tables.run
    with ledger.engine.begin() as connection:
        one = connection.execute(select(r).where(r.c.run_id == RUN)).one()._mapping
        for number in range(CHART_RUNS + 10):  # ten a day
            values = {**one, "run_id": f"run-{number}", "started_at": NOW - timedelta(days=1 + number // 10)}
            connection.execute(insert(r).values(values))
    days = [date.fromisoformat(day["day"]) for day in page("anna").get("api/chart")["days"]]
    assert days[-1] == datetime.now(timezone.utc).date()
    assert len(days) == (days[-1] - days[0]).days + 1, "no day is left out"
    assert 8 <= len(days) <= 10, "and none that was not counted is shown as nought"


def test_a_run_is_compared_with_the_plan_before(page: Callable[[str], Page]) -> None:
    anna = page("anna")
    answer = anna.get("api/run", dag_id=DAG_A, run_id=RUN)
    assert answer["before"]["plan_id"] == PLAN_BEFORE
    [plan] = answer["plans"]
    assert plan["policies"] == ["Analyst"]

    def rows(kind: str, plan_id: str = PLAN) -> dict[str, tuple[str | None, str | None]]:
        body = {"dag_id": DAG_A, "plan_id": plan_id, "decision": kind}
        found = anna.post("api/run/rows", body)["rows"]
        return {row["employee_id"]: (row.get("change"), row.get("before")) for row in found}

    assert rows("invite") == {
        "1001": ("changed", "nothing to do (starts too far in the future)"),
        "1003": ("new", None),
        "1004": ("new", None),
    }
    assert rows("skip") == {"1002": ("same", None)}
    assert set(rows("gone")) == {"1009"}
    assert rows("invite", PLAN_BEFORE) == {"1009": (None, None)}
    anna.post("api/run/rows", {"dag_id": DAG_A, "plan_id": "plan-of-b", "decision": "invite"}, 404)


def test_a_run_is_compared_with_one_over_the_same_people(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    t = ledger.tables
    for column, value in (("only_employee", "1009"), ("org_id", "another")):
        table = t.run if column == "only_employee" else t.plan
        with ledger.engine.begin() as connection:
            connection.execute(update(table).where(table.c.run_id == RUN_BEFORE).values({column: value}))
        assert page("anna").get("api/run", dag_id=DAG_A, run_id=RUN)["before"] is None
        with ledger.engine.begin() as connection:
            before = {"only_employee": None, "org_id": ORG_A}[column]
            connection.execute(update(table).where(table.c.run_id == RUN_BEFORE).values({column: before}))
    with ledger.engine.begin() as connection:
        connection.execute(update(t.run).where(t.run.c.dag_id == DAG_A).values(only_employee="1001"))
    assert page("anna").get("api/run", dag_id=DAG_A, run_id=RUN)["before"]["plan_id"] == PLAN_BEFORE


def test_a_run_that_failed_says_where_and_why(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    r = ledger.tables.run
    anna = page("anna")
    assert anna.get("api/run", dag_id=DAG_A, run_id=RUN)["failure"] is None
    counts = {"rows": 0, "failure": "The secret is wrong. Correct it.", "failed_task": "snapshot"}
    for found, expected in (
        (counts, {"task_id": "snapshot", "sentence": "The secret is wrong. Correct it."}),
        ({"rows": 0}, None),  # of a report of an older version
    ):
        with ledger.engine.begin() as connection:
            connection.execute(update(r).where(r.c.run_id == RUN).values(outcome="failed", counts=found))
        assert anna.get("api/run", dag_id=DAG_A, run_id=RUN)["failure"] == expected
        assert anna.get("api/runs", dag_id=DAG_A)["rows"][0]["failure"] == expected
        assert anna.get("api/overview")["ledgers"][0]["runs"][0]["failure"] == expected


def test_runs_of_a_dag_are_listed_newest_first(page: Callable[[str], Page]) -> None:
    found = page("anna").get("api/runs", dag_id=DAG_A)
    assert [run["run_id"] for run in found["rows"]] == [RUN, RUN_BEFORE]
    earlier = page("anna").get("api/runs", dag_id=DAG_A, before=found["rows"][0]["started_at"])
    assert [run["run_id"] for run in earlier["rows"]] == [RUN_BEFORE]
    assert page("bert").client.get("/airflow/m3ter-onboarding/api/runs", params={"dag_id": DAG_A}).status_code == 404
    assert page("bert").get("api/runs", dag_id=DAG_B)["rows"]


def test_many_configurations_take_few_statements_each(ledger: LedgerDatabase) -> None:
    t, many = ledger.tables, [f"m3ter_onboarding__o{number}" for number in range(30)]
    with ledger.engine.begin() as connection:
        for table in (t.run, t.plan, t.admission):
            rows = [dict(row._mapping) for row in connection.execute(select(table).where(table.c.dag_id == DAG_A))]
            for number, dag_id in enumerate(many):
                for row in rows:
                    other = {"dag_id": dag_id, "org_id": f"org-{number}"}
                    if "plan_id" in row:
                        other["plan_id"] = f"{row['plan_id']}-{number}"
                    connection.execute(insert(table), {**row, **other})
    reader = LedgerReader(ledger)
    with statements_of(Engine) as alone:
        [first] = ledger_figures(reader, many[:1], NOW).dags
    with statements_of(Engine) as watched:
        figures = ledger_figures(reader, many, NOW)
    # Of each DAG its newest runs, their plans, and the invitations that expire soonest; all else is asked for together.
    assert len(watched.ran) - len(alone.ran) <= 3 * len(many) + 10
    assert [dag.dag_id for dag in figures.dags] == many
    assert first == figures.dags[0]
    assert {(dag.allow_invitations, dag.funnel is not None) for dag in figures.dags} == {(True, True)}
