"""A real Airflow and a real browser, for all tests of pages here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from demo.airflow_stack import AirflowStack
from tests.support.browser import NAMES, AirflowPages, airflow_pages, chromium, find_chromium
from tests.support.missing_tools import skip_or_fail

CACHE = Path(__file__).parent.parent.parent / ".demo" / "cache"

# Of the package, not of the session: while the browser runs, no other test may use asyncio, and the Airflow is heavy.


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run the system's Chromium."""
    executable = find_chromium()
    if executable is None:
        skip_or_fail(f"No browser ({', '.join(NAMES)}) is installed; on Debian: apt-get install chromium")
    with chromium(executable) as running:
        yield running


@pytest.fixture(scope="package")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """Run an Airflow, its scheduler included. Tests write DAG files into its ``dags_folder``."""
    configuration = {"core": {"test_connection": "Enabled"}, "scheduler": {"trigger_timeout_check_interval": 2}}
    with AirflowStack(tmp_path_factory.mktemp("airflow_e2e"), configuration=configuration, cache=CACHE) as stack:
        yield stack


@pytest.fixture(scope="package")
def screenshots(project_root: Path) -> Path:
    """Return the folder for pictures; they stay there to be looked at."""
    return Path(os.environ.get("M3TER_SCREENSHOTS") or project_root / ".demo" / "screenshots")


@pytest.fixture
def pages(
    browser: Browser, airflow: AirflowStack, screenshots: Path, request: pytest.FixtureRequest
) -> Iterator[AirflowPages]:
    """Return Airflow's pages, logged in as an administrator."""
    with airflow_pages(browser, airflow.url, screenshots) as made:
        yield made
        made.picture(f"end-of-{request.node.name}")
