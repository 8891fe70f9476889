"""One Airflow for all trials, and what they came to, printed at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.airflow_stack import AirflowStack
from tests.chaos.airflow.summary import SUMMARY
from tests.postgresql import PostgresServer

#: Files that did not change are not parsed again: there are dozens of them. A changed or new one is.
CONFIGURATION = {"dag_processor": {"min_file_process_interval": 3600, "refresh_interval": 2}}


@pytest.fixture(scope="session")
def airflow_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[AirflowStack]:
    """Run an Airflow whose metadata is in PostgreSQL. Trials write DAG files into its ``dags_folder``."""
    metadata = postgres_server.new_database("airflow")
    with AirflowStack(
        tmp_path_factory.mktemp("airflow_postgres"),
        fast_heartbeats=True,
        parallelism=16,
        metadata_url=metadata.url("psycopg2"),
        configuration=CONFIGURATION,
    ) as stack:
        yield stack


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was played."""
    for line in SUMMARY.lines():
        terminalreporter.write_line(line)
