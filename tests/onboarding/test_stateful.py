"""DELIVERY.md as a whole: whatever happens, in any order, nobody is invited twice and nobody is forgotten.

``M3TER_CHAOS_EXAMPLES`` asks for so many random examples instead of a few fixed ones.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from m3ter_sandbox.testing import SandboxServer
from tests.onboarding.organisation_machine import Bench, OrganisationMachine, bench_on
from tests.onboarding.world import sqlite_connection, stage_on

EXAMPLES = int(os.environ.get("M3TER_CHAOS_EXAMPLES", "0"))


@pytest.fixture
def bench(tmp_path: Path, m3ter: SandboxServer) -> Iterator[Bench]:
    """Set up a bench of its own: its clock moves."""
    path = tmp_path / "warehouse.db"
    with stage_on(f"sqlite:///{path}", sqlite_connection(path)) as stage, bench_on(stage, m3ter) as bench:
        yield bench


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_whatever_happens_nobody_is_invited_twice_and_nobody_is_forgotten(
    bench: Bench, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    OrganisationMachine.tally.clear()

    class Machine(OrganisationMachine):
        def __init__(self) -> None:
            super().__init__(bench)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES or 8,
            stateful_step_count=30 if EXAMPLES else 15,
            derandomize=not EXAMPLES,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    if EXAMPLES:
        with capsys.disabled():
            sys.stdout.writelines(f"{count:8} {name}\n" for name, count in sorted(OrganisationMachine.tally.items()))
    assert OrganisationMachine.tally["sent"] > 0
