"""The Compose file and the image, as far as they can be checked without a container engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "docker-compose.yaml"
AIRFLOW = {"airflow-init", "airflow-apiserver", "airflow-scheduler", "airflow-dag-processor"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


@pytest.mark.parametrize(
    ("schema", "file"), [("compose-spec", "docker-compose.yaml"), ("github-workflows", ".github/workflows/ci.yml")]
)
def test_follows_its_specification(schema: str, file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_required_variable_is_in_the_example() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text()))
    example = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert required
    assert required <= example


def test_no_secret_has_a_default() -> None:
    defaults = re.findall(r"\$\{(\w+):-", COMPOSE.read_text())
    assert not [name for name in defaults if re.search("SECRET|PASSWORD|KEY", name)]


def test_all_components_share_their_keys(services: dict[str, dict[str, Any]]) -> None:
    shared = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    for name in shared:
        assert len({services[service]["environment"][name] for service in AIRFLOW}) == 1


def test_the_scheduler_waits_for_a_warm_api_server(services: dict[str, dict[str, Any]]) -> None:
    assert services["airflow-scheduler"]["depends_on"]["airflow-apiserver"] == {"condition": "service_healthy"}
    assert any("/execution/health" in part for part in services["airflow-apiserver"]["healthcheck"]["test"])


def test_nothing_is_published_beyond_this_machine(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_sandbox_starts_only_when_asked_for(services: dict[str, dict[str, Any]]) -> None:
    assert [name for name, service in services.items() if service.get("profiles")] == ["sandbox"]
    connection = json.loads(
        re.sub(r"\$\{[^}]*\}", "x", services["airflow-scheduler"]["environment"]["AIRFLOW_CONN_M3TER_DEMO"])
    )
    assert connection["host"].endswith(services["sandbox"]["ports"][0].rpartition(":")[2])


def test_mounted_files_exist(services: dict[str, dict[str, Any]]) -> None:
    mounts = [mount for service in services.values() for mount in service.get("volumes", []) if mount.startswith("./")]
    assert all((ROOT / mount.partition(":")[0]).exists() for mount in mounts)


def test_the_image_holds_what_dag_files_ask_for() -> None:
    copied = re.findall(r"^COPY .*?(\S+) /opt/airflow/(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert dict(copied) == {"dags": "dags", "include/config": "include/config", "include/sql": "include/sql"}


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
@pytest.mark.parametrize("missing", [None, "AIRFLOW_JWT_SECRET"])
def test_docker_compose_reads_it(missing: str | None) -> None:
    names = re.findall(r"\$\{(\w+):\?", COMPOSE.read_text())
    environment = {**os.environ, **{name: "x" for name in names if name != missing}}
    done = subprocess.run(
        ["docker-compose", "-f", str(COMPOSE), "config"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is (missing is None), done.stderr
