"""D18: all that Airflow wrote into its database and its logs about whole runs of the DAG names nobody.

``dag.test()`` keeps XComs, rendered fields, run configuration and task instances in the metadata database, as a
scheduler does; what tasks log and how they fail is on the streams.
"""

from __future__ import annotations

import json
import runpy
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_sandbox.testing import SandboxServer
from tests.support.first_looks import look_first
from tests.support.hire_table import HIRES
from tests.support.world import QUERY

FIRST, LAST, ADDRESS = "Quillondra", "Zebrafinch", "quillondra.zebrafinch@example.com"
CREATE = {"operation": "CreateOrgUserInvitation"}
DAG_FILE = '''"""A DAG of Airflow."""
from m3ter_onboarding import onboarding_dag
dag = onboarding_dag("config.yaml")
'''


def refused(m3ter: SandboxServer, config: dict[str, Any]) -> None:
    m3ter.faults(**CREATE, kind="status", status=400, message=f"{FIRST} {LAST} <{ADDRESS}> is blocked")


def unknown(m3ter: SandboxServer, config: dict[str, Any]) -> None:
    m3ter.faults(**CREATE, kind="status", status=504, when="after", message=f"no answer for {ADDRESS}", count=1)


def column_missing(m3ter: SandboxServer, config: dict[str, Any]) -> None:
    config["sql"] = QUERY.replace("last_name", "surname")


def wrong_secret(m3ter: SandboxServer, config: dict[str, Any]) -> None:
    config["password"] = "another-secret-5d2f9a"


def nothing(m3ter: SandboxServer, config: dict[str, Any]) -> None:
    pass


@pytest.mark.parametrize(
    ("wrong", "state"),
    [
        (nothing, "success"),
        (unknown, "success"),
        (refused, "failed"),
        (column_missing, "failed"),
        (wrong_secret, "failed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_d18_whole_runs_leave_no_trace_of_a_person(
    wrong: Any,
    state: str,
    m3ter_sandbox: SandboxServer,
    airflow_home: Path,
    airflow_db: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    m3ter_sandbox.switches(requests_per_second=0)
    config: dict[str, Any] = {"sql": QUERY, "password": m3ter_sandbox.api_secret}
    wrong(m3ter_sandbox, config)
    warehouse = tmp_path / "warehouse.db"
    engine = create_engine(f"sqlite:///{warehouse}")
    HIRES.create(engine)
    with engine.begin() as connection:
        loaded = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
        row = {"employee_id": "E1", "email": ADDRESS, "first_name": FIRST, "last_name": LAST, "loaded_at": loaded}
        connection.execute(insert(HIRES), row)
    ledger = LedgerDatabase(engine, name="secrecy")
    prepare_tables(ledger, create_tables=True, now=loaded, package_version="0")
    look_first(ledger, f"secrecy_{wrong.__name__}", m3ter_sandbox.org_id, loaded)
    engine.dispose()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(warehouse)}))
    m3ter = json.loads(m3ter_sandbox.airflow_connection(timeout_seconds=2, requests_per_second=100))
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", json.dumps({**m3ter, "password": config["password"]}))
    folder = airflow_home / "dags" / f"secrecy_{wrong.__name__}"
    folder.mkdir()
    values = {
        "name": f"secrecy_{wrong.__name__}",
        "warehouse_conn_id": "warehouse",
        "query": "hires.sql",
        "schedule": None,
        "settle_after": "1s",
        "max_age_days": 3000,
    }
    (folder / "config.yaml").write_text(json.dumps(values))
    (folder / "hires.sql").write_text(config["sql"])
    (folder / "dag.py").write_text(DAG_FILE)
    interval = {"interval_start": "2030-01-01T00:00:00Z", "interval_end": "2030-01-02T00:00:00Z"}
    run = runpy.run_path(str(folder / "dag.py"))["dag"].test(run_conf=interval)
    assert str(run.state) == state
    assert m3ter_sandbox.emails() == ({ADDRESS: 1} if state == "success" else {})
    written = capfd.readouterr()
    with closing(sqlite3.connect(airflow_db)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        stored = "\n".join(str(row) for table in tables for row in connection.execute(f'SELECT * FROM "{table}"'))
    assert f"m3ter_onboarding__secrecy_{wrong.__name__}" in stored
    for text in (written.out, written.err, stored):
        said = text.casefold()
        assert [word for word in (FIRST, LAST, ADDRESS, config["password"]) if word.casefold() in said] == []
        assert "bearer ey" not in said
