"""What reaches the drivers of warehouses that no test can run: their SQL, parsed, and its bound parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.resources import files
from typing import Any

import pytest
import sqlglot
from sqlalchemy import Engine, delete

from m3ter_onboarding.ledger.results import in_keys
from m3ter_onboarding.ledger.tables import tables_in
from m3ter_onboarding.reporting.publication import columns_in
from m3ter_onboarding.reporting.published_tables import published_tables
from m3ter_onboarding.source.session_zone import IN_UTC
from m3ter_onboarding.source.warehouse import read_rows
from m3ter_onboarding.source.window import Window
from tests.support.recording_driver import Statement, recording_engine, stand_in_dialects

WINDOW = Window(datetime(2026, 11, 24, 6, tzinfo=timezone.utc), datetime(2026, 11, 25, 6, 0, 0, 5, tzinfo=timezone.utc))
COLUMNS = ("employee_id", "email", "first_name", "last_name")


@dataclass(frozen=True)
class Case:
    """A dialect with a driver.

    :param query: the name of the query that ``init`` writes.
    :param parsed_as: how the parser calls the dialect.
    :param paramstyle: of the driver (PEP 249).
    """

    query: str
    url: str
    parsed_as: str
    paramstyle: str


CASES = [
    Case("snowflake", "snowflake://", "snowflake", "pyformat"),
    Case("bigquery", "bigquery://?user_supplied_client=true", "bigquery", "pyformat"),
    Case("redshift", "redshift+redshift_connector://", "redshift", "format"),
    Case("databricks", "databricks://", "databricks", "named"),
    Case("trino", "trino://host/catalog", "trino", "qmark"),
    Case("mssql", "mssql+pymssql://", "tsql", "pyformat"),
    Case("mssql", "mssql+pyodbc://", "tsql", "qmark"),
    Case("oracle", "oracle+oracledb://", "oracle", "named"),
    Case("mysql", "mysql+pymysql://", "mysql", "pyformat"),
]
#: How a parameter stands in a statement, by paramstyle; BigQuery's have a type with them.
MARKS = {"pyformat": r"%\(\w+(?::\w+)?\)s", "format": "%s", "qmark": r"\?", "named": r"(?<!:):\"?\w+\"?"}


@dataclass(frozen=True)
class Recorded:
    """A warehouse whose driver keeps what it is given."""

    case: Case
    engine: Engine
    executed: list[Statement]

    def parsed(self, statement: str) -> tuple[sqlglot.exp.Expression, int]:
        """Return a statement as the warehouse would read it, and how many parameters it has."""
        text, marks = re.subn(MARKS[self.case.paramstyle], "'x'", re.sub(r"--[^\n]*", "", statement))
        [found] = sqlglot.parse(text, dialect=self.case.parsed_as, error_level=sqlglot.ErrorLevel.RAISE)
        assert found is not None
        return found, marks

    def last(self) -> tuple[sqlglot.exp.Expression, int, list[Any]]:
        """Return the statement that was executed last, and the values of its (first) row of parameters."""
        statement, parameters = self.executed[-1]
        first = parameters[0] if isinstance(parameters, list) else parameters
        parsed, marks = self.parsed(statement)
        return parsed, marks, list(first.values()) if isinstance(first, dict) else list(first)


@pytest.fixture(params=CASES, ids=lambda case: case.url.partition(":")[0])
def recorded(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """A warehouse of each kind, with the driver that Airflow's provider has."""
    case: Case = request.param
    with stand_in_dialects():
        engine, executed = recording_engine(case.url, case.paramstyle, COLUMNS)
        yield Recorded(case, engine, executed)
        engine.dispose()


def instants(values: list[Any]) -> list[datetime]:
    """Return the instants among parameters; pyodbc's are text with their zone."""
    found = [datetime.fromisoformat(value.replace(" +", "+")) if isinstance(value, str) else value for value in values]
    assert all(value.tzinfo is not None for value in found)
    return found


def test_the_query_binds_its_window_in_a_session_in_utc(recorded: Recorded) -> None:
    query = files("m3ter_onboarding").joinpath("examples", "new_hires", f"{recorded.case.query}.sql")
    assert read_rows(recorded.engine, query.read_text(encoding="utf-8"), WINDOW) == []
    statement, marks, values = recorded.last()
    assert isinstance(statement, sqlglot.exp.Select)
    assert marks == len(values) == 2
    assert instants(values) == [WINDOW.start, WINDOW.end]
    before = [sql for sql, _ in recorded.executed[:-1]]
    zone = IN_UTC.get(recorded.engine.dialect.name)
    assert before == ([zone] if zone else [])
    assert bool(zone) != (recorded.engine.dialect.name in ("bigquery", "mssql"))


def test_every_published_row_is_bound(recorded: Recorded) -> None:
    for copy in published_tables(tables_in(None), recorded.engine.dialect.name).all():
        table = copy.table
        row: dict[str, Any] = dict.fromkeys(table.columns.keys(), None)
        row |= {column: 1 if column.endswith(("_id", "row_no")) else "1" for column in copy.rows.key}
        row |= {"org_id": "Robert'); DROP TABLE people;--"}
        row |= {column.name: WINDOW.end for column in table.columns if column.name.endswith("_at")}
        keys = [tuple(row[name] for name in copy.rows.key)]
        with recorded.engine.begin() as connection:
            connection.execute(
                delete(table).where(table.c.org_id == row["org_id"], in_keys(table, copy.rows.key, keys))
            )
            statement, marks, values = recorded.last()
            assert isinstance(statement, sqlglot.exp.Delete), table.name
            assert marks == len(values) == 1 + len(copy.rows.key)
            connection.execute(table.insert(), [row])
        statement, marks, values = recorded.last()
        assert isinstance(statement, sqlglot.exp.Insert), table.name
        assert marks == len(values) == len(table.columns)
        times = [value for value in values if isinstance(value, datetime) or str(value).startswith("2026-")]
        assert set(instants(times)) <= {WINDOW.end}
        assert not any("DROP" in sql for sql, _ in recorded.executed)


def test_the_columns_of_a_table_are_asked_for_without_a_row(recorded: Recorded) -> None:
    table = published_tables(tables_in(None), recorded.engine.dialect.name).run.table
    with recorded.engine.begin() as connection:
        assert columns_in(connection, table) == set(COLUMNS)
    statement, marks, _ = recorded.last()
    assert isinstance(statement, sqlglot.exp.Select)
    assert marks == 0


@pytest.mark.parametrize(("value", "written"), [(True, 1), (False, 0), (None, None)])
def test_truth_is_a_number_in_oracle(value: bool | None, written: int | None) -> None:
    engine, executed = recording_engine("oracle+oracledb://", "named", COLUMNS)
    plan = published_tables(tables_in(None), "oracle").plan.table
    with engine.begin() as connection:
        connection.execute(plan.insert(), {"org_id": "o", "plan_id": "p", "sendable": value})
    assert executed[-1][1]["sendable"] == written
    engine.dispose()
