"""The rehearsed disaster of docs/deploy.md, by its own commands: the ledger of yesterday sends no second e-mail."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from demo.airflow_stack import AirflowStack
from m3ter_onboarding.ledger.database import LedgerDatabase
from tests.support import ledger_rows
from tests.support.airflow_organisation import organisation
from tests.support.postgresql import PostgresServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
STEPS = re.findall(r"^<!-- rehearse: (\S+) -->\n\n```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_every_command_of_the_rehearsal_is_run_and_in_this_order() -> None:
    rehearsal = PAGE.partition("\n## A rehearsed disaster")[2].partition("\n## ")[0]
    assert rehearsal.count("```console") == len(STEPS)
    order = ["names", "backup", "stop", "restore", "check", "read", "preview", "resume"]
    assert [name for name, _ in STEPS] == order


@pytest.mark.timeout(600)
def test_a_ledger_restored_from_yesterday_sends_nobody_a_second_e_mail(
    airflow_sqlite: AirflowStack, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    database = postgres_server.new_database("ledger_acme")
    values = {"ledger_conn_id": "acme_ledger", "look_back_days": 30}
    with organisation(airflow_sqlite, "acme", tmp_path, values=values, looked_at=False) as org:
        org.connect_warehouse("acme_ledger", **json.loads(database.airflow_connection()))
        ledger = LedgerDatabase(create_engine(database.url(), hide_parameters=True), name="acme_ledger")
        stack = org.stack
        environment = {
            **stack.environment(),
            "LEDGER": f"postgresql:///{database.name}?host={database.folder}&user=postgres",
            "CONFIG": str(stack.dags_folder / "config" / "acme.yaml"),
        }
        environment["PATH"] = os.pathsep.join([str(postgres_server.programs), environment["PATH"]])
        assert set(re.findall(r"(\w+)=", dict(STEPS)["names"])) == {"LEDGER", "CONFIG"}, "all that is the reader's own"

        def follow(step: str) -> str:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", dict(STEPS)[step]],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
            return done.stdout

        try:
            yesterday = org.hire(3)
            org.run_once(mode="dry_run")
            org.run_once()
            follow("backup")
            today = org.hire(2, first=4)
            org.run_once()
            assert org.m3ter.emails() == dict.fromkeys(map(str.casefold, (*yesterday, *today)), 1)

            stopped = follow("stop")
            assert "m3ter_onboarding__acme" not in stopped, "no run is under way"
            follow("restore")
            assert set(ledger_rows.states(ledger)) == {address.casefold() for address in yesterday}

            new = org.hire(1, first=6)
            assert "right: " in follow("check")
            assert "success" in follow("read")
            org.assert_logged("after-restore", "snapshot", "2 adopted invitation(s) were made by our own service user")
            assert "success" in follow("preview")
            (plan_id,) = {plan["plan_id"] for plan in _plans(ledger, "preview")}
            assert {
                employee
                for employee, decision in ledger_rows.decisions(ledger, plan_id).items()
                if decision.startswith("invite")
            } == {"E-006"}
            assert org.m3ter.emails() == dict.fromkeys(map(str.casefold, (*yesterday, *today)), 1)

            assert "success" in follow("resume")
            assert org.m3ter.emails() == dict.fromkeys(map(str.casefold, (*yesterday, *today, *new)), 1)
            states = ledger_rows.states(ledger)
            assert {states[address.casefold()] for address in today} == {"adopted"}
            assert {states[address.casefold()] for address in (*yesterday, *new)} == {"sent"}
        finally:
            ledger.close()


def _plans(ledger: LedgerDatabase, run_id: str) -> list[dict[str, object]]:
    table = ledger.tables.plan
    with ledger.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(table.select().where(table.c.run_id == run_id))]
