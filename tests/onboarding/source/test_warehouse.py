"""Reading new hires, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from m3ter_onboarding.errors import SourceError
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.new_hire import NewHire, ValidatedRow, validate_row
from m3ter_onboarding.source.warehouse import (
    check_current_jobs,
    check_exclusions,
    iter_current_jobs,
    read_rows,
    warehouse_engine,
)
from m3ter_onboarding.source.window import Window
from tests.support.databases import engine_of
from tests.support.hire_rows import NOW
from tests.support.postgresql import PostgresDatabase

UTC = timezone.utc
DAY = timedelta(days=1)
QUERY = """
-- The people whose row came in [:window_start, :window_end).
SELECT employee_id, email, first_name AS "First_Name", last_name, start_date
FROM hires
WHERE loaded_at >= :window_start AND loaded_at < :window_end
  AND first_name <> 'it''s :not a parameter; 100%'
ORDER BY employee_id;
"""
PEOPLE = [
    (1001, "ann@example.com", "Ann", "2026-11-23 00:00:00"),
    (1002, "bob@example.com", "Robert'); DROP TABLE hires;--", "2026-11-23 23:59:59"),
    (1003, "zoë@example.com", "Zoë 100%", "2026-11-24 00:00:00"),
]
WHOLE = Window(datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC))


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine made from an Airflow connection, over a warehouse with three hires."""
    if request.param == "sqlite":
        connection = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")})
    else:
        database: PostgresDatabase = request.getfixturevalue("postgres_database")
        connection = database.airflow_connection()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    engine = warehouse_engine("warehouse")
    when = "TEXT" if request.param == "sqlite" else "TIMESTAMP"
    with engine.begin() as made:
        made.execute(
            text(
                "CREATE TABLE hires (employee_id NUMERIC(20, 0), email TEXT, first_name TEXT, last_name TEXT,"
                f" start_date DATE, loaded_at {when})"
            )
        )
        for employee_id, email, first_name, loaded_at in PEOPLE:
            made.execute(
                text("INSERT INTO hires VALUES (:i, :e, :f, 'Hire', '2026-12-01', CAST(:at AS " + when + "))"),
                {"i": employee_id, "e": email, "f": first_name, "at": loaded_at},
            )
    yield engine
    engine.dispose()


def ids(engine: Engine, window: Window, query: str = QUERY) -> list[int]:
    return [int(row.values["employee_id"]) for row in read_rows(engine, query, window)]


def validated(row: SourceRow) -> ValidatedRow:
    return validate_row(row, default_time_zone="UTC", now=NOW)


def reason(row: SourceRow) -> str | None:
    found = validated(row)
    return found.reason if isinstance(found, Decision) else None


def refusal(engine: Engine, query: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read_rows(engine, query, WHOLE)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert "sent" in str(caught.value)
    return caught.value


def test_rows_of_the_window_are_read_in_order(engine: Engine) -> None:
    rows = read_rows(engine, QUERY, WHOLE)
    assert [row.row_no for row in rows] == [1, 2, 3]
    assert set(rows[0].values) == {"employee_id", "email", "first_name", "last_name", "start_date"}
    assert rows[1].values["first_name"] == "Robert'); DROP TABLE hires;--"
    hire = validate_row(rows[2], default_time_zone="UTC", now=NOW)
    assert isinstance(hire, NewHire)
    assert (hire.employee_id, hire.first_name, hire.start_date) == ("1003", "Zoë 100%", date(2026, 12, 1))


def test_the_window_is_half_open_and_in_utc(engine: Engine) -> None:
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert ids(engine, Window(midnight - DAY, midnight)) == [1001, 1002]
    assert ids(engine, Window(midnight, midnight + DAY)) == [1003]
    tokyo = timezone(timedelta(hours=9))
    assert ids(engine, Window((midnight - DAY).astimezone(tokyo), midnight.astimezone(tokyo))) == [1001, 1002]
    just_after = timedelta(microseconds=1)
    assert ids(engine, Window(midnight - DAY + just_after, midnight + just_after)) == [1002, 1003]
    assert ids(engine, Window(midnight, midnight)) == []


def test_rows_come_in_chunks_and_all_of_them(engine: Engine) -> None:
    with engine.begin() as made:
        values = [{"i": number} for number in range(2000, 2007)]
        made.execute(text("INSERT INTO hires VALUES (:i, 'x', 'y', 'z', NULL, '2026-11-23 12:00:00')"), values)
    rows = read_rows(engine, QUERY, WHOLE, chunk_rows=3)
    assert [row.row_no for row in rows] == list(range(1, 11))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM hires WHERE loaded_at >= :window_start AND loaded_at < :window_end",
        (
            "INSERT INTO hires VALUES (9, 'x', 'y', 'z', NULL, NULL) RETURNING employee_id, email, first_name,"
            " CASE WHEN :window_start < :window_end THEN last_name END AS last_name"
        ),
    ],
)
def test_reading_changes_nothing(engine: Engine, statement: str) -> None:
    with contextlib.suppress(SourceError):
        read_rows(engine, statement, WHOLE)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM hires")).scalar_one() == len(PEOPLE)


