"""``python -m tests.protocol``: explore the model, and say how much was seen and which rule is caught without it."""

from __future__ import annotations

import sys
import time

from tests.protocol.cases import CASES, WHOLE
from tests.protocol.explore import explore


def main() -> int:
    """Explore everything; 0 when all is as it must be."""
    began, wrong = time.perf_counter(), 0
    print("With every rule on:")
    states = transitions = 0
    for scope in WHOLE:
        seen = explore(scope)
        states, transitions = states + seen.states, transitions + seen.transitions
        print(
            f"  {scope.name:72} {seen.states:9,} states {seen.transitions:11,} transitions, depth {seen.depth:3}"
            f" {seen.seconds:6.1f} s  {'BROKEN: ' + seen.broken if seen.broken else 'holds'}",
            flush=True,
        )
        if seen.broken:
            wrong += 1
            _print(explore(scope, symmetric=False).trace)
    print(f"  together {states:,} states, {transitions:,} transitions\n")
    print("With rules switched off:")
    for case in CASES:
        seen = explore(case.scope, case.off, symmetric=False)
        if seen.broken is not None:
            says = f"caught after {len(seen.trace):2} steps: {seen.broken}"
        else:
            says = f"holds all the same: {case.redundant_since}"
        as_expected = (seen.broken is None) == bool(case.redundant_since)
        wrong += not as_expected
        print(f"  {case.name:38} {seen.seconds:5.1f} s  {says}{'' if as_expected else '  <- NOT EXPECTED'}", flush=True)
        if "-v" in sys.argv[1:] or not as_expected:
            _print(seen.trace)
    print(f"\n{time.perf_counter() - began:.0f} s; {f'{wrong} not as expected' if wrong else 'all as expected'}.")
    return 1 if wrong else 0


def _print(trace: list[str]) -> None:
    for number, step in enumerate(trace, 1):
        print(f"      {number:3}. {step}")


if __name__ == "__main__":
    sys.exit(main())
