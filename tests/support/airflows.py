"""Real Airflows for tests, each for a whole session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from demo.airflow_stack import AirflowStack
from tests.support.postgresql import PostgresServer

CACHE = Path(__file__).parent.parent.parent / ".demo" / "cache"


CONFIGURATION = {
    # Files that did not change are not parsed again: there are dozens of them. A changed or new one is.
    "dag_processor": {"min_file_process_interval": 3600, "refresh_interval": 2},
    "m3ter_onboarding": {"notifiers": "notified_notifier.RecordingNotifier"},
}


#: Before 3.3 a question to a person waits in the triggerer.
WAITS_IN_TRIGGERER = tuple(map(int, version("apache-airflow-core").split(".")[:2])) < (3, 3)


@contextmanager
def airflow_on_sqlite(home: Path) -> Iterator[AirflowStack]:
    """Run an Airflow whose metadata is in SQLite."""
    with AirflowStack(home, fast_heartbeats=True, configuration=CONFIGURATION, cache=CACHE) as stack:
        yield stack


@contextmanager
def airflow_on_postgres(home: Path, server: PostgresServer) -> Iterator[AirflowStack]:
    """Run an Airflow whose metadata is in PostgreSQL; many tasks at once."""
    metadata = server.new_database("airflow")
    with AirflowStack(
        home,
        fast_heartbeats=True,
        parallelism=16,
        metadata_url=metadata.url("psycopg2"),
        configuration=CONFIGURATION,
        triggerer=WAITS_IN_TRIGGERER,
    ) as stack:
        yield stack
