"""Real Airflows for the slow tests, each started once a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.airflow_stack import AirflowStack
from tests.support.airflows import airflow_on_postgres, airflow_on_sqlite
from tests.support.postgresql import PostgresServer


@pytest.fixture(scope="session")
def airflow_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """Run an Airflow whose metadata is in SQLite. Tests write DAG files into its ``dags_folder``."""
    with airflow_on_sqlite(tmp_path_factory.mktemp("airflow_sqlite")) as stack:
        yield stack


@pytest.fixture(scope="session")
def airflow_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[AirflowStack]:
    """Run an Airflow whose metadata is in PostgreSQL. Tests write DAG files into its ``dags_folder``."""
    with airflow_on_postgres(tmp_path_factory.mktemp("airflow_postgres"), postgres_server) as stack:
        yield stack
