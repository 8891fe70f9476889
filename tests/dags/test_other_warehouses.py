"""The DAG that ``init`` writes, as Airflow runs it: the warehouse is DuckDB or MariaDB, the ledger PostgreSQL."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from m3ter_onboarding.cli.command import main
from m3ter_onboarding.source.warehouse import warehouse_engine
from m3ter_sandbox.testing import SandboxServer
from tests.support.mariadb import MariaDbServer
from tests.support.postgresql import PostgresDatabase

pytestmark = pytest.mark.slow

NOW = datetime.now(timezone.utc).replace(microsecond=0)
#: The run's interval: of yesterday.
START, END = NOW - timedelta(days=1), NOW
EMPLOYEES = """
CREATE TABLE employees (
    employee_number INTEGER, work_email VARCHAR(200), first_name VARCHAR(50), last_name VARCHAR(50),
    mobile_number VARCHAR(50), m3ter_policies VARCHAR(50), start_date DATE, last_day DATE,
    office_time_zone VARCHAR(50), department VARCHAR(50), loaded_at {instant}
)
"""


@pytest.fixture(params=["duckdb", "mariadb"])
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Engine]]:
    """A warehouse with people around both ends of the interval, and its kind."""
    if request.param == "duckdb":
        given = json.dumps({"conn_type": "duckdb", "host": str(tmp_path / "people.duckdb")})
        instant, in_utc = "TIMESTAMPTZ", "SET TimeZone = 'UTC'"
    else:
        server: MariaDbServer = request.getfixturevalue("mariadb_server")
        given = server.airflow_connection(server.new_database())
        instant, in_utc = "TIMESTAMP NULL", "SET time_zone = '+00:00'"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", given)
    engine = warehouse_engine("warehouse")
    second = timedelta(seconds=1)
    with engine.begin() as connection:
        connection.execute(text(EMPLOYEES.format(instant=instant)))
        connection.exec_driver_sql(in_utc)
        for number, loaded in enumerate((START - second, START, END - second, END)):
            row = {"number": number, "email": f"e{number}@example.com", "loaded": f"{loaded:%Y-%m-%d %H:%M:%S}"}
            columns = "employee_number, work_email, first_name, last_name, loaded_at"
            connection.execute(
                text(f"INSERT INTO employees ({columns}) VALUES (:number, :email, 'Ada', 'Hire', :loaded)"), row
            )
    engine.dispose()  # and with it the session in UTC
    yield request.param, engine
    engine.dispose()


@pytest.mark.usefixtures("airflow_db")
def test_the_dag_that_init_writes_does_the_whole_job(
    warehouse: tuple[str, Engine],
    m3ter_sandbox: SandboxServer,
    postgres_database: PostgresDatabase,
    airflow_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, engine = warehouse
    m3ter_sandbox.switches(requests_per_second=0)
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER", postgres_database.airflow_connection())
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", m3ter_sandbox.airflow_connection(requests_per_second=100))
    folder = airflow_home / "dags" / f"on_{kind}"
    assert main(["init", str(folder), "--warehouse", kind, "--name", f"on_{kind}"]) == 0
    query, config = folder / f"on_{kind}_new_hires.sql", folder / f"on_{kind}.yaml"
    query.write_text(query.read_text(encoding="utf-8").replace("hr.employees", "employees"), encoding="utf-8")
    values = re.sub(r"(?m)^# look_back_days: \d+", "look_back_days: 0", config.read_text(encoding="utf-8"))
    assert "\nlook_back_days: 0" in values
    config.write_text(values, encoding="utf-8")
    assert main(["check", "--connect", str(config)]) == 0, capsys.readouterr().out
    interval: dict[str, Any] = {"interval_start": START.isoformat(), "interval_end": END.isoformat()}

    def state_of_a_run(**params: Any) -> str:
        dag = runpy.run_path(str(folder / f"m3ter_onboarding_on_{kind}.py"))[
            "dag"
        ]  # which keeps the parameters of a run
        return str(dag.test(run_conf={**interval, **params}).state)

    assert state_of_a_run(mode="dry_run") == "success"
    assert m3ter_sandbox.emails() == {}
    assert state_of_a_run() == "success"
    assert m3ter_sandbox.emails() == {"e1@example.com": 1, "e2@example.com": 1}
    with engine.connect() as connection:
        people = connection.execute(text("SELECT employee_id, state FROM m3ter_onboarding_person")).all()
        modes = connection.execute(text("SELECT mode, outcome FROM m3ter_onboarding_run")).all()
    assert {tuple(row) for row in people} == {("1", "sent"), ("2", "sent")}
    assert {tuple(row) for row in modes} == {("dry_run", "success"), ("normal", "success")}
