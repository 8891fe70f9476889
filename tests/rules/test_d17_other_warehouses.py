"""D17: the whole job where the warehouse is DuckDB or MariaDB, and the ledger beside it; neither stands in UTC."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from m3ter_onboarding.cli.command import main
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.errors import LedgerUnusableError, SourceError
from m3ter_onboarding.ledger.personal_columns import People
from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from m3ter_onboarding.page.open_ledgers import Ledgers
from m3ter_onboarding.reporting.publication import publish
from m3ter_onboarding.reporting.publication_rehearsal import rehearse_publication
from m3ter_onboarding.reporting.published_erasure import delete_older, delete_people
from m3ter_onboarding.reporting.published_tables import PublishedTables, published_tables
from m3ter_onboarding.source.warehouse import check_source, warehouse_engine
from m3ter_onboarding.source.window import Window
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import airflow_connection_named
from tests.support.mariadb import MariaDbServer
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import DAY, WINDOW, World, WorldDatabase

LATER = Window(DAY + timedelta(days=60), DAY + timedelta(days=61))
SECOND = timedelta(seconds=1)
EMPLOYEES = """
CREATE TABLE employees (
    employee_number {text}, work_email {text}, first_name {text}, last_name {text}, mobile_number {text},
    m3ter_policies {text}, start_date DATE, last_day DATE, office_time_zone {text}, department {text},
    loaded_at {instant}
)
"""


@dataclass
class Beside:
    """A warehouse in another kind of database than the ledger's."""

    world: World
    engine: Engine
    conn_id: str

    @property
    def tables(self) -> PublishedTables:
        return published_tables(self.world.db.tables, self.engine.dialect.name)

    def load(self, employee: str, loaded_at: datetime, **columns: Any) -> None:
        """Load a row, at an instant that the database is given in UTC."""
        row = {
            "employee_number": employee,
            "work_email": f"{employee.lower()}@example.com",
            "first_name": "Zoë",
            "last_name": "Łuk 愛",
            "loaded_at": loaded_at.strftime("%Y-%m-%d %H:%M:%S.%f"),
            **columns,
        }
        statement = f"INSERT INTO employees ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
        in_utc = {"mysql": "SET time_zone = '+00:00'", "duckdb": "SET TimeZone = 'UTC'"}
        with self.engine.begin() as connection:
            connection.exec_driver_sql(in_utc[self.engine.dialect.name])
            connection.execute(text(statement), row)
        self.engine.dispose()  # and with it the session in UTC

    def run(self, run_id: str, window: Window = WINDOW, **params: Any) -> TaskRun:
        with m3ter_connection(self.world, allow_invitations=True):
            return TaskRun(self.world, run_id, (window.start, window.end), params=params).all()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def differences(self) -> list[str]:
        """Return the tables that have other rows than the ledger, by their numbers."""
        found = []
        for copy in self.tables.all():
            counted = []
            for engine, table in ((self.world.db.engine, copy.rows.table), (self.engine, copy.table)):
                with engine.connect() as connection:
                    counted.append(connection.execute(select(func.count()).select_from(table)).scalar_one())
            if counted[0] != counted[1]:
                found.append(f"{copy.table.name}: {counted}")
        return found


def query(warehouse: str) -> str:
    """Return the query that ``init`` writes, over a table in the connection's own schema."""
    found = files("m3ter_onboarding").joinpath("examples", "new_hires", f"{warehouse}.sql").read_text(encoding="utf-8")
    return found.replace("hr.employees", "employees")


