"""The example DAGs: they load in an empty Airflow, and each does what it says, against the local m3ter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

import m3ter_provider

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from m3ter_sandbox.testing import SandboxServer

FOLDER = Path(m3ter_provider.__file__).parent / "example_dags"
DAG_IDS = ["example_m3ter_create_invitation", "example_m3ter_hook", "example_m3ter_invitation_accepted"]
PERSON = {"email": "ann.example@example.com", "first_name": "Annabella", "last_name": "Marker-Surname"}

LOAD = """
import json, sys
from airflow.dag_processing.dagbag import DagBag

bag = DagBag(sys.argv[1])
warnings = {path: [str(warning) for warning in found] for path, found in bag.captured_warnings.items()}
print("RESULT" + json.dumps([sorted(bag.dags), bag.import_errors, warnings]))
"""


def test_they_load_with_no_connection_and_no_database(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",  # Airflow 3.2 would add its own
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'none.db'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(FOLDER)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.rpartition("RESULT")[2]) == [DAG_IDS, {}, {}]


def test_each_file_has_one_region_for_the_docs() -> None:
    files = sorted(FOLDER.glob("example_*.py"))
    assert len(files) == len(DAG_IDS)
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text.count("# [START ") == text.count("# [END ") == 1
        assert "TYPE_CHECKING" not in text
        assert "ignore" not in text, "readers should not have to wonder about it"


@pytest.fixture
def sandbox(m3ter_sandbox: SandboxServer, airflow_db: Path, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    m3ter_sandbox.switches(requests_per_second=0)
    connection = m3ter_sandbox.airflow_connection(requests_per_second=500, timeout_seconds=5)
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", connection)
    monkeypatch.setenv("AIRFLOW_VAR_NEW_HIRE", json.dumps(PERSON))
    return m3ter_sandbox


def run(dag_id: str) -> DagRun:
    bag = DagBag(dag_folder=str(FOLDER))
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)
    found: DagRun = bag.dags[dag_id].test()
    return found


def states(found: DagRun) -> dict[str, Any]:
    return {ti.task_id: str(ti.state) for ti in found.get_task_instances()}


def xcom(found: DagRun, task_id: str) -> Any:
    (ti,) = [ti for ti in found.get_task_instances() if ti.task_id == task_id]
    return ti.xcom_pull(task_ids=task_id)


def test_the_example_of_the_hook_runs(sandbox: SandboxServer) -> None:
    sandbox.seed(
        users=[{"email": f"user{n}@example.com"} for n in range(3)],
        invitations=[{"email": "a@example.com"}, {"email": "b@example.com", "accepted": True}],
    )
    found = run("example_m3ter_hook")
    assert states(found) == {"count_members": "success", "count_open_invitations": "success"}
    assert (xcom(found, "count_members"), xcom(found, "count_open_invitations")) == (3, 1)
    assert sandbox.emails() == {}


def test_the_example_of_the_operator_runs(sandbox: SandboxServer, capfd: pytest.CaptureFixture[str]) -> None:
    found = run("example_m3ter_create_invitation")
    assert states(found) == {"invite": "success"}
    assert sandbox.emails() == {PERSON["email"]: 1}
    (sent,) = sandbox.invitations()
    assert xcom(found, "invite") == sent["id"]
    assert len(sent["permissionPolicyIds"]) == 1
    written = capfd.readouterr()
    assert not [value for value in PERSON.values() if value in written.out + written.err]
    run("example_m3ter_create_invitation")
    assert sandbox.emails() == {PERSON["email"]: 1}


def test_the_example_of_operator_and_sensor_runs(sandbox: SandboxServer) -> None:
    sandbox.faults(kind="status", status=504, when="after", operation="CreateOrgUserInvitation", count=1)
    run("example_m3ter_create_invitation")
    sandbox.accept(PERSON["email"])
    found = run("example_m3ter_invitation_accepted")
    assert states(found) == {"invite": "success", "accepted": "success", "welcome": "success"}
    assert xcom(found, "invite") == sandbox.invitations()[0]["id"]
    assert sandbox.emails() == {PERSON["email"]: 1}
