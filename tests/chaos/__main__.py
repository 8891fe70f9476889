"""``python -m tests.chaos``: run cases, and print whether the promise held in each."""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import tests.conftest as airflow_home  # first: an Airflow home for the cases alone
from tests.chaos.cases import Case, Result
from tests.chaos.environment import preload
from tests.chaos.kinds import all_cases
from tests.chaos.recorded_points import check_complete
from tests.chaos.workers import record_points, run_cases
from tests.support.postgresql import PostgresServer, running_postgres

#: The seed of ``make chaos``.
SEED = 20260101


def main() -> int:
    """Run the chosen cases; the exit status is 0 if the promise held in all of them."""
    arguments = _arguments()
    assert airflow_home.AIRFLOW_HOME.exists()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that databases and servers are ended too
    logging.disable(logging.NOTSET if arguments.log else logging.CRITICAL)
    preload()
    with tempfile.TemporaryDirectory(prefix="m3ter-chaos-") as name:
        folder = Path(name)
        with running_postgres(folder / "pg") as postgres:
            recording, imported = record_points(folder, postgres)
            preload(imported)
            check_complete(recording)
            cases = chosen(list(all_cases(recording)), arguments)
            if not cases:
                print("No case has such a name. Which fault points a run has depends a little on timing: try again.")
                return 1
            if arguments.list:
                print(*(case.full_name for case in cases), sep="\n")
                return 0
            return _run(cases, arguments, folder, postgres)


def chosen(cases: list[Case], arguments: argparse.Namespace) -> list[Case]:
    """Return the cases that were asked for; a share of each kind is drawn by the seed."""
    doubled = [name for name, count in Counter(case.full_name for case in cases).items() if count > 1]
    assert not doubled, doubled
    if arguments.case:
        cases = [case for case in cases if any(wanted in case.full_name for wanted in arguments.case)]
    if arguments.share < 1:
        by_kind: dict[str, list[Case]] = defaultdict(list)
        for case in cases:
            by_kind[case.kind].append(case)
        rng = random.Random(arguments.seed)
        kept: set[str] = set()
        for same in by_kind.values():
            count = min(len(same), max(4, round(len(same) * arguments.share)))
            kept.update(case.full_name for case in rng.sample(same, count))
        cases = [case for case in cases if case.full_name in kept]
    random.Random(arguments.seed).shuffle(cases)  # slow kinds are spread over the whole
    return cases


def _run(cases: list[Case], arguments: argparse.Namespace, folder: Path, postgres: PostgresServer) -> int:
    began = time.monotonic()
    results: list[Result] = []
    progress = _Progress(len(cases), began)

    def on_result(result: Result) -> None:
        results.append(result)
        progress.show(result, len(results))

    def until() -> bool:
        failed = sum(result.failure is not None for result in results)
        late = arguments.minutes is not None and time.monotonic() - began > arguments.minutes * 60
        return late or (arguments.max_failures is not None and failed >= arguments.max_failures)

    run_cases(
        cases,
        seed=arguments.seed,
        jobs=arguments.jobs,
        folder=folder,
        postgres=postgres,
        on_result=on_result,
        log=arguments.log,
        until=until,
    )
    return summary(results, len(cases), time.monotonic() - began, arguments.seed)


class _Progress:
    """A line that moves on a terminal, and one now and then elsewhere."""

    def __init__(self, total: int, began: float) -> None:
        self._total, self._began, self._said = total, began, 0.0
        self._moving = sys.stdout.isatty()

    def show(self, result: Result, done: int) -> None:
        now = time.monotonic()
        if result.failure is not None:
            first = result.failure if "\n" in result.failure else result.failure[:2000]
            print(f"FAILED  {result.name}\n        {first}")
            print(f"        alone: python -m tests.chaos --case '{result.name}'", flush=True)
        if done == self._total or now - self._said > (0.5 if self._moving else 20):
            self._said = now
            line = f"{done} of {self._total} cases, {now - self._began:.0f} s"
            print(f"\r{line}  " if self._moving else line, end="" if self._moving else "\n", flush=True)


def summary(results: list[Result], total: int, seconds: float, seed: int) -> int:
    """Print the table that stands in the documentation; return the exit status."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        kinds[result.kind].append(result)
    width = max(map(len, kinds), default=10)
    print(f"\n\n{'kind':{width}}  cases  failed  not reached  seconds")
    for kind, same in kinds.items():
        failed = sum(result.failure is not None for result in same)
        missed = sum(result.not_reached for result in same)
        spent = sum(result.seconds for result in same)
        print(f"{kind:{width}}  {len(same):5d}  {failed:6d}  {missed:11d}  {spent:7.0f}")
    failed = sum(result.failure is not None for result in results)
    missed = sum(result.not_reached for result in results)
    print(f"{'all':{width}}  {len(results):5d}  {failed:6d}  {missed:11d}  {seconds:7.0f} (wall clock)")
    if len(results) < total:
        print(f"{total - len(results)} of the chosen cases were not begun")
    print(f"seed {seed}")
    # A fault that is no longer reached is a test that no longer tests.
    return 1 if failed or not results or missed > len(results) * 0.05 else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--case", action="append", help="only cases whose name holds this text; may be repeated: any of them"
    )
    parser.add_argument("--share", type=float, default=1.0, help="run this share of each kind")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=max(2, (os.cpu_count() or 2) + 1))
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--max-failures", type=int, help="stop after so many")
    parser.add_argument("--minutes", type=float, help="begin no case later than this")
    parser.add_argument("--log", type=Path, help="append the output of the tasks to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
