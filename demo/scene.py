"""Everything the demo runs on: m3ter, warehouse and Airflow, in one directory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from demo.airflow_stack import AirflowStack
from demo.people import Person, people_of
from demo.progress import Progress
from demo.start_state import seed_organisation, seed_people
from demo.warehouse import Warehouse
from m3ter_sandbox.testing import SandboxServer

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".demo" / "cache"
DAG_ID = "m3ter_onboarding__demo"
DAY_ONE_DAG_ID = "m3ter_day_one__demo"
FINANCE_DAG_ID = "m3ter_onboarding__demo_finance"


@dataclass(frozen=True)
class Scene:
    """What is running.

    :param state: the directory of it all
    :param days: the two days of the demo, UTC
    """

    state: Path
    days: tuple[date, date]
    m3ter: SandboxServer
    warehouse: Warehouse
    airflow: AirflowStack

    @property
    def warehouse_file(self) -> str:
        """The warehouse's path, short where that is possible."""
        path = self.warehouse.path
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)

    def people(self) -> list[Person]:
        """Return everybody who was ever loaded into the warehouse."""
        loaded = self.warehouse.loaded_days()
        return [person for day, follows in loaded.items() for person in people_of(day, follows)]


@contextmanager
def open_scene(state: Path, today: date, progress: Progress, keep: bool) -> Iterator[Scene]:
    """Start everything, and end it afterwards.

    :param state: the directory of it all
    :param today: UTC; the demo is about the two days before
    :param progress: shows what is going on
    :param keep: go on with what an earlier start left, instead of a fresh beginning
    """
    if not keep:
        shutil.rmtree(state / "airflow", ignore_errors=True)
        for file in state.glob("*.db*"):
            file.unlink()
    state.mkdir(parents=True, exist_ok=True)
    days = (today - timedelta(days=2), today - timedelta(days=1))
    with ExitStack() as stack:
        progress.step("Starting a local m3ter and a SQL warehouse")
        m3ter = stack.enter_context(SandboxServer(database=state / "m3ter.db"))
        warehouse = Warehouse(state / "warehouse.db")
        for day in days:
            _load(day, m3ter, warehouse)
        _still_the_same_m3ter(m3ter, warehouse)
        total = warehouse.count_rows("0001-01-01", "9999-12-31")
        held = m3ter.totals()
        progress.done(f"{total} new hires; m3ter holds {held['users']} users and {held['invitations']} invitations")
        progress.step("Starting Airflow: API server, scheduler, DAG processor")
        airflow = AirflowStack(
            state / "airflow",
            dags_folder=ROOT / "dags",
            # No run starts by itself: the demo starts its own, and a person may start more.
            configuration={
                "scheduler": {"use_job_schedule": False},
                "core": {"test_connection": "Enabled"},
                **({"dag_processor": {"dag_bundle_config_list": json.dumps(_bundles_of_kept())}} if keep else {}),
            },
            port=8080 if keep else None,
            triggerer=keep,  # a person who looks around expects it, and Airflow 3.2 waits there for answers
            cache=CACHE,
        )
        stack.enter_context(airflow)
        # In Airflow's database, not in environment variables: there a person sees, tests and changes them.
        _connect(airflow, "m3ter_demo", m3ter.airflow_connection(requests_per_second=45))
        _connect(airflow, "warehouse_demo", warehouse.airflow_connection())
        airflow.api.wait_dag(DAG_ID)
        progress.done(airflow.url)
        yield Scene(state, days, m3ter, warehouse, airflow)


def _bundles_of_kept() -> list[dict[str, Any]]:
    """Return where the kept demo's DAG files are: in the folder of every deployment, and in one of `make ui` alone."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return [
        {"name": "dags-folder", "classpath": local, "kwargs": {}},
        {"name": "demo", "classpath": local, "kwargs": {"path": str(Path(__file__).parent / "dags")}},
    ]


def _connect(airflow: AirflowStack, conn_id: str, connection: str) -> None:
    """Make or replace a connection.

    :param connection: JSON
    """
    fields = json.loads(connection)
    if "extra" in fields:
        fields["extra"] = json.dumps(fields["extra"])
    airflow.api.set_connection(conn_id, **fields)


def _still_the_same_m3ter(m3ter: SandboxServer, warehouse: Warehouse) -> None:
    """Let the demo's own ledger know that its m3ter, which was kept too, listens at another port today."""
    with warehouse.connection() as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'm3ter_onboarding_organisation'").fetchone():
            connection.execute(
                "UPDATE m3ter_onboarding_organisation SET base_url = ?, confirmed_by = 'the demo' WHERE org_id = ?",
                (m3ter.url, m3ter.org_id),
            )


def _load(day: date, m3ter: SandboxServer, warehouse: Warehouse) -> None:
    """Bring one day's people into the warehouse, and what m3ter knows of them into m3ter, once."""
    loaded = warehouse.loaded_days()
    if day in loaded:
        return
    if not loaded:
        seed_organisation(m3ter)
    follows = day - timedelta(days=1) in loaded
    people = people_of(day, follows)
    # m3ter first: a stop in between seeds some members twice, and forgets nobody.
    seed_people(m3ter, people)
    warehouse.load_day(day, follows, people)
