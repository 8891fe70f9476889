"""The summary of the cases: by kind, with their seeds and how long they took."""

from __future__ import annotations

import os
import random
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

#: From it every case draws its own seed.
SEED = int(os.environ.get("M3TER_CHAOS_SEED", "20260101"))


@dataclass(frozen=True)
class Seed:
    """The randomness of one case.

    :param name: of the case.
    :param ledger: ``sqlite`` or ``postgresql``.
    """

    name: str
    ledger: str

    @property
    def number(self) -> int:
        """The case's own seed."""
        return zlib.crc32(f"{SEED}/{self.name}/{self.ledger}".encode())

    def rng(self) -> random.Random:
        """Return the case's random numbers."""
        return random.Random(self.number)

    def how_to_run(self) -> str:
        """Return the command that runs this case alone."""
        node = (
            f"tests/chaos/airflow/test_in_airflow.py::test_everybody_gets_exactly_one_email[{self.name}-{self.ledger}]"
        )
        return f"M3TER_CHAOS_SEED={SEED} python -m pytest -m chaos --timeout 900 '{node}'"


@dataclass(frozen=True)
class CompletedCase:
    """One case that has ended.

    :param faults_injected: so many things were done to it; 0: the moment was missed, so it shows nothing.
    :param runs: DAG runs until it was quiet.
    """

    kind: str
    seed: Seed
    people: int
    faults_injected: int
    runs: int
    seconds: float
    held: bool


@dataclass
class Summary:
    """All of them."""

    began: float = field(default_factory=time.monotonic)
    completed: list[CompletedCase] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the table that stands in the documentation, each case before it."""
        if not self.completed:
            return
        seconds = time.monotonic() - self.began
        yield ""
        width = max(len(one.seed.name) for one in self.completed) + 1
        for one in self.completed:
            yield (
                f"{'held' if one.held else 'FAILED':6}  {one.seed.name:{width}} {one.seed.ledger:10}  seed"
                f" {one.seed.number:10d}  people {one.people:3d}  troubles {one.faults_injected:2d}  runs {one.runs:3d}"
                f"  {one.seconds:4.0f} s"
            )
        yield ""
        kinds: dict[str, list[CompletedCase]] = defaultdict(list)
        for one in self.completed:
            kinds[one.kind].append(one)
        width = max(map(len, [*kinds, "all"]))
        yield f"{'kind':{width}}  cases  failed  not reached  people  troubles  runs  seconds"
        for kind, same in [*sorted(kinds.items()), ("all", self.completed)]:
            spent = seconds if kind == "all" else sum(one.seconds for one in same)
            yield (
                f"{kind:{width}}  {len(same):5d}  {sum(not one.held for one in same):6d}"
                f"  {sum(not one.faults_injected for one in same):11d}"
                f"  {sum(one.people for one in same):6d}  {sum(one.faults_injected for one in same):8d}"
                f"  {sum(one.runs for one in same):4d}  {spent:7.0f}{' (wall clock)' if kind == 'all' else ''}"
            )
        yield f"seed {SEED}"


SUMMARY = Summary()
