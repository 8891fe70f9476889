"""The README's Python examples do what it says, word for word."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from m3ter_sandbox.testing import SandboxServer

ROOT = Path(__file__).parent.parent.parent
BLOCKS = re.findall(
    r"^( *)```python\n(.*?)^\1```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


def example(word: str) -> str:
    """Return the README's block of Python with *word* in it, its indentation taken off."""
    (found,) = [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in BLOCKS if word in block]
    return found


def test_hook_and_operator_in_ones_own_dag(
    m3ter_sandbox: SandboxServer, airflow_home: Path, airflow_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    m3ter_sandbox.switches(requests_per_second=0)
    m3ter_sandbox.seed(policies=[{"name": "Viewer"}])
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", m3ter_sandbox.airflow_connection())
    file = airflow_home / "dags" / "welcome.py"
    file.write_text(example("M3terCreateInvitationOperator"), encoding="utf-8")
    try:
        bag = DagBag(str(file))
        assert bag.import_errors == {}
        run = bag.dags["welcome_ada"].test()
    finally:
        file.unlink()
    assert str(run.state) == "success"
    assert m3ter_sandbox.emails() == {"ada@example.com": 1}


def test_the_dag_file_of_an_organisation(tmp_path: Path) -> None:
    text = example("onboarding_dag(")
    assert {"airflow", "dag"} <= set(re.findall(r"[a-z]+", text.lower())), "Airflow skips files without these words"
    config = {"name": "acme", "warehouse_conn_id": "warehouse", "query": "new_hires.sql"}
    (tmp_path / "acme.yaml").write_text(json.dumps(config))
    (tmp_path / "new_hires.sql").write_text((ROOT / "include" / "sql" / "new_hires.sql").read_text(encoding="utf-8"))
    (tmp_path / "acme.py").write_text(text)
    dag = runpy.run_path(str(tmp_path / "acme.py"))["dag"]
    assert dag.dag_id == "m3ter_onboarding__acme"
    assert dag.task_ids == ["snapshot", "plan", "approve", "send", "report"]
    assert set(dag.params) == {
        "mode",
        "max_invitations",
        "only_employee",
        "interval_start",
        "interval_end",
        "allow_backfill_send",
        "only_plan",
    }
    assert all(task.retries >= 2 for task in dag.tasks)
    assert dag.is_paused_upon_creation
    assert not dag.catchup
