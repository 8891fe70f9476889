"""One Airflow for all cases, and a summary of them, printed at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.airflow_stack import AirflowStack
from tests.chaos.airflow.summary import SUMMARY
from tests.support.airflows import airflow_on_postgres
from tests.support.postgresql import PostgresServer


@pytest.fixture(scope="session")
def airflow_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[AirflowStack]:
    """Run an Airflow. Cases write DAG files into its ``dags_folder``."""
    with airflow_on_postgres(tmp_path_factory.mktemp("airflow_postgres"), postgres_server) as stack:
        yield stack


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the summary."""
    for line in SUMMARY.lines():
        terminalreporter.write_line(line)
