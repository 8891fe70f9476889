"""The page over many organisations: statements and time of each request for the overview.

``python -m benchmarks page --organisations 30,300 --invitations 50000,1000000 --database sqlite|postgresql``: each
number of organisations with the number of invitations in its place. Without options: 30 organisations with 50,000
invitations on SQLite. Every organisation has a DAG with a run a day, and the reader may read all of them. Statements
are those that one request asks of the ledger, and of Airflow's metadata.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._page_ledger import LEDGER, fill_ledger
from benchmarks.planning import database_for
from tests.support.databases import POSTGRESQL, SQLITE, airflow_connection_named
from tests.support.page_plans import all_statements

#: The addresses that the overview asks for.
ROUTES = ("overview", "chart", "chart?days=90")


def main(options: Sequence[str] = ()) -> None:
    """Print a table, and the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks page")
    parser.add_argument("--organisations", default="30", help="numbers of organisations, with commas between")
    parser.add_argument("--invitations", default="50000", help="of each of them, the number of all invitations")
    parser.add_argument("--database", choices=[SQLITE, POSTGRESQL], default=SQLITE)
    parser.add_argument("--rounds", type=int, default=20, help="requests of each address that are measured")
    chosen = parser.parse_args(options)
    sizes = zip(_numbers(chosen.organisations), _numbers(chosen.invitations), strict=True)
    _make_airflow()
    measured = []
    print("| database | organisations | invitations | address | to the ledger | to Airflow | KiB | p50 ms | p95 ms |")
    print("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for organisations, invitations in sizes:
        for one in measure(chosen.database, organisations, invitations, chosen.rounds):
            measured.append(one)
            print(
                f"| {one['database']} | {organisations:,} | {invitations:,} | `{one['route']}` | {one['ledger']}"
                f" | {one['airflow']} | {one['kib']:.0f} | {one['p50_ms']:.0f} | {one['p95_ms']:.0f} |",
                flush=True,
            )
    print(json.dumps(measured))


def measure(database: str, organisations: int, invitations: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Fill a new ledger, ask for each address, and yield what each cost."""
    with (
        tempfile.TemporaryDirectory(prefix="m3ter-bench-") as folder,
        database_for(database, Path(folder)) as connection,
        airflow_connection_named(connection, LEDGER),
        _page(fill_ledger(LEDGER, organisations, invitations)) as client,
    ):
        for route in ROUTES:
            for _ in range(2):
                answer = client.get(f"/api/{route}")
                answer.raise_for_status()
            with all_statements() as asked:
                client.get(f"/api/{route}")
            taken = []
            for _ in range(rounds):
                began = time.perf_counter()
                client.get(f"/api/{route}")
                taken.append((time.perf_counter() - began) * 1000)
            yield {
                "database": database,
                "organisations": organisations,
                "invitations": invitations,
                "route": route,
                **asked,
                "kib": len(answer.content) / 1024,
                "p50_ms": statistics.median(taken),
                "p95_ms": statistics.quantiles(taken, n=20, method="inclusive")[-1],
            }


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _make_airflow() -> None:
    from airflow.utils.db import initdb

    initdb()


@contextmanager
def _page(dags: Mapping[str, Any]) -> Iterator[Any]:
    """Give a client of the page, as a user who may do everything."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.security import get_user
    from starlette.testclient import TestClient

    from m3ter_onboarding.page.app import make_app
    from m3ter_onboarding.page.onboarding_dags import OnboardingDags

    class TheseDags(OnboardingDags):
        def all(self) -> Mapping[str, Any]:
            return dags

    create_auth_manager()
    app = make_app(TheseDags())
    app.app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username="bench", role="admin")
    with TestClient(app) as client:
        yield client
