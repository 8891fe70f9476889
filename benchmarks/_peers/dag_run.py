"""Runs of DAGs by ``dag.test()``: every task for real and one after the other, without a process for each."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from benchmarks._organisation import QUERY, WAREHOUSE
from benchmarks._peers.delivery import END, rows_of
from benchmarks._peers.work import ORG_ID, Work
from demo.metadata_template import make_metadata_database
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.database import open_ledger
from m3ter_onboarding.ledger.schema import prepare_tables
from tests.support.first_looks import look_first
from tests.support.hire_table import HIRES

_OURS = '"""A DAG of Airflow."""\n\nfrom m3ter_onboarding import onboarding_dag\n\ndag = onboarding_dag("bench.yaml")\n'
_MAPPED = """
import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import dag, task

from benchmarks._peers.work import KEY, ORG_ID, SECRET, Work, body_of

@task
def emails():
    return Work("", "", {people}).emails()

@task
def invite(email):
    form = {{"grant_type": "client_credentials"}}
    answer = requests.post("{url}/oauth/token", data=form, auth=(KEY, SECRET), timeout=10)
    headers = {{"Authorization": "Bearer " + answer.json()["access_token"]}}
    HttpHook(method="POST", http_conn_id="bench_http").run(
        f"organizations/{{ORG_ID}}/invitations", headers=headers, json=body_of(email)
    )

@dag(dag_id="mapped", schedule=None)
def mapped():
    invite.expand(email=emails())

dag = mapped()
"""


def onboarding_run(work: Work) -> Callable[[], None]:
    """Prepare warehouse, metadata and DAG, and return a whole run of it."""
    folder = _airflow()
    with closing(open_ledger(WAREHOUSE)) as db:
        HIRES.create(db.engine)
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
        db.write(lambda connection: connection.execute(insert(HIRES), rows_of(work)), doing="loading")
        look_first(db, "bench", ORG_ID, utc_now())
    config: dict[str, Any] = {"name": "bench", "warehouse_conn_id": WAREHOUSE, "query": "hires.sql"}
    config |= {"schedule": None, "settle_after": "1s", "max_age_days": 3000, "max_invitations": None}
    (folder / "bench.yaml").write_text(json.dumps(config), encoding="utf-8")
    (folder / "hires.sql").write_text(QUERY, encoding="utf-8")
    (folder / "dag.py").write_text(_OURS, encoding="utf-8")
    interval = {"interval_start": END.replace(day=1).isoformat(), "interval_end": END.isoformat()}
    return _run_of(folder, interval)


def mapped_run(work: Work) -> Callable[[], None]:
    """Prepare metadata and a DAG that maps a task over people, and return a whole run of it."""
    folder = _airflow()
    (folder / "dag.py").write_text(_MAPPED.format(people=work.people, url=work.url), encoding="utf-8")
    return _run_of(folder, {})


def _airflow() -> Path:
    """Make a new metadata database, and return the folder of DAG files."""
    home = Path(os.environ["AIRFLOW_HOME"])
    for leftover in home.glob("airflow.db*"):
        leftover.unlink()
    cache = Path(__file__).parent.parent.parent / ".demo" / "cache"
    make_metadata_database(home / "airflow.db", cache, os.environ)
    folder = home / "dags"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _run_of(folder: Path, conf: dict[str, str]) -> Callable[[], None]:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    bag = DagBag(dag_folder=str(folder))
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)
    (dag,) = bag.dags.values()

    def run() -> None:
        state = str(dag.test(run_conf=conf).state)
        if state != "success":
            raise RuntimeError(f"the run ended as {state}")

    return run
