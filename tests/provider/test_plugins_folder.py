"""Airflow's plugin loader executes every file below its folder under the file's bare name: not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
print(sorted(set(sys.argv[1:]) & set(sys.modules)))
print(plugins_manager.get_import_errors())
"""


def test_airflow_loads_nothing_of_ours_from_the_plugins_folder(project_root: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project_root / "plugins"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    bare = {path.stem for path in (project_root / "plugins").rglob("*.py")} - {"__init__"} - sys.stdlib_module_names
    assert {"auth", "errors", "m3ter"} <= bare
    run = subprocess.run(
        [sys.executable, "-c", CODE, *bare], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-2:] == ["[]", "{}"]
