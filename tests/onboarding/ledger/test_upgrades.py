"""Ledgers of every older version are brought up to date: with all that is in them, and to the same tables."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from m3ter_onboarding.cli.command import main
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.guard_proof import prove_guard
from m3ter_onboarding.ledger.known_hosts import Confirmation, Place, confirm_host, known_host
from m3ter_onboarding.ledger.plans import PlannedPolicy, read_plan
from m3ter_onboarding.ledger.schema import prepare_tables, tables_version
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, tables_in
from m3ter_onboarding.ledger.upgrades import upgrade_steps
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import airflow_connection_named, engine_of, sqlite_connection
from tests.support.hire_table import HIRES
from tests.support.older_ledgers import VERSIONS, described_tables, load_ledger, run_script
from tests.support.postgresql import PostgresServer
from tests.support.world import World

#: The steps as they were released. A file that is in here never changes; a new step adds its two.
RELEASED = {
    "0002_administrator_like.postgresql.sql": "b6e9f8e8c0925bea010c1e46da9e74bfb294c37109ffd505d16f2d20b64a33b8",
    "0002_administrator_like.sqlite.sql": "1382f2a9e8acae82f069b87ce5d05cb536076d4c91cd4a243fefd5c4fa5455d2",
    "0003_answers_and_lists.postgresql.sql": "e4293567ef081e6a49cc5e557004620317dc741231a0dabd90c0124d8e99a66e",
    "0003_answers_and_lists.sqlite.sql": "8c6fe1d5e9ced96a17c0d1140893a4bea1f849bf9eb837ebfd8b546e718f727d",
    "0004_worklist.postgresql.sql": "80a7580816b2080ee9bce40494b4b940176ee7fb53069bf28913591f434a6f48",
    "0004_worklist.sqlite.sql": "1761e2f062973950e7230ef8e6c7220b2764c20b912543aed72cd83a16598d10",
}
MIGRATIONS = files("m3ter_onboarding.ledger").joinpath("migrations")
DIALECTS = (sqlite.dialect(), postgresql.dialect())
ALL_VERSIONS = range(1, SCHEMA_VERSION + 1)
of_older_versions = pytest.mark.parametrize("older_world", range(1, SCHEMA_VERSION), indirect=True)


# -- the files ---------------------------------------------------------------------------------------------------------


def test_released_steps_never_change() -> None:
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in MIGRATIONS.iterdir()}
    assert found == RELEASED


def test_every_version_has_one_step_and_one_ledger_for_each_database() -> None:
    for dialect in DIALECTS:
        steps = [name for name in sorted(RELEASED) if name.endswith(f".{dialect.name}.sql")]
        assert [int(name[:4]) for name in steps] == list(range(2, SCHEMA_VERSION + 1))
        for version in ALL_VERSIONS:
            assert (VERSIONS / f"{version}.{dialect.name}.sql").exists()
            assert (VERSIONS / f"{version}.{dialect.name}.rows.sql").exists()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_step_says_at_its_head_whether_it_is_safe_before_workers_are_upgraded(dialect: Any) -> None:
    for step in upgrade_steps(dialect, tables_in(None), 1):
        assert step.about.startswith(f"-- Version {step.version}: ")
        assert "-- Before workers are upgraded it is " in step.about
        assert step.statements


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_step_names_each_table_in_the_configured_schema(dialect: Any) -> None:
    for schema, written in ((None, ""), ("hr", "hr."), ("order", '"order".'), ("Mixed", '"Mixed".')):
        for step in upgrade_steps(dialect, tables_in(schema), 1):
            for statement in step.statements:
                assert not re.search(r"--|[{}%]", statement)
                named = rf"(?:TABLE(?: IF NOT EXISTS)?|UPDATE|ON) {re.escape(written)}m3ter_"
                dropped = rf"DROP INDEX IF EXISTS {re.escape(written)}(?:ix|uq)_m3ter_"
                assert re.search(f"{named}|{dropped}", statement)


# -- real ledgers ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_world(request: pytest.FixtureRequest, m3ter: SandboxServer, tmp_path: Path) -> Iterator[World]:
    """Return a world whose database has a table of hires and no ledger."""
    if request.param == "sqlite":
        url, connection = f"sqlite:///{tmp_path / 'own.db'}", sqlite_connection(tmp_path / "own.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database = server.new_database()
        url, connection = database.url(), database.airflow_connection()
    with airflow_connection_named(connection) as conn_id:
        db = LedgerDatabase(engine_of(url), name=conn_id, write_patience=5.0)
        HIRES.create(db.engine)
        yield World(m3ter, db, conn_id)
        db.close()


@pytest.fixture(params=ALL_VERSIONS)
def older_world(request: pytest.FixtureRequest, empty_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world with the ledger of an older version, and a m3ter that holds what the ledger says."""
    monkeypatch.setenv("AIRFLOW_VAR_M3TER_ONBOARDING_ERASURE_SECRET", "the secret of an older ledger")
    load_ledger(empty_world.db.engine, request.param)
    rows = kept_rows(empty_world.db.engine)["m3ter_invitation"]
    empty_world.m3ter.seed(
        policies=[{"id": "analyst", "name": "Analyst", "version": 7}],
        invitations=[
            {"id": row["m3ter_id"], "email": row["email"], "dtExpiry": "2099-12-31T00:00:00Z"}
            for row in rows
            if row["state"] in ("sent", "adopted")
        ],
        users=[{"id": row["m3ter_user_id"], "email": row["email"]} for row in rows if row["state"] == "accepted"],
    )
    return empty_world


