"""A complete Airflow of its own: API server, scheduler with supervised task processes, DAG processor.

The demo and the integration tests run on it. It lives in one directory, listens on 127.0.0.1 only, and leaves no
process behind.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil

from demo.airflow_api import AirflowApi, AirflowApiError, wait_until
from demo.airflow_settings import USERS, AirflowSettings
from demo.metadata_template import make_metadata_database, migrate
from demo.ports import HOST, free_port
from demo.processes import end_family, marked_environment, members


@dataclass(frozen=True)
class TaskProcess:
    """The operating system's view of a running task.

    :param pid: the process that runs the operator
    :param supervisor_pid: its parent, which speaks with the API server and sends heartbeats
    :param task_instance_id: Airflow's id of this try
    :param try_number: counted from 1
    """

    pid: int
    supervisor_pid: int
    task_instance_id: str
    try_number: int


class AirflowStack:
    """Start, use and end one Airflow. A context manager.

    :param home: its AIRFLOW_HOME; made where it does not exist, kept afterwards, and used again by the next start
    :param dags_folder: where DAG files are; default ``home/dags``
    :param metadata_url: SQLAlchemy URL of the metadata database; default a SQLite file in ``home``
    :param connections: Airflow connections by id, each as JSON or URI, given to the processes by environment variables
    :param environment: further environment variables for the processes
    :param configuration: further Airflow settings: section → option → value
    :param port: preferred port of the API server; default any free one
    :param parallelism: tasks at once; more than 8 is not safe on SQLite
    :param fast_heartbeats: notice lost task processes after 20 s instead of 5 min (for tests that kill them)
    :param triggerer: start a triggerer too (deferrable operators need it)
    :param cache: a directory for a migrated, empty SQLite database, to be copied by later starts
    """

    def __init__(
        self,
        home: Path,
        *,
        dags_folder: Path | None = None,
        metadata_url: str | None = None,
        connections: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        configuration: Mapping[str, Mapping[str, object]] | None = None,
        port: int | None = None,
        parallelism: int = 4,
        fast_heartbeats: bool = False,
        triggerer: bool = False,
        cache: Path | None = None,
    ) -> None:
        self.home = home.resolve()
        self.dags_folder = (dags_folder or self.home / "dags").resolve()
        self.api: AirflowApi
        self._metadata_url = metadata_url
        self._connections = dict(connections or {})
        self._environment = dict(environment or {})
        self._configuration = dict(configuration or {})
        self._preferred_port = port
        self._parallelism = parallelism
        self._fast_heartbeats = fast_heartbeats
        self._triggerer = triggerer
        self._cache = cache
        self._components: dict[str, subprocess.Popen[bytes]] = {}

    # -- life

    def __enter__(self) -> AirflowStack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout_seconds: float = 120.0) -> None:
        """Start all components and wait until they are healthy.

        :raises AirflowApiError: when one of them ends or is not healthy in time; it quotes the end of its log
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        self.end_leftovers()
        self._family = secrets.token_hex(16)
        (self.home / "process_family").write_text(self._family)
        self.port = free_port(self._preferred_port)
        self.url = f"http://{HOST}:{self.port}"
        self._configure()
        fresh = self._prepare_metadata()
        started = datetime.now(timezone.utc)
        self._launch("api-server")
        self._launch("dag-processor")
        if self._triggerer:
            self._launch("triggerer", "--skip-serve-logs")
        # Runs that are already due would ask an API server that does not answer yet, and fail; a new database has none.
        if fresh:
            self.start_scheduler()
        deadline = time.monotonic() + timeout_seconds
        self._wait_warm(deadline)
        if not fresh:
            self.start_scheduler()
        wanted = ["metadatabase", "scheduler", "dag_processor", *(["triggerer"] if self._triggerer else [])]
        self._wait_healthy(wanted, started, deadline)
        self.api = AirflowApi(self.url, "admin", USERS["admin"])

    def stop(self, grace_seconds: float = 5.0) -> None:
        """End everything that was started, orphaned task processes included.

        :param grace_seconds: how long the components may take to end by themselves
        """
        if hasattr(self, "api"):
            self.api.close()
        if not hasattr(self, "_family"):
            return
        end_family(self._family, grace_seconds)
        for component in self._components.values():
            component.wait()
        self._components.clear()
        (self.home / "process_family").unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        """End what a start that was killed left running in this home."""
        left = self.home / "process_family"
        if left.exists():
            end_family(left.read_text().strip())

    def start_scheduler(self) -> None:
        """Start the scheduler; it runs the tasks as well. Its log server is not needed: the log files are here."""
        self._launch("scheduler", "--skip-serve-logs")

    def component(self, name: str) -> subprocess.Popen[bytes]:
        """Return the process of ``api-server``, ``scheduler``, ``dag-processor`` or ``triggerer``."""
        return self._components[name]

    def component_log(self, name: str) -> str:
        """Return what a component wrote to its standard streams."""
        return (self.home / f"{name}.log").read_text(errors="replace")

    def environment(self) -> dict[str, str]:
        """Return the environment of the processes, for commands that use this Airflow."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            # A developer's own Airflow must not leak in, and an import without bytecode takes twice as long.
            if not name.startswith("AIRFLOW") and name != "PYTHONDONTWRITEBYTECODE"
        }
        own = {
            "AIRFLOW_HOME": str(self.home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            **{f"AIRFLOW_CONN_{name.upper()}": value for name, value in self._connections.items()},
        }
        return {**inherited, **own, **self._environment}

    # -- task processes

    def task_process(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        try_number: int | None = None,
        timeout_seconds: float = 60.0,
    ) -> TaskProcess:
        """Wait until a task is running and find its process and its supervisor.

        :param try_number: wait for this or a later try
        """

        def look() -> TaskProcess | None:
            entry = self.api.task_instances(dag_id, run_id).get(task_id)
            if not entry or entry["state"] != "running" or not entry["pid"]:
                return None
            if try_number is not None and entry["try_number"] < try_number:
                return None
            try:
                process = psutil.Process(entry["pid"])
                return TaskProcess(process.pid, process.ppid(), entry["id"], entry["try_number"])
            except psutil.Error:
                return None

        return wait_until(look, f"a process of {task_id} in {run_id}", timeout_seconds, 0.05)

    def processes(self) -> list[psutil.Process]:
        """List every running process that this Airflow started, orphans included."""
        return members(self._family)

    # -- inside

    def _configure(self) -> None:
        given = AirflowSettings(
            home=self.home,
            dags_folder=self.dags_folder,
            url=self.url,
            metadata_url=self._metadata_url or f"sqlite:///{self.home / 'airflow.db'}",
            parallelism=self._parallelism,
            fast_heartbeats=self._fast_heartbeats,
            further=self._configuration,
        )
        given.write()

    def _prepare_metadata(self) -> bool:
        """Make or upgrade the metadata database; return whether it is new."""
        database = self.home / "airflow.db"
        fresh = self._metadata_url is None and not database.exists()
        environment = marked_environment(self.environment(), self._family)
        if fresh and self._cache:
            make_metadata_database(database, self._cache, environment)
        else:
            migrate(environment)
        return fresh

    def _launch(self, name: str, *arguments: str) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self._components[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *self._command(name), *arguments],
                env=marked_environment(self.environment(), self._family),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us only, and we end them in order
            )

    def _command(self, name: str) -> list[str]:
        """Return the command of a component, after ``airflow``."""
        return [name]

    def _check_alive(self) -> None:
        for name, process in self._components.items():
            if process.poll() is not None:
                raise AirflowApiError(
                    f"Airflow's {name} ended with status {process.returncode}:\n{self.component_log(name)[-4000:]}"
                )

    def _wait_warm(self, deadline: float) -> None:
        """Wait for the API server and make it build the API of the tasks, which its first caller has to wait for."""
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as http:
            while True:
                self._check_alive()
                try:
                    if http.get("/execution/health").status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                if time.monotonic() > deadline:
                    raise AirflowApiError(
                        f"the API server does not answer:\n{self.component_log('api-server')[-4000:]}"
                    )
                time.sleep(0.1)

    def _wait_healthy(self, wanted: list[str], since: datetime, deadline: float) -> None:
        with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as http:
            while True:
                self._check_alive()
                health = http.get("/api/v2/monitor/health").json()
                waiting = [name for name in wanted if not _healthy(health[name], name, since)]
                if not waiting:
                    return
                if time.monotonic() > deadline:
                    raise AirflowApiError(f"not healthy in time: {', '.join(waiting)}; logs are in {self.home}")
                time.sleep(0.1)


def _healthy(answer: Mapping[str, Any], name: str, since: datetime) -> bool:
    """Return whether a component is healthy, and not merely its predecessor of a moment ago."""
    if answer["status"] != "healthy":
        return False
    if name == "metadatabase":
        return True
    heartbeat = answer[f"latest_{name}_heartbeat"]
    return bool(heartbeat) and datetime.fromisoformat(heartbeat.replace("Z", "+00:00")) >= since
