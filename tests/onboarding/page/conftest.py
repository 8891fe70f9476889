"""The page on real ledgers, behind Airflow's own login and its own record of DAGs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.app import get_auth_manager, init_auth_manager, purge_cached_app
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from m3ter_onboarding import onboarding_dag
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.page.app import make_app
from m3ter_onboarding.page.onboarding_dags import OnboardingDags
from m3ter_onboarding.page.open_ledgers import Ledgers
from m3ter_onboarding.page.pause_variable import PauseVariable
from m3ter_onboarding.page.plugin import URL_PREFIX
from m3ter_onboarding.page.strict_headers import StrictHeaders
from tests.support.databases import airflow_connection_named, engine_of, sqlite_connection
from tests.support.page_ledger import fill_anew
from tests.support.page_users import user
from tests.support.postgresql import PostgresServer

#: Airflow has a path of its own here.
AT = f"/airflow{URL_PREFIX}"

LEDGER, AWAY, EMPTY = "page_ledger", "page_away", "page_empty"


def config(name: str, ledger: str) -> OnboardingConfig:
    return OnboardingConfig.from_mapping(
        {"name": name, "warehouse_conn_id": "hr", "ledger_conn_id": ledger, "query": "hires.sql"},
        query_text="SELECT :window_start, :window_end",
    )


@pytest.fixture(scope="session")
def airflow_knows_the_dags(airflow_db: Path) -> None:
    """Write the DAGs into Airflow's metadata, as its DAG processor does."""
    bag = DagBag(os.devnull)
    for name, ledger in (
        *(("team_a", LEDGER), ("team_b", LEDGER), ("team_c", LEDGER)),
        *(("no_run", EMPTY), ("unreachable", AWAY), ("no_ledger", "page_not_defined")),
    ):
        bag.bag_dag(onboarding_dag(config(name, ledger)))
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)


@pytest.fixture(scope="session")
def login(airflow_db: Path, airflow_home: Path) -> Iterator[Callable[[str], dict[str, str]]]:
    """Let Airflow's auth manager know the users; return how one of them is shown to be logged in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "tests.support.page_users.DagByDag")
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of the tests, long enough for its algorithm: 64 bytes or more."
        )
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(airflow_home / "page-passwords.json"))
        purge_cached_app()
        init_auth_manager()
        yield lambda name: {"authorization": f"Bearer {get_auth_manager().generate_jwt(user(name))}"}
    purge_cached_app()


@pytest.fixture(scope="session")
def sqlite_ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[LedgerDatabase, str]:
    """Make a ledger on SQLite."""
    path = tmp_path_factory.mktemp("page") / "ledger.db"
    return LedgerDatabase(engine_of(f"sqlite:///{path}"), name=LEDGER), sqlite_connection(path)


@pytest.fixture(scope="session")
def postgresql_ledger(postgres_server: PostgresServer) -> tuple[LedgerDatabase, str]:
    """Make a ledger on PostgreSQL."""
    database = postgres_server.new_database()
    return LedgerDatabase(engine_of(database.url()), name=LEDGER), database.airflow_connection()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerDatabase]:
    """Return each ledger in turn, with two organisations in it; others cannot be read."""
    db, connection = request.getfixturevalue(f"{request.param}_ledger")
    fill_anew(db)
    (tmp_path / "empty.db").touch()
    with ExitStack() as stack:
        stack.enter_context(airflow_connection_named(connection, LEDGER))
        stack.enter_context(airflow_connection_named(sqlite_connection(tmp_path / "missing.db"), AWAY))
        stack.enter_context(airflow_connection_named(sqlite_connection(tmp_path / "empty.db"), EMPTY))
        yield db


@cache
def application() -> StrictHeaders:
    """Make the application, once as an API server does: FastAPI reads every type of every route."""
    return make_app()


def application_just_started() -> StrictHeaders:
    """Return the application as it is before it has read a DAG or opened a ledger."""
    state = application().app.state
    state.dags, state.ledgers, state.pause = OnboardingDags(), Ledgers(), PauseVariable()
    return application()


class Page:
    """The page as one user's browser asks for it, under a path of Airflow's own."""

    def __init__(self, app: StrictHeaders, headers: dict[str, str], portal: BlockingPortal) -> None:
        below = Starlette(routes=[Mount(URL_PREFIX, app)])
        self.client = TestClient(below, root_path="/airflow", base_url="http://airflow.test", headers=headers)
        self.client.portal = portal

    def get(self, path: str, **query: Any) -> Any:
        """Return what a GET answers."""
        found = self.client.get(f"{AT}/{path}", params=query)
        assert found.status_code == 200, found.text
        assert len(found.content) <= 200 * 1024
        return found.json()

    def post(self, path: str, body: dict[str, Any], status: int = 200, **headers: str) -> Any:
        """Return what a POST of the page's script answers."""
        guard = {"x-m3ter-onboarding": "1", "origin": "http://airflow.test", "sec-fetch-site": "same-origin"}
        found = self.client.post(f"{AT}/{path}", json=body, headers={**guard, **headers})
        assert found.status_code == status, found.text
        assert len(found.content) <= 200 * 1024
        return found.json()


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    """Run one loop for the requests of a file, as a server does: a client alone begins a thread and a loop for each."""
    with pytest.MonkeyPatch.context() as patch, start_blocking_portal() as portal:
        for name in ("httpx", "httpx2"):  # the client's own line about each request
            patch.setattr(logging.getLogger(name), "disabled", True)
        yield portal


@pytest.fixture
def page(
    ledger: LedgerDatabase,
    airflow_knows_the_dags: None,
    login: Callable[[str], dict[str, str]],
    portal: BlockingPortal,
) -> Callable[[str], Page]:
    """Return how a user, by name, gets the page."""
    app = application_just_started()
    return lambda name: Page(app, login(name), portal)
