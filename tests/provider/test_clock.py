"""The clock of tokens and paces."""

from __future__ import annotations

import time

import pytest

from m3ter_provider.clock import boot_clock


def test_the_boot_clock_never_goes_back() -> None:
    times = [boot_clock() for _ in range(100)]
    assert times == sorted(times)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="not on this system")
def test_the_boot_clock_runs_while_the_machine_is_suspended() -> None:
    assert boot_clock() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=0.5)
