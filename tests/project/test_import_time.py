"""What a DAG file with our DAG costs the DAG processor, beside one with an empty DAG."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.import_time import LIMIT, measure
from tests.project.conftest import ROOT

LOOK = """
import json, sys
from airflow.sdk import DAG
before = set(sys.modules)
from m3ter_onboarding import onboarding_dag
onboarding_dag(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""
#: Parts of the product that only a running task needs, and libraries that cost more than the rest together.
LATER = {
    *(
        "m3ter_provider.hooks",
        "m3ter_onboarding.sending.sender",
        "m3ter_onboarding.planning.planner",
        "m3ter_onboarding.mirroring.m3ter_lists",
    ),
    *("aiohttp", "requests", "fastapi", "email_validator", "psycopg", "pandas", "m3ter_sandbox"),
    *("airflow.providers.http", "airflow.providers.common.sql"),
}


def test_a_dag_file_does_not_import_what_only_a_task_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(ROOT / "include" / "config" / "example.yaml")],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = json.loads(done.stdout.splitlines()[-1])
    assert "m3ter_onboarding.dag" in modules
    assert [name for name in modules if any(name == part or name.startswith(f"{part}.") for part in LATER)] == []


@pytest.mark.slow
def test_the_import_takes_hardly_longer_than_that_of_an_empty_dag(capsys: pytest.CaptureFixture[str]) -> None:
    # The machine may be busy: the best of three looks, each a median of pairs.
    ratios = []
    while len(ratios) < 3 and (not ratios or min(ratios) > LIMIT):
        ratios.append(measure(7))
    assert min(ratios) <= LIMIT, f"{ratios}\n{capsys.readouterr().out}"
