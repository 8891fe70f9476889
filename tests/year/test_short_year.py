"""A short form of the simulated year, for CI: nobody is forgotten, and nobody gets an e-mail that they are not due."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from m3ter_sandbox.testing import SandboxServer
from tests.year.people import KINDS, WIDENING
from tests.year.simulation import Simulation


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [(*KINDS, *WIDENING), KINDS], ids=["with people who wait", "without"])
def test_nobody_is_forgotten_in_seven_weeks(tmp_path: Path, kinds: Sequence[str]) -> None:
    with SandboxServer(requests_per_second=0) as m3ter:
        played = Simulation(m3ter, tmp_path, days=50, count=90, seed=3, kinds=kinds).play()
    assert [str(violation) for violation in played.violations[:10]] == []
    assert played.emails > 50
    assert played.questions > 0
