"""Real Airflows for the slow tests, each started once a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.airflow_stack import AirflowStack
from tests.postgresql import PostgresServer

CACHE = Path(__file__).parent.parent.parent / ".demo" / "cache"

#: Files that did not change are not parsed again: there are dozens of them. A changed or new one is.
CONFIGURATION = {"dag_processor": {"min_file_process_interval": 3600, "refresh_interval": 2}}


@pytest.fixture(scope="session")
def airflow_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """Run an Airflow whose metadata is in SQLite. Tests write DAG files into its ``dags_folder``."""
    home = tmp_path_factory.mktemp("airflow_sqlite")
    with AirflowStack(home, fast_heartbeats=True, configuration=CONFIGURATION, cache=CACHE) as stack:
        yield stack


@pytest.fixture(scope="session")
def airflow_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[AirflowStack]:
    """Run an Airflow whose metadata is in PostgreSQL. Tests write DAG files into its ``dags_folder``."""
    metadata = postgres_server.new_database("airflow")
    home = tmp_path_factory.mktemp("airflow_postgres")
    with AirflowStack(
        home,
        fast_heartbeats=True,
        parallelism=16,
        metadata_url=metadata.url("psycopg2"),
        configuration=CONFIGURATION,
    ) as stack:
        yield stack
