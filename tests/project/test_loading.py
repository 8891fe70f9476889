"""What Airflow loads: DAG files without any connection, and no module of ours under a bare name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

LOOK = """
import json, sys
from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag

plugins_manager.ensure_plugins_loaded()
bag = DagBag(sys.argv[1])
print("RESULT" + json.dumps({
    "modules": sorted(sys.modules),
    "dags": sorted(bag.dags),
    "errors": bag.import_errors,
    "warnings": {path: [str(warning) for warning in found] for path, found in bag.captured_warnings.items()},
}))
"""


def test_dags_import_with_no_connection_and_nothing_of_ours_is_loaded_under_a_bare_name(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LAZY_LOAD_PLUGINS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'none.db'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(ROOT / "dags")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("RESULT")[2])
    assert found["errors"] == {}
    assert found["warnings"] == {}
    assert "m3ter_onboarding__demo" in found["dags"]
    bare = {path.stem for path in (ROOT / "plugins").rglob("*.py")} - {"__init__"}
    assert bare.isdisjoint(set(found["modules"]) - set(sys.stdlib_module_names))
    assert "m3ter_sandbox" not in found["modules"]