def kept_rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Return every row of the ledger's tables as the database has it, by table."""
    with engine.connect() as connection:
        return {
            table: sorted((dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {table}"))), key=repr)
            for table in sorted(inspect(engine).get_table_names())
            if table.startswith("m3ter_")
        }


def prepare(db: LedgerDatabase, *, create_tables: bool = True) -> None:
    prepare_tables(db, create_tables=create_tables, now=utc_now(), package_version="0")


def assert_kept(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> None:
    """Check that each row of before is still there, as it was; columns and tables that came are empty."""
    assert set(before) <= set(after)
    assert not any(rows for table, rows in after.items() if table not in before)
    for table, rows in before.items():
        if table == "m3ter_onboarding_schema":
            continue
        assert rows, f"the ledger of the older version has nothing in {table}"
        known = set(rows[0])
        expected = [
            {**row, "complete_ms": None} if table == "m3ter_mirror_org" and added_in_2(before) else row for row in rows
        ]
        assert [{name: value for name, value in row.items() if name in known} for row in after[table]] == expected
        assert all(value is None for row in after[table] for name, value in row.items() if name not in known)


def added_in_2(before: dict[str, list[dict[str, Any]]]) -> bool:
    """Return whether step 2 is still to come: it lets m3ter be read again before anybody is planned."""
    return "administrator_like" not in before["m3ter_mirror_policy"][0]


def test_ledger_of_every_version_is_kept_and_gets_the_tables_of_today(older_world: World) -> None:
    engine = older_world.db.engine
    before = kept_rows(engine)
    prepare(older_world.db)
    prepare(older_world.db)
    assert tables_version(older_world.db) == SCHEMA_VERSION
    assert_kept(before, kept_rows(engine))
    assert described_tables(engine) == described_fresh(older_world)
    prove_guard(older_world.db)


def described_fresh(world: World) -> dict[str, list[Any]]:
    """Return what the same database says of tables that were just made."""
    world.db.tables.metadata.drop_all(world.db.engine)
    prepare(world.db)
    described = described_tables(world.db.engine)
    assert len(described["columns"]) > 100
    assert len(described["indexes"]) > 30
    return described


def test_ledger_of_every_version_sends_after_the_upgrade_and_nobody_twice(older_world: World) -> None:
    world = older_world
    prepare(world.db)
    states = world.states()
    assert states == {
        "accepted@example.com": "accepted",
        "adopted@example.com": "adopted",
        "member@example.com": "accepted",
        "refused@example.com": "failed",
        "sent@example.com": "sent",
    }
    if (known := known_host(world.db, world.m3ter.org_id)) is not None:  # the server of then had another port
        here = Place(world.m3ter.org_id, world.m3ter.url)
        assert confirm_host(world.db, Confirmation(here, known, "olga", world.now()))
    world.hire("accepted", "adopted", "member", "sent", "new")
    world.whole_run("after", permission_policies=["Analyst"])
    assert world.emails() == {"new@example.com": 1}
    assert world.states() == {**states, "new@example.com": "sent"}
    assert [event[1] for event in world.events("new")] == ["sending", "sent"]


def test_plans_of_every_version_can_be_read(older_world: World) -> None:
    prepare(older_world.db)
    for row in kept_rows(older_world.db.engine)["m3ter_onboarding_plan"]:
        plan = read_plan(older_world.db, row["plan_id"])
        assert plan is not None
        assert (plan.state, plan.expired, plan.rejected_at) == ("sealed", True, None)
        assert plan.policies == (PlannedPolicy("analyst", "Analyst", 7, administrator_like=False),)


@of_older_versions
def test_printed_upgrade_does_the_same_and_may_be_run_again(
    older_world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = older_world.db.engine
    version, before = tables_version(older_world.db), kept_rows(engine)
    capsys.readouterr()
    assert main(["ddl", "--dialect", engine.dialect.name, "--upgrade-from", str(version)]) == 0
    script = capsys.readouterr().out
    run_script(engine, script)
    prepare(older_world.db, create_tables=False)
    assert_kept(before, kept_rows(engine))
    with engine.begin() as connection:  # a snapshot of the new workers
        connection.execute(text("UPDATE m3ter_mirror_org SET complete_ms = 4711"))
    upgraded = kept_rows(engine)
    if engine.dialect.name == "postgresql":
        run_script(engine, script)
    else:  # as SQLite's shell, which goes on after "duplicate column": there is no ADD COLUMN IF NOT EXISTS
        for statement in re.sub(r"(?m)^--.*$", "", script).split(";"):
            with suppress(OperationalError), engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)
    assert kept_rows(engine) == upgraded
    assert described_tables(engine) == described_fresh(older_world)


@of_older_versions
def test_upgrade_goes_on_where_a_person_began_it_by_hand(older_world: World) -> None:
    engine = older_world.db.engine
    version = tables_version(older_world.db)
    assert version is not None
    begun = [step.statements[0] for step in upgrade_steps(engine.dialect, older_world.db.tables, version)]
    run_script(engine, ";".join(begun))
    prepare(older_world.db)
    assert tables_version(older_world.db) == SCHEMA_VERSION
    assert described_tables(engine) == described_fresh(older_world)
