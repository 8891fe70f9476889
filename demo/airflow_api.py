"""What the demo and the tests ask of Airflow, over its public REST API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

FINISHED = frozenset({"success", "failed"})
FINISHED_TASK = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})

T = TypeVar("T")


class AirflowApiError(RuntimeError):
    """Airflow refused a request, or did not do in time what was waited for.

    :param message: what happened
    :param status: the HTTP status of a refusal
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def wait_until(look: Callable[[], T | None], what: str, timeout_seconds: float, pause_seconds: float = 0.2) -> T:
    """Look again and again until something is there, and return it.

    :param look: returns something true when it is there
    :param what: named in the error
    :param timeout_seconds: how long to look
    :param pause_seconds: time between two looks
    :raises AirflowApiError: when it is not there in time
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise AirflowApiError(f"waited {timeout_seconds:.0f} s in vain for {what}")
        time.sleep(pause_seconds)


class AirflowApi:
    """A logged-in client of one Airflow.

    :param url: its base URL
    :param user: name of a user of Airflow's simple auth manager
    :param password: that user's password
    :param timeout_seconds: of each request
    :param pause_seconds: before Airflow is asked again
    """

    def __init__(
        self, url: str, user: str, password: str, timeout_seconds: float = 30.0, pause_seconds: float = 1.0
    ) -> None:
        self.url, self._pause = url, pause_seconds
        self._http = httpx.Client(base_url=url, timeout=timeout_seconds, trust_env=False)
        answer = self._http.post("/auth/token", json={"username": user, "password": password})
        if answer.status_code != 201:
            raise AirflowApiError(f"Airflow did not let {user!r} log in: status {answer.status_code}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def close(self) -> None:
        """Close the connections to Airflow."""
        self._http.close()

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Send one request and return the decoded answer.

        :param method: the HTTP method
        :param path: below ``/api/v2``
        :param arguments: for :meth:`httpx.Client.request`
        :raises AirflowApiError: when the status is not one of success; it quotes Airflow's answer
        """
        answer = self._http.request(method, f"/api/v2{path}", **arguments)
        if answer.is_error:
            raise AirflowApiError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}", answer.status_code)
        return answer.json() if answer.content else None

    def _entries(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        """Read all pages of a collection."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.request("GET", path, params={"limit": 100, "offset": len(found), **params})
            found += page[key]
            if not page[key] or len(found) >= page["total_entries"]:
                return found

    def _make(
        self,
        path: str,
        body: Mapping[str, object],
        key: str,
        there: Callable[[], T | None],
        deadline: float,
        *,
        waits_for_others: bool = False,
    ) -> T:
        """Make something once: after an answer that may hide a commit, look before asking again.

        :param key: of the answer, whose value is returned
        :param there: returns the same value where the thing was made
        :param deadline: by the monotonic clock
        :param waits_for_others: whether a conflict (409) passes by itself
        """
        uncertain = False
        while True:
            try:
                made: T = self.request("POST", path, json=body)[key]
                return made
            except (AirflowApiError, httpx.TransportError) as error:
                status = error.status if isinstance(error, AirflowApiError) else None
                if status not in {None, 409, 500, 503}:
                    raise
                uncertain = uncertain or status != 409
                if uncertain and (found := self._look(there, deadline)) is not None:
                    return found
                if time.monotonic() > deadline or (status == 409 and not waits_for_others):
                    raise
            time.sleep(self._pause)

    def _look(self, look: Callable[[], T], deadline: float) -> T:
        """Ask what is there, or for what may be done twice, again while Airflow cannot answer.

        :param deadline: by the monotonic clock
        """
        while True:
            try:
                return look()
            except (AirflowApiError, httpx.TransportError) as error:
                status = error.status if isinstance(error, AirflowApiError) else None
                if status not in {None, 500, 503} or time.monotonic() > deadline:
                    raise
            time.sleep(self._pause)

    # -- DAGs

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """Return a DAG as Airflow knows it, or nothing."""
        answer = self._http.get(f"/api/v2/dags/{dag_id}")
        return answer.json() if answer.status_code == 200 else None

    def wait_dag(self, dag_id: str, timeout_seconds: float = 60.0) -> dict[str, Any]:
        """Wait until Airflow has parsed a DAG; its import errors end the waiting at once."""

        def look() -> dict[str, Any] | None:
            dag = self.dag(dag_id)
            if dag and not dag["is_stale"]:
                return dag
            if errors := self.import_errors():
                raise AirflowApiError(f"{dag_id} cannot be imported:\n{errors[0]['stack_trace']}")
            return None

        return wait_until(look, f"DAG {dag_id}", timeout_seconds)

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause a DAG, or let it run; again while Airflow's database is locked."""
        body = {"is_paused": paused}
        self._look(lambda: self.request("PATCH", f"/dags/{dag_id}", json=body), time.monotonic() + 60)

    def reparse(self, dag_id: str) -> None:
        """Ask for a DAG's file to be parsed anew."""
        self.request("PUT", f"/parseDagFile/{self.request('GET', f'/dags/{dag_id}')['file_token']}")

    def import_errors(self) -> list[dict[str, Any]]:
        """List the DAG files that could not be imported."""
        return self._entries("/importErrors", "import_errors")

    # -- runs

    def trigger(
        self,
        dag_id: str,
        conf: Mapping[str, object] | None = None,
        logical_date: datetime | None = None,
        run_id: str | None = None,
        patience_seconds: float = 30.0,
    ) -> str:
        """Start a run by hand and return its id.

        :param conf: values for the run's parameters
        :param logical_date: an aware point in time; without it the run has no data interval either
        :param run_id: as Airflow's own ids look where it is not given
        :param patience_seconds: how long to try again while SQLite is locked for a moment (500, 503)
        :raises AirflowApiError: when Airflow refuses it, or it is not there in time
        """
        # An id that is known before can be looked for.
        chosen = run_id or f"manual__{datetime.now(timezone.utc).isoformat()}"
        body = {
            "conf": dict(conf or {}),
            "logical_date": logical_date.isoformat() if logical_date else None,
            "dag_run_id": chosen,
        }
        path = f"/dags/{dag_id}/dagRuns"

        def there() -> str | None:
            try:
                self.run(dag_id, chosen)
            except AirflowApiError as error:
                if error.status == 404:
                    return None
                raise
            return chosen

        made: str = self._make(path, body, "dag_run_id", there, time.monotonic() + patience_seconds)
        return made

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run as Airflow knows it."""
        found: dict[str, Any] = self.request("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}")
        return found

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """List the runs of a DAG."""
        return self._entries(f"/dags/{dag_id}/dagRuns", "dag_runs")

    def wait_run(self, dag_id: str, run_id: str, timeout_seconds: float = 120.0) -> str:
        """Wait for the end of a run and return its state."""

        def look() -> str | None:
            state: str = self.run(dag_id, run_id)["state"]
            return state if state in FINISHED else None

        return wait_until(look, f"the end of run {run_id}", timeout_seconds)

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Clear all tasks of a run, so that it runs again."""
        self.request(
            "POST",
            f"/dags/{dag_id}/dagRuns/{quote(run_id)}/clear",
            json={"dry_run": False, "only_failed": False},
        )

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a run as ``success`` or ``failed`` by hand."""
        self.request("PATCH", f"/dags/{dag_id}/dagRuns/{quote(run_id)}", json={"state": state})

    def backfill(
        self,
        dag_id: str,
        first: datetime,
        last: datetime,
        conf: Mapping[str, object] | None = None,
        reprocess: str = "none",
        max_active_runs: int = 1,
        patience_seconds: float = 60.0,
    ) -> int:
        """Start a backfill and return its id.

        :param first: aware; the earliest logical date
        :param last: aware; the latest logical date, included
        :param conf: values for the parameters of its runs
        :param reprocess: ``none``, ``failed`` or ``completed``: which existing runs are run again
        :param patience_seconds: how long to try again while Airflow cannot: SQLite is locked for a moment (500, 503),
            and an earlier backfill counts as running until half a minute after its last run (409)
        :raises AirflowApiError: when Airflow refuses it, or it is not there in time
        """
        body = {
            "dag_id": dag_id,
            "from_date": first.isoformat(),
            "to_date": last.isoformat(),
            "dag_run_conf": dict(conf or {}),
            "reprocess_behavior": reprocess,
            "max_active_runs": max_active_runs,
        }
        deadline = time.monotonic() + patience_seconds
        earlier = self._look(lambda: {backfill["id"] for backfill in self.backfills(dag_id)}, deadline)

        def ours() -> int | None:
            """Return the one that is new: nobody else asks for a backfill of this DAG meanwhile."""
            return next((found["id"] for found in self.backfills(dag_id) if found["id"] not in earlier), None)

        made: int = self._make("/backfills", body, "id", ours, deadline, waits_for_others=True)
        return made

    def backfills(self, dag_id: str) -> list[dict[str, Any]]:
        """List the backfills of a DAG."""
        return self._entries("/backfills", "backfills", dag_id=dag_id)

    def wait_backfill_runs(
        self, dag_id: str, expected: int, known: frozenset[str] = frozenset(), timeout_seconds: float = 180.0
    ) -> list[dict[str, Any]]:
        """Wait until so many runs of type backfill are finished, and return them.

        Airflow marks a backfill itself as complete only about half a minute later.

        :param expected: how many runs the backfill makes
        :param known: ids of runs that are not counted
        """

        def look() -> list[dict[str, Any]] | None:
            found = [
                run for run in self.runs(dag_id) if run["run_type"] == "backfill" and run["dag_run_id"] not in known
            ]
            return found if len(found) >= expected and all(r["state"] in FINISHED for r in found) else None

        return wait_until(look, f"{expected} backfill runs of {dag_id}", timeout_seconds)

    # -- tasks

    def task_instances(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run by task id."""
        found = self._entries(f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances", "task_instances")
        return {entry["task_id"]: entry for entry in found}

    def mapped_states(self, dag_id: str, run_id: str, task_id: str) -> list[str | None]:
        """Return the states of the instances of a mapped task."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/listMapped"
        return [entry["state"] for entry in self._entries(path, "task_instances")]

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each task of a run."""
        return {task_id: entry["state"] for task_id, entry in self.task_instances(dag_id, run_id).items()}

    def wait_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: frozenset[str] | set[str] = FINISHED_TASK,
        try_number: int | None = None,
        timeout_seconds: float = 120.0,
    ) -> dict[str, Any]:
        """Wait until a task is in one of some states and return its task instance.

        :param try_number: wait for this or a later try
        """

        def look() -> dict[str, Any] | None:
            found = self.task_instances(dag_id, run_id).get(task_id)
            if not found or found["state"] not in states:
                return None
            return found if try_number is None or found["try_number"] >= try_number else None

        return wait_until(look, f"{task_id} of {run_id} in {sorted(states)}", timeout_seconds)

    def clear(self, dag_id: str, run_id: str, *task_ids: str, downstream: bool = False, upstream: bool = False) -> None:
        """Clear tasks of a run, so that they run again; running ones are ended first."""
        body = {
            "dry_run": False,
            "only_failed": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "include_downstream": downstream,
            "include_upstream": upstream,
        }
        self.request("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task as ``success`` or ``failed`` by hand."""
        self.request(
            "PATCH",
            f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}",
            json={"new_state": state},
        )

    def questions(self, dag_id: str) -> list[dict[str, Any]]:
        """List what people were asked by the runs of a DAG, with their answers."""
        return self._entries(f"/dags/{dag_id}/dagRuns/~/hitlDetails", "hitl_details")

    def tries(self, dag_id: str, run_id: str, task_id: str) -> list[dict[str, Any]]:
        """List the tries of a task, oldest first."""
        found: dict[str, list[dict[str, Any]]] = self.request(
            "GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/tries"
        )
        return sorted(found["task_instances"], key=lambda entry: entry["try_number"])

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Return the log of one try of a task as text, a line per record, tracebacks included."""
        answer = self._http.get(
            f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/logs/{try_number}",
            params={"full_content": True},
            headers={"Accept": "application/x-ndjson"},
        )
        if answer.is_error:
            raise AirflowApiError(f"no log of {task_id}, try {try_number}: {answer.status_code} {answer.text[:500]}")
        return answer.text

    def xcoms(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """Return what a task left in XCom, by key."""
        base = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries"
        keys = [entry["key"] for entry in self._entries(base, "xcom_entries")]
        return {key: self.request("GET", f"{base}/{quote(key)}")["value"] for key in keys}

    def rendered_fields(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """Return the rendered template fields of a task."""
        entry = self.task_instances(dag_id, run_id)[task_id]
        found: dict[str, Any] = entry["rendered_fields"]
        return found

    # -- around

    def audit_log(self, dag_id: str | None = None) -> list[dict[str, Any]]:
        """Return Airflow's audit log, of one DAG or of all."""
        return self._entries("/eventLogs", "event_logs", **({"dag_id": dag_id} if dag_id else {}))

    def set_connection(self, connection_id: str, **fields: object) -> None:
        """Make or replace a connection in the metadata database.

        :param fields: ``conn_type``, ``host``, ``login``, ``password``, ``schema``, ``port``, ``extra`` (JSON text)
        """
        self._put("/connections", "connection_id", connection_id, fields)

    def set_variable(self, key: str, value: str) -> None:
        """Make or replace an Airflow Variable."""
        self._put("/variables", "key", key, {"value": value})

    def delete_variable(self, key: str) -> None:
        """Remove an Airflow Variable, if it is there."""
        self._http.delete(f"/api/v2/variables/{quote(key)}")

    def _put(self, path: str, key: str, name: str, fields: Mapping[str, object]) -> None:
        body = {key: name, **fields}
        if self._http.get(f"/api/v2{path}/{quote(name)}").status_code == 200:
            self.request("PATCH", f"{path}/{quote(name)}", json=body)
        else:
            self.request("POST", path, json=body)
