"""Which errors of a database may pass by themselves, and how soon."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError

from m3ter_onboarding.databases.failures import describe_database_error, may_pass_by_itself, passes_soon


class DriverError(Exception):
    """An error as psycopg 3 raises it."""

    def __init__(self, sqlstate: str | None = None, text: str = "") -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


class OlderDriverError(Exception):
    """An error as psycopg2 raises it."""

    def __init__(self, pgcode: str) -> None:
        super().__init__("")
        self.pgcode = pgcode


def wrapped(
    original: Exception, kind: type[DBAPIError] = DBAPIError, *, connection_invalidated: bool = False
) -> DBAPIError:
    return kind("SELECT 1", {}, original, connection_invalidated=connection_invalidated)


@pytest.mark.parametrize(
    "error",
    [
        *(wrapped(DriverError(code)) for code in ("08006", "40001", "40P01", "55P03", "25P03", "57P01", "53300")),
        wrapped(OlderDriverError("08001")),
        wrapped(DriverError(), connection_invalidated=True),
        *(wrapped(sqlite3.OperationalError(f"database {what}is locked")) for what in ("", "table ", "schema ")),
    ],
)
def test_locks_failovers_and_lost_connections_pass_within_seconds(error: DBAPIError) -> None:
    assert passes_soon(error)
    assert may_pass_by_itself(error)


@pytest.mark.parametrize(
    "error",
    [
        *(wrapped(DriverError(code)) for code in ("53100", "57014", "40003")),
        wrapped(DriverError(), OperationalError),
        wrapped(DriverError(), InterfaceError),
        wrapped(Exception(1205, "Lock wait timeout exceeded"), OperationalError),
        wrapped(Exception(["unhashable"]), OperationalError),
    ],
)
def test_lack_of_resources_and_errors_without_a_code_may_pass_later(error: DBAPIError) -> None:
    assert not passes_soon(error)
    assert may_pass_by_itself(error)


@pytest.mark.parametrize(
    "error",
    [
        wrapped(DriverError("42703"), ProgrammingError),
        wrapped(DriverError("23505"), IntegrityError),
        wrapped(DriverError("22012"), OperationalError),
        wrapped(sqlite3.OperationalError("no such table: hires"), OperationalError),
        wrapped(sqlite3.OperationalError("database or disk is full"), OperationalError),
        wrapped(DriverError(), ProgrammingError),
        wrapped(Exception(1054, "Unknown column 'emial' in 'SELECT'"), OperationalError),  # as MySQL's drivers say it
        ValueError("database is locked"),
    ],
)
def test_error_that_somebody_must_mend_does_not_pass(error: Exception) -> None:
    assert not passes_soon(error)
    assert not may_pass_by_itself(error)


def test_first_cause_counts_behind_a_savepoint_that_is_gone() -> None:
    lost = sqlite3.OperationalError("no such savepoint: sa_savepoint_1")
    lost.__context__ = wrapped(sqlite3.OperationalError("database is locked"), OperationalError)
    assert passes_soon(wrapped(lost, OperationalError))
    lost.__context__ = wrapped(sqlite3.OperationalError("database or disk is full"), OperationalError)
    assert not passes_soon(wrapped(lost, OperationalError))
    assert "database or disk is full" in describe_database_error(wrapped(lost, OperationalError))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('Binder Error: Referenced column "emial" not found in FROM clause! ann@example.com', '"emial" not found'),
        ("Catalog Error: Table with name hirez does not exist! Did you mean ann@example.com", "hirez does not exist"),
        ("Invalid column name 'emial'. (ann@example.com)", "Invalid column name 'emial'"),
        ('ORA-00904: "EMIAL": invalid identifier ann@example.com', "ORA-00904"),
        ("Unrecognized name: emial; Did you mean ann@example.com?", "Unrecognized name: emial"),
        ("line 1:8: Column 'emial' cannot be resolved, ann@example.com", "Column 'emial' cannot be resolved"),
        ("[UNRESOLVED_COLUMN.WITH_SUGGESTION] ann@example.com", "[UNRESOLVED_COLUMN.WITH_SUGGESTION]"),
    ],
)
def test_a_name_of_the_sql_is_passed_on_and_nothing_else(text: str, named: str) -> None:
    said = describe_database_error(wrapped(DriverError(text=text), ProgrammingError))
    assert named in said
    assert "ann@" not in said
