"""New hires of the demo's warehouse into its local m3ter, by Airflow (`make demo`, `make ui`), and who starts soon.

For an organisation of your own, copy include/config/example.yaml and this file, and change the path.
"""

from __future__ import annotations

from pathlib import Path

from m3ter_onboarding import day_one_dag, onboarding_dag

CONFIG = Path(__file__).parent.parent / "include" / "config" / "demo.yaml"

dag = onboarding_dag(CONFIG)
day_one = day_one_dag(CONFIG)
