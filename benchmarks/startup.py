"""What a run of ten people costs task by task, against five empty tasks of the same shape.

``python -m benchmarks startup [--rounds 3]``. Each task is a process of its own, as Airflow starts it, ours and an
empty one in turn; figures are medians. Beside the time: imports that only this task makes, connections of Airflow that
it reads, and connections to a database that it opens.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks._organisation import QUERY, WAREHOUSE
from benchmarks._peers.server import Switches
from benchmarks._peers.server_process import Server, running_server
from benchmarks._peers.work import ORG_ID, Work
from tests.support.databases import airflow_connection_named, sqlite_connection
from tests.support.hire_table import HIRES

TASKS = ("snapshot", "plan", "approve", "send", "report")
PEOPLE = 10
_OURS = 'from m3ter_onboarding import onboarding_dag\n\ndag = onboarding_dag("bench.yaml")\n'
_EMPTY = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("empty", schedule=None) as dag:
    a, b, c, d, e = (EmptyOperator(task_id=name) for name in ("snapshot", "plan", "approve", "send", "report"))
    a >> b >> c >> d >> e
"""


def main(options: Sequence[str] = ()) -> None:
    """Print a table, and the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks startup")
    parser.add_argument("--rounds", type=int, default=3, help="whole runs")
    chosen = parser.parse_args(options)
    with running_server() as server:
        rounds = [measure_run(server) for _ in range(chosen.rounds)]
    print(table(rounds))
    print(json.dumps(rounds))


def measure_run(server: Server) -> dict[str, Any]:
    """Run the five tasks for new people, each beside an empty one, and return their figures."""
    server.reset(Switches())
    work = Work("startup", server.url, PEOPLE)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="m3ter-bench-") as name:
        folder = Path(name)
        database = sqlite_connection(folder / "bench.db")
        prepare(folder, work, database)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"AIRFLOW_CONN_M3TER_DEFAULT": work.connection(), "NO_PROXY": "127.0.0.1"}
        environment[f"AIRFLOW_CONN_{WAREHOUSE.upper()}"] = database
        results: dict[str, Any] = {}
        for task in TASKS:
            figures[task] = run_task(task, folder / "ours.py", results, environment)
            figures[task]["empty"] = run_task(task, folder / "empty.py", {}, environment)
            results[task] = figures[task].pop("result")
    if server.counts()["emails"] != PEOPLE:
        raise RuntimeError("the run did not invite everybody")
    return figures


def prepare(folder: Path, work: Work, database: str) -> None:
    """Write DAG files, warehouse and ledger."""
    from benchmarks._peers.delivery import rows_of
    from m3ter_onboarding.clock import utc_now
    from m3ter_onboarding.ledger.database import open_ledger
    from m3ter_onboarding.ledger.schema import prepare_tables
    from tests.support.first_looks import look_first

    with airflow_connection_named(database, WAREHOUSE), closing(open_ledger(WAREHOUSE)) as db:
        HIRES.create(db.engine)
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
        db.write(lambda connection: connection.execute(HIRES.insert(), rows_of(work)), doing="loading")
        look_first(db, "bench", ORG_ID, utc_now())
    config = {"name": "bench", "warehouse_conn_id": WAREHOUSE, "query": "hires.sql", "schedule": None}
    (folder / "bench.yaml").write_text(json.dumps({**config, "max_age_days": 3000}), encoding="utf-8")
    (folder / "hires.sql").write_text(QUERY, encoding="utf-8")
    (folder / "ours.py").write_text(_OURS, encoding="utf-8")
    (folder / "empty.py").write_text(_EMPTY, encoding="utf-8")


def run_task(task: str, file: Path, results: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Run a task in a fresh process, and return its figures."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks._startup_task", task, str(file)],
        input=json.dumps(results),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{task} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(rounds: Sequence[dict[str, Any]]) -> str:
    """Return Markdown: a row for each task, and one for all of them."""
    rows = [
        "| task | empty task, CPU s | ours, CPU s | of that imports | modules | connections read | databases opened |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    sums = [0.0, 0.0, 0.0]
    for task in TASKS:
        ours, last = [one[task] for one in rounds], rounds[-1][task]
        seconds = [
            statistics.median(one["empty"]["before_cpu"] + one["empty"]["cpu"] for one in ours),
            statistics.median(one["before_cpu"] + one["cpu"] for one in ours),
            statistics.median(one["import_cpu"] for one in ours),
        ]
        sums = [total + value for total, value in zip(sums, seconds, strict=True)]
        read = ", ".join(f"{name} {count}×" for name, count in sorted(last["connections"].items()))
        cells = " | ".join(f"{value:.2f}" for value in seconds)
        rows.append(f"| {task} | {cells} | {last['modules']} | {read} | {last['databases']} |")
    return "\n".join([*rows, f"| all five | {' | '.join(f'{value:.2f}' for value in sums)} | | | |"])
