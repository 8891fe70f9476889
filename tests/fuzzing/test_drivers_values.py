"""Every value that SQLite and PostgreSQL hold comes through their drivers; one row's trouble is one row's.

Unlike ``test_warehouse_columns``, which hands values to the validation, these lie in a real database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine

from m3ter_onboarding.config.query_columns import CONTRACT_COLUMNS, REQUIRED_COLUMNS
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.planning.planner import decide
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.current_job import current_job
from m3ter_onboarding.source.excluded_people import excluded_people
from m3ter_onboarding.source.new_hire import validate_rows
from m3ter_onboarding.source.warehouse import read_rows
from m3ter_onboarding.source.window import Window
from tests.fuzzing.test_warehouse_columns import record
from tests.support.hire_rows import NOW
from tests.support.hostile_values import TEXTS, hostile
from tests.support.postgresql import PostgresServer

EXTRA = "department"
DAY = Window(datetime(2026, 11, 23, tzinfo=timezone.utc), datetime(2026, 11, 24, tzinfo=timezone.utc))
BOUND = "CAST(:window_start AS TEXT) < CAST(:window_end AS TEXT)"
VALID = {"employee_id": "E{0}", "email": "person{0}@example.com", "first_name": "Ann", "last_name": "Hire"}

#: Whatever SQLite can store, as bytes and the type that they are cast to; text need not be UTF-8.
SQLITE_VALUES = st.one_of(
    st.tuples(st.just("TEXT"), TEXTS.map(lambda drawn: drawn.encode("utf-8", "surrogatepass"))),
    st.tuples(st.sampled_from(["TEXT", "BLOB"]), st.binary(max_size=40)),
    st.tuples(st.just("TEXT"), st.sampled_from([b"infinity", b"9999-12-31 23:59:59+00", b"12000-01-01", b"-44-03-15"])),
    st.tuples(st.just("INTEGER"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("REAL"), st.floats(allow_nan=False)),
)

#: Values of PostgreSQL by type, as SQL; most are beyond what Python can say.
POSTGRESQL_VALUES: dict[str, Sequence[str]] = {
    "date": ["infinity", "-infinity", "0044-03-15 BC", "4713-01-01 BC", "9999-12-31", "10000-01-01", "5874897-12-31"],
    "timestamp": ["infinity", "-infinity", "0001-01-01 BC", "9999-12-31 23:59:59.999999", "294276-12-31 23:59:59"],
    "timestamptz": [
        "infinity",
        "-infinity",
        "0044-03-15 BC",
        "9999-12-31 23:59:59+00",
        "9999-12-31 00:00-14",
        "12000-01-01 00:00+02",
    ],
    "time": ["24:00:00", "00:00:00"],
    "timetz": ["24:00:00+15:59", "00:00:00-15:59:59"],
    "interval": ["178000000 years", "-178000000 years", "1 mon 1 day"],
    "numeric": ["NaN", "1e100000", "-1e-16000", "0.5", "1.0"],
    "float8": ["NaN", "Infinity", "-Infinity", "1e308", "1.5"],
    "float4": ["NaN", "Infinity", "1.5"],
    "bigint": ["9223372036854775807", "0"],
    "boolean": ["true", "false"],
    "text": ["", "null", "\u200e\u202ex", "\U0010ffff", "infinity"],
    "bytea": ["\\xff", "\\x00"],
    "uuid": ["ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "json": ["null", "[1, null]", '["a", null]', "[" * 900 + "]" * 900, "9" * 5000, '{"a": "\\u0000"}', '"\\ud800"'],
    "jsonb": ["null", "[[]]", "9" * 5000, "1e1000"],
    "inet": ["::1", "10.0.0.1/8"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "money": ["-92233720368547758.08"],
    "bit(3)": ["101"],
    "point": ["(NaN,Infinity)"],
    "daterange": ["[-infinity,infinity]", "empty", "[0044-03-15 BC,)"],
    "tstzrange": ["[infinity,]", "(,)"],
    "datemultirange": ["{[10000-01-01,infinity)}"],
    "tsvector": ["a:1"],
    "date[]": ["{infinity,NULL}", "{}", "{{0044-03-15 BC}}"],
    "timestamptz[]": ["{infinity,-infinity}"],
    "interval[]": ["{178000000 years}"],
    "text[]": ["{NULL}", "{}", "{{a,b},{c,NULL}}", "[5:6]={a,b}"],
    "numeric[]": ["{NaN}"],
    "jsonb[]": ["{NULL}"],
    "name[]": ["{pg_catalog}"],
    "record": [],
}


def read(engine: Engine, column: str, values: Sequence[str]) -> list[SourceRow]:
    """Read a row for each value of a column, as SQL; they are valid but for it."""
    columns, selects = dict.fromkeys([*REQUIRED_COLUMNS, column]), []
    for number, value in enumerate(values):
        made = {name: valid(name, number) for name in columns} | {column: value}
        selects.append(f"SELECT {', '.join(f'{made[name]} AS {name}' for name in columns)} WHERE {BOUND}")
    return read_rows(engine, " UNION ALL ".join(selects), DAY, extra_columns=[EXTRA] if column == EXTRA else [])


def valid(column: str, number: int) -> str:
    """Return a valid value, as SQL."""
    return "'" + VALID[column].format(number) + "'" if column in VALID else "NULL"


def decide_about(rows: Sequence[SourceRow]) -> list[Decision]:
    """Decide about rows, and read them as those of the other two queries."""
    validated = validate_rows(rows, default_time_zone="America/New_York", now=NOW, extra_columns=[EXTRA])
    until = [SourceRow(row.row_no, {**row.values, "until": row.values.get("exclude_until")}) for row in rows]
    assert len(excluded_people(until, time_zone="America/New_York")) == len(rows)
    for row in rows:
        current_job(row, "America/New_York")
    return decide(validated, Facts(), PlanSettings(), now=NOW)


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def postgresql_url(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database().url()


@hostile
@given(column=st.sampled_from([*CONTRACT_COLUMNS, EXTRA]), value=SQLITE_VALUES)
def test_whatever_sqlite_stores_concerns_its_row_alone(
    ledger: LedgerDatabase, sqlite: Engine, column: str, value: tuple[str, bytes | int | float]
) -> None:
    kind, stored = value
    written = f"x'{stored.hex()}'" if isinstance(stored, bytes) else repr(stored).replace("inf", "9e999")
    rows = read(sqlite, column, [valid(column, 0), f"CAST({written} AS {kind})", valid(column, 2)])
    decisions = decide_about(rows)
    record(ledger, decisions)
    assert [decisions[0].decision, decisions[2].decision] == ["invite", "invite"]


@pytest.mark.parametrize("column", [*CONTRACT_COLUMNS, EXTRA])
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_whatever_postgresql_stores_concerns_its_row_alone(
    ledger: LedgerDatabase, postgresql_url: str, driver: str, column: str
) -> None:
    pytest.importorskip(driver)
    engine = create_engine(postgresql_url.replace("psycopg", driver))
    decisions: list[Decision] = []
    for kind, values in POSTGRESQL_VALUES.items():
        # Columns have one type: where a valid value has another, the rows around are without one.
        first, last = (valid(column, number) if kind == "text" else "NULL" for number in (0, len(values) + 1))
        written = ["'" + value.replace("'", "''") + "'" for value in values]
        rows = read(engine, column, [f"CAST({value} AS {kind})" for value in (first, *written, last)])
        assert len(rows) == len(values) + 2
        decided = decide_about(rows)
        if kind == "text" or column not in VALID:
            assert [decided[0].decision, decided[-1].decision] == ["invite", "invite"], kind
        decisions += decided
    engine.dispose()
    record(ledger, decisions)
