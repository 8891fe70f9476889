"""What the page takes from Airflow's own record: steps, open questions, runs the ledger never saw, the pause switch."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from airflow.listeners.listener import get_listener_manager
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import delete, insert, select, update

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.approval_section import ApprovalSettings
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.page.pause_variable import PauseVariable
from m3ter_onboarding.page.plugin import M3terOnboardingPlugin
from m3ter_onboarding.page.run_notes import note_of
from m3ter_onboarding.sending.approval_question import _who_may, approvers_named
from tests.onboarding.page.conftest import AT, Page, application
from tests.support.page_ledger import DAG_A, NOW, ORG_A, PLAN, RUN, invite

GUARD = {"x-m3ter-onboarding": "1", "origin": "http://airflow.test", "sec-fetch-site": "same-origin"}


@contextmanager
def airflow_run(dag_id: str, run_id: str, state: DagRunState, tasks: dict[str, str]) -> Iterator[None]:
    """Let Airflow have a run whose tasks are in these states; while the body runs."""
    with create_session() as session:
        dag = SerializedDagModel.get(dag_id, session=session).dag  # type: ignore[union-attr]
        run = dag.create_dagrun(
            run_id=run_id,
            run_after=NOW,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            triggering_user_name="tester",
            state=state,
            start_date=NOW,
            session=session,
        )
        run.end_date = NOW if state == DagRunState.FAILED else None
        for task in run.get_task_instances(session=session):
            if task.task_id in tasks:
                task.state, task.start_date, task.try_number = tasks[task.task_id], NOW, 1
    try:
        yield
    finally:
        with create_session() as session:
            session.execute(delete(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))


def ask_in_airflow(run_id: str, body: str) -> None:
    """Put a question to people, as the task ``approve`` does."""
    with create_session() as session:
        task = session.scalar(
            select(TaskInstance).where(TaskInstance.run_id == run_id, TaskInstance.task_id == "approve")
        )
        assert task is not None
        session.add(
            HITLDetail(ti_id=task.id, options=["Approve", "Reject"], subject="Send 3?", body=body, created_at=NOW)
        )


def test_a_run_has_its_steps_and_counts(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    states = {"snapshot": "success", "plan": "success", "approve": "skipped", "send": "running"}
    with airflow_run(DAG_A, RUN, DagRunState.RUNNING, states):
        found = page("anna").get("api/run/progress", dag_id=DAG_A, run_id=RUN)
    airflow = found["airflow"]
    assert (airflow["state"], airflow["started_by"], airflow["question"]) == ("running", "tester", None)
    assert [(step["task_id"], step["state"]) for step in airflow["steps"]] == [*states.items(), ("report", None)]
    assert found["ledger"] == {
        "outcome": "success",
        "plan_id": PLAN,
        "sealed": True,
        "invitations": 3,
        "states": {"sent": 1, "accepted": 1, "failed": 1, "review": 1, "expired": 1},
    }


def test_a_run_that_only_airflow_has_is_shown_with_its_steps(page: Callable[[str], Page]) -> None:
    with airflow_run(DAG_A, "manual__new", DagRunState.FAILED, {"snapshot": "failed"}):
        found = page("anna").get("api/run/progress", dag_id=DAG_A, run_id="manual__new")
        assert found["ledger"] is None
        assert found["airflow"]["steps"][0]["state"] == "failed"
    answer = page("anna").client.get(f"{AT}/api/run/progress", params={"dag_id": DAG_A, "run_id": "manual__new"})
    assert answer.status_code == 404


def test_a_dag_whose_ledger_is_empty_has_its_screen_and_its_first_run(page: Callable[[str], Page]) -> None:
    dag_id, root = "m3ter_onboarding__no_run", page("root")
    assert root.get("api/runs", dag_id=dag_id) == {"rows": [], "more": False}
    with airflow_run(dag_id, "manual__first", DagRunState.RUNNING, {"snapshot": "running"}):
        found = root.get("api/run/progress", dag_id=dag_id, run_id="manual__first")
        assert (found["ledger"], found["airflow"]["steps"][0]["state"]) == (None, "running")
        run = root.client.get(f"{AT}/api/run", params={"dag_id": dag_id, "run_id": "manual__first"})
        assert run.status_code == 404


def test_a_question_that_waits_says_who_may_answer(page: Callable[[str], Page]) -> None:
    settings = ApprovalSettings(approvers=("ada", "o'neil"), not_by_who_triggered=True)
    with airflow_run(DAG_A, RUN, DagRunState.RUNNING, {"approve": "awaiting_input"}):
        ask_in_airflow(RUN, f"**3 e-mails** to `org`.{_who_may(settings)}\n\nMore. May approve: `mallory`.")
        asked = page("anna").get("api/run/progress", dag_id=DAG_A, run_id=RUN)["airflow"]["question"]
        assert asked["subject"] == "Send 3?"
        assert (asked["approvers"], asked["not_the_starter"]) == (["ada", "o'neil"], True)
        with create_session() as session:
            session.execute(update(HITLDetail).values(responded_at=utc_now()))
        assert page("anna").get("api/run/progress", dag_id=DAG_A, run_id=RUN)["airflow"]["question"] is None


@pytest.mark.parametrize("settings", [{}, {"approvers": ("ada",)}, {"not_by_who_triggered": True}])
def test_who_may_approve_is_read_as_it_was_written(settings: dict[str, Any]) -> None:
    asked = ApprovalSettings(**settings)
    read = approvers_named(f"**3 e-mails** into `org` because `x`.{_who_may(asked)}\n\nSee.")
    assert read == (list(asked.approvers), asked.not_by_who_triggered)


def test_a_failure_before_the_ledger_is_on_the_overview(page: Callable[[str], Page]) -> None:
    with airflow_run(DAG_A, "manual__early", DagRunState.FAILED, {"snapshot": "failed"}):
        [found] = page("anna").get("api/overview")["unrecorded"]
        assert (found["dag_id"], found["run_id"]) == (DAG_A, "manual__early")
        assert page("bert").get("api/overview")["unrecorded"] == [], "another team's run"


def test_a_failure_that_the_ledger_knows_is_not_named_twice(page: Callable[[str], Page]) -> None:
    with airflow_run(DAG_A, RUN, DagRunState.FAILED, {"plan": "failed"}):
        assert page("anna").get("api/overview")["unrecorded"] == []
        with airflow_run(DAG_A, "manual__later", DagRunState.SUCCESS, {"plan": "success"}):
            assert page("anna").get("api/overview")["unrecorded"] == []


def test_a_failure_of_a_dag_whose_ledger_is_empty_is_named(page: Callable[[str], Page]) -> None:
    dag_id = "m3ter_onboarding__no_run"
    with airflow_run(dag_id, "manual__first", DagRunState.FAILED, {"snapshot": "failed"}):
        assert [run["dag_id"] for run in page("root").get("api/overview")["unrecorded"]] == [dag_id]


def stopped(answer: dict[str, Any]) -> dict[str, bool | None]:
    """Return, for each DAG of an overview, whether the switch stops it."""
    return {dag["config_name"]: dag["stopped"] for dag in answer["dags"]}


def test_the_pause_switch_is_shown_for_those_that_it_stops(
    page: Callable[[str], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    root = page("root")
    application().app.state.pause = PauseVariable(clock=lambda: seconds[0])
    assert stopped(root.get("api/overview"))["team_a"] is False
    monkeypatch.setenv("AIRFLOW_VAR_M3TER_ONBOARDING_PAUSED", "team_b, m3ter_onboarding__team_a")
    assert stopped(root.get("api/overview"))["team_a"] is False, "kept for a while"
    seconds[0] = 60.0
    found = root.get("api/overview")
    assert found["pause_variable"] == "m3ter_onboarding_paused"
    assert {name for name, one in stopped(found).items() if one} == {"team_a", "team_b"}


def test_a_switch_that_cannot_be_read_is_unknown(page: Callable[[str], Page]) -> None:
    def away() -> str:
        raise RuntimeError("the secrets backend is away")

    anna = page("anna")
    application().app.state.pause = PauseVariable(read=away)
    assert set(stopped(anna.get("api/overview")).values()) == {None}


def exported(page: Page, **wanted: Any) -> list[dict[str, str]]:
    """Return the rows of a plan's file."""
    body = {"dag_id": DAG_A, "plan_id": PLAN, **wanted}
    answer = page.client.post(f"{AT}/api/run/export", json=body, headers=GUARD)
    assert answer.status_code == 200, answer.text
    stem = "-".join(["m3ter-decisions", *wanted.values()])
    assert f'"{stem}-team_a-{utc_now():%Y-%m-%d}.csv"' in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_the_rows_of_a_plan_are_a_file_for_those_who_mend_them(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    d = ledger.tables.decision
    with ledger.engine.connect() as connection:
        rows = connection.execute(select(d).where(d.c.plan_id == PLAN).order_by(d.c.row_no)).all()
    assert [int(row["Row"]) for row in exported(page("anna"))] == [row.row_no for row in rows]
    with ledger.engine.begin() as connection:
        given = {"person_name": "Fay Lee", "wrong_value": "@fay.example.com"}
        connection.execute(update(d).where(d.c.plan_id == PLAN, d.c.decision == "invalid").values(given))
    [invalid] = exported(page("anna"), decision="invalid")
    assert (invalid["Decision"], invalid["Code"]) == ("row cannot be used", "invalid:email")
    assert (invalid["Reason"], invalid["Details"]) == ("The address is missing or wrong", "A sentence about 1006.")
    assert (invalid["Name"], invalid["In the row now"]) == ("Fay Lee", "'@fay.example.com")
    assert invalid["What to do"] == "Correct the address in the HR system; the next run picks it up."
    assert (invalid["Permission policies"], invalid["DAG"], invalid["Organisation"]) == ("", DAG_A, ORG_A)
    request = {"firstName": "Ann", "lastName": "Lee", "permissionPolicyIds": ["p1", "p2"]}
    with ledger.engine.begin() as connection:
        connection.execute(update(d).where(d.c.plan_id == PLAN).values(request=request))
    for row in exported(page("anna")):
        invited = row["Decision"] == "to be invited"
        assert row["Run"] == RUN
        assert (row["Name"] == "Ann Lee", row["Permission policies"]) == (invited, "Analyst, p2" if invited else "")
        assert bool(row["What to do"]) == (row["Decision"] in ("row cannot be used", "needs a person"))
    foreign = page("bert").client.post(f"{AT}/api/run/export", json={"dag_id": DAG_A, "plan_id": PLAN}, headers=GUARD)
    assert foreign.status_code == 404


def test_a_long_file_has_every_row_once(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    d = ledger.tables.decision
    with ledger.engine.begin() as connection:
        one = connection.execute(select(d).where(d.c.plan_id == PLAN, d.c.decision == "invalid")).one()._mapping
        connection.execute(
            insert(d), [{**one, "row_no": 1000 + number, "employee_id": f"long-{number}"} for number in range(2000)]
        )
    rows = exported(page("anna"), decision="invalid")
    assert len({row["Row"] for row in rows}) == len(rows) == 2001


def test_rows_of_one_reason_are_listed_page_by_page_and_saved(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    d, anna = ledger.tables.decision, page("anna")
    with ledger.engine.begin() as connection:
        one = connection.execute(select(d).where(d.c.plan_id == PLAN, d.c.decision == "invalid")).one()._mapping
        for reason, begin in (("duplicate_in_batch", 1000), ("dates", 1001)):
            rows = [{**one, "row_no": begin + 2 * number, "employee_id": f"e{begin + number}"} for number in range(60)]
            connection.execute(insert(d), [{**row, "reason": reason, "email_key": None} for row in rows])
    body = {"dag_id": DAG_A, "plan_id": PLAN, "decision": "invalid", "reason": "duplicate_in_batch"}
    first = anna.post("api/run/rows", body)
    second = anna.post("api/run/rows", {**body, "after": first["after"]})
    found = [*first["rows"], *second["rows"]]
    assert (len(first["rows"]), second["after"]) == (50, None)
    assert [row["row_no"] for row in found] == [*range(1000, 1120, 2)]
    assert {row["reason"] for row in found} == {"duplicate_in_batch"}
    saved = exported(anna, decision="invalid", reason="duplicate_in_batch")
    assert [row["Row"] for row in saved] == [f"{row['row_no']}" for row in found]
    assert anna.post("api/run/rows", {**body, "reason": "another"}) == {"rows": [], "after": None}


def test_rows_to_be_invited_say_what_became_of_them(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    t = ledger.tables
    request = {
        "email": "x@example.com",
        "firstName": "Ann",
        "lastName": "Lee",
        "permissionPolicyIds": ["pol-1", "pol-2"],
    }
    with ledger.engine.begin() as connection:
        row = connection.execute(
            select(t.decision).where(t.decision.c.plan_id == PLAN, t.decision.c.decision == "invite").limit(1)
        ).one()
        here = (t.decision.c.plan_id == PLAN, t.decision.c.row_no == row.row_no)
        connection.execute(update(t.decision).where(*here).values(request=request))
        policies = [{"id": "pol-1", "name": "Analyst", "version": 1}]
        connection.execute(update(t.plan).where(t.plan.c.plan_id == PLAN).values(policies=policies))
        connection.execute(
            update(t.invitation)
            .where(t.invitation.c.email == "ann@example.com")
            .values(plan_id=PLAN, row_no=row.row_no, email_key=row.email_key, expires_at=NOW + timedelta(days=5))
        )
    rows = page("anna").post("api/run/rows", {"dag_id": DAG_A, "plan_id": PLAN, "decision": "invite"})["rows"]
    [found] = [one for one in rows if one["row_no"] == row.row_no]
    assert (found["person_name"], found["policies"], found["state"]) == ("Ann Lee", ["Analyst", "pol-2"], "sent")
    assert found["expires_at"].startswith(f"{(NOW + timedelta(days=5)).date()}")
    assert {one["state"] for one in rows if one["row_no"] != row.row_no} <= {None}


def test_those_whom_a_plan_did_not_reach_say_why(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    t = ledger.tables
    with ledger.engine.begin() as connection:
        connection.execute(update(t.invitation).where(t.invitation.c.plan_id == PLAN).values(plan_id="plan-of-others"))
        refused = {"http_status": 400, "message": "No such domain.", "employee_id": "1001"}
        invite(connection, t, 70, state="failed", email="person-1001@example.com", row_no=1, **refused)
        invite(connection, t, 71, state="accepted", email="person-1003@example.com", plan_id="later", row_no=9)
        held = {"plan_id": PLAN, "row_no": 5, "org_id": ORG_A, "decision": "skip", "reason": "excluded"}
        connection.execute(insert(t.withheld).values(**held, withheld_at=NOW))
    anna = page("anna")
    rows = anna.post("api/run/rows", {"dag_id": DAG_A, "plan_id": PLAN, "decision": "invite"})["rows"]
    assert {one["employee_id"]: (one["state"], one["why_not"]) for one in rows} == {
        "1001": ("failed", "400: No such domain."),
        "1003": (None, "not by this run; another invitation of theirs is: accepted"),
        "1004": (None, "excluded by the configuration or the row"),
    }
    run = anna.get("api/run", dag_id=DAG_A, run_id=RUN)
    assert (run["outcomes"], run["plans"][0]["invitations"]) == ({"failed": 1}, 3)
    assert {row["Invitation"] for row in exported(anna, decision="invite")} == {"refused", ""}


# -- notes on runs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "sent", "note"),
    [
        (
            {"decisions": {"invite:new": 152, "review:expired": 9, "review:rehire": 2}},
            152,
            "152 invited, 11 for review",
        ),
        (
            {"decisions": {"invite:new": 2, "invalid:email": 1}, "plans_only": True},
            0,
            "plans only, 2 to invite, 1 unusable",
        ),
        (
            {"decisions": {"invite:new": 1500}, "invitations": {"failed": 2, "review": 1}},
            1497,
            "1,497 invited, 2 refused, 1 for review",
        ),
        ({}, 0, "0 invited"),
    ],
)
def test_a_note_counts_and_names_nobody(report: dict[str, Any], sent: int, note: str) -> None:
    assert note_of(report, sent) == f"m3ter: {note}"


def ended(run_id: str, note: str | None, left: dict[tuple[str, str], Any]) -> str | None:
    """Let a run of Airflow end that has this note and these XComs, and return its note then."""
    with airflow_run(DAG_A, run_id, DagRunState.RUNNING, {}), create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == DAG_A, DagRun.run_id == run_id))
        assert run is not None
        run.note = note
        for (task_id, key), value in left.items():
            XComModel.set(key=key, value=value, dag_id=DAG_A, task_id=task_id, run_id=run_id, session=session)
        session.flush()
        run.state = DagRunState.SUCCESS
        run.notify_dagrun_state_changed(msg="success")
        session.flush()
        session.expire_all()
        return run.note


@pytest.fixture
def plugin_listens() -> Iterator[None]:
    """Let the listener of the plugin be called, as in a scheduler."""
    [listener] = M3terOnboardingPlugin.listeners
    manager = get_listener_manager()
    before = manager.pm.is_registered(listener)
    if not before:
        manager.pm.register(listener)
    yield
    if not before:
        manager.pm.unregister(listener)


@pytest.mark.usefixtures("airflow_knows_the_dags", "plugin_listens")
def test_a_run_that_has_ended_has_its_note() -> None:
    report = {"decisions": {"invite:new": 3, "review:rehire": 1}}
    left = {("report", "report"): report, ("send", "return_value"): {"sent": 3}}
    assert ended("manual__noted", None, left) == "m3ter: 3 invited, 1 for review"
    assert ended("manual__again", "m3ter: 1 invited", left) == "m3ter: 3 invited, 1 for review"
    assert ended("manual__person", "looked at by Ada", left) == "looked at by Ada"
    assert ended("manual__nothing", None, {}) is None
