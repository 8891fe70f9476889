"""The overview: what is, what needs attention, and what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fastapi.encoders import jsonable_encoder
from sqlalchemy import Engine, Table, insert, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.dag_figures import without_card
from m3ter_onboarding.ledger.reads.invitation_trends import invitation_trends
from m3ter_onboarding.ledger.reads.overview_figures import ledger_figures
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.sending_runs import CHART_RUNS
from m3ter_onboarding.page.answers import ReadableDag
from m3ter_onboarding.page.bounded_response import LARGEST
from m3ter_onboarding.page.routes import static_files
from m3ter_onboarding.page.routes.overview_routes import OverviewResponse
from tests.onboarding.page.conftest import AT, Page
from tests.support.page_ledger import (
    DAG_A,
    DAG_B,
    NOW,
    ORG_A,
    ORG_B,
    PLAN,
    PLAN_BEFORE,
    RUN,
    RUN_BEFORE,
    crowd,
    more_configurations,
)
from tests.support.page_plans import all_statements, statements_of


def test_the_overview_has_states_dags_and_funnel(page: Callable[[str], Page]) -> None:
    answer = page("anna").get("api/overview")
    [ledger] = answer["ledgers"]
    assert ledger["states"] == {"review": 1, "sent": 5, "adopted": 1, "accepted": 1, "expired": 1, "failed": 1}
    [dag] = ledger["dags"]
    assert (dag["org_id"], dag["allow_invitations"]) == (ORG_A, True)
    run = dag["funnel"].pop("run")
    assert datetime.fromisoformat(run.pop("started_at")) == NOW - timedelta(hours=6)
    assert run == {"run_id": RUN, "run_type": "manual"}
    assert dag["funnel"] == {"planned": 3, "sent": 3, "accepted": 1}
    assert dag["failed"] is None
    assert dag["left"] == {"failed": 1}, "what a run finds that retries"
    assert ledger["questions"] == {"invalid:email": 1, "review:email_changed": 1}
    assert [run["run_id"] for run in ledger["runs"]] == [RUN, RUN_BEFORE]
    assert answer["user"] == "anna"
    assert [(one["dag_id"], "dry_run" not in one["lacks"]) for one in answer["dags"]] == [(DAG_A, True)]


def test_an_organisation_has_its_own_name_where_it_is_known(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    name = "<b>Acme</b> \u202e" + "x" * 300
    with ledger.engine.begin() as connection:
        connection.execute(
            insert(ledger.tables.mirror_org), [{"org_id": ORG_A, "name": None}, {"org_id": ORG_B, "name": "of others"}]
        )
    assert page("anna").get("api/overview")["ledgers"][0]["organisation_names"] == {}, "not read yet"
    with ledger.engine.begin() as connection:
        connection.execute(
            update(ledger.tables.mirror_org).where(ledger.tables.mirror_org.c.org_id == ORG_A).values(name=name)
        )
    [found] = page("anna").get("api/overview")["ledgers"]
    assert found["organisation_names"] == {ORG_A: f"{name[:79]}…"}, "and none of other readers' organisations"


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
    r, each = ledger.tables.run, CHART_RUNS // 9  # of a day
    with ledger.engine.begin() as connection:
        one = dict(connection.execute(select(r).where(r.c.run_id == RUN)).one()._mapping)
        connection.execute(
            insert(r),
            [
                {**one, "run_id": f"run-{number}", "started_at": NOW - timedelta(days=1 + number // each)}
                for number in range(CHART_RUNS + each)
            ],
        )
    days = [date.fromisoformat(day["day"]) for day in page("anna").get("api/chart")["days"]]
    assert days[-1] == datetime.now(timezone.utc).date()
    assert len(days) == (days[-1] - days[0]).days + 1, "no day is left out"
    assert 8 <= len(days) <= 10, "and none that was not counted is shown as nought"


def test_the_chart_names_a_days_only_run_and_counts_on_from_rows_to_acceptance(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    i = ledger.tables.invitation
    with ledger.engine.begin() as connection:
        connection.execute(update(i).where(i.c.state == "accepted").values(accepted_at=NOW))
    answer = page("anna").get("api/chart", days=90)
    assert len(answer["days"]) == 90
    runs = [day["run"]["run_id"] for day in answer["days"] if day["run"]]
    assert set(runs) <= {RUN, RUN_BEFORE}
    assert {day["dag_id"] for day in answer["days"] if day["accepted"] or day["waiting"]} == {DAG_A}
    assert answer["funnel"] == {"rows": 9, "usable": 8, "invited": 7, "accepted": 1, "expired": 1}
    five_hours = 5 * 3600.0
    assert answer["time_to_accept"] == {"of": 1, "median_seconds": five_hours, "p90_seconds": five_hours}


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


def test_a_plan_is_out_of_date_when_a_newer_one_is_another_or_was_sent(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    t = ledger.tables

    def newer() -> dict[str, Any] | None:
        found: dict[str, Any] | None = page("anna").get("api/run", dag_id=DAG_A, run_id=RUN_BEFORE)["newer"]
        return found

    def change(table: Table, run_id: str, **values: Any) -> None:
        with ledger.engine.begin() as connection:
            connection.execute(update(table).where(table.c.run_id == run_id).values(**values))

    assert newer() == {"run_id": RUN, "sent": True}
    with all_statements() as asked:
        newer()
    assert asked["ledger"] <= 8
    assert page("anna").get("api/run", dag_id=DAG_A, run_id=RUN)["newer"] is None
    change(t.invitation, RUN, state="unsent")
    assert newer() is None  # the same plan, of which nothing was sent
    change(t.plan, RUN, fingerprint="e" * 64)
    assert newer() == {"run_id": RUN, "sent": False}
    for table, values, back in (
        (t.run, {"only_employee": "1009"}, {"only_employee": None}),
        (t.plan, {"org_id": "another"}, {"org_id": ORG_A}),
        (t.plan, {"state": "open"}, {"state": "sealed"}),
        (t.plan, {"window_start": NOW, "window_end": NOW + timedelta(days=1)}, {"window_start": NOW - timedelta(1)}),
    ):
        change(table, RUN, **values)
        assert newer() is None, values
        change(table, RUN, **back)
    assert newer() == {"run_id": RUN, "sent": False}


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


def test_any_number_of_configurations_takes_the_same_few_statements(ledger: LedgerDatabase) -> None:
    dag_ids = more_configurations(ledger, 40)
    reader = LedgerReader(ledger)
    reader.check()
    with statements_of(Engine) as few:
        three = ledger_figures(reader, dag_ids[:3], NOW)
    with statements_of(Engine) as many:
        forty = ledger_figures(reader, dag_ids, NOW)
    # One more may look for runs that failed before they reached the ledger.
    assert len(few.ran) == len(many.ran) <= 7
    assert [dag.dag_id for dag in forty.dags] == dag_ids
    assert three.dags == forty.dags[:3]
    assert {(dag.allow_invitations, dag.funnel and dag.funnel.accepted) for dag in forty.dags} == {(True, 1)}
    assert {tuple(dag.left.items()) for dag in forty.dags} == {(("failed", 1),)}
    assert forty.states["sent"] == 40 * 5
    assert len(forty.runs) == 20


def test_the_chart_of_any_number_of_configurations_takes_the_same_few_statements(ledger: LedgerDatabase) -> None:
    dag_ids = more_configurations(ledger, 40)
    reader = LedgerReader(ledger)
    reader.check()
    with statements_of(Engine) as few:
        three = invitation_trends(reader, dag_ids[:3], NOW)
    with statements_of(Engine) as many:
        forty = invitation_trends(reader, dag_ids, NOW)
    assert len(few.ran) == len(many.ran) == 3
    assert (three.funnel.invited, forty.funnel.invited) == (3 * 7, 40 * 7)
    assert sum(day.waiting for day in forty.days) == 40 * 5


def test_the_overview_asks_both_databases_a_bounded_number_of_questions(page: Callable[[str], Page]) -> None:
    root = page("root")
    root.get("api/overview")  # opens the ledgers
    with all_statements() as asked:
        root.get("api/overview")
    assert asked["ledger"] <= 8
    assert asked["airflow"] <= 5


def test_a_figure_of_a_dag_says_how_its_last_run_went(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    r, p = ledger.tables.run, ledger.tables.plan
    [dag] = page("anna").get("api/overview")["ledgers"][0]["dags"]
    assert (dag["last"]["run_id"], dag["last"]["outcome"], dag["last"]["waits"]) == (RUN, "success", None)
    failed = {"failure": "The secret is wrong.", "failed_task": "snapshot"}
    with ledger.engine.begin() as connection:
        connection.execute(update(r).where(r.c.run_id == RUN).values(outcome="failed", counts=failed))
    [dag] = page("anna").get("api/overview")["ledgers"][0]["dags"]
    assert dag["last"]["failure"] == {"task_id": "snapshot", "sentence": "The secret is wrong."}
    with ledger.engine.begin() as connection:
        connection.execute(update(r).where(r.c.run_id == RUN).values(outcome="running"))
        connection.execute(update(p).where(p.c.plan_id == PLAN).values(needs_approval=True))
    assert page("anna").get("api/overview")["ledgers"][0]["dags"][0]["last"]["waits"] == "approval"
    [waiting] = [run for run in page("anna").get("api/runs", dag_id=DAG_A)["rows"] if run["plan"]["waits"]]
    assert waiting["run_id"] == RUN == page("anna").get("api/overview")["ledgers"][0]["runs"][0]["run_id"]
    assert page("anna").get("api/overview")["ledgers"][0]["runs"][0]["plan"]["waits"]


def later_run(ledger: LedgerDatabase, run_id: str, minutes: int, **values: Any) -> None:
    """Let the DAG of team A run again, so many minutes after its last run."""
    r = ledger.tables.run
    with ledger.engine.begin() as connection:
        one = dict(connection.execute(select(r).where(r.c.run_id == RUN)).one()._mapping)
        began = {"run_id": run_id, "started_at": one["started_at"] + timedelta(minutes=minutes)}
        connection.execute(insert(r).values({**one, "outcome": "success", **began, **values}))


def test_a_failed_run_is_shown_until_a_later_one_over_everybody_may_send_and_succeeds(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    t, anna = ledger.tables, page("anna")

    def failed() -> Any:
        return anna.get("api/overview")["ledgers"][0]["dags"][0]["failed"]

    counts = {"failure": "m3ter is away.", "failed_task": "send"}
    with ledger.engine.begin() as connection:
        connection.execute(update(t.run).where(t.run.c.run_id == RUN).values(outcome="failed", counts=counts))
        connection.execute(update(t.plan).where(t.plan.c.plan_id == PLAN).values(invitations=9))
    expected = {
        "run_id": RUN,
        "planned": 9,
        "not_sent": 6,
        "failure": {"task_id": "send", "sentence": "m3ter is away."},
    }
    assert failed().items() >= expected.items()
    later_run(ledger, "dry", 10, mode="dry_run", may_invite=False)
    later_run(ledger, "backfill", 20, run_type="backfill", may_invite=False)
    later_run(ledger, "one", 30, only_employee="1001")
    later_run(ledger, "now", 50, outcome="running")
    assert failed().items() >= expected.items()
    later_run(ledger, "all", 40)
    assert failed() is None


def test_a_run_of_one_employee_leaves_the_funnel_as_it_was(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    p = ledger.tables.plan
    later_run(ledger, "one", 10, only_employee="1001")
    with ledger.engine.begin() as connection:
        plan = dict(connection.execute(select(p).where(p.c.plan_id == PLAN)).one()._mapping)
        connection.execute(insert(p).values({**plan, "plan_id": "of-one", "run_id": "one", "invitations": 1}))
    [dag] = page("anna").get("api/overview")["ledgers"][0]["dags"]
    assert (dag["last"]["run_id"], dag["funnel"]["run"]["run_id"]) == ("one", RUN)


def test_runs_say_how_many_they_sent_and_the_last_day_is_summed(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    t, anna = ledger.tables, page("anna")
    [shown] = anna.get("api/overview")["ledgers"]
    sent = {run["run_id"]: run["sent"] for run in shown["runs"]}
    assert sent == {run["run_id"]: run["sent"] for run in anna.get("api/runs", dag_id=DAG_A)["rows"]}
    assert sent == {RUN: 3, RUN_BEFORE: 4}
    with ledger.engine.begin() as connection:
        i = t.invitation.c
        connection.execute(update(t.invitation).values(sent_at=NOW - timedelta(days=2)))
        connection.execute(update(t.invitation).where(i.run_id == RUN, i.state == "sent").values(sent_at=NOW))
        connection.execute(update(t.run).where(t.run.c.run_id == RUN).values(outcome="failed"))
        connection.execute(update(t.plan).where(t.plan.c.plan_id == PLAN).values(invitations=9))
    [shown] = anna.get("api/overview")["ledgers"]
    assert shown["last_day"] == {"invited": 1, "not_sent": 6, "runs": 1, "failed": 1, "more_runs": False}


def test_scripts_stay_as_the_process_began_with_them(
    page: Callable[[str], Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = page("anna").client
    before = client.get(f"{AT}/static/page.js")
    (tmp_path / "page.js").write_text("newer")
    monkeypatch.setattr(static_files, "_FOLDER", tmp_path)
    after = client.get(f"{AT}/static/page.js")
    assert before.content == after.content
    assert after.headers["cache-control"] == "no-store", "browsers ask again after a restart"


def test_three_hundred_dags_stay_well_below_the_largest_answer(ledger: LedgerDatabase) -> None:
    t, run_id = ledger.tables, "scheduled__2026-11-29T05:00:00.123456+00:00"
    with ledger.engine.begin() as connection:
        for table in (t.run, t.plan, t.invitation):
            connection.execute(update(table).where(table.c.run_id == RUN).values(run_id=run_id))
    dag_ids = more_configurations(ledger, 300)
    figures = ledger_figures(LedgerReader(ledger), dag_ids, NOW)
    org_id = "5a9d0b0c-0000-4000-8000-00000000a5b0"
    dags = [ReadableDag(one, one, one[18:], "0" * 16, False, True, [], False, True, True) for one in dag_ids]
    shown = replace(figures, dags=[replace(without_card(one), org_id=org_id) for one in figures.dags])
    answer = OverviewResponse(jsonable_encoder({"cards": False, "dags": dags, "ledgers": [shown]})).body
    assert len(answer) < 0.85 * LARGEST, len(answer)
    assert json.loads(answer)["ledgers"][0]["dags"][0]["last"]["run_id"] == run_id


def test_pending_invitations_are_counted_by_the_days_that_are_left(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    i = ledger.tables.invitation
    with ledger.engine.begin() as connection:
        for number, days in enumerate((0.5, 2, 2.5, 6, -1), start=7):  # the four with odd names, and one more
            number = 1 if number == 11 else number
            connection.execute(
                update(i).where(i.c.invitation_id == number).values(expires_at=NOW + timedelta(days=days))
            )
    pending = page("anna").get("api/overview")["ledgers"][0]["pending"]
    assert pending == [
        *({"within_days": 1, "many": 1}, {"within_days": 3, "many": 2}),
        *({"within_days": 7, "many": 1}, {"within_days": None, "many": 0}),
    ]
