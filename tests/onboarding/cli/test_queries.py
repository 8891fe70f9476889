"""The queries that ``init`` writes: run on SQLite, PostgreSQL and DuckDB, parsed in the dialects of the others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path

import pytest
import sqlglot
from sqlalchemy import Engine, text

from m3ter_onboarding.cli.warehouses import WAREHOUSES
from m3ter_onboarding.config.query_text import WINDOW_PARAMETERS, bound_parameters, for_sqlalchemy
from m3ter_onboarding.source.columns import OPTIONAL_COLUMNS, REQUIRED_COLUMNS, check_columns
from m3ter_onboarding.source.new_hire import NewHire, validate_row
from m3ter_onboarding.source.warehouse import read_rows, warehouse_engine
from m3ter_onboarding.source.window import Window
from tests.support.postgresql import PostgresDatabase

WINDOW = Window(datetime(2026, 11, 24, 6, tzinfo=timezone.utc), datetime(2026, 11, 25, 6, tzinfo=timezone.utc))
TABLE = """
CREATE TABLE {employees} (
    employee_number INTEGER, work_email TEXT, first_name TEXT, last_name TEXT, mobile_number TEXT,
    m3ter_policies TEXT, start_date {date}, last_day {date}, office_time_zone TEXT, department TEXT, loaded_at {instant}
)
"""
# Number, start date, loaded at (UTC).
PEOPLE = [
    (1, "2026-12-07", "2026-11-24 05:59:59"),
    (2, "2026-12-08", "2026-11-24 06:00:00"),
    (3, "2026-12-08", "2026-11-25 05:59:59"),
    (4, "2026-12-09", "2026-11-25 06:00:00"),
    (5, "2026-11-20", "2026-11-20 12:00:00"),
    (6, "2026-12-10", "2026-11-20 12:00:00"),
    (7, "2026-08-01", "2026-08-01 12:00:00"),
]


def query(warehouse: str, *, by_start_date: bool = False) -> str:
    """Return the query of a warehouse, on demand with the condition that it offers in comments."""
    name = f"{WAREHOUSES[warehouse].query}.sql"
    found = files("m3ter_onboarding").joinpath("examples", "new_hires", name).read_text(encoding="utf-8")
    if not by_start_date:
        return found
    head, _, tail = found.partition("\nWHERE ")
    offered = re.findall(r"^-- ((?:WHERE|  AND) .*)$", tail, re.MULTILINE)
    assert len(offered) == 2
    return "\n".join([head, *offered])


@pytest.fixture(params=["sqlite", "postgres", "duckdb"])
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Engine]]:
    """A warehouse with the tables of the example, and its kind."""
    if request.param == "sqlite":
        connection = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "people.db")})
        types = {"employees": "employees", "date": "TEXT", "instant": "TEXT"}
    elif request.param == "duckdb":
        connection = json.dumps({"conn_type": "duckdb", "host": str(tmp_path / "people.duckdb")})
        types = {"employees": "hr.employees", "date": "DATE", "instant": "TIMESTAMP"}
    else:
        database: PostgresDatabase = request.getfixturevalue("postgres_database")
        connection = database.airflow_connection()
        types = {"employees": "hr.employees", "date": "DATE", "instant": "TIMESTAMPTZ"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    engine = warehouse_engine("warehouse")
    with engine.begin() as made:
        if request.param != "sqlite":
            made.execute(text("CREATE SCHEMA hr"))
        if request.param == "postgres":
            made.execute(text("SET LOCAL TIME ZONE 'UTC'"))
        made.execute(text(TABLE.format(**types)))
        for number, start_date, loaded_at in PEOPLE:
            # SQLite's own form, and the one with a T and a zone, must compare alike.
            loaded_at = loaded_at.replace(" ", "T") + "Z" if number == 2 else loaded_at
            made.execute(
                text(
                    f"INSERT INTO {types['employees']} VALUES (:number, :email, 'Ada', 'Hire', NULL, 'Viewer',"
                    f" CAST(:start AS {types['date']}), NULL, 'Europe/London', 'Finance',"
                    f" CAST(:loaded AS {types['instant']}))"
                ),
                {"number": number, "email": f"e{number}@example.com", "start": start_date, "loaded": loaded_at},
            )
    yield request.param, engine
    engine.dispose()


@pytest.mark.parametrize(
    ("by_start_date", "read"),
    [(False, ["2", "3"]), (True, ["1", "2", "3", "4", "5"])],
    ids=["by_loading", "by_start_date"],
)
def test_a_query_reads_exactly_the_window(warehouse: tuple[str, Engine], by_start_date: bool, read: list[str]) -> None:
    kind, engine = warehouse
    rows = read_rows(engine, query(kind, by_start_date=by_start_date), WINDOW)
    assert sorted(row.values["employee_id"] for row in rows) == read
    hires = [validate_row(row, default_time_zone="UTC", now=WINDOW.end) for row in rows]
    assert all(isinstance(hire, NewHire) for hire in hires)


def test_two_windows_in_a_row_leave_nobody_out(warehouse: tuple[str, Engine]) -> None:
    kind, engine = warehouse
    day = WINDOW.end - WINDOW.start
    for by_start_date in (False, True):
        found = [
            row.values["employee_id"]
            for step in (-1, 0, 1)
            for row in read_rows(
                engine,
                query(kind, by_start_date=by_start_date),
                Window(WINDOW.start + step * day, WINDOW.end + step * day),
            )
        ]
        assert sorted(set(found)) == (["1", "2", "3", "4", "5", "6"] if by_start_date else ["1", "2", "3", "4"])
        assert by_start_date or len(found) == 4


def test_a_query_by_start_date_reads_somebody_who_is_entered_five_days_before_the_start(
    warehouse: tuple[str, Engine],
) -> None:
    """Their fourteenth day before the start has passed when their row comes."""
    kind, engine = warehouse
    table = "employees" if kind == "sqlite" else "hr.employees"
    with engine.begin() as made:
        made.execute(
            text(
                f"INSERT INTO {table} (employee_number, work_email, first_name, last_name, start_date)"
                " VALUES (8, 'e8@example.com', 'Ada', 'Late', '2026-11-30')"
            )
        )
    rows = read_rows(engine, query(kind, by_start_date=True), WINDOW)
    assert "8" in {row.values["employee_id"] for row in rows}


@pytest.mark.parametrize("by_start_date", [False, True], ids=["by_loading", "by_start_date"])
@pytest.mark.parametrize("kind", WAREHOUSES)
def test_a_query_binds_both_parameters_and_selects_the_contract(kind: str, by_start_date: bool) -> None:
    sql = query(kind, by_start_date=by_start_date)
    assert bound_parameters(sql) == set(WINDOW_PARAMETERS)
    assert set(text(for_sqlalchemy(sql))._bindparams) == set(WINDOW_PARAMETERS)
    statement = parsed(sql, kind)
    assert WAREHOUSES[kind].query in (kind, "mysql")
    assert set(check_columns(statement.named_selects)) == set(REQUIRED_COLUMNS + OPTIONAL_COLUMNS)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("snowflake", "DATEADD", "DATEAD"),
        ("redshift", "DATEADD(day, 14,", "DATEADD(day, 14"),
        ("bigquery", "AS STRING)", "STRING)"),
        ("bigquery", "DATE_SUB", "DATES_SUB"),
    ],
)
def test_a_misspelt_query_would_be_noticed(kind: str, right: str, wrong: str) -> None:
    sql = query(kind, by_start_date=True)
    assert right in sql
    with pytest.raises((sqlglot.errors.ParseError, AssertionError)):
        parsed(sql.replace(right, wrong, 1), kind)


def parsed(sql: str, kind: str) -> sqlglot.exp.Select:
    """Parse a query in the dialect of a warehouse."""
    dialect = {"mssql": "tsql", "mariadb": "mysql"}.get(kind, kind)
    [statement] = sqlglot.parse(sql, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert isinstance(statement, sqlglot.exp.Select)
    if kind != "sqlite":  # which is run, and whose functions the parser does not know
        assert list(statement.find_all(sqlglot.exp.Anonymous)) == [], "a function that this dialect does not have"
    return statement
