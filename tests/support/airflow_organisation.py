"""One organisation whose DAG a real Airflow runs, with a local m3ter, a warehouse and a ledger of its own.

Names and addresses carry markers, so that a trace of a person is found wherever it is left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from datetime import time as clock_time
from pathlib import Path
from typing import Any, TypeVar

import psutil
import yaml
from sqlalchemy import Engine, create_engine, insert, select, update

from demo.airflow_api import FINISHED, FINISHED_TASK, AirflowApiError, wait_until
from demo.airflow_stack import AirflowStack, TaskProcess
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_sandbox.testing import SandboxServer
from tests.support import ledger_rows
from tests.support.first_looks import look_first
from tests.support.hire_table import HIRES
from tests.support.postgresql import PostgresServer
from tests.support.world import QUERY

T = TypeVar("T")


#: Parts of every name and address; nowhere but in ledger, warehouse and m3ter.
FIRST_NAME, LAST_NAME = "Quillondra", "Zebrafinch"


SECRET = "markersecret-8d1f6a0c2b"


#: Midnight (UTC) of the first day that tests load people for.
FIRST_DAY = datetime.combine(datetime.now(timezone.utc).date(), clock_time(), timezone.utc) - timedelta(days=10)


_DAG_FILE = '''"""A DAG of Airflow."""

from m3ter_onboarding import onboarding_dag

dag = onboarding_dag("config/{name}.yaml")
'''


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, also if nobody has read its exit status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def patiently(ask: Callable[[], T], patience_seconds: float = 15.0) -> T:
    """Ask Airflow again while its SQLite metadata database is locked, which it answers with 500 or 503.

    :param ask: changes nothing when it fails
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return ask()
        except AirflowApiError as error:
            if error.status not in {500, 503} or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@dataclass
