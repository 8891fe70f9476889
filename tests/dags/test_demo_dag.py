"""The demo's DAG, run in this process on the demo's own people against the local m3ter."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagrun import DagRun

from demo.expectation import compare, expect
from demo.people import people_of
from demo.start_state import seed_organisation, seed_people
from demo.warehouse import Warehouse
from m3ter_sandbox.testing import SandboxServer


@pytest.fixture
def warehouse(
    tmp_path: Path, m3ter_sandbox: SandboxServer, airflow_db: Path, monkeypatch: pytest.MonkeyPatch
) -> Warehouse:
    """Return an empty warehouse; the demo's connections lead to it and to the local m3ter."""
    m3ter_sandbox.switches(requests_per_second=0)
    made = Warehouse(tmp_path / "warehouse.db")
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEMO", m3ter_sandbox.airflow_connection(requests_per_second=500))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_DEMO", made.airflow_connection())
    return made


def run(root: Path, day: date, logical_date: datetime, **conf: object) -> DagRun:
    """Run the DAG for one day, as by hand."""
    start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    interval = {"interval_start": start.isoformat(), "interval_end": (start + timedelta(days=1)).isoformat()}
    return run_dag(root, "m3ter_onboarding__demo", logical_date, {**interval, **conf})


def run_dag(root: Path, dag_id: str, logical_date: datetime, conf: dict[str, object]) -> DagRun:
    """Run a DAG of the demo."""
    bag = DagBag(dag_folder=str(root / "dags"))
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)
    found: DagRun = bag.dags[dag_id].test(logical_date=logical_date, run_conf=conf)
    return found


def test_everybody_gets_the_email_that_the_labels_say(
    warehouse: Warehouse, m3ter_sandbox: SandboxServer, project_root: Path
) -> None:
    now = datetime.now(timezone.utc)
    day = now.date() - timedelta(days=1)
    people = people_of(day, follows=False)
    seed_organisation(m3ter_sandbox)
    seed_people(m3ter_sandbox, people)
    warehouse.load_day(day, False, people)

    dry = run(project_root, day, now, mode="dry_run")
    assert dry.state == "success"
    assert m3ter_sandbox.emails() == {}

    done = run(project_root, day, now + timedelta(seconds=1))
    assert done.state == "success"
    assert {ti.task_id: ti.state for ti in done.get_task_instances()} == {
        **dict.fromkeys(("snapshot", "plan", "send", "report"), "success"),
        "approve": "skipped",
    }
    assert compare(expect(people), m3ter_sandbox.emails()) == []
    assert m3ter_sandbox.counts()["rate_limited"] == 0

    posts = m3ter_sandbox.emails()
    again = run(project_root, day, now + timedelta(seconds=2))
    assert again.state == "success"
    assert m3ter_sandbox.emails() == posts

    listed = run_dag(project_root, "m3ter_day_one__demo", now + timedelta(seconds=3), {})
    assert listed.state == "success"
    with closing(sqlite3.connect(warehouse.path)) as ledger:
        [(starting,)] = ledger.execute("SELECT count(*) FROM m3ter_onboarding_day_one WHERE standing = 'pending'")
    assert 0 < starting <= len(posts)
