"""``m3ter-onboarding ddl``: the printed SQL makes the tables that the package makes, and tasks need no right to."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlglot
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import ProgrammingError

from m3ter_onboarding.cli.command import main
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.databases.kinds import KINDS
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.guard_proof import prove_guard
from m3ter_onboarding.ledger.schema import prepare_tables, tables_version
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, tables_in
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import airflow_connection_named, engine_of
from tests.support.hire_table import HIRES
from tests.support.postgresql import PostgresDatabase
from tests.support.recording_driver import stand_in_dialects
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World

VERSIONS = Path(__file__).parent.parent / "ledger" / "versions"
SCHEMA = "onboarding"
ROLE = "airflow tasks"  # must be quoted


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    assert main(["ddl", *options]) == 0
    return capsys.readouterr().out


def run_as_owner(database: PostgresDatabase, sql: str) -> None:
    with psycopg.connect(host=str(database.folder), user="postgres", dbname=database.name, autocommit=True) as c:
        c.execute(sql.encode())


def made_on_sqlite(file: Path) -> dict[str, str]:
    """Return the statements of the ledger's tables and indexes, as the database keeps them, by name."""
    with closing(sqlite3.connect(file)) as database:
        kept = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: re.sub(r"\s+", "", sql) for name, sql in kept}


def made_on_postgresql(engine: Engine, schema: str | None) -> dict[str, Any]:
    """Describe the ledger's tables as the database knows them."""
    look = inspect(engine)
    indexes = text("SELECT indexdef FROM pg_indexes WHERE schemaname = :schema AND tablename = :table ORDER BY 1")
    with engine.connect() as connection:
        return {
            table: {
                "columns": [
                    (c["name"], str(c["type"]), c["nullable"], str(c["default"]).replace(f"{schema}.", ""))
                    for c in look.get_columns(table, schema=schema)
                ],
                "indexes": connection.execute(indexes, {"schema": schema or "public", "table": table}).scalars().all(),
            }
            for table in sorted(look.get_table_names(schema=schema))
            if table.startswith("m3ter_")
        }


def test_sqlite_gets_the_tables_that_the_package_makes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sql = printed(capsys, "--dialect", "sqlite")
    with closing(sqlite3.connect(tmp_path / "printed.db")) as database:
        database.executescript(sql)
        database.executescript(sql)  # again: nothing happens
    by_hand, by_us = (create_engine(f"sqlite:///{tmp_path / name}.db") for name in ("printed", "made"))
    ledger = LedgerDatabase(by_us)
    prepare_tables(ledger, create_tables=True, now=utc_now(), package_version="0")
    assert made_on_sqlite(tmp_path / "printed.db") == made_on_sqlite(tmp_path / "made.db")
    assert len(made_on_sqlite(tmp_path / "made.db")) > 20
    assert tables_version(LedgerDatabase(by_hand)) == SCHEMA_VERSION
    prove_guard(LedgerDatabase(by_hand))
    for engine in (by_hand, by_us):
        engine.dispose()


@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_postgresql_gets_the_tables_that_the_package_makes(
    capsys: pytest.CaptureFixture[str],
    postgres_server: Any,
    schema: str | None,
) -> None:
    by_hand, by_us = postgres_server.new_database(), postgres_server.new_database()
    sql = printed(capsys, *(["--schema", schema] if schema else []))
    run_as_owner(by_hand, sql)
    run_as_owner(by_hand, sql)
    run_as_owner(by_us, f"CREATE SCHEMA {schema or 'unused'}")
    engines = [create_engine(database.url()) for database in (by_hand, by_us)]
    prepare_tables(LedgerDatabase(engines[1], schema=schema), create_tables=True, now=utc_now(), package_version="0")
    described = made_on_postgresql(engines[0], schema)
    assert described == made_on_postgresql(engines[1], schema)
    assert len(described) == len(tables_in(schema).all())
    assert tables_version(LedgerDatabase(engines[0], schema=schema)) == SCHEMA_VERSION
    for engine in engines:
        engine.dispose()


