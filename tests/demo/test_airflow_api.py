"""What the demo and the tests ask of Airflow is asked once, whatever Airflow answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from demo.airflow_api import AirflowApi, AirflowApiError

DAY = datetime(2026, 11, 1, tzinfo=timezone.utc)
#: An answer to one POST: its status, and whether the thing was made all the same; None: no answer at all.
Answer = tuple[int | None, bool]
LOCKED, COMMITTED, CUT_OFF = (503, False), (500, True), (None, True)


class Airflow:
    """Airflow's API as far as it is asked here.

    :ivar answers: to POSTs, one after the other; then all goes well.
    :ivar failing_looks: how many GETs are answered with 500.
    """

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.failing_looks = 0
        self.running = False
        self.backfills: list[dict[str, Any]] = []
        self.runs: list[str] = []
        self.paused: dict[str, bool] = {}
        self.posts = 0

    def post(self, path: str, body: dict[str, Any]) -> tuple[int | None, Any]:
        if path == "/auth/token":
            return 201, {"access_token": "token"}
        self.posts += 1
        status, commits = self.answers.pop(0) if self.answers else (200, True)
        if path.endswith("/backfills"):
            if self.running:
                return 409, {"detail": "There is already a running backfill"}
            made: dict[str, Any] = {"id": len(self.backfills) + 1, **body}
            if commits:
                self.backfills.append(made)
                self.running = True
            return status, made
        if body["dag_run_id"] in self.runs:
            return 409, {"detail": "exists"}
        if commits:
            self.runs.append(body["dag_run_id"])
        return status, body

    def get(self, path: str) -> tuple[int, Any]:
        if self.failing_looks:
            self.failing_looks -= 1
            return 500, {}
        if path.endswith("/backfills"):
            return 200, {"backfills": self.backfills, "total_entries": len(self.backfills)}
        run_id = unquote(path.rpartition("/")[2])
        return (200, {"dag_run_id": run_id}) if run_id in self.runs else (404, {"detail": "none"})

    def patch(self, path: str, body: dict[str, Any]) -> tuple[int | None, Any]:
        status, _ = self.answers.pop(0) if self.answers else (200, True)
        if status == 200:
            self.paused[path.rpartition("/")[2]] = body["is_paused"]
        return status, body


@pytest.fixture
def airflow() -> Airflow:
    """Return an Airflow without backfills and runs."""
    return Airflow()


@pytest.fixture
def api(airflow: Airflow) -> Iterator[AirflowApi]:
    """Return a client of it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(*airflow.post(urlsplit(self.path).path, body))

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(*airflow.patch(urlsplit(self.path).path, body))

        def do_GET(self) -> None:
            self._answer(*airflow.get(urlsplit(self.path).path))

        def _answer(self, status: int | None, content: Any) -> None:
            if status is None:
                self.close_connection = True
                return
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with closing(AirflowApi(url, "admin", "admin", timeout_seconds=5, pause_seconds=0)) as made:
            yield made
        server.shutdown()


@pytest.mark.parametrize("looks", [0, 3])
@pytest.mark.parametrize(
    ("answers", "posts"),
    [([], 1), ([LOCKED], 2), ([COMMITTED], 1), ([CUT_OFF], 1), ([LOCKED, (500, False), COMMITTED], 3)],
)
def test_a_backfill_is_made_once_whatever_airflow_answers(
    airflow: Airflow, api: AirflowApi, answers: list[Answer], posts: int, looks: int
) -> None:
    airflow.backfills = [{"id": 1, "dag_id": "d"}]  # an earlier one
    airflow.answers, airflow.failing_looks = list(answers), looks
    assert api.backfill("d", DAY, DAY, {"x": 1}) == 2
    assert len(airflow.backfills) == 2
    assert airflow.posts == posts


def test_a_dag_is_paused_although_airflows_database_is_locked(airflow: Airflow, api: AirflowApi) -> None:
    airflow.answers = [LOCKED, (500, False), CUT_OFF]
    api.set_paused("d", False)
    assert airflow.paused == {"d": False}


def test_an_earlier_backfill_that_still_runs_is_waited_for(airflow: Airflow, api: AirflowApi) -> None:
    airflow.backfills, airflow.running = [{"id": 1}], True
    with pytest.raises(AirflowApiError, match="409"):
        api.backfill("d", DAY, DAY, patience_seconds=0.2)
    assert airflow.posts > 1
    airflow.running = False
    assert api.backfill("d", DAY, DAY) == 2


@pytest.mark.parametrize(
    ("answers", "posts"), [([], 1), ([LOCKED], 2), ([COMMITTED], 1), ([CUT_OFF], 1), ([(500, False), CUT_OFF], 2)]
)
@pytest.mark.parametrize("run_id", [None, "mine"])
def test_a_run_is_started_once_whatever_airflow_answers(
    airflow: Airflow, api: AirflowApi, answers: list[Answer], posts: int, run_id: str | None
) -> None:
    airflow.answers = list(answers)
    made = api.trigger("d", run_id=run_id)
    assert airflow.runs == [made]
    assert made == run_id or made.startswith("manual__2")
    assert airflow.posts == posts


def test_a_run_that_somebody_else_started_is_a_conflict(airflow: Airflow, api: AirflowApi) -> None:
    airflow.runs = ["mine"]
    with pytest.raises(AirflowApiError, match="409"):
        api.trigger("d", run_id="mine")


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_refusal_is_no_reason_to_ask_again(airflow: Airflow, api: AirflowApi, status: int) -> None:
    for ask in (lambda: api.backfill("d", DAY, DAY), lambda: api.trigger("d")):
        airflow.answers, airflow.posts = [(status, False)], 0
        with pytest.raises(AirflowApiError, match=str(status)):
            ask()
        assert airflow.posts == 1
