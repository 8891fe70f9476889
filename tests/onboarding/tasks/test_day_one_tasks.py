"""The tasks of the day-one DAG: the lists in ledger and warehouse, the asset's event, and one digest a day."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from sqlalchemy import create_engine, text

from m3ter_onboarding import day_one_dag
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.ledger.known_hosts import Place, record_reading
from m3ter_onboarding.reporting.erasure_everywhere import ErasureContext, erase_before, erase_person
from tests.support.databases import airflow_connection_named, sqlite_connection
from tests.support.ledger_rows import back_up
from tests.support.recording_notifier import RecordingNotifier
from tests.support.starting_people import StartingPeople
from tests.support.task_runs import m3ter_connection
from tests.support.world import QUERY, World

NOTIFIER = "tests.support.recording_notifier.RecordingNotifier"
NOW = datetime(2028, 2, 28, 12, tzinfo=timezone.utc)
SOON = (NOW + timedelta(days=3)).date()
ASSET = Asset(name="m3ter_day_one__test", uri="m3ter-onboarding://day-one/test")


@pytest.fixture
def org(sqlite_world: World) -> Iterator[StartingPeople]:
    """A ledger with one person who is to be invited, and one whose invitation is pending."""
    place = Place(sqlite_world.m3ter.org_id, sqlite_world.m3ter.url)
    for name in ("test", "another"):
        record_reading(sqlite_world.db, place, f"m3ter_onboarding__{name}", NOW)
    made = StartingPeople(sqlite_world.db, sqlite_world.m3ter.org_id)
    made.plan(
        {"employee_id": "e1", "start_date": SOON, "decision": "review", "reason": "rehire"},
        {"employee_id": "e2", "start_date": SOON},
        end=NOW - timedelta(hours=1),
    )
    made.invite("e2", sent_at=NOW, expires_at=NOW + timedelta(days=20))
    with m3ter_connection(sqlite_world), time_machine.travel(NOW, tick=False):
        yield made


@pytest.fixture(autouse=True)
def messages() -> Iterator[list[str]]:
    """Return what notifiers were told."""
    RecordingNotifier.messages.clear()
    yield RecordingNotifier.messages
    RecordingNotifier.messages.clear()


class TaskInstance:
    """Keeps the XComs of a run; those of a task that is not run are as a successful one left them."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}
        self.task_id = ""

    def xcom_push(self, key: str, value: Any) -> None:
        self.kept[self.task_id, key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.kept.get((task_ids, key))


def run(world: World, *tasks: str, **values: Any) -> dict[str, Any]:
    """Run tasks as their DAG does, and return the result of the last, with the asset's events."""
    values = {"alerts": {"on_failure": [NOTIFIER]}, **values}
    dag = day_one_dag(world.config(**values))
    assert [task.task_id for task in dag.topological_sort()] == ["readiness", "digest"]
    events: dict[Any, Any] = defaultdict(lambda: SimpleNamespace(extra=None))
    ti = TaskInstance()
    context: Any = {"dag_run": SimpleNamespace(dag_id=dag.dag_id, run_id="run-1"), "outlet_events": events, "ti": ti}
    if tasks == ("digest",):
        ti.kept = {("readiness", "listed"): {"chase": 1}, ("readiness", "return_value"): {"chase": 1}}
    result: Any = None
    failures: dict[str, AirflowException] = {}
    for ti.task_id in tasks or ("readiness", "digest"):
        task = dag.get_task(ti.task_id)
        assert task.trigger_rule == ("all_done" if ti.task_id == "digest" else "all_success")
        try:
            result = task.execute(context)
            ti.xcom_push("return_value", result)
        except AirflowException as error:
            failures[ti.task_id] = error
    if failures:
        assert ti.task_id in failures, "the last task decides about the colour of the run"
        raise next(iter(failures.values()))
    return {**result, "events": {key: one.extra for key, one in events.items()}}


def test_lists_are_made_and_the_digest_names_nobody(
    sqlite_world: World, org: StartingPeople, messages: list[str]
) -> None:
    made = run(sqlite_world)
    assert (made["sent"], made["not_invited"], made["pending"], made["chase"]) == (True, 1, 1, 1)
    assert made["sent_today"] == 1
    (extra,) = made["events"].values()
    assert list(made["events"]) == [ASSET]
    assert (extra["not_invited"], extra["pending"], extra["chase"], extra["expired"]) == (1, 1, 1, 0)
    (message,) = messages
    today = NOW.date()
    assert message == (
        f"m3ter onboarding test, {today}: Of those who start within 14 days are not ready: 1 not invited. Invitations"
        " to chase, not accepted so far: 1. Sent today: 1. /plugin/m3ter-onboarding#/day-one"
    )


def test_cleared_digest_is_not_sent_twice(sqlite_world: World, org: StartingPeople, messages: list[str]) -> None:
    assert run(sqlite_world)["sent"]
    assert not run(sqlite_world)["sent"]
    assert not run(sqlite_world, "digest", name="another")["sent"]
    assert len(messages) == 1


def test_nothing_to_say_is_not_said(sqlite_world: World, org: StartingPeople, messages: list[str]) -> None:
    org.plan(
        {"employee_id": "e1", "start_date": SOON, "decision": "skip", "reason": "too_early"},
        {"employee_id": "e2", "start_date": date(2099, 1, 1)},
        end=NOW,
    )
    made = run(sqlite_world)
    assert (made["sent"], made["not_invited"], made["sent_today"]) == (False, 1, 1)
    assert messages == []
    # And the digest of the day is still to be sent, once there is something.
    org.plan({"employee_id": "e3", "start_date": SOON, "decision": "review", "reason": "rehire"}, end=NOW)
    assert run(sqlite_world)["sent"]


def test_notifiers_of_its_own(sqlite_world: World, org: StartingPeople, messages: list[str]) -> None:
    assert not run(sqlite_world, chase={"notifiers": []})["sent"]
    own = {"notifier": NOTIFIER, "arguments": {"text": "own: {message}"}}
    assert run(sqlite_world, alerts={}, chase={"notifiers": [own]})["sent"]
    assert messages[0].startswith("own: m3ter onboarding test")


def test_days_come_from_the_configuration(sqlite_world: World, org: StartingPeople) -> None:
    made = run(sqlite_world, day_one={"starts_within_days": 2}, chase={"starts_within_days": 2})
    assert (made.get("not_invited"), made["chase"], made["sent"]) == (None, 0, False)


def test_asset_has_an_event_only_when_the_warehouse_has_the_lists(
    sqlite_world: World, org: StartingPeople, tmp_path: Path, messages: list[str]
) -> None:
    content, url = sqlite_connection(tmp_path / "warehouse.db"), f"sqlite:///{tmp_path / 'warehouse.db'}"
    ledger = {"ledger_conn_id": sqlite_world.warehouse_conn_id}
    with airflow_connection_named(content) as conn_id:
        values = {**ledger, "warehouse_conn_id": conn_id}
        with pytest.raises(AirflowFailException, match="could not be published"):
            run(sqlite_world, create_tables=False, **values)
        assert len(messages) == 1, "the digest needs no warehouse"
        run(sqlite_world, **values)
        engine = create_engine(url)
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT employee_id, standing FROM m3ter_onboarding_day_one")).all()
            assert sorted(map(tuple, rows)) == [("e1", "not_invited"), ("e2", "pending")]
            assert connection.execute(text("SELECT count(*) FROM m3ter_onboarding_chase")).scalar_one() == 1
            assert connection.execute(text("SELECT count(*) FROM m3ter_onboarding_decision")).scalar_one() == 0
        engine.dispose()


def test_a_warehouse_that_is_only_read_gets_no_lists(
    sqlite_world: World, org: StartingPeople, tmp_path: Path, messages: list[str]
) -> None:
    (tmp_path / "warehouse.db").touch()
    content = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db"), "extra": {"mode": "ro"}})
    with airflow_connection_named(content) as conn_id:
        values = {"ledger_conn_id": sqlite_world.warehouse_conn_id, "warehouse_conn_id": conn_id}
        with pytest.raises(AirflowFailException, match=r"readonly database.* set `publish: false`"):
            run(sqlite_world, **values)
        assert len(messages) == 1
        assert run(sqlite_world, publish=False, **values)["events"]


def test_without_lists_there_is_no_digest(
    sqlite_world: World, org: StartingPeople, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures of an earlier day would look like those of today."""
    monkeypatch.setattr("m3ter_onboarding.ledger.day_one_pass.list_who_starts", lambda *_: 1 / 0)
    with pytest.raises(AirflowException, match="unexpected ZeroDivisionError"):
        run(sqlite_world)
    assert messages == []


def test_erased_people_leave_both_lists(
    sqlite_world: World, org: StartingPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_M3TER_ONBOARDING_ERASURE_SECRET", "a long random text of a test")
    run(sqlite_world, "readiness")
    context = ErasureContext(
        config=sqlite_world.config(),
        db=sqlite_world.db,
        org_id=org.org_id,
        by="an operator",
        now=NOW,
        still_in_m3ter=True,
    )
    counts = erase_person(context, employee_id="e2")
    assert (counts["day_one"], counts["chase"]) == (1, 1)
    assert "e2" not in {row.get("employee_id") for rows in back_up(sqlite_world.db).values() for row in rows}
    assert "e2@example.com" not in str(back_up(sqlite_world.db))
    run(sqlite_world, "readiness")
    rows = org.rows("m3ter_onboarding_day_one", "employee_id")
    assert [key for key, row in rows.items() if row.ended_at is None] == ["e1"]


def test_old_rows_of_both_lists_are_erased_by_age(
    sqlite_world: World, org: StartingPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_M3TER_ONBOARDING_ERASURE_SECRET", "a long random text of a test")
    run(sqlite_world, "readiness")
    with sqlite_world.db.engine.begin() as connection:
        for name in ("day_one", "chase"):
            connection.execute(text(f"UPDATE m3ter_onboarding_{name} SET ended_at = '2020-01-01 00:00:00'"))
    context = ErasureContext(
        config=sqlite_world.config(max_age_days=90),
        db=sqlite_world.db,
        org_id=org.org_id,
        by="an operator",
        now=NOW,
    )
    counts = erase_before(context, NOW - timedelta(days=200))
    assert (counts["day_one"], counts["chase"]) == (2, 1)
    assert "e1" not in org.rows("m3ter_onboarding_day_one", "employee_id")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"day_one": {"schedule": "daily"}}, r"day_one.schedule.*five cron fields"),
        ({"day_one": {"starts_within_days": -1}}, r"day_one.starts_within_days"),
        ({"chase": {"no_successful_run_days": 0}}, r"chase.no_successful_run_days"),
        ({"chase": {"notifier": NOTIFIER}}, "did you mean 'notifiers'"),
    ],
)
def test_wrong_section_is_an_error_that_names_the_key(section: dict[str, Any], said: str) -> None:
    values = {"name": "test", "warehouse_conn_id": "w", "query": "q.sql", **section}
    with pytest.raises(ConfigurationError, match=said):
        OnboardingConfig.from_mapping(values, query_text=QUERY)
