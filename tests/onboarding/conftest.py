"""Worlds on real SQLite and on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from m3ter_sandbox.testing import SandboxServer
from tests.onboarding.world import World, sqlite_connection, world_on

VIEWER = "Viewer"


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, m3ter_sandbox: SandboxServer, tmp_path: Path) -> Iterator[World]:
    """Return an empty organisation; each test runs on both databases."""
    m3ter_sandbox.switches(requests_per_second=0)
    if request.param == "sqlite":
        path = tmp_path / "warehouse.db"
        with world_on(f"sqlite:///{path}", sqlite_connection(path), m3ter_sandbox) as made:
            yield made
        return
    database = request.getfixturevalue("postgres_database")
    with world_on(database.url(), database.airflow_connection(), m3ter_sandbox) as made:
        yield made
