"""The Compose file and the image, as far as they can be checked without a container engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "docker-compose.yaml"
AIRFLOW = {
    *("airflow-init", "airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"),
    *("airflow-worker", "flower"),
}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


@pytest.mark.parametrize(
    ("schema", "file"), [("compose-spec", "docker-compose.yaml"), ("github-workflows", ".github/workflows/ci.yml")]
)
def test_compose_follows_its_specification(schema: str, file: str) -> None:
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


def test_files_of_secrets_are_not_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {".env", ".env.*", "!.env.example"} <= {*ignored}
    assert ".env" not in re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)


def test_secrets_have_no_defaults() -> None:
    defaults = re.findall(r"\$\{(\w+):-", COMPOSE.read_text())
    assert not [name for name in defaults if re.search("SECRET|PASSWORD|KEY", name)]


def test_all_components_share_their_keys(services: dict[str, dict[str, Any]]) -> None:
    shared = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    for name in shared:
        assert len({services[service]["environment"][name] for service in AIRFLOW}) == 1


def test_the_scheduler_waits_for_a_warm_api_server(services: dict[str, dict[str, Any]]) -> None:
    assert services["airflow-scheduler"]["depends_on"]["airflow-apiserver"] == {"condition": "service_healthy"}
    assert any("/execution/health" in part for part in services["airflow-apiserver"]["healthcheck"]["test"])


def test_ports_are_published_on_this_machine_only(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_sandbox_starts_only_when_asked_for(services: dict[str, dict[str, Any]]) -> None:
    profiles = {name: service["profiles"] for name, service in services.items() if service.get("profiles")}
    assert profiles == {"flower": ["flower"], "statsd-exporter": ["metrics"], "sandbox": ["sandbox"]}
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


def test_the_image_runs_as_airflows_own_user_with_the_package_installed() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert "apache/airflow:" in text
    assert stages[-1] == "${AIRFLOW_IMAGE}"
    final = text.rpartition("FROM ")[2]
    assert re.findall(r"^USER (\S+)", final, re.MULTILINE) == ["airflow"]
    installs = re.findall(r"pip install (.*?)(?: \\\\)?$", final, re.MULTILINE)
    assert [line.removeprefix("--no-cache-dir ").rstrip(" \\") for line in installs] == [
        "--require-hashes -r /tmp/constraints-image.txt",
        "--no-index --no-deps /tmp/dist/*.whl",
    ]


def test_nothing_reaches_the_image_without_a_hash() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert len(re.findall(r"pip (?:install|wheel)", text)) == 4
    assert re.findall(r"--require-hashes -r (\S+)", text) == ["constraints-build.txt", "/tmp/constraints-image.txt"]
    assert re.findall(r"^ARG (\w+)=", text, re.MULTILINE) == ["AIRFLOW_IMAGE", "PYTHON_IMAGE"], "given by digest"
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${AIRFLOW_IMAGE}", "${PYTHON_IMAGE}"}
    compose = COMPOSE.read_text()
    for name, image in re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE):
        assert f"{name}: ${{{name}:-{image}}}" in compose


def test_compose_runs_celery_workers_and_mounts_what_an_own_organisation_needs(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in AIRFLOW:
        assert services[name]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
        targets = [mount.split(":")[1] for mount in services[name].get("volumes", [])]
        folders = ("logs", "dags", "include/config", "include/sql")
        assert targets == [f"/opt/airflow/{folder}" for folder in folders], "nothing that is installed: no plugins"
        assert all(mount.endswith(":ro") for mount in services[name]["volumes"] if mount.startswith("./"))
        assert services[name]["user"] == "50000:0"


def test_every_service_is_watched_limited_and_logs_a_bounded_amount(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert "healthcheck" in service, name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        waits = service.get("depends_on", {})
        assert {wait["condition"] for wait in waits.values()} <= {"service_healthy", "service_completed_successfully"}


def test_warehouse_and_ledger_have_a_database_and_a_role_each(services: dict[str, dict[str, Any]]) -> None:
    made = (ROOT / "compose" / "postgres" / "10-warehouse.sh").read_text()
    environment = services["airflow-worker"]["environment"]
    for name in ("warehouse", "ledger"):
        assert f"CREATE DATABASE {name} OWNER {name};" in made
        assert re.fullmatch(
            rf"postgres://{name}:\$\{{{name.upper()}_PASSWORD:\?run make env\}}@postgres:5432/{name}",
            environment[f"AIRFLOW_CONN_{name.upper()}_DEMO"],
        )
    demo = (ROOT / "include" / "config" / "demo.yaml").read_text()
    assert "ledger_conn_id: ${M3TER_ONBOARDING_DEMO_LEDGER:-warehouse_demo}" in demo
    assert environment["M3TER_ONBOARDING_DEMO_LEDGER"] == "ledger_demo"


def test_make_env_writes_new_secrets_once_and_for_its_owner(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in (".env.example", "scripts/make-env"):
        shutil.copy(ROOT / name, tmp_path / name)
    command = [sys.executable, str(tmp_path / "scripts" / "make-env")]
    subprocess.run(command, check=True, capture_output=True)
    written = (tmp_path / ".env").read_text()
    values = dict(re.findall(r"^(\w+)=(.*)$", written, re.MULTILINE))
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text()))
    assert required <= {name for name, value in values.items() if value}
    secrets = [value for name, value in values.items() if name != "AIRFLOW_ADMIN_USER"]
    assert len({*secrets}) == len(secrets)
    assert Fernet(values["AIRFLOW_FERNET_KEY"])
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    again = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (again.returncode, (tmp_path / ".env").read_text()) == (1, written)
    assert "left as it is" in again.stderr


@pytest.mark.slow
def test_the_wheel_of_the_image_is_made_of_what_its_stage_copies(tmp_path: Path) -> None:
    stage = (ROOT / "Dockerfile").read_text().partition("FROM ${AIRFLOW_IMAGE}")[0]
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    source = tmp_path / "src"
    source.mkdir()
    for names in re.findall(r"^COPY (.*) \S+$", stage, re.MULTILINE):
        for name in names.split():
            assert name in allowed, f"{name} is not sent to the engine"
            target = source / name
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, target)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--installer",
            "uv",
            "--outdir",
            str(tmp_path / "dist"),
            str(source),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    [wheel] = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {"m3ter_provider", "m3ter_onboarding", "m3ter_sandbox"} <= tops


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
@pytest.mark.parametrize("missing", [None, "AIRFLOW_JWT_SECRET"])
def test_docker_compose_reads_it(missing: str | None) -> None:
    names = re.findall(r"\$\{(\w+):\?", COMPOSE.read_text())
    environment = {**os.environ, **{name: "x" for name in names if name != missing}}
    done = subprocess.run(
        ["docker-compose", "-f", str(COMPOSE), "config"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is (missing is None), done.stderr


def test_the_sandbox_answers_under_the_name_that_the_connection_has(services: dict[str, dict[str, Any]]) -> None:
    host = re.search(
        r'"host": "http://([\w-]+):', services["airflow-scheduler"]["environment"]["AIRFLOW_CONN_M3TER_DEMO"]
    )
    command = services["sandbox"]["command"]
    assert host
    assert command[command.index("--allow-host") + 1] == host[1] == "sandbox"