@pytest.fixture
def world_of_a_role(
    capsys: pytest.CaptureFixture[str], postgres_database: PostgresDatabase, m3ter: SandboxServer, tmp_path: Path
) -> Iterator[World]:
    """An organisation whose tasks are a role that may make nothing; its tables are those of the printed SQL."""
    config = tmp_path / "acme.yaml"
    (tmp_path / "hires.sql").write_text("SELECT :window_start, :window_end")
    config.write_text(f"name: acme\nwarehouse_conn_id: w\nquery: hires.sql\nledger_schema: {SCHEMA}\n")
    run_as_owner(postgres_database, f'DROP ROLE IF EXISTS "{ROLE}"; CREATE ROLE "{ROLE}" LOGIN;')
    run_as_owner(postgres_database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    run_as_owner(postgres_database, printed(capsys, str(config), "--role", ROLE))
    owner = create_engine(postgres_database.url())
    HIRES.create(owner)
    with owner.begin() as connection:
        connection.execute(text(f'GRANT SELECT, INSERT ON hires TO "{ROLE}"'))
    content = {**json.loads(postgres_database.airflow_connection()), "login": ROLE}
    url = postgres_database.url().replace("postgres@", "airflow tasks@")
    with airflow_connection_named(json.dumps(content)) as conn_id:
        db = LedgerDatabase(engine_of(url), schema=SCHEMA, name=conn_id)
        yield World(m3ter, db, conn_id, {"ledger_schema": SCHEMA, "create_tables": False})
        db.close()
    run_as_owner(postgres_database, f'DROP OWNED BY "{ROLE}"; DROP ROLE "{ROLE}"')
    owner.dispose()


def test_a_role_that_may_make_no_tables_sends(world_of_a_role: World) -> None:
    world = world_of_a_role
    for schema in ("public", SCHEMA):
        with world.db.engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(f"CREATE TABLE {schema}.mine (a INTEGER)"))
    world.hire("e1", "e2")
    with m3ter_connection(world):
        run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end)).all()
        again = TaskRun(world, "run-2", (WINDOW.start, WINDOW.end)).all()
    assert world.emails() == {"e1@example.com": 1, "e2@example.com": 1}
    assert run.xcoms["pushed:report"]["outcome"] == "success"
    assert again.xcoms["plan"]["counts"] == {"skip:already_invited": 2}


def test_existing_tables_keep_their_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(printed(capsys, "--dialect", "sqlite"))
        database.execute("UPDATE m3ter_onboarding_schema SET version = 99")
        database.commit()
        database.executescript(printed(capsys, "--dialect", "sqlite"))
        assert database.execute("SELECT version FROM m3ter_onboarding_schema").fetchall() == [(99,)]


def test_an_upgrade_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    sql = printed(capsys, "--upgrade-from", "1", "--schema", SCHEMA)
    assert f"ALTER TABLE {SCHEMA}." in sql
    assert f"VALUES ({SCHEMA_VERSION}, CURRENT_TIMESTAMP" in sql
    # Only tables that came later are made.
    of_version_1 = (VERSIONS / "1.postgresql.sql").read_text(encoding="utf-8")
    there = set(re.findall(r"CREATE TABLE (\w+)", of_version_1))
    made = set(re.findall(rf"CREATE TABLE (?:IF NOT EXISTS )?{SCHEMA}\.(\w+)", sql))
    assert there
    assert not made & there
    assert sql.count("CREATE TABLE") == len(made)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--dialect", "sqlite", "--schema", "x"], 2, "SQLite has no schemas"),
        (["--dialect", "sqlite", "--role", "x"], 2, "SQLite has no roles"),
        (["--schema", "no good"], 2, "--schema 'no good'"),
        (["--upgrade-from", str(SCHEMA_VERSION)], 2, "--upgrade-from"),
        (["--upgrade-from", "0"], 2, "--upgrade-from"),
        (["--dialect", "snowflake"], 2, "see --published"),
        (["--published", "--role", "x", "--schema", "y"], 2, "leave out schema, role"),
        (["--published", "--dialect", "no_such"], 2, "SQLAlchemy does not know it here"),
        (["no_such.yaml"], 1, "no_such.yaml does not exist"),
    ],
)
def test_impossible_options_are_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], status: int, said: str
) -> None:
    assert main(["ddl", *options]) == status
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_a_schema_that_tasks_would_not_look_into_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "acme.yaml"
    (tmp_path / "hires.sql").write_text("SELECT :window_start, :window_end")
    config.write_text("name: acme\nwarehouse_conn_id: w\nquery: hires.sql\nledger_schema: here\n")
    assert main(["ddl", str(config), "--schema", "there"]) == 2
    error = capsys.readouterr().err
    assert "ledger_schema" in error
    assert str(config) in error


