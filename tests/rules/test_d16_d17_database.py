"""docs/delivery.md, rules 16 and 17: a ledger that can guard, and results for a warehouse that is another database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowException
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, func, insert, inspect, select, text
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from m3ter_onboarding.cli.command import main
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.errors import LedgerError, LedgerUnusableError, PlanError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.guard_proof import prove_guard
from m3ter_onboarding.ledger.mirror import policies_of
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, tables_in
from m3ter_onboarding.ledger.upgrades import upgrade_statements
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import airflow_connection_named, engine_of, sqlite_connection
from tests.support.hire_table import HIRES
from tests.support.postgresql import PostgresServer
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import DAY, WINDOW, World, world_database_on, world_database_on_sqlite

KEYS = (
    "uq_m3ter_invitation_generation",
    "uq_m3ter_invitation_live_email",
    "uq_m3ter_invitation_live_employee",
    "uq_m3ter_invitation_live_m3ter_id",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def own_world(request: pytest.FixtureRequest, m3ter: SandboxServer, tmp_path: Path) -> Iterator[World]:
    """Return a world on a database of its own, which a test may spoil."""
    if request.param == "sqlite":
        with world_database_on_sqlite(tmp_path / "own.db") as own:
            yield own.world(m3ter)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    database = server.new_database()
    with world_database_on(database.url(), database.airflow_connection()) as own:
        yield own.world(m3ter)


def run_sql(world: World, *statements: str) -> None:
    with world.db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


# -- D16: the proof ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [*([key] for key in KEYS), KEYS], ids=[*KEYS, "all"])
def test_d16_tables_without_their_keys_plan_and_do_not_send(own_world: World, keys: list[str]) -> None:
    world = own_world
    run_sql(world, *(f"DROP INDEX {key}" for key in keys))
    world.hire("e1", "e2")
    world.snapshot()
    plan = world.plan()
    assert plan.invitations == 2
    with pytest.raises(LedgerError, match="cannot guard against a second e-mail: a second"):
        world.send(plan)
    assert (world.posts(), world.states()) == (0, {})


def test_d16_proof_leaves_nothing_behind(world: World) -> None:
    prove_guard(world.db)
    prove_guard(world.db)
    tables = world.db.tables
    with world.db.engine.connect() as connection:
        for table in (tables.invitation, tables.event):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_d16_read_only_ledger_is_refused_before_the_first_e_mail(own_world: World) -> None:
    world = own_world
    world.hire("e1")
    world.snapshot()
    plan = world.plan()
    url = world.db.engine.url
    if url.get_backend_name() == "sqlite":
        engine = create_engine(f"sqlite:///file:{url.database}?mode=ro&uri=true", hide_parameters=True)
    else:
        engine = create_engine(
            url, hide_parameters=True, connect_args={"options": "-c default_transaction_read_only=on"}
        )
    kept, world.db = world.db, LedgerDatabase(engine, name="ledger", write_patience=0.2)
    with pytest.raises(LedgerError) as caught:
        world.send(plan)
    world.db.close()
    world.db = kept
    assert "proving that it can guard" in str(caught.value)
    assert world.posts() == 0
    world.send(plan)
    assert world.emails() == {"e1@example.com": 1}


def test_d16_full_disk_in_mid_transaction_is_named(m3ter: SandboxServer, tmp_path: Path) -> None:
    # SQLite rolls back by itself then: that the savepoint around the statement is gone must not hide why.
    with world_database_on_sqlite(tmp_path / "own.db") as own:
        world = own.world(m3ter)

        def write(connection: Connection) -> None:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # what the file has is the least
            with connection.begin_nested():
                connection.execute(insert(HIRES), [{"employee_id": "e" * 200}] * 500)

        with pytest.raises(LedgerError, match=r"recording answers: .*database or disk is full"):
            world.db.write(write, doing="recording answers")


def test_d16_tables_are_made_once_also_by_two_at_once(own_world: World) -> None:
    db = own_world.db
    for _ in range(2):
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="1")
    version = db.tables.schema_version
    with db.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(version)).scalar_one() == 1
    assert {index["name"] for index in inspect(db.engine).get_indexes("m3ter_invitation")} >= set(KEYS)


def test_d16_missing_tables_are_not_made_where_the_configuration_forbids_it(tmp_path: Path) -> None:
    db = LedgerDatabase(engine_of(f"sqlite:///{tmp_path / 'empty.db'}"))
    with pytest.raises(LedgerError, match="`create_tables` is false"):
        prepare_tables(db, create_tables=False, now=utc_now(), package_version="1")
    db.close()


def test_d16_tables_of_a_newer_version_are_left_alone(own_world: World) -> None:
    db = own_world.db
    with db.engine.begin() as connection:
        values = {"version": SCHEMA_VERSION + 1, "created_at": utc_now(), "package_version": "9"}
        connection.execute(insert(db.tables.schema_version).values(**values))
    with pytest.raises(LedgerError, match="Upgrade"):
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="1")


@pytest.fixture
def older_world(own_world: World) -> World:
    """Return a world whose ledger version 1 made, with a snapshot in it that knows no administrator."""
    own_world.db.tables.metadata.drop_all(own_world.db.engine)
    made = (
        Path(__file__).parent.parent
        / "onboarding"
        / "ledger"
        / "versions"
        / f"1.{own_world.db.engine.dialect.name}.sql"
    )
    run_sql(own_world, *made.read_text(encoding="utf-8").split(";")[:-1])
    org_id, now = own_world.m3ter.org_id, own_world.db.now_ms()
    run_sql(
        own_world,
        "INSERT INTO m3ter_onboarding_schema VALUES (1, CURRENT_TIMESTAMP, '0')",
        f"INSERT INTO m3ter_mirror_org (org_id, complete_ms) VALUES ('{org_id}', {now})",
        "INSERT INTO m3ter_mirror_policy (org_id, m3ter_id, name, version, managed, first_seen_ms, last_seen_ms, gone)"
        f" VALUES ('{org_id}', 'analyst', 'Analyst', 1, false, {now}, {now}, false)",
    )
    own_world.m3ter.seed(policies=[{"id": "analyst", "name": "Analyst"}])
    own_world.hire("e1")
    return own_world


def versions(world: World) -> list[int]:
    with world.db.engine.connect() as connection:
        return sorted(connection.execute(select(world.db.tables.schema_version.c.version)).scalars())


def test_d16_tables_of_an_older_version_are_brought_up_to_date(older_world: World) -> None:
    world = older_world
    for _ in range(2):
        prepare_tables(world.db, create_tables=True, now=utc_now(), package_version="2")
    assert versions(world) == [1, SCHEMA_VERSION]
    after = inspect(world.db.engine)
    with world.db.engine.connect() as connection:
        known = {
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
            "postgresql": "SELECT indexname FROM pg_indexes",
        }[connection.dialect.name]
        indexes = set(connection.execute(text(known)).scalars())
    for table in world.db.tables.all():
        assert {column["name"] for column in after.get_columns(table.name)} == set(table.columns.keys())
        assert {index.name for index in table.indexes} <= indexes
    # What was read before says nothing about administrators: there is no plan until m3ter was read again.
    with pytest.raises(PlanError, match="Clear the task `snapshot`"):
        world.plan(permission_policies=["Analyst"])
    assert all(policy.administrator_like for policy in policies_of(world.db, world.m3ter.org_id))
    world.whole_run("again", permission_policies=["Analyst"])
    assert world.emails() == {"e1@example.com": 1}


def test_d16_two_tasks_at_once_bring_tables_up_to_date_once(older_world: World) -> None:
    def prepare(_: int) -> None:
        prepare_tables(older_world.db, create_tables=True, now=utc_now(), package_version="2")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, range(4)))
    assert versions(older_world) == [1, SCHEMA_VERSION]


def test_d16_statements_are_named_where_tables_may_not_be_changed(older_world: World) -> None:
    world = older_world
    with pytest.raises(LedgerUnusableError, match="`create_tables` is false") as caught:
        prepare_tables(world.db, create_tables=False, now=utc_now(), package_version="2")
    assert versions(world) == [1]
    run_sql(world, *filter(str.strip, str(caught.value).partition("has run: ")[2].split(";")))
    prepare_tables(world.db, create_tables=False, now=utc_now(), package_version="2")
    assert versions(world) == [1, SCHEMA_VERSION]
    with world.db.engine.connect() as connection:
        assert connection.execute(select(func.count(world.db.tables.schema_version.c.created_at))).scalar_one() == 2
        assert all(row.created_at for row in connection.execute(select(world.db.tables.schema_version)))
    world.whole_run()
    assert world.emails() == {"e1@example.com": 1}


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_d16_every_older_version_has_its_steps(version: int) -> None:
    statements = upgrade_statements(sqlite_dialect(), tables_in("hr"), version)
    assert statements[-1].startswith(
        f"INSERT INTO hr.m3ter_onboarding_schema (version, created_at, package_version) VALUES ({SCHEMA_VERSION}"
    )
    assert all(" hr." in statement for statement in statements)


class ForgetfulDriver:
    """A driver whose COMMIT goes through and whose answer gets lost, every so often."""

    def __init__(self, every: int) -> None:
        self.every, self.commits, self.lost = every, 0, 0

    def committed(self) -> bool:
        self.commits += 1
        if self.commits % self.every:
            return False
        self.lost += 1
        return True


def forgetful_engine(url: Any, driver: ForgetfulDriver) -> Engine:
    class LossySqlite(sqlite3.Connection):
        def commit(self) -> None:
            written = self.in_transaction
            super().commit()
            if written and driver.committed():
                raise sqlite3.OperationalError("database is locked")

    class LossyPostgres(psycopg.Connection[Any]):
        def commit(self) -> None:
            super().commit()
            if driver.committed():
                self.close()
                raise psycopg.OperationalError("server closed the connection unexpectedly")

    if url.get_backend_name() == "sqlite":

        def creator() -> Any:
            return sqlite3.connect(str(url.database), check_same_thread=False, factory=LossySqlite)

    else:

        def creator() -> Any:
            return LossyPostgres.connect(host=url.query["host"], user=url.username, dbname=url.database)

    return create_engine(url, creator=creator, poolclass=NullPool, hide_parameters=True)


@pytest.mark.parametrize("every", [2, 3, 5])
def test_d10_commit_whose_answer_got_lost_is_repeated_without_harm(world: World, every: int) -> None:
    people = [f"e{n}" for n in range(12)]
    world.hire(*people)
    driver = ForgetfulDriver(every)
    kept = world.db
    world.db = LedgerDatabase(forgetful_engine(kept.engine.url, driver), name="ledger", sleep=lambda _s: None)
    world.m3ter.faults(operation="CreateOrgUserInvitation", kind="status", status=504, when="after", count=2, skip=3)
    world.whole_run()
    world.db.close()
    world.db = kept
    assert driver.lost > 3
    assert world.emails() == {f"{name}@example.com": 1 for name in people}
    assert set(world.states().values()) == {"sent"}
    for name in people:
        assert [e for e in world.events(name) if e[1] == "sending"] == [(None, "sending", "claimed")]


# -- D17: another warehouse --------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite_warehouse", "postgresql_warehouse"])
def split(
    request: pytest.FixtureRequest, m3ter: SandboxServer, tmp_path: Path
) -> Iterator[tuple[World, Engine, Callable[..., None]]]:
    """Return a world whose ledger is in the other kind of database, the warehouse, and how to load it."""
    path = tmp_path / "warehouse.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    database = server.new_database()
    places = [(f"sqlite:///{path}", sqlite_connection(path)), (database.url(), database.airflow_connection())]
    if request.param == "postgresql_warehouse":
        places.reverse()
    (warehouse_url, warehouse_connection), (ledger_url, ledger_connection) = places
    warehouse = engine_of(warehouse_url)
    HIRES.create(warehouse)

    def load(*employees: str) -> None:
        with warehouse.begin() as connection:
            for employee in employees:
                row = {
                    "employee_id": employee,
                    "email": f"{employee}@example.com",
                    "first_name": "Given",
                    "last_name": "Family",
                    "loaded_at": DAY - timedelta(hours=12),
                }
                connection.execute(insert(HIRES), row)

    with (
        airflow_connection_named(warehouse_connection) as warehouse_conn_id,
        world_database_on(ledger_url, ledger_connection) as own,
    ):
        world = own.world(m3ter, ledger_conn_id=own.conn_id)
        world.warehouse_conn_id = warehouse_conn_id
        with m3ter_connection(world):
            yield world, warehouse, load
    warehouse.dispose()


def published(warehouse: Engine, table: str) -> list[Any]:
    with warehouse.connect() as connection:
        return list(connection.execute(text(f"SELECT * FROM {table} ORDER BY email_key")))


def test_d17_results_are_published_to_the_warehouse(split: tuple[World, Engine, Callable[..., None]]) -> None:
    world, warehouse, load = split
    load("e1", "e2", "no-address@")
    run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end)).all()
    decisions = published(warehouse, "m3ter_onboarding_decision")
    assert sorted(f"{row.employee_id} {row.decision}" for row in decisions) == [
        "e1 invite",
        "e2 invite",
        "no-address@ invalid",
    ]
    assert [row.state for row in published(warehouse, "m3ter_invitation")] == ["sent", "sent"]

    run.report()  # cleared: what was published is replaced
    assert len(published(warehouse, "m3ter_onboarding_decision")) == 3
    assert len(published(warehouse, "m3ter_invitation")) == 2

    world.m3ter.accept("e1@example.com")
    TaskRun(world, "run-2", (WINDOW.start, WINDOW.end)).all()
    assert len(published(warehouse, "m3ter_onboarding_decision")) == 6
    assert [row.state for row in published(warehouse, "m3ter_invitation")] == ["accepted", "sent"]


def test_d17_results_go_into_tables_that_a_person_made(
    split: tuple[World, Engine, Callable[..., None]], capsys: pytest.CaptureFixture[str]
) -> None:
    world, warehouse, load = split
    load("e1")
    prepare_tables(world.db, create_tables=True, now=utc_now(), package_version="0")
    world.values["create_tables"] = False
    run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end))
    with pytest.raises(AirflowException, match="ddl --published"):
        run.all()
    capsys.readouterr()
    assert main(["ddl", "--published", "--dialect", warehouse.dialect.name]) == 0
    script = capsys.readouterr().out
    assert script.count("CREATE TABLE") == 10
    with warehouse.begin() as connection:
        for statement in script.split(";"):
            connection.execute(text(statement or "SELECT 1"))
    run.report()
    assert [row.decision for row in published(warehouse, "m3ter_onboarding_decision")] == ["invite"]
    assert [row.state for row in published(warehouse, "m3ter_invitation")] == ["sent"]


def test_d17_publishing_that_fails_is_reported_and_loses_nothing(
    split: tuple[World, Engine, Callable[..., None]], caplog: pytest.LogCaptureFixture
) -> None:
    world, warehouse, load = split
    load("e1")
    with warehouse.begin() as connection:  # something of that name stands in the way
        connection.execute(text("CREATE TABLE m3ter_invitation (unrelated INTEGER)"))
    run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end))
    with pytest.raises(AirflowException, match="could not be published") as caught:
        run.all()
    assert "e1@" not in str(caught.value)
    assert (run.xcoms["pushed:report"]["outcome"], world.outcome("run-1")) == ("failed", "failed")
    assert world.states() == {"e1@example.com": "sent"}
    with warehouse.begin() as connection:
        connection.execute(text("DROP TABLE m3ter_invitation"))
    run.report()
    assert [row.state for row in published(warehouse, "m3ter_invitation")] == ["sent"]
    assert (run.xcoms["pushed:report"]["outcome"], world.outcome("run-1")) == ("success", "success")


def test_d17_tables_are_published_without_a_view_where_that_is_asked_for(
    split: tuple[World, Engine, Callable[..., None]],
) -> None:
    world, warehouse, load = split
    load("e1")
    world.values["publish"] = "tables"
    TaskRun(world, "run-1", (WINDOW.start, WINDOW.end)).all()
    assert [row.state for row in published(warehouse, "m3ter_invitation")] == ["sent"]
    assert inspect(warehouse).get_view_names() == []
    world.values["publish"] = True
    TaskRun(world, "run-2", (WINDOW.start, WINDOW.end)).all()
    assert inspect(warehouse).get_view_names() == ["m3ter_onboarding_person"]


def test_d17_ledger_in_the_warehouse_publishes_nothing(world: World) -> None:
    world.hire("e1")
    written: list[str] = []

    def note(_c: Any, _cur: Any, statement: str, *_rest: Any) -> None:
        written.append(statement)

    event.listen(world.db.engine, "before_cursor_execute", note)
    try:
        with m3ter_connection(world):
            TaskRun(world, "run-1", (WINDOW.start, WINDOW.end)).all()
    finally:
        event.remove(world.db.engine, "before_cursor_execute", note)
    assert not any("DELETE FROM m3ter_invitation" in statement for statement in written)
    assert world.emails() == {"e1@example.com": 1}
