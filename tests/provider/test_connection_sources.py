"""A connection is the same wherever Airflow finds it: read in a task, in an Airflow of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from demo.metadata_template import make_metadata_database

pytestmark = pytest.mark.slow

SECRET = "p@ss/w:rd+%41 ü€&#?="
LOGIN = "access+id/1"
EXTRAS = {
    "org_id": "org-1",
    "allow_invitations": True,
    "allowed_domains": "example.com, bücher.example",
    "requests_per_second": 12.5,
    "timeout_seconds": 5,
    "allow_http": False,
}
JSON = json.dumps(
    {"conn_type": "m3ter", "host": "http://127.0.0.1:8080", "login": LOGIN, "password": SECRET, "extra": EXTRAS}
)
# As a person writes it, escaped as Airflow's documentation says; every extra is text.
CREDENTIALS = "access%2Bid%2F1:p%40ss%2Fw%3Ard%2B%2541%20%C3%BC%E2%82%AC%26%23%3F%3D"
QUERY = (
    "org_id=org-1&allow_invitations=true&allowed_domains=example.com%2C%20b%C3%BCcher.example"
    "&requests_per_second=12.5&timeout_seconds=5&allow_http=false"
)
URI = f"m3ter://{CREDENTIALS}@127.0.0.1:8080/http?{QUERY}"
URI_WITH_SCHEME = f"m3ter://http://{CREDENTIALS}@127.0.0.1:8080/?{QUERY}"
IDS = ("from_json", "from_uri", "from_airflows_uri", "from_database", "from_backend_json", "from_backend_uri")

# An Airflow DAG.
DAG_FILE = """
import asyncio, json
from pathlib import Path
from airflow.sdk import dag, task


@dag(schedule=None)
def reads_connections():
    @task
    def read(answers, conn_ids):
        from m3ter_provider.hooks.m3ter import M3terAsyncHook, M3terHook

        async def concurrently(conn_id):
            async with M3terAsyncHook(conn_id) as hook:
                return hook.settings

        def told(settings):
            # Field by field: the secret is in no repr.
            return {**settings.model_dump(mode="json"), "conn_id": None}

        found = {}
        for conn_id in conn_ids:
            try:
                found[conn_id] = [told(M3terHook(conn_id).settings), told(asyncio.run(concurrently(conn_id)))]
            except Exception as error:
                found[conn_id] = f"{type(error).__name__}: {error}"
        Path(answers).write_text(json.dumps(found))

    read(answers="{{ params.answers }}", conn_ids="{{ params.conn_ids }}".split(","))


reads_connections()
"""

RUN = """
import json, sys
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.connection import Connection
from airflow.utils.session import create_session

answers, database_json, dags = sys.argv[1:4]
with create_session() as session:
    session.add(Connection.from_json(database_json, conn_id="from_database"))
print("URI " + Connection.from_json(database_json).get_uri())
bag = DagBag(dag_folder=dags)
assert not bag.import_errors, bag.import_errors
DagBundlesManager().sync_bundles_to_db()
sync_bag_to_db(bag, "dags-folder", None)
run = bag.dags["reads_connections"].test()
print("STATE " + run.state)
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> dict[str, Any]:
    """Return what a task reads, by connection id, after each connection was put where its id says."""
    home = tmp_path_factory.mktemp("connection_sources")
    (home / "dags").mkdir()
    answers, secrets = home / "answers.json", home / "secrets"
    secrets.mkdir()
    (secrets / "from_backend_json").write_text(JSON)
    (secrets / "from_backend_uri").write_text(URI_WITH_SCHEME)
    (home / "dags" / "reads_connections.py").write_text(
        DAG_FILE.replace("{{ params.answers }}", str(answers)).replace(
            "{{ params.conn_ids }}", ",".join([*IDS, "from_wrong_uri"])
        )
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__SECRETS__BACKEND": "tests.support.folder_of_secrets.FolderOfSecrets",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"folder": str(secrets)}),
        "PYTHONPATH": str(project_root),
        "AIRFLOW_CONN_FROM_JSON": JSON,
        "AIRFLOW_CONN_FROM_URI": URI,
        "AIRFLOW_CONN_FROM_WRONG_URI": URI.replace("12.5", "many"),
    }
    make_metadata_database(home / "airflow.db", project_root / ".demo" / "cache", environment)
    uri = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from airflow.sdk import Connection; print(Connection.from_json(sys.argv[1], 'x').get_uri())",
            JSON,
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-1]
    environment["AIRFLOW_CONN_FROM_AIRFLOWS_URI"] = uri
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(answers), JSON, str(home / "dags")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "STATE success" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    with sqlite3.connect(home / "airflow.db") as database:
        (row,) = database.execute(
            "SELECT password, extra, is_encrypted FROM connection WHERE conn_id = 'from_database'"
        )
    found: dict[str, Any] = json.loads(answers.read_text())
    return {**found, "row": row, "output": done.stdout + done.stderr}


@pytest.mark.parametrize("conn_id", IDS)
def test_a_connection_of_each_source_is_read_the_same(read: dict[str, Any], conn_id: str) -> None:
    assert isinstance(read[conn_id], list), read[conn_id]
    for settings in read[conn_id]:
        assert settings == {
            "conn_id": None,
            "base_url": "http://127.0.0.1:8080",
            "org_id": "org-1",
            "access_key_id": LOGIN,
            "api_secret": SECRET,
            "requests_per_second": 12.5,
            "timeout_seconds": 5.0,
            "allow_invitations": True,
            "allowed_domains": ["example.com", "xn--bcher-kva.example"],
            "allow_http": False,
        }


def test_the_row_in_the_database_is_encrypted(read: dict[str, Any]) -> None:
    password, extra, is_encrypted = read["row"]
    assert is_encrypted
    assert SECRET not in password
    assert "org-1" not in extra


def test_text_that_is_no_number_is_named(read: dict[str, Any]) -> None:
    assert read["from_wrong_uri"] == (
        "M3terConfigurationError: Connection 'from_wrong_uri' has a wrong value in its extras; expected: "
        "requests_per_second (a number from 0.1 to 1000)."
    )


def test_the_output_of_each_source_shows_no_secret(read: dict[str, Any]) -> None:
    assert SECRET not in read["output"]
