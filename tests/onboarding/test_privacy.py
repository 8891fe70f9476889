from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from m3ter_onboarding.databases.failures import describe_database_error
from m3ter_onboarding.privacy import mask_addresses, mask_employee_id
from tests.support.postgresql import PostgresDatabase

MARKERS = ("zaphod", "beeblebrox", "@heartofgold")


def failure(url: str, *statements: str) -> DBAPIError:
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.connect() as connection:
            for statement in statements[:-1]:
                connection.execute(text(statement))
            with pytest.raises(DBAPIError) as caught:
                connection.execute(text(statements[-1]))
            return caught.value
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT emial FROM t", "no such column: emial"),
        ("SELECT * FROM hirez", "no such table: hirez"),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("INSERT INTO t VALUES ('zaphod@heartofgold.com')", "UNIQUE constraint failed: t.email"),
        ("SELECT 'zaphod@heartofgold.com' FROM", "OperationalError"),
        ("SELECT json('Zaphod')", "OperationalError"),
    ],
)
def test_an_error_of_sqlite_is_described_without_its_values(statement: str, said: str) -> None:
    error = failure(
        "sqlite://", "CREATE TABLE t (email TEXT UNIQUE)", "INSERT INTO t VALUES ('zaphod@heartofgold.com')", statement
    )
    described = describe_database_error(error)
    assert said in described
    assert not any(marker in described.lower() for marker in MARKERS)


def test_sqlite_text_that_is_not_utf8() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("SELECT CAST(x'7a6170686f64ff' AS TEXT) AS last_name").fetchall()
    assert "zaphod" in str(caught.value)
    described = describe_database_error(caught.value)
    assert "last_name" in described
    assert "zaphod" not in described


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT emial FROM t", ["SQLSTATE 42703", "UndefinedColumn", 'column "emial" does not exist']),
        ("SELECT * FROM hirez", ["SQLSTATE 42P01", '"hirez"']),
        ("SELEC 1", ["SQLSTATE 42601", "syntax error"]),
        ("INSERT INTO t VALUES ('zaphod@heartofgold.com')", ["SQLSTATE 23505", "constraint t_email_key"]),
        ("SELECT 'Zaphod'::int", ["SQLSTATE 22P02"]),
        ("SELECT 'Zaphod'::date", ["SQLSTATE 22007"]),
        ("SELECT 1/0 FROM t", ["SQLSTATE 22012"]),
        ("SELECT 1 'zaphod@heartofgold.com'", ["SQLSTATE 42601"]),
    ],
)
def test_an_error_of_postgresql_is_described_without_its_values(
    postgres_database: PostgresDatabase, statement: str, said: list[str]
) -> None:
    error = failure(
        postgres_database.url(),
        "CREATE TABLE t (email TEXT UNIQUE)",
        "INSERT INTO t VALUES ('zaphod@heartofgold.com')",
        statement,
    )
    described = describe_database_error(error)
    for part in said:
        assert part in described
    assert not any(marker in described.lower() for marker in MARKERS if marker != "@heartofgold")
    assert "zaphod@" not in described


@pytest.mark.parametrize(
    ("error", "described"),
    [
        (SimpleNamespace(orig=ValueError(1054, "Unknown column 'emial' in 'field list'")),
         "code 1054, ValueError: Unknown column 'emial'"),
        (SimpleNamespace(orig=ValueError(1062, "Duplicate entry 'zaphod@heartofgold.com' for key 'x'")),
         "code 1062, ValueError"),
        (SimpleNamespace(orig=ValueError("000904 (42000): SQL compilation error:\ninvalid identifier 'EMIAL'")),
         "ValueError: invalid identifier 'EMIAL'"),
        (SimpleNamespace(orig=KeyError("Zaphod")), "KeyError"),
    ],
)  # fmt: skip
def test_an_error_of_another_database_is_described_by_its_class(error: Any, described: str) -> None:
    assert describe_database_error(error) == described


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, "(no employee_id)"),
        ("", "(no employee_id)"),
        ("1001", "1001"),
        ("zaphod@heartofgold.com", "z***@heartofgold.com"),
        ("a\x1b[31m", "a\N{REPLACEMENT CHARACTER}[31m"),
        ("x" * 200, "x" * 63 + "…"),
    ],
)
def test_an_employee_id_is_masked_where_it_may_be_an_address(given: str | None, shown: str) -> None:
    assert mask_employee_id(given) == shown


def test_addresses_are_masked_in_any_text() -> None:
    given = "sent <zaphod@heartofgold.com>, 'trillian@example.com'; user=arthur@example.org not@all: @"
    assert mask_addresses(given) == "sent <z***@heartofgold.com>, 't***@example.com'; user=a***@example.org n***@all: @"


def test_d18_connection_that_is_not_made_says_why(tmp_path: Path) -> None:
    engine = create_engine(f"postgresql+psycopg://anne@/people?host={tmp_path}")
    with pytest.raises(OperationalError) as refused:
        engine.connect()
    assert describe_database_error(refused.value) == "OperationalError: No such file or directory"
    engine = create_engine("postgresql+psycopg://anne:secret@127.0.0.1:1/people")
    with pytest.raises(OperationalError) as refused:
        engine.connect()
    assert describe_database_error(refused.value) == "OperationalError: Connection refused"


def test_d18_database_that_does_not_exist_is_named(postgres_database: PostgresDatabase) -> None:
    engine = create_engine(replace(postgres_database, name="nowhere").url())
    with pytest.raises(OperationalError) as refused:
        engine.connect()
    assert describe_database_error(refused.value) == 'OperationalError: database "nowhere" does not exist'
