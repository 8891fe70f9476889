"""``python -m tests.year``: a simulated year of daily runs; exit status 0 if every promise was kept."""

from __future__ import annotations

import argparse
import io
import logging
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import tests.conftest  # noqa: F401  (an Airflow home of its own, before Airflow is imported)
from m3ter_sandbox.testing import SandboxServer
from tests.year.people import KINDS, WIDENING
from tests.year.simulation import Simulation


def main() -> int:
    """Play a year and print what it came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.year", description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--not-widening", action="store_true", help="without people who widen the window for all")
    parser.add_argument("--kinds", help="only people of these kinds, separated by commas")
    parser.add_argument("--show", type=int, default=10, help="so many violations are printed")
    chosen = parser.parse_args()
    logging.disable(logging.ERROR)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="m3ter-year-") as folder,
        SandboxServer(requests_per_second=0) as m3ter,
        redirect_stdout(io.StringIO()),  # Airflow's tasks write there that nobody supervises them
    ):
        played = Simulation(
            m3ter,
            Path(folder),
            days=chosen.days,
            count=chosen.people,
            seed=chosen.seed,
            kinds=_kinds(chosen.kinds, widening=not chosen.not_widening),
        ).play()
    print(
        f"seed {chosen.seed}: {chosen.days} days, {chosen.people} people, {played.runs} runs"
        f" ({played.failed_runs} failed on purpose), {played.emails} e-mails, {played.questions} open questions"
        f" at the end, {time.monotonic() - began:.0f} s"
    )
    for violation in played.violations[: chosen.show]:
        print(violation)
    for what, count in sorted(played.by_kind().items()):
        print(f"{count:5d}  {what}")
    print(f"{len({v.person for v in played.violations})} people with a broken promise")
    return 1 if played.violations else 0


def _kinds(chosen: str | None, *, widening: bool) -> tuple[str, ...]:
    if chosen is None:
        return (*KINDS, *WIDENING) if widening else KINDS
    kinds = tuple(chosen.split(","))
    unknown = sorted(set(kinds) - {*KINDS, *WIDENING})
    if unknown:
        sys.exit(f"no such kind of people: {', '.join(unknown)}. There are {', '.join((*KINDS, *WIDENING))}")
    return kinds


if __name__ == "__main__":
    sys.exit(main())