@pytest.fixture
def in_kolkata() -> Iterator[None]:
    """Let this process stand in another time zone, as DuckDB's sessions then do."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Kolkata"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.fixture(
    params=[
        ("duckdb", "TIMESTAMPTZ"),
        ("duckdb", "TIMESTAMP"),
        pytest.param(("mysql", "TIMESTAMP(6) NULL"), marks=pytest.mark.slow),
        pytest.param(("mysql", "DATETIME(6)"), marks=pytest.mark.slow),
    ],
    ids=lambda param: "-".join(param).replace(" ", "_"),
)
def beside(
    request: pytest.FixtureRequest, m3ter: SandboxServer, tmp_path: Path, postgresql_world_database: WorldDatabase
) -> Iterator[Beside]:
    """A ledger in PostgreSQL, and its warehouse in another kind of database."""
    kind, instant = request.param
    if kind == "duckdb":
        request.getfixturevalue("in_kolkata")
        given = json.dumps({"conn_type": "duckdb", "host": str(tmp_path / "people.duckdb")})
    else:
        server: MariaDbServer = request.getfixturevalue("mariadb_server")
        given = server.airflow_connection(server.new_database())
    with airflow_connection_named(given) as conn_id:
        engine = warehouse_engine(conn_id)
        with engine.begin() as made:
            kept = "VARCHAR(200)" if kind == "duckdb" else "VARCHAR(200) CHARACTER SET utf8mb4"
            made.execute(text(EMPLOYEES.format(text=kept, instant=instant)))
        world = postgresql_world_database.world(m3ter)
        world.values |= {"ledger_conn_id": world.warehouse_conn_id, "look_back_days": 0}
        world.warehouse_conn_id, world.query_text = conn_id, query(kind)
        yield Beside(world, engine, conn_id)
        engine.dispose()


def test_d17_the_whole_job_with_another_warehouse(beside: Beside) -> None:
    world = beside.world
    beside.load("early", WINDOW.start - SECOND)
    beside.load("e1", WINDOW.start)
    beside.load("E1", WINDOW.start + SECOND, work_email="other@example.com")
    beside.load("e2", WINDOW.end - SECOND, start_date="2030-01-15")
    beside.load("e3", WINDOW.end - SECOND, work_email="broken@")
    beside.load("late", WINDOW.end)
    assert beside.run("preview", mode="dry_run").xcoms["plan"]["counts"]
    assert world.emails() == {}
    run = beside.run("run-1")
    people = ["e1@example.com", "other@example.com", "e2@example.com"]
    assert world.emails() == dict.fromkeys(people, 1)
    assert run.xcoms["pushed:report"]["outcome"] == "success"
    # Names arrive as they are in the warehouse, whatever the server's alphabet.
    assert {row[0] for row in beside.rows("SELECT request FROM m3ter_onboarding_decision WHERE request IS NOT NULL")}
    sent = {invitation["lastName"] for invitation in world.m3ter.invitations()}
    assert sent == {"Łuk 愛"}
    assert beside.differences() == []
    # One row a person, also where ids differ by nothing but their case.
    states = beside.rows("SELECT employee_id, state FROM m3ter_onboarding_person ORDER BY email")
    assert sorted(states) == [("E1", "sent"), ("e1", "sent"), ("e2", "sent"), ("e3", "invalid")]


def test_d17_another_warehouse_follows_what_changes(beside: Beside) -> None:
    world = beside.world
    beside.load("e1", WINDOW.start)
    beside.run("run-1")
    world.m3ter.accept("e1@example.com")
    beside.run("run-2", LATER)
    assert world.emails() == {"e1@example.com": 1}
    assert beside.rows("SELECT state FROM m3ter_invitation") == [("accepted",)]
    assert publish(world.db, beside.engine, world.m3ter.org_id) == 0
    assert beside.differences() == []
    found = rehearse_publication(world.db, beside.engine, create_tables=False)
    assert found == "the tables of results can be written (nothing was changed)."


def test_d17_another_warehouse_has_its_old_tables_completed_and_its_people_erased(beside: Beside) -> None:
    world = beside.world
    for employee in ("e1", "e2"):
        beside.load(employee, WINDOW.start)
    beside.run("run-1")
    invitation = beside.tables.invitation.table.name
    with beside.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {invitation} DROP COLUMN answer"))
        connection.execute(text(f"UPDATE {invitation} SET row_version = 'of an older version'"))
    assert publish(world.db, beside.engine, world.m3ter.org_id) == 2
    assert beside.rows(f"SELECT count(*) FROM {invitation} WHERE answer IS NOT NULL") == [(2,)]
    # What it deletes is not always counted: DuckDB's dialect does not say.
    delete_people(beside.engine, world.m3ter.org_id, People(employees=frozenset({"e1"})))
    assert beside.rows("SELECT DISTINCT employee_id FROM m3ter_onboarding_decision") == [("e2",)]
    assert beside.rows(f"SELECT employee_id FROM {invitation}") == [("e2",)]
    delete_older(beside.engine, world.m3ter.org_id, utc_now() + timedelta(days=1))
    assert beside.rows("SELECT count(*) FROM m3ter_onboarding_decision") == [(0,)]


def test_d17_a_query_that_another_warehouse_refuses_is_named(beside: Beside) -> None:
    beside.load("e1", WINDOW.start, first_name="Secret Name")
    for wrong, said in (("first_nme", "first_nme"), ("CAST(first_name AS DATE) AS x, first_name", "")):
        beside.world.query_text = query("mysql").replace("    first_name", f"    {wrong}")
        beside.world.query_text = beside.world.query_text.replace("AS CHAR", "AS CHAR(20)")
        with pytest.raises(AirflowException) as caught:
            beside.run(f"run-{said}")
        assert said in str(caught.value)
        assert "Secret" not in str(caught.value)
    assert beside.world.emails() == {}


def test_d17_a_file_of_duckdb_that_another_process_has_open_is_read_by_the_next_try(tmp_path: Path) -> None:
    file = tmp_path / "people.duckdb"
    holding = f"import duckdb, sys; c = duckdb.connect({str(file)!r}); print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    with airflow_connection_named(json.dumps({"conn_type": "duckdb", "host": str(file)})) as conn_id:
        with pytest.raises(SourceError, match="Could not set lock on file") as caught:
            check_source(conn_id, query("duckdb"), DAY)
        assert caught.value.retryable
        other.communicate(timeout=20)
        with pytest.raises(SourceError, match="Table with name employees does not exist") as caught:
            check_source(conn_id, query("duckdb"), DAY)
        assert not caught.value.retryable


def test_d17_a_file_of_duckdb_that_is_opened_for_reading_is_read_by_several_and_written_by_none(tmp_path: Path) -> None:
    file = tmp_path / "people.duckdb"
    given = {"conn_type": "duckdb", "host": str(file)}
    with airflow_connection_named(json.dumps(given)) as conn_id:
        writing = warehouse_engine(conn_id)
        with writing.begin() as connection:
            connection.execute(text(EMPLOYEES.format(text="VARCHAR", instant="TIMESTAMP")))
        writing.dispose()
    reading = f"import duckdb, sys; c = duckdb.connect({str(file)!r}, read_only=True); print('open', flush=True)"
    other = subprocess.Popen(
        [sys.executable, "-c", f"{reading}; sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    with airflow_connection_named(json.dumps({**given, "extra": {"read_only": True}})) as conn_id:
        check_source(conn_id, query("duckdb"), DAY)
        engine = warehouse_engine(conn_id)
        with engine.connect() as connection, pytest.raises(SQLAlchemyError, match="read-only"):
            connection.execute(text("DELETE FROM employees"))
        engine.dispose()
    other.communicate(timeout=20)


# -- the ledger in a database that cannot hold it ----------------------------------------------------------------------


@pytest.fixture
def misplaced(sqlite_world: World, tmp_path: Path) -> Iterator[World]:
    """A world whose ledger would be where its warehouse is: in DuckDB."""
    given = json.dumps({"conn_type": "duckdb", "host": str(tmp_path / "people.duckdb")})
    with airflow_connection_named(given) as conn_id:
        sqlite_world.warehouse_conn_id = conn_id
        yield sqlite_world


@pytest.mark.parametrize("create_tables", [True, False])
@pytest.mark.parametrize("task", ["snapshot", "plan", "ask", "send", "report"])
def test_d17_a_ledger_in_another_kind_of_database_ends_every_task(
    misplaced: World, task: str, create_tables: bool
) -> None:
    misplaced.values["create_tables"] = create_tables
    run = TaskRun(misplaced, "run-1", (WINDOW.start, WINDOW.end))
    run.xcoms["plan"] = {"plan_id": "of-a-day-when-the-ledger-was-elsewhere", "invitations": 1, "sendable": True}
    with m3ter_connection(misplaced), pytest.raises(AirflowException) as caught:
        getattr(run, task)()
    assert str(caught.value).startswith("The ledger cannot be in a database of this kind (duckdb, connection")
    assert "set `ledger_conn_id` to a connection to PostgreSQL" in str(caught.value)


def test_d17_the_page_says_so_too(misplaced: World) -> None:
    with pytest.raises(LedgerUnusableError, match="cannot be in a database of this kind"):
        Ledgers().of(LedgerPlace(misplaced.warehouse_conn_id, None))


@pytest.mark.usefixtures("airflow_db")
def test_d17_so_does_the_check(misplaced: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), "--warehouse", "duckdb", "--name", "acme"]) == 0
    config = tmp_path / "acme.yaml"
    lines = re.sub(r"(?m)^ledger_conn_id: .*$", "", config.read_text(encoding="utf-8"))
    lines = lines.replace("warehouse_conn_id: warehouse", f"warehouse_conn_id: {misplaced.warehouse_conn_id}")
    config.write_text(lines, encoding="utf-8")
    assert main(["check", "--connect", str(config)]) == 1
    assert "The ledger cannot be in a database of this kind (duckdb" in capsys.readouterr().out