class Organisation:
    """One organisation and how a test acts on it and sees what became of it.

    :param name: of its configuration; unique in its Airflow.
    :param warehouse: where its new hires are.
    :param ledger: often the same database.
    """

    name: str
    stack: AirflowStack
    m3ter: SandboxServer
    warehouse: Engine
    ledger: LedgerDatabase
    connection_fields: Mapping[str, Any]
    connection_extra: dict[str, Any] = field(default_factory=dict)

    @property
    def dag_id(self) -> str:
        """Airflow's id of the DAG."""
        return f"m3ter_onboarding__{self.name}"

    @property
    def warehouse_conn_id(self) -> str:
        """The warehouse's connection."""
        return f"{self.name}_warehouse"

    @property
    def m3ter_conn_id(self) -> str:
        """m3ter's connection."""
        return f"{self.name}_m3ter"

    # -- set up -----------------------------------------------------------------------------------------------------

    def connect_m3ter(self, *, password: str | None = None, host: str | None = None, **extra: Any) -> None:
        """Make or replace the connection to m3ter.

        :param extra: changes of the connection's extras, for this call alone.
        """
        values = json.loads(
            self.m3ter.airflow_connection(
                **{"timeout_seconds": 2, "requests_per_second": 10, **self.connection_extra, **extra}
            )
        )
        fields = {
            "conn_type": "m3ter",
            "host": host or values["host"],
            "login": values["login"],
            "password": password or values["password"],
            "extra": json.dumps(values["extra"]),
        }
        patiently(lambda: self.stack.api.set_connection(self.m3ter_conn_id, **fields))

    def connect_warehouse(self, conn_id: str | None = None, **fields: Any) -> None:
        """Make or replace the connection to the warehouse.

        :param fields: other ones than those of the database that holds the rows.
        """
        chosen = fields or self.connection_fields
        patiently(lambda: self.stack.api.set_connection(conn_id or self.warehouse_conn_id, **chosen))

    def configure(self, values: Mapping[str, Any], query: str = QUERY) -> None:
        """Write the configuration, its query, and the DAG file; a key whose value is None is left out."""
        everything = {
            "name": self.name,
            "m3ter_conn_id": self.m3ter_conn_id,
            "warehouse_conn_id": self.warehouse_conn_id,
            "query": f"{self.name}.sql",
            "look_back_days": 0,
            "max_invitations": 1000,
            "settle_after": "1s",
            **values,
            "schedule": values.get("schedule"),
            "dag": {**_dag_section(), **values.get("dag", {})},
        }
        folder = self.stack.dags_folder / "config"
        folder.mkdir(exist_ok=True)
        (folder / f"{self.name}.sql").write_text(query)
        (folder / f"{self.name}.yaml").write_text(
            yaml.safe_dump({k: v for k, v in everything.items() if v is not None or k == "schedule"})
        )
        (self.stack.dags_folder / f"{self.name}.py").write_text(_DAG_FILE.format(name=self.name))

    def look_first(self) -> None:
        """Record a dry run in the ledger, as if somebody had looked before the first e-mail."""
        now = datetime.now(timezone.utc)
        prepare_tables(self.ledger, create_tables=True, now=now, package_version="0")
        look_first(self.ledger, self.name, self.m3ter.org_id, now)

    def wait_dag(self, *, paused: bool = False) -> None:
        """Wait until Airflow knows the DAG, and let it run."""
        wait_until(lambda: self.stack.api.dag(self.dag_id), f"DAG {self.dag_id}", 300)
        patiently(lambda: self.stack.api.set_paused(self.dag_id, paused))

    def remove_dag(self) -> None:
        """Take the DAG out of Airflow: other tests count what they find there."""
        (self.stack.dags_folder / f"{self.name}.py").unlink()
        unfinished = [run for run in self.stack.api.runs(self.dag_id) if run["state"] not in FINISHED]
        for run in unfinished:
            self.stack.api.set_run_state(self.dag_id, run["dag_run_id"], "failed")
        if unfinished:  # a run that is deleted while the scheduler looks at it ends the scheduler
            ended_at = datetime.now(timezone.utc)
            wait_until(lambda: self._last_heartbeat() > ended_at, "the scheduler's next heartbeat", 60)

        def deleted() -> bool:
            try:
                self.stack.api.request("DELETE", f"/dags/{self.dag_id}")
            except AirflowApiError as error:
                return error.status == 404
            return False

        wait_until(deleted, f"the end of {self.dag_id}", 300)

    def _last_heartbeat(self) -> datetime:
        """Return when the scheduler had last looked at all runs."""
        health = self.stack.api.request("GET", "/monitor/health")
        return datetime.fromisoformat(health["scheduler"]["latest_scheduler_heartbeat"].replace("Z", "+00:00"))

    # -- the warehouse ----------------------------------------------------------------------------------------------

    def hire(self, count: int, *, day: int = 0, first: int = 1, **columns: Any) -> list[str]:
        """Load people and return their addresses.

        :param day: counted from :data:`FIRST_DAY`, on which they are loaded.
        :param first: number of the first of them.
        """
        people = [
            {
                "employee_id": f"E-{number:03d}",
                "email": f"{LAST_NAME}.{number}@example.com",
                "first_name": FIRST_NAME,
                "last_name": LAST_NAME,
                "loaded_at": FIRST_DAY + timedelta(days=day, hours=12),
                **columns,
            }
            for number in range(first, first + count)
        ]
        with self.warehouse.begin() as connection:
            connection.execute(insert(HIRES), people)
        return [str(person["email"]) for person in people]

    def correct(self, **columns: Any) -> None:
        """Change every row."""
        with self.warehouse.begin() as connection:
            connection.execute(update(HIRES).values(**columns))

    # -- runs -------------------------------------------------------------------------------------------------------

    def trigger(self, day: int = 0, **conf: Any) -> str:
        """Start a run by hand for one day and return its id."""
        start = FIRST_DAY + timedelta(days=day)
        interval = {"interval_start": start.isoformat(), "interval_end": (start + timedelta(days=1)).isoformat()}
        return self.stack.api.trigger(self.dag_id, {**interval, **conf})

    def end_of(self, run_id: str, timeout_seconds: float = 420.0) -> str:
        """Wait for the end of a run and return its state."""
        return self.stack.api.wait_run(self.dag_id, run_id, timeout_seconds)

    def succeeds(self, run_id: str) -> None:
        """Wait for the end of a run; where it is not a success, show the logs of its tasks."""
        state = self.end_of(run_id)
        assert state == "success", f"run {run_id} of {self.dag_id} is {state}:\n{self.what_was_logged(run_id)}"

    def fails(self, run_id: str) -> None:
        """Wait for the end of a run that must fail."""
        state = self.end_of(run_id)
        assert state == "failed", f"run {run_id} of {self.dag_id} is {state}:\n{self.what_was_logged(run_id)}"

    def run_once(self, day: int = 0, **conf: Any) -> str:
        """Start a run, wait for its success, and return its id."""
        run_id = self.trigger(day, **conf)
        self.succeeds(run_id)
        return run_id

    def end_of_task(self, run_id: str, task_id: str, timeout_seconds: float = 120.0) -> str:
        """Wait for the end of a task and return its state."""
        entry = self.stack.api.wait_task(self.dag_id, run_id, task_id, FINISHED_TASK, timeout_seconds=timeout_seconds)
        return str(entry["state"])

    def states(self, run_id: str) -> dict[str, str | None]:
        """Return the state of each task of a run."""
        return self.stack.api.task_states(self.dag_id, run_id)

    def assert_state(self, run_id: str, task_id: str, state: str) -> None:
        """Check the state of a task; where it is another, show the logs of the run's tasks."""
        states = self.states(run_id)
        assert states[task_id] == state, f"{states} in run {run_id} of {self.dag_id}:\n{self.what_was_logged(run_id)}"

    def tries(self, run_id: str, task_id: str) -> int:
        """Return how often a task was tried."""
        return int(self.stack.api.task_instances(self.dag_id, run_id)[task_id]["try_number"])

    def log(self, run_id: str, task_id: str) -> str:
        """Return the logs of all tries of a task."""
        # Airflow keeps no record of a try that never began: then its number only is missing.
        tries = self.stack.api.tries(self.dag_id, run_id, task_id)
        return "\n".join(self.stack.api.log(self.dag_id, run_id, task_id, one["try_number"]) for one in tries)

    def what_was_logged(self, run_id: str) -> str:
        """Return the logs of every task that was tried, for a failing test."""
        return "\n".join(
            f"--- {task_id}: {state}\n{self.log(run_id, task_id)}"
            for task_id, state in self.states(run_id).items()
            if self.tries(run_id, task_id)
        )

    def assert_logged(self, run_id: str, task_id: str, sentence: str) -> None:
        """Check that one of a task's tries logged a sentence; where not, show what they did log."""
        log = self.log(run_id, task_id)
        if sentence not in log:
            events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
            said = [f"{e.get('event')} {[d.get('exc_value') for d in e.get('error_detail') or []]}" for e in events]
            raise AssertionError(f"{task_id} of {self.name} did not log {sentence!r} but:\n" + "\n".join(said))

    def report(self, run_id: str) -> dict[str, Any]:
        """Return what the task ``report`` left in XCom."""
        found: dict[str, Any] = self.stack.api.xcoms(self.dag_id, run_id, "report")["report"]
        return found

    def mid_send(self, run_id: str, posts: int = 8) -> TaskProcess:
        """Wait until so many POSTs have arrived, and return the process that sends.

        :param posts: since the last :meth:`SandboxServer.reset`.
        """
        wait_until(lambda: len(self.posts()) >= posts, f"{posts} POSTs of {self.name}", 300, 0.1)
        return self.stack.task_process(self.dag_id, run_id, "send")

    def is_finished(self, run_id: str) -> bool:
        """Return whether a run has ended."""
        return self.stack.api.run(self.dag_id, run_id)["state"] in FINISHED

    # -- what became of it ------------------------------------------------------------------------------------------

    def posts(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Return the POSTs of invitations that m3ter received, oldest first.

        :param since: seconds since 1970.
        """
        return [
            request
            for request in self.m3ter.requests()
            if request["method"] == "POST" and request["path"].endswith("/invitations") and request["time"] >= since
        ]

    def assert_once(self, addresses: list[str]) -> None:
        """Check that each of these, and nobody else, got one e-mail, and that the ledger knows it."""
        assert self.m3ter.emails() == dict.fromkeys((address.casefold() for address in addresses), 1)
        assert self.ledger_states() == dict.fromkeys((address.casefold() for address in addresses), "sent")

    def ledger_states(self) -> dict[str, str]:
        """Return the ledger's state of each address key."""
        return ledger_rows.states(self.ledger)

    def plans(self, run_id: str) -> list[dict[str, Any]]:
        """Return the plans of a run, oldest first."""
        table = self.ledger.tables.plan
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(
                select(table).where(table.c.dag_id == self.dag_id, table.c.run_id == run_id).order_by(table.c.seq)
            )
            return [dict(row._mapping) for row in rows]

    def decisions(self, plan_id: str) -> dict[str, str]:
        """Return ``decision:reason`` by employee."""
        return ledger_rows.decisions(self.ledger, plan_id)

    def claims(self) -> list[tuple[str, datetime]]:
        """Return plan and time of every claim, oldest first."""
        table = self.ledger.tables.event
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(
                select(table.c.plan_id, table.c.at).where(table.c.why == "claimed").order_by(table.c.event_id)
            )
            return [(row.plan_id, row.at) for row in rows]

    def run_row(self, run_id: str) -> dict[str, Any]:
        """Return the ledger's row of a run."""
        table = self.ledger.tables.run
        with self.ledger.engine.connect() as connection:
            row = connection.execute(select(table).where(table.c.dag_id == self.dag_id, table.c.run_id == run_id)).one()
            return dict(row._mapping)


def _dag_section() -> dict[str, Any]:
    return {"max_active_runs": 2, "default_args": {"retries": 6, "retry_delay": "1s"}}


@contextmanager
def organisation(
    stack: AirflowStack,
    name: str,
    folder: Path,
    postgres: PostgresServer | None = None,
    *,
    values: Mapping[str, Any] | None = None,
    query: str = QUERY,
    extra: Mapping[str, Any] | None = None,
    paused: bool = False,
    looked_at: bool = True,
    **switches: Any,
) -> Iterator[Organisation]:
    """Make an organisation, and wait until Airflow knows its DAG.

    :param folder: for its files, made where it does not exist.
    :param postgres: where its warehouse and ledger are; None: in a SQLite file.
    :param values: configuration.
    :param extra: of the connection to m3ter.
    :param paused: leave the DAG paused.
    :param looked_at: whether a dry run came before the first run, see :mod:`tests.support.first_looks`.
    :param switches: of the local m3ter; no limit of requests unless it is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if postgres is None:
        path = folder / "warehouse.db"
        path.touch(mode=0o600)  # as the ledger makes its file: else each task warns of it
        url, fields = f"sqlite:///{path}", {"conn_type": "sqlite", "host": str(path)}
    else:
        database = postgres.new_database(name)
        url, fields = database.url(), json.loads(database.airflow_connection())
    engine = create_engine(url, hide_parameters=True)
    HIRES.create(engine)
    switches = {"requests_per_second": 0, **switches}
    with SandboxServer(api_secret=SECRET, database=folder / "m3ter.db", **switches) as m3ter:
        made = Organisation(name, stack, m3ter, engine, LedgerDatabase(engine, name=name), fields, dict(extra or {}))
        try:
            made.connect_warehouse()
            made.connect_m3ter()
            made.configure(values or {}, query)
            if looked_at:
                made.look_first()
            made.wait_dag(paused=paused)
            yield made
        finally:
            if stack.api.dag(made.dag_id):
                patiently(lambda: stack.api.set_paused(made.dag_id, True))
            engine.dispose()
