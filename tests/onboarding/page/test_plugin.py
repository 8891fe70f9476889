"""How the page is registered: without weight for tasks, and from the tasks to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk.types import TaskInstanceKey

from m3ter_onboarding.ledger.decision_names import REASONS
from m3ter_onboarding.ledger.states import WHYS
from m3ter_onboarding.page.onboarding_dags import configuration_of
from m3ter_onboarding.page.plugin import M3terOnboardingPlugin, RunPageLink
from reference.decisions import reasons

LOOK = """
import json, sys
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
apps = plugins_manager.get_fastapi_plugins()[0]
print("RESULT" + json.dumps({
    "modules": sorted(sys.modules),
    "errors": plugins_manager._get_plugins()[1],
    "prefixes": [app["url_prefix"] for app in apps],
}))
"""


def test_a_task_that_loads_the_plugin_loads_neither_fastapi_nor_the_ledger(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'none.db'}",
    }
    done = subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.rpartition("RESULT")[2])
    assert found["errors"] == {}
    assert "/m3ter-onboarding" in found["prefixes"]
    heavy = {"fastapi", "airflow.api_fastapi.core_api.security", "m3ter_onboarding.tasks.send"}
    assert not heavy & set(found["modules"])
    assert not [name for name in found["modules"] if name.startswith("m3ter_onboarding.ledger")]
    assert "m3ter_onboarding.page.app" not in found["modules"]


def test_the_views_work_wherever_airflow_is() -> None:
    views = {view["destination"]: view for view in M3terOnboardingPlugin.external_views}
    assert set(views) == {"nav", "dag", "dag_run"}
    assert all(view["href"].startswith("m3ter-onboarding/") for view in views.values())
    assert len({view["url_route"] for view in views.values()}) == 3


def test_a_task_links_to_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/data/")
    key = TaskInstanceKey(dag_id="m3ter_onboarding__a", run_id="manual__2026+00:00", task_id="plan", try_number=1)
    link = RunPageLink()
    assert link.get_link(None, ti_key=key) == (  # type: ignore[arg-type]
        "https://airflow.example/data/dags/m3ter_onboarding__a/runs/manual__2026%2B00%3A00/plugin/m3ter-onboarding-run"
    )
    assert {"OnboardingPlanOperator", "OnboardingSendOperator"} <= {cls.__name__ for cls in RunPageLink.operators}


def test_every_reason_has_a_name() -> None:
    assert reasons() - set(REASONS) == set()


def test_every_cause_of_an_event_has_a_name() -> None:
    root = Path(__file__).parent.parent.parent.parent / "include" / "m3ter_onboarding"
    source = "\n".join(path.read_text() for path in root.rglob("*.py") if path.name != "states.py")
    assert [why for why in WHYS if f'"{why}"' not in source] == []


def test_a_dag_of_others_is_not_ours() -> None:
    assert configuration_of({}) is None
    assert (
        configuration_of({"dag": {"tasks": [{"__var": {"_task_module": "airflow.sdk", "ledger_conn_id": "x"}}]}})
        is None
    )