#: Each dialect, and how the parser calls it. Two of them stand for their own, see ``recording_driver``.
PARSED_AS = {
    "mssql": "tsql",
    "oracle": "oracle",
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgresql": "postgres",
    "duckdb": "duckdb",
    "bigquery": "bigquery",
    "redshift": "redshift",
    "trino": "trino",
    "snowflake": "snowflake",
    "databricks": "databricks",
}


def published(capsys: pytest.CaptureFixture[str], dialect: str) -> str:
    with stand_in_dialects():
        return printed(capsys, "--published", "--dialect", dialect)


@pytest.mark.parametrize("dialect", PARSED_AS)
def test_tables_of_results_are_written_in_the_words_of_each_warehouse(
    capsys: pytest.CaptureFixture[str], dialect: str
) -> None:
    script = published(capsys, dialect)
    statements = [
        statement
        for batch in re.split(r"(?m)^GO$", script)
        for statement in sqlglot.parse(batch, read=PARSED_AS[dialect])
        if statement is not None
    ]
    kinds = [statement.key for statement in statements]
    assert not {"command", "semicolon"} & set(kinds), "understood to the end"
    assert len(statements) == 11
    assert "m3ter_onboarding_person" in script


@pytest.mark.parametrize("kind", KINDS)
def test_every_warehouse_that_init_knows_has_its_tables_printed(kind: str) -> None:
    assert KINDS[kind].dialect in {*PARSED_AS, "sqlite"}


def test_sql_server_gets_t_sql_and_unicode(capsys: pytest.CaptureFixture[str]) -> None:
    script = published(capsys, "mssql")
    assert "IF NOT EXISTS" not in script
    texts = script.replace("row_version VARCHAR(64)", "")  # a hash in hexadecimal digits
    assert not re.search(r"(?<!N)VARCHAR|\bTEXT\b|OR REPLACE|\|\||DATETIME ", texts)
    batches = [batch.strip() for batch in re.split(r"(?m)^GO$", script) if batch.strip()]
    assert batches[-1].startswith("CREATE OR ALTER VIEW m3ter_onboarding_person AS")
    assert all("IF OBJECT_ID(N'" in batch for batch in batches[:-1])
    # Its own comparison takes E1 and e1 for one person.
    assert batches[-1].count("COLLATE Latin1_General_100_BIN2 AS person_key") == 3


@pytest.mark.parametrize(
    ("dialect", "instant"),
    [
        ("oracle", "TIMESTAMP WITH TIME ZONE"),
        ("mysql", "DATETIME(6)"),
        ("duckdb", "TIMESTAMP WITH TIME ZONE"),
        ("bigquery", "TIMESTAMP"),
        ("redshift", "TIMESTAMP WITH TIME ZONE"),
        ("trino", "TIMESTAMP(6) WITH TIME ZONE"),
        ("mssql", "DATETIMEOFFSET"),
        ("databricks", "TIMESTAMP"),
    ],
)
def test_instants_keep_zone_and_parts_of_a_second(
    capsys: pytest.CaptureFixture[str], dialect: str, instant: str
) -> None:
    assert re.search(rf"finished_at[`\"]? {re.escape(instant)}( NULL)?,\n", published(capsys, dialect))


@pytest.mark.parametrize(
    ("dialect", "word"),
    [
        ("mysql", "CHARSET=utf8mb4 COLLATE utf8mb4_bin"),  # else the alphabet of the database's default
        ("mysql", "counts LONGTEXT"),  # else 64 KiB
        ("redshift", "config_name VARCHAR(800)"),  # 200 characters of at most four bytes
        ("oracle", "may_invite SMALLINT"),  # BOOLEAN is known from version 23
        ("duckdb", '"at" TIMESTAMP'),  # without quotes it is no name there
    ],
)
def test_every_character_and_every_name_has_room(capsys: pytest.CaptureFixture[str], dialect: str, word: str) -> None:
    script = published(capsys, dialect)
    assert word in script
    assert ("IF NOT EXISTS" in script) == (dialect != "oracle")


def test_a_dialect_that_is_not_installed_is_named_with_its_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ddl", "--published", "--dialect", "databricks"]) == 2
    said = capsys.readouterr().err
    assert "install airflow-provider-m3ter[databricks]" in said
    assert "databricks-sqlalchemy" in said
