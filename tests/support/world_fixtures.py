"""Worlds on real SQLite and on real PostgreSQL, and a MariaDB for warehouses.

Airflow is imported with the first world: not in the process of pytest-xdist that only waits for the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer
    from tests.support.mariadb import MariaDbServer
    from tests.support.postgresql import PostgresServer
    from tests.support.world import World, WorldDatabase


@pytest.fixture(scope="session")
def sqlite_world_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorldDatabase]:
    """Make one SQLite database for all tests: it is empty for each."""
    from tests.support.world import world_database_on_sqlite

    with world_database_on_sqlite(tmp_path_factory.mktemp("world") / "warehouse.db") as made:
        yield made


@pytest.fixture(scope="session")
def postgresql_world_database(postgres_server: PostgresServer) -> Iterator[WorldDatabase]:
    """Make one PostgreSQL database for all tests."""
    from tests.support.world import world_database_on

    database = postgres_server.new_database()
    with world_database_on(database.url(), database.airflow_connection()) as made:
        yield made


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDbServer]:
    """Run one MariaDB for all tests."""
    from tests.support.mariadb import installed_mariadb, running_mariadb

    with running_mariadb(installed_mariadb()) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def world_database(request: pytest.FixtureRequest) -> WorldDatabase:
    """Return each database in turn."""
    from tests.support.world import WorldDatabase

    found = request.getfixturevalue(f"{request.param}_world_database")
    assert isinstance(found, WorldDatabase)
    return found


@pytest.fixture
def m3ter(m3ter_sandbox: SandboxServer) -> SandboxServer:
    """Return a local m3ter without limits."""
    from m3ter_provider import process_state

    m3ter_sandbox.switches(requests_per_second=0)
    process_state.forget_all()  # the tokens of the test before
    return m3ter_sandbox


@pytest.fixture
def world(world_database: WorldDatabase, m3ter: SandboxServer) -> World:
    """Return an empty organisation; each test runs on both databases."""
    return world_database.world(m3ter)


@pytest.fixture
def sqlite_world(sqlite_world_database: WorldDatabase, m3ter: SandboxServer) -> World:
    """Return an empty organisation on SQLite, where the rule is about m3ter and not about the database."""
    return sqlite_world_database.world(m3ter)