def test_an_empty_table_is_no_error(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM hires"))
    assert read_rows(engine, QUERY, WHOLE) == []


def test_columns_are_checked_before_the_first_row(engine: Engine) -> None:
    error = refusal(engine, QUERY.replace("email,", "email AS emial,"))
    assert "lacks email" in str(error)
    assert "did you mean email?" in str(error)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (QUERY.replace("last_name,", "last_nme,"), "last_nme"),
        (QUERY.replace("FROM hires", "FROM hirez"), "hirez"),
        (QUERY.replace("FROM", "FORM"), "syntax error"),
    ],
)
def test_a_mistake_in_the_sql_is_named(engine: Engine, wrong: str, said: str) -> None:
    error = refusal(engine, wrong)
    assert said in str(error)
    assert error.retryable is False
    assert "ann@" not in str(error)


def test_a_statement_that_is_no_query_is_refused(engine: Engine) -> None:
    error = refusal(engine, "DELETE FROM hires WHERE loaded_at >= :window_start AND loaded_at < :window_end")
    assert ("must be a SELECT" in str(error)) or ("syntax error" in str(error))


def test_a_value_that_the_database_cannot_give_is_not_repeated(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        broken = QUERY.replace("last_name,", "CAST(x'7a6170686f64ff' AS TEXT) AS last_name,")
        rows = read_rows(engine, broken, WHOLE)
        assert {reason(row) for row in rows} == {"last_name"}
        assert "zaphod" not in repr([validated(row) for row in rows])
        return
    error = refusal(engine, QUERY.replace("last_name,", "CAST(first_name AS integer) AS last_name,"))
    assert "zaphod" not in str(error)
    assert "Ann" not in str(error)
    assert "cannot be cast or computed as the query asks" in str(error)
    assert "rights" not in str(error)


def test_a_lost_warehouse_is_an_error_that_may_be_retried(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = (
        {"conn_type": "sqlite", "host": str(tmp_path / "no" / "such" / "folder.db")}
        if engine.dialect.name == "sqlite"
        else {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "who", "password": "s3cr3t-value"}
    )
    monkeypatch.setenv("AIRFLOW_CONN_LOST", json.dumps(lost))
    error = refusal(warehouse_engine("lost"), QUERY)
    assert "could not be reached" in str(error)
    assert error.retryable is True
    assert "s3cr3t" not in str(error)


# -- the connection --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (None, "is not defined in Airflow"),
        ({"conn_type": "no_such_type", "host": "x"}, "not installed"),
        ({"conn_type": "http", "host": "example.com"}, "is no SQL database"),
    ],
)
def test_connections_that_are_no_warehouse(
    connection: dict[str, str] | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(connection))
    with pytest.raises(SourceError, match="'wrong'") as caught:
        warehouse_engine("wrong")
    assert said in str(caught.value)


