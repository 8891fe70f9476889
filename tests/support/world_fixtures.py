"""Worlds on real SQLite and on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from m3ter_provider import process_state
from m3ter_sandbox.testing import SandboxServer
from tests.support.postgresql import PostgresServer
from tests.support.world import Stage, World, sqlite_connection, stage_on


@pytest.fixture(scope="session")
def sqlite_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Make one SQLite database for all tests: statements are compiled once."""
    path = tmp_path_factory.mktemp("world") / "warehouse.db"
    with stage_on(f"sqlite:///{path}", sqlite_connection(path)) as stage:
        yield stage


@pytest.fixture(scope="session")
def postgresql_stage(postgres_server: PostgresServer) -> Iterator[Stage]:
    """Make one PostgreSQL database for all tests."""
    database = postgres_server.new_database()
    with stage_on(database.url(), database.airflow_connection()) as stage:
        yield stage


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """Return each database in turn."""
    found = request.getfixturevalue(f"{request.param}_stage")
    assert isinstance(found, Stage)
    return found


@pytest.fixture
def m3ter(m3ter_sandbox: SandboxServer) -> SandboxServer:
    """Return a local m3ter without limits."""
    m3ter_sandbox.switches(requests_per_second=0)
    process_state.forget_all()  # the tokens of the test before
    return m3ter_sandbox


@pytest.fixture
def world(stage: Stage, m3ter: SandboxServer) -> World:
    """Return an empty organisation; each test runs on both databases."""
    return stage.world(m3ter)


@pytest.fixture
def sqlite_world(sqlite_stage: Stage, m3ter: SandboxServer) -> World:
    """Return an empty organisation on SQLite, where the rule is about m3ter and not about the database."""
    return sqlite_stage.world(m3ter)
