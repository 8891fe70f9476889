"""Import time of a DAG file: with our DAG, against the same file with an empty ``DAG`` of Airflow's, in the same run.

Fresh processes in turn (A B, B A, …); processor time and wall time, interpreter's start included. The limit is for the
median of the ratios of processor time, pair by pair: wall time on a shared machine says more about its neighbours.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 1.15
PAIRS = 20
PEER = 'from airflow.sdk import DAG\n\ndag = DAG("m3ter_onboarding__example", schedule=None)\n'


def main() -> None:
    """Print the figures."""
    ratio = measure(PAIRS)
    print(f"right: at most {LIMIT}" if ratio <= LIMIT else f"WRONG: more than {LIMIT}")


def measure(pairs: int) -> float:
    """Measure and print; return the median ratio of processor time."""
    with tempfile.TemporaryDirectory(prefix="m3ter-bench-") as folder:
        subprocess.run(
            [sys.executable, "-m", "m3ter_onboarding", "init", folder, "--name", "example"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        ours, empty = Path(folder, "m3ter_onboarding_example.py"), Path(folder, "empty_dag.py")
        empty.write_text(PEER, encoding="utf-8")
        for file in (ours, empty):  # compiled, and in the page cache
            run(file)
        taken: dict[Path, list[tuple[float, float]]] = {ours: [], empty: []}
        for number in range(pairs):
            for file in (ours, empty) if number % 2 else (empty, ours):
                taken[file].append(run(file))
    for name, file in (("our DAG", ours), ("empty DAG", empty)):
        cpu, wall = (statistics.median(values) for values in zip(*taken[file], strict=True))
        print(f"{name:<10} processor {cpu:.3f} s, wall {wall:.3f} s (medians of {pairs})")
    ratios = [
        statistics.median(a[kind] / b[kind] for a, b in zip(taken[ours], taken[empty], strict=True)) for kind in (0, 1)
    ]
    print(f"ratio      processor {ratios[0]:.3f}, wall {ratios[1]:.3f} (medians of pairs)")
    return ratios[0]


def run(file: Path) -> tuple[float, float]:
    """Run a DAG file in a process of its own; return its seconds of processor time and of wall time."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, str(file)], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here
    if status:
        raise RuntimeError(f"{file.name} cannot be imported")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started
