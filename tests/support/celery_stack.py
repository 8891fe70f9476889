"""The services of docker-compose.yaml as processes: their commands and their environment are read from that file.

Only where they are differs: one machine instead of a container each, so names of hosts become ports of 127.0.0.1.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import yaml

from demo.airflow_api import wait_until
from demo.airflow_settings import USERS
from demo.airflow_stack import AirflowStack
from demo.ports import HOST, free_port
from demo.processes import marked_environment
from tests.support.postgresql import PostgresServer

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "docker-compose.yaml"

#: The component of :class:`AirflowStack` and the service that it is.
SERVICES = {
    "api-server": "airflow-apiserver",
    "scheduler": "airflow-scheduler",
    "dag-processor": "airflow-dag-processor",
    "triggerer": "airflow-triggerer",
    "worker": "airflow-worker",
}
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<value>(?:[^${}]|\$\{[^}]*\})*))?\}")


def compose_services(variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the services of the Compose file, with variables as Compose would put them in.

    :param variables: of ``.env``.
    :raises LookupError: naming a variable that is required and missing.
    """

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        if variables.get(name):
            return variables[name]
        if found["kind"] == "?":
            raise LookupError(f"{name}: {found['value']}")
        return _VARIABLE.sub(value, found["value"] or "")

    services: dict[str, dict[str, Any]] = yaml.safe_load(_VARIABLE.sub(value, COMPOSE.read_text()))["services"]
    return services


