"""An Airflow home for the tests alone: set before Airflow is first imported, one for each process of pytest-xdist."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.metadata_template import make_metadata_database
from m3ter_sandbox.pytest_plugin import m3ter_sandbox, m3ter_sandbox_server  # noqa: F401  (fixtures)
from tests.support.engines import hasten_engines
from tests.support.postgresql import PostgresDatabase, PostgresServer, folder_in_memory, running_postgres

ROOT = Path(__file__).parent.parent

assert "airflow" not in sys.modules, "Airflow reads its settings when it is imported; a pytest plugin was faster"

for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]  # the developer's own Airflow

AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="m3ter-tests-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
DAGS_FOLDER = AIRFLOW_HOME / "dags"
DAGS_FOLDER.mkdir()
os.environ |= {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_FOLDER),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(AIRFLOW_HOME / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME / 'airflow.db'}",
    "AIRFLOW__M3TER_ONBOARDING__NOTIFIERS": "tests.support.recording_notifier.RecordingNotifier",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
(AIRFLOW_HOME / "airflow.cfg").touch()  # else Airflow writes a long one with every option

hasten_engines()


pytest_plugins = ("tests.support.world_fixtures",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is the same test once more on PostgreSQL: it has a target of its own."""
    names = {item.nodeid for item in items}
    for item in items:
        test, _, parameters = item.nodeid.partition("[")
        on_sqlite = ["sqlite" if one == "postgresql" else one for one in parameters.rstrip("]").split("-")]
        first = f"{test}[{'-'.join(on_sqlite)}]"
        if first != item.nodeid and first in names:
            item.add_marker(pytest.mark.again_on_postgresql)


def pytest_collection_finish() -> None:
    """Let Python look for garbage among what tests make, and less often: Airflow alone is a million objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@pytest.fixture(autouse=True)
def _nothing_masked_yet() -> None:
    """Let Airflow forget what earlier tests masked: their masks would hide what a test looks for.

    Each token of each test would also be one more in an expression that every further token compiles anew.
    """
    for name in ("airflow._shared.secrets_masker", "airflow.sdk._shared.secrets_masker"):
        if name in sys.modules:
            sys.modules[name].reset_secrets_masker()


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """Return the AIRFLOW_HOME of this test process."""
    return AIRFLOW_HOME


@pytest.fixture(scope="session")
def airflow_db() -> Path:
    """Make a migrated metadata database (SQLite), for ``dag.test()`` and the ORM; return its file."""
    database = AIRFLOW_HOME / "airflow.db"
    # A test that looked for a connection has opened an empty one: its sessions and its log would be mixed with this.
    if (settings := sys.modules.get("airflow.settings")) is not None and settings.engine is not None:
        settings.engine.dispose()
    for leftover in AIRFLOW_HOME.glob("airflow.db*"):
        leftover.unlink()
    make_metadata_database(database, ROOT / ".demo" / "cache", os.environ)
    return database


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Return the root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL from a wheel."""
    # Not in pytest's own folder: root's PostgreSQL runs as another user, and the next pytest that root starts,
    # anywhere, closes that folder to others.
    folder = tempfile.mkdtemp(prefix="m3ter-pg-", dir=folder_in_memory())
    try:
        with running_postgres(Path(folder, "data")) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> PostgresDatabase:
    """Make an empty PostgreSQL database for one test."""
    return postgres_server.new_database()
