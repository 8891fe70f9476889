"""The values for Airflow's Helm chart and the pod template, as far as they can be checked without a cluster."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.support.receivers import receiver

ROOT = Path(__file__).parent.parent.parent
HELM = ROOT / "deploy" / "helm"
VALUES = ("values.yaml", "values-git.yaml")

TEXT, NAME, SWITCH = {"type": "string"}, {"type": ["string", "null"]}, {"type": "boolean"}


def _only(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


#: What the chart says of the values that are used here, in our words: chart/values.schema.json of apache/airflow at
#: 002e5532d7d55a375bbf71bd4e72d7e008635073 (Apache-2.0; its default is Airflow 3.0.5). The form of
#: `dagBundleConfigList` is that of the chart's own test of it. The chart allows more than this; a value that is not
#: here has not been looked up.
CHART = _only(
    executor={
        "type": "string",
        "pattern": r"^(([a-zA-Z_]\w*\.)*[A-Z][a-zA-Z0-9]+Executor)(,([a-zA-Z_]\w*\.)*[A-Z][a-zA-Z0-9]+Executor)*$",
    },
    airflowVersion=TEXT,
    images=_only(
        airflow=_only(repository=NAME, tag=NAME, digest=NAME, pullPolicy={"enum": ["Always", "Never", "IfNotPresent"]}),
        migrationsWaitTimeout={"type": "number"},
    ),
    dagProcessor=_only(
        enabled={"type": ["boolean", "null"]},
        dagBundleConfigList={
            "type": "array",
            "items": {
                **_only(name=TEXT, classpath=TEXT, kwargs={"type": "object"}),
                "required": ["name", "classpath", "kwargs"],
            },
        },
    ),
    extraEnvFrom=NAME,
    postgresql=_only(enabled=SWITCH),
    data=_only(metadataSecretName=NAME),
    fernetKeySecretName=NAME,
    apiSecretKeySecretName=NAME,
    jwtSecretName=NAME,
    config={
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": {"type": ["boolean", "integer", "number", "string"]},
        },
    },
    apiServer=_only(defaultUser=_only(enabled=SWITCH)),
)


def values(*names: str) -> dict[str, Any]:
    """Return what Helm makes of these files, one after the other: objects are merged, lists are replaced."""
    found: dict[str, Any] = {}
    for name in names:
        _merge(found, yaml.safe_load((HELM / name).read_text()))
    return found


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def pod() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HELM / "pod-template.yaml").read_text())
    return found


def container() -> dict[str, Any]:
    [found] = pod()["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("names", [VALUES[:1], VALUES])
def test_values_are_what_the_chart_takes(names: tuple[str, ...]) -> None:
    errors = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(CHART).iter_errors(values(*names))
    ]
    assert errors == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("executer",), "KubernetesExecutor"),
        (("executor",), "Kubernetes"),
        (("extraEnvFrom",), [{"secretRef": {"name": "m3ter-connections"}}]),
        (("images", "airflow", "name"), "airflow"),
        (("config", "core", "load_examples"), None),
    ],
)
def test_a_value_that_the_chart_would_refuse_is_noticed(path: tuple[str, ...], value: Any) -> None:
    wrong = values("values.yaml")
    within = wrong
    for key in path[:-1]:
        within = within[key]
    within[path[-1]] = value
    assert [*Draft202012Validator(CHART).iter_errors(wrong)]


def test_settings_are_those_of_airflow() -> None:
    from airflow.configuration import conf

    options = {(section, option) for section, some in values(*VALUES)["config"].items() for option in some}
    assert options
    assert [one for one in options if one[1] not in conf.configuration_description[one[0]]["options"]] == []


def test_the_bundle_is_one_of_airflows_and_takes_what_it_is_given(tmp_path: Path) -> None:
    [bundle] = values("values.yaml")["dagProcessor"]["dagBundleConfigList"]
    module, _, name = bundle["classpath"].rpartition(".")
    made = getattr(import_module(module), name)(name=bundle["name"], **bundle["kwargs"])
    assert made.name == "dags-folder"
    [git] = values(*VALUES)["dagProcessor"]["dagBundleConfigList"]
    assert git["classpath"].endswith(".GitDagBundle")
    assert git["kwargs"]["subdir"] == "dags", "beside it are include/config and include/sql, which DAG files name"


def test_version_and_image_are_the_same_everywhere() -> None:
    chosen = values("values.yaml")
    image = chosen["images"]["airflow"]
    assert container()["image"] == f"{image['repository']}:{image['tag']}"
    base = re.search(r"^ARG AIRFLOW_IMAGE=apache/airflow:([\d.]+)-", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    assert chosen["airflowVersion"] == base[1]


def test_no_secret_is_in_the_files_and_each_that_is_named_is_made_by_the_page() -> None:
    chosen = values(*VALUES)
    named = {chosen["data"]["metadataSecretName"], chosen["fernetKeySecretName"], chosen["apiSecretKeySecretName"]}
    named |= {chosen["jwtSecretName"], *re.findall(r"secretRef:\n +name: (\S+)", chosen["extraEnvFrom"])}
    assert {source["secretRef"]["name"] for source in container()["envFrom"]} <= named
    page = (ROOT / "docs" / "deploy.md").read_text()
    made = dict(re.findall(r"create secret generic (\S+) .*?--from-(\S+)", page))
    assert set(made) == named
    assert chosen["apiServer"]["defaultUser"]["enabled"] is False, "the chart's is admin, with the password admin"


def test_a_task_is_never_started_again_by_kubernetes_and_has_time_to_record_what_it_began() -> None:
    spec = pod()["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["terminationGracePeriodSeconds"] >= 60
    assert pod()["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


def test_a_task_holds_connections_and_no_key_of_airflows() -> None:
    spec = pod()["spec"]
    assert {one["name"] for one in container()["env"]} == {"AIRFLOW__CORE__EXECUTOR", "CONNECTION_CHECK_MAX_COUNT"}
    assert [source["secretRef"]["name"] for source in container()["envFrom"]] == ["m3ter-connections"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_the_executor_makes_a_pod_of_it() -> None:
    """Kubernetes' own client knows every key, and Airflow's executor puts a task into it."""
    generator = pytest.importorskip(
        "airflow.providers.cncf.kubernetes.pod_generator", reason="the Kubernetes provider is not installed"
    ).PodGenerator
    client = import_module("kubernetes.client").ApiClient()
    template = generator.deserialize_model_file(str(HELM / "pod-template.yaml"))
    assert client.sanitize_for_serialization(template) == pod(), "a key that Kubernetes does not know is dropped"
    assert "{{" not in (HELM / "pod-template.yaml").read_text(), "Helm would take it for a template"
    made = generator.construct_pod(
        dag_id="m3ter_onboarding__acme",
        task_id="send",
        pod_id="m3ter-onboarding-acme-send-abc",
        try_number=1,
        kube_image="",
        date=datetime(2030, 1, 2, tzinfo=timezone.utc),
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"],
        pod_override_object=None,
        base_worker_pod=template,
        namespace="airflow",
        scheduler_job_id="1",
        run_id="manual",
    )
    [base] = made.spec.containers
    assert base.image == container()["image"]
    assert base.args[:3] == ["python", "-m", "airflow.sdk.execution_time.execute_workload"]
    assert made.spec.restart_policy == "Never"
    assert {one.name for one in base.env} >= {"CONNECTION_CHECK_MAX_COUNT", "AIRFLOW_IS_K8S_EXECUTOR_POD"}
    assert [one.secret_ref.name for one in base.env_from] == ["m3ter-connections"]
    assert made.metadata.labels["dag_id"] == "m3ter_onboarding__acme"


@pytest.mark.slow
def test_the_pods_command_reaches_airflows_api_without_a_database_and_without_a_key(tmp_path: Path) -> None:
    """What the executor runs in the pod, with the environment and the configuration that the template gives it."""
    task = {"dag_id": "m3ter_onboarding__acme", "task_id": "send", "run_id": "manual", "try_number": 1, "map_index": -1}
    ids = {"id": str(uuid.uuid4()), "dag_version_id": str(uuid.uuid4())}
    workload = {
        "type": "ExecuteTask",
        "token": "of-this-task",
        "dag_rel_path": "acme.py",
        "bundle_info": {"name": "dags-folder"},
        "log_path": None,
        "ti": {**task, **ids, "pool_slots": 1, "queue": "default", "priority_weight": 1},
    }
    with receiver() as api:
        nowhere = "[database]\nsql_alchemy_conn = postgresql+psycopg2://nobody@127.0.0.1:1/none\n"
        (tmp_path / "airflow.cfg").write_text(f"[core]\nexecution_api_server_url = {api.url}/execution/\n{nowhere}")
        subprocess.run(
            [
                sys.executable,
                "-m",
                "airflow.sdk.execution_time.execute_workload",
                "--json-string",
                json.dumps(workload),
            ],
            env={
                "PATH": os.environ["PATH"],
                "AIRFLOW_HOME": str(tmp_path),
                **{one["name"]: one["value"] for one in container()["env"]},
            },
            capture_output=True,
            check=False,
            timeout=100,
        )
        assert [*api.bodies] == [f"/execution/task-instances/{ids['id']}/run"]
        [body] = api.bodies[f"/execution/task-instances/{ids['id']}/run"]
    assert json.loads(body)["state"] == "running"


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_makes_each_secret_of_the_page_with_the_key_that_the_chart_reads(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    commands = re.findall(r"^kubectl .*create secret generic .*--from-literal=.*$", page, re.MULTILINE)
    made: dict[str, set[str]] = {}
    for command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{command} --dry-run=client --output=json"],
            env={**os.environ, "AIRFLOW_DATABASE_URL": "postgresql://airflow:x@db.example.com:5432/airflow"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        secret = json.loads(done.stdout)
        assert all(base64.b64decode(value) for value in secret["data"].values())
        made[secret["metadata"]["name"]] = set(secret["data"])
    # The keys stand beside the names in values.yaml.
    told = dict(re.findall(r": (airflow-[\w-]+) # key `([\w-]+)`", (HELM / "values.yaml").read_text()))
    assert made == {name: {key} for name, key in told.items()}
    assert len(made) == 4


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_makes_the_secret_of_connections_from_the_file_of_the_page(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    lines = re.findall(r"^```text\n(AIRFLOW_CONN_.*?)^```", page.partition("\n## Helm")[2], re.DOTALL | re.MULTILINE)[0]
    (tmp_path / "connections.env").write_text(lines)
    [command] = re.findall(r"^kubectl .*create secret generic m3ter-connections .*$", page, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", f"{command} --dry-run=client --output=json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    secret = json.loads(done.stdout)
    written = dict(line.split("=", 1) for line in lines.splitlines())
    assert {name: base64.b64decode(value).decode() for name, value in secret["data"].items()} == written
    assert all(json.loads(value)["conn_type"] for value in written.values()), "one line each, as Airflow reads it"