class CeleryStack(AirflowStack):
    """An Airflow as the Compose file makes it: Celery workers, Redis, PostgreSQL, the FAB auth manager.

    :param home: as :class:`AirflowStack` has it.
    :param postgres: the server of its metadata.
    :param workers: how many.
    """

    def __init__(self, home: Path, postgres: PostgresServer, *, workers: int = 2) -> None:
        self._variables = _secrets(home)
        self._services = compose_services(self._variables)
        self._redis: subprocess.Popen[bytes] | None = None
        self._redis_port = free_port()
        self._databases = postgres
        self.sandbox_port = free_port()
        self._workers = [f"worker-{number}" for number in range(1, workers + 1)]
        super().__init__(
            home,
            metadata_url=postgres.new_database("airflow").url("psycopg2"),
            triggerer=True,
            fast_heartbeats=True,
            parallelism=16,
            environment={"PYTHONPATH": str(ROOT)},
            # Minutes in Airflow's defaults: how soon it notices what a killed scheduler or worker had taken.
            configuration={
                "scheduler": {
                    "orphaned_tasks_check_interval": 10,
                    "scheduler_health_check_threshold": 15,
                    "task_queued_timeout": 60,
                    "task_queued_timeout_check_interval": 10,
                }
            },
        )

    def start(self, timeout_seconds: float = 240.0) -> None:
        """Start Redis, the components and the workers, and wait until they are healthy."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.start_redis()
        super().start(timeout_seconds)
        for name in self._workers:
            self.start_worker(name)

    def stop(self, grace_seconds: float = 10.0) -> None:
        """End everything that was started."""
        super().stop(grace_seconds)
        if self._redis is not None:
            self._redis.terminate()
            self._redis.wait()

    def start_redis(self) -> None:
        """Start Redis with the command of the Compose file, on the port that it had before."""
        command = [
            *self._services["redis"]["command"],
            *("--port", str(self._redis_port), "--bind", HOST, "--dir", str(self.home)),
        ]
        with (self.home / "redis.log").open("ab") as log:
            self._redis = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_redis(self) -> None:
        """End Redis at once."""
        assert self._redis is not None
        self._redis.kill()
        self._redis.wait()

    def start_worker(self, name: str) -> None:
        """Start a worker."""
        self._launch(name, "--celery-hostname", f"{name}@%h", "--skip-serve-logs")

    def kill(self, name: str) -> None:
        """End a component and every process below it at once, as a machine that is switched off."""
        component = self._components.pop(name)
        tree = [component.pid, *(child.pid for child in psutil.Process(component.pid).children(recursive=True))]
        for pid in tree:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        component.wait()

    def start_component(self, name: str) -> None:
        """Start a component again; the API server answers when this returns."""
        self._launch(name, *(["--skip-serve-logs"] if name in {"scheduler", "triggerer"} else []))
        if name == "api-server":
            self._wait_warm(time.monotonic() + 120)

    def start_what_has_ended(self) -> None:
        """Start every component again that has ended by itself, as ``restart: unless-stopped`` has it."""
        for name, component in list(self._components.items()):
            if component.poll() is not None:
                (self.start_worker if name in self._workers else self.start_component)(name)

    def worker_of(self, pid: int) -> str | None:
        """Return the worker below which a process runs."""
        for name in self._workers:
            component = self._components.get(name)
            if component and pid in {child.pid for child in psutil.Process(component.pid).children(recursive=True)}:
                return name
        return None

    def environment(self) -> dict[str, str]:
        """Return the environment of the workers as the Compose file has it, at the places of here."""
        given = {name: str(value) for name, value in self._services["airflow-worker"]["environment"].items()}
        here = {
            **{name: self._here(value) if name.startswith("AIRFLOW_CONN_") else value for name, value in given.items()},
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": str(self._metadata_url),
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self._metadata_url}",
            "AIRFLOW__CELERY__BROKER_URL": given["AIRFLOW__CELERY__BROKER_URL"].replace(
                "@redis:6379", f"@{HOST}:{self._redis_port}"
            ),
        }
        if hasattr(self, "url"):
            here["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"{self.url}/execution/"
            here["AIRFLOW__API__BASE_URL"] = self.url
        return {**super().environment(), **here}

    def make_warehouse(self) -> None:
        """Make the demo's databases with the script that the Compose file's PostgreSQL runs once."""
        environment = {
            **os.environ,
            **{name: str(value) for name, value in self._services["postgres"]["environment"].items()},
            "PATH": os.pathsep.join([str(self._databases.programs), os.environ["PATH"]]),
            "PGHOST": str(self._databases.folder),
            "POSTGRES_USER": "postgres",
            "POSTGRES_DB": "postgres",
        }
        for script in sorted((ROOT / "compose" / "postgres").iterdir()):
            subprocess.run(["bash", str(script)], env=environment, check=True, capture_output=True)

    @contextmanager
    def sandbox(self) -> Iterator[str]:
        """Run the Compose file's local m3ter, and yield its address once it answers."""
        service = self._services["sandbox"]
        here = {
            "0.0.0.0": HOST,
            "8321": str(self.sandbox_port),
            "/opt/airflow/logs/m3ter.db": str(self.home / "m3ter.db"),
            "/seed/start.json": str(ROOT / "compose" / "sandbox" / "start.json"),
        }
        command = [here.get(word, word) for word in map(str, (*service["entrypoint"], *service["command"]))]
        environment = {**os.environ, **{name: str(value) for name, value in service["environment"].items()}}
        with (self.home / "sandbox.log").open("ab") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / command[0]), *command[1:]],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        url = f"http://{HOST}:{self.sandbox_port}"

        def answers() -> bool:
            try:
                return httpx.get(f"{url}/mailbox", trust_env=False).is_success
            except httpx.HTTPError:
                return False

        try:
            wait_until(answers, "the sandbox", 60)
            yield url
        finally:
            process.terminate()
            process.wait()

    def _here(self, connection: str) -> str:
        """Return a connection of the Compose file with the places of here for the names of its services."""
        socket = quote(str(self._databases.folder), safe="")
        return connection.replace("@postgres:5432", f"@{socket}").replace(
            "http://sandbox:8321", f"http://{HOST}:{self.sandbox_port}"
        )

    def _command(self, name: str) -> list[str]:
        service = self._services[SERVICES[name.partition("-")[0] if name.startswith("worker-") else name]]
        return shlex.split(str(service["command"]))

    def _prepare_metadata(self) -> bool:
        fresh = super()._prepare_metadata()
        subprocess.run(
            [
                *(sys.executable, "-m", "airflow", "users", "create", "--username", "admin", "--role", "Admin"),
                *("--password", USERS["admin"], "--email", "admin@example.com", "--firstname", "A", "--lastname", "B"),
            ],
            env=marked_environment(self.environment(), self._family),
            check=True,
            capture_output=True,
        )
        return fresh


def _secrets(home: Path) -> dict[str, str]:
    """Return what ``make env`` writes."""
    folder = home / "compose"
    (folder / "scripts").mkdir(parents=True)
    for name in (".env.example", "scripts/make-env"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, str(folder / "scripts" / "make-env")], check=True, capture_output=True)
    return dict(re.findall(r"^(\w+)=(.*)$", (folder / ".env").read_text(), re.MULTILINE))
