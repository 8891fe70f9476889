"""The page over many organisations: statements and time of each of its answers.

``python -m benchmarks page --organisations 30,300 --invitations 50000,1000000 --database sqlite|postgresql``: each
number of organisations with the number of invitations in its place. Without options: 30 organisations with 50,000
invitations on SQLite. Every organisation has a DAG with a run a day, and the reader may read all of them. Statements
are those that one request asks of the ledger, and of Airflow's metadata. Each list is asked as people ask: its first
page, a filter, another order, an address in full, a part of one, of a name, and one that nobody has.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._page_ledger import LEDGER, fill_ledger
from benchmarks.planning import database_for
from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from tests.support.databases import POSTGRESQL, SQLITE, airflow_connection_named
from tests.support.page_plans import all_statements

_DAG, _KEY = "m3ter_onboarding__o0", LedgerPlace(LEDGER, None).key
_RUN = f"dag_id={_DAG}&run_id=r1"


@dataclass(frozen=True)
class Question:
    """What is asked of the page.

    :param body: None: by GET.
    """

    name: str
    path: str
    body: Mapping[str, Any] | None = None

    def ask(self, client: Any) -> Any:
        """Return the answer."""
        return client.get(self.path) if self.body is None else client.post(self.path, json=self.body)


def _list(name: str, path: str, /, **body: Any) -> Question:
    return Question(name, path, {"ledger": _KEY, **body})


#: Everything that the page asks for by itself or at a click, the files apart.
QUESTIONS = (
    Question("overview", "/api/overview"),
    Question("chart, 30 days", "/api/chart"),
    Question("chart, 90 days", "/api/chart?days=90"),
    _list("invitations", "/api/invitations"),
    _list("invitations of an organisation, one state", "/api/invitations", states=["sent"], org_id="org-0"),
    _list("invitations by address", "/api/invitations", sort="address", descending=False),
    _list("invitations, expiring soonest", "/api/invitations", states=["sent"], sort="expires", descending=False),
    _list("search: an address", "/api/invitations", search="user4711@example.com"),
    _list("search: a part of an address", "/api/invitations", search="r4711@"),
    _list("search: a part of a name", "/api/invitations", search="hara4711"),
    _list("search: a part of many", "/api/invitations", search="example"),
    _list("search: nobody's", "/api/invitations", search="nobody-has-this"),
    _list("worklist", "/api/worklist"),
    _list("worklist, one reason", "/api/worklist", kind="review:rehire", dag_id=_DAG),
    _list("worklist, search", "/api/worklist", search="E7"),
    _list("worklist, preview of all", "/api/worklist/preview"),
    Question("unclear invitations", f"/api/review/{_KEY}"),
    _list("who starts soon", "/api/day-one"),
    _list("invitations to chase", "/api/day-one", name="chase"),
    _list("findings about access", "/api/access"),
    Question("runs", f"/api/runs?dag_id={_DAG}"),
    Question("a run", f"/api/run?{_RUN}"),
    Question("a run's progress", f"/api/run/progress?{_RUN}"),
    Question("rows of a plan", "/api/run/rows", {"dag_id": _DAG, "plan_id": "p0", "decision": "invite"}),
    Question("a person", f"/api/stories/invitation/{_KEY}/4711"),
)

_HEADS = (
    *("database", "organisations", "invitations", "asked for"),
    *("to the ledger", "to Airflow", "KiB", "CPU ms", "p50 ms", "p95 ms"),
)


def main(options: Sequence[str] = ()) -> None:
    """Print a table, and the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks page")
    parser.add_argument("--organisations", default="30", help="numbers of organisations, with commas between")
    parser.add_argument("--invitations", default="50000", help="of each of them, the number of all invitations")
    parser.add_argument("--database", choices=[SQLITE, POSTGRESQL], default=SQLITE)
    parser.add_argument("--rounds", type=int, default=20, help="requests of each kind that are measured")
    chosen = parser.parse_args(options)
    sizes = zip(_numbers(chosen.organisations), _numbers(chosen.invitations), strict=True)
    _make_airflow()
    measured = []
    print("| " + " | ".join(_HEADS) + " |")
    print("| --- | ---: | ---: | --- |" + " ---: |" * (len(_HEADS) - 4))
    for organisations, invitations in sizes:
        for one in measure(chosen.database, organisations, invitations, chosen.rounds):
            measured.append(one)
            print("| " + " | ".join(_cell(value) for value in one.values()) + " |", flush=True)
    print(json.dumps(measured))


def measure(database: str, organisations: int, invitations: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Fill a new ledger, ask for each answer, and yield what each cost."""
    with (
        tempfile.TemporaryDirectory(prefix="m3ter-bench-") as folder,
        database_for(database, Path(folder)) as connection,
        airflow_connection_named(connection, LEDGER),
        _page(fill_ledger(LEDGER, organisations, invitations)) as client,
    ):
        for question in QUESTIONS:
            for _ in range(2):
                answer = question.ask(client)
                if not answer.is_success:
                    raise SystemExit(f"{question.name}: {answer.status_code} {answer.text}")
            with all_statements() as asked:
                question.ask(client)
            taken, used = [], []
            for _ in range(rounds):
                began, cpu = time.perf_counter(), time.process_time()
                question.ask(client)
                taken.append((time.perf_counter() - began) * 1000)
                used.append((time.process_time() - cpu) * 1000)
            yield {
                "database": database,
                "organisations": organisations,
                "invitations": invitations,
                "question": question.name,
                "ledger": asked["ledger"],
                "airflow": asked["airflow"],
                "kib": len(answer.content) / 1024,
                "cpu_ms": statistics.median(used),
                "p50_ms": statistics.median(taken),
                "p95_ms": statistics.quantiles(taken, n=20, method="inclusive")[-1],
            }


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.0f}" if isinstance(value, float) else str(value)


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

    from m3ter_onboarding.page.access import GUARD_HEADER
    from m3ter_onboarding.page.app import make_app
    from m3ter_onboarding.page.onboarding_dags import OnboardingDags

    class TheseDags(OnboardingDags):
        def all(self) -> Mapping[str, Any]:
            return dags

    create_auth_manager()
    app = make_app(TheseDags())
    app.app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username="bench", role="admin")
    with TestClient(app, headers={GUARD_HEADER: "1"}) as client:
        yield client