def test_sqlite_columns_are_read_in_another_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the docs advise for text with a ``T``, a zone, or a date alone: compare ``datetime(column)``."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "w.db")}))
    engine = warehouse_engine("warehouse")
    with engine.begin() as made:
        made.execute(text("CREATE TABLE hires (employee_id, email, first_name, last_name, start_date, loaded_at)"))
        for number, at in enumerate(["2026-11-24T00:00:00Z", "2026-11-24", "2026-11-24T01:00:00+02:00"]):
            made.execute(text("INSERT INTO hires VALUES (:i, '', '', '', '', :at)"), {"i": number, "at": at})
    query = QUERY.replace("loaded_at", "datetime(loaded_at)")
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert ids(engine, Window(midnight, midnight + DAY), query) == [0, 1]
    assert ids(engine, Window(midnight - DAY, midnight), query) == [2]
    engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_postgresql_days_that_python_does_not_have(postgres_database: PostgresDatabase, driver: str) -> None:
    pytest.importorskip(driver)
    engine = engine_of(postgres_database.url(driver))
    with engine.begin() as made:
        made.execute(text("CREATE TABLE hires (employee_id TEXT, access_end_date DATE, seen TIMESTAMPTZ)"))
        for number, until in enumerate(["infinity", "12000-01-01", "-infinity", "0044-03-15 BC", "2026-12-31", None]):
            made.execute(
                text("INSERT INTO hires VALUES (:i, CAST(:u AS DATE), CAST(:u AS TIMESTAMPTZ))"),
                {"i": f"E{number}", "u": until},
            )
    for column in ("access_end_date", "seen"):
        query = (
            "SELECT employee_id, 'a@example.com' AS email, 'Ann' AS first_name, 'Hire' AS last_name,"
            f" {column} AS access_end_date FROM hires WHERE :window_start < :window_end ORDER BY employee_id"
        )
        hires = [validated(row) for row in read_rows(engine, query, WHOLE, chunk_rows=2)]
        ends = [hire.access_ends_at if isinstance(hire, NewHire) else hire.reason for hire in hires]
        last_day = datetime(2026, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
        assert ends == [None, None, "dates", "dates", last_day, None]
    engine.dispose()


def test_days_on_which_a_driver_fails_are_read_as_text(tmp_path: Path) -> None:
    """As of any other database: here SQLite's own converter for dates fails, and the rest of the rows with it."""
    path = tmp_path / "warehouse.db"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(path, detect_types=sqlite3.PARSE_DECLTYPES), hide_parameters=True
    )
    with engine.begin() as made:
        made.execute(text('CREATE TABLE hires (employee_id, email, "First_Name", last_name, start_date DATE)'))
        made.execute(text("CREATE VIEW jobs AS SELECT email, start_date AS access_end_date FROM hires"))
        for number, start in enumerate(["2026-12-01", "12000-01-01", "2026-12-02"]):
            values = {"i": f"E{number}", "e": f"{number}@example.com", "s": start}
            made.execute(text("INSERT INTO hires VALUES (:i, :e, 'Ann', 'Hire', :s)"), values)
    query = "SELECT * FROM hires WHERE :window_start < :window_end ORDER BY employee_id; -- so much"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own converters
        rows = read_rows(engine, query, WHOLE, chunk_rows=1)
        job_query = "SELECT email, access_end_date FROM jobs"
        (jobs,) = iter_current_jobs(engine, job_query)
        with pytest.raises(SourceError, match="the driver of sqlite failed on a value"):
            list(iter_current_jobs(engine, job_query, chunk_rows=1))  # some were read already
    assert [validated(row).start_date for row in rows] == [date(2026, 12, 1), None, date(2026, 12, 2)]
    assert [reason(row) for row in rows] == [None, "dates", None]
    assert [job.values["access_end_date"] for job in jobs] == ["2026-12-01", "12000-01-01", "2026-12-02"]
    engine.dispose()


def test_the_window_may_be_cast(engine: Engine) -> None:
    kind = "TEXT" if engine.dialect.name == "sqlite" else "timestamptz"
    query = QUERY.replace(":window_start AND", f"CAST(:window_start AS {kind})AND")
    if engine.dialect.name == "postgresql":
        query = QUERY.replace(":window_start", ":window_start::timestamptz").replace(":window_end", ":window_end::date")
    assert ids(engine, WHOLE, query) == [1001, 1002, 1003]


def test_a_query_that_the_warehouse_reads_otherwise_is_refused_with_what_to_write(engine: Engine) -> None:
    error = refusal(engine, QUERY.replace("it''s", r"it\'s"))
    assert f"By the rules of {engine.dialect.name} its parameters are" in str(error)
    with pytest.raises(SourceError, match="its parameters are :x; they must be none"):
        list(iter_current_jobs(engine, r"SELECT email FROM hires WHERE last_name <> 'it\' AND last_name <> :x"))


@pytest.mark.parametrize("check", [check_exclusions, check_current_jobs])
def test_queries_that_bind_nothing_are_tried_without_reading_what_they_select(
    engine: Engine, check: Callable[[str, str], None]
) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'ann@example.com' AS email FROM n;"
    )
    check("warehouse", endless)
    check("warehouse", "SELECT email FROM hires WHERE 1 = 0")
    with pytest.raises(SourceError, match=r"has the columns email, i\. It must have"):
        check("warehouse", endless.replace("AS email", "AS email, i"))
