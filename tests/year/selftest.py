"""``python -m tests.year.selftest``: what was once forgotten is planted again, each by itself, and must be noticed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.chaos.selftest import ONBOARDING, ROOT, Bug, plant

_WORKLIST = f"{ONBOARDING}/ledger/worklist.py"
#: A bug's ``cases`` are arguments of ``python -m tests.year``.
_SHORT = ("--days", "70", "--people", "120", "--not-widening")

BUGS: tuple[Bug, ...] = (
    Bug(
        "open questions do not widen the window",
        ((f"{ONBOARDING}/planning/run_start.py", "asked_since=worklist.open_since(db, org_id)", "asked_since=None"),),
        _SHORT,
    ),
    Bug(
        "a domain that is not allowed is no question",
        ((_WORKLIST, '{"too_early", "excluded", "domain_not_allowed", ', '{"too_early", "excluded", '),),
        _SHORT,
    ),
    Bug(
        "an excluded person is no question",
        ((_WORKLIST, '{"too_early", "excluded", "domain_not_allowed", ', '{"too_early", "domain_not_allowed", '),),
        _SHORT,
    ),
    Bug(
        "a row that cannot be used is forgotten after the look-back",
        ((_WORKLIST, 'return decision.decision in ("invalid", "review")', 'return decision.decision == "review"'),),
        _SHORT,
    ),
    Bug(
        "what a person decides about is no question",
        ((_WORKLIST, 'return decision.decision in ("invalid", "review")', 'return decision.decision == "invalid"'),),
        _SHORT,
    ),
    Bug(
        "any newer plan closes the questions of everybody",
        ((_WORKLIST, "        elif row.person_key in present:\n", "        elif row:\n"),),
        _SHORT,
    ),
    Bug(
        "a look at one person answers for all",
        (
            (_WORKLIST, "return self.everybody and self.dag_id == row.dag_id and covers", "return bool(row)"),
            (_WORKLIST, "row.gone_at is None and plan.has_read", "plan.has_read"),
        ),
        _SHORT,
    ),
    Bug(
        "an invitation made by hand that expires is forgotten",
        (
            (
                f"{ONBOARDING}/ledger/catch_up.py",
                '_WAITING_SKIPS = ("too_early", "already_invited", "already_member")',
                '_WAITING_SKIPS = ("too_early",)',
            ),
        ),
        _SHORT,
    ),
    Bug(
        "whoever lets invitations expire is invited again without bound",
        ((f"{ONBOARDING}/planning/occasion.py", "if times > self._rules.reinvite:", "if not self._rules.reinvite:"),),
        ("--days", "150", "--people", "60"),
    ),
    Bug(
        "rows may ask for every policy",
        ((f"{ONBOARDING}/planning/planner.py", "    if isinstance(allowed, str):\n", "    if allowed:\n"),),
        _SHORT,
    ),
    Bug(
        "nobody cools off",
        ((f"{ONBOARDING}/planning/occasion.py", "if follows is not None and follows > self._now:", "if False:"),),
        ("--days", "150", "--people", "60"),
    ),
    Bug(
        "a renamed configuration begins anew",
        (
            (
                _WORKLIST,
                "w.c.org_id == org_id, w.c.closed_at.is_(None), w.c.reason != DIFFERS",
                'w.c.config_name == "acme_renamed", w.c.closed_at.is_(None), w.c.reason != DIFFERS',
            ),
        ),
        _SHORT,
    ),
)


def is_caught(bug: Bug) -> tuple[bool, float, str]:
    """Play a short year with a bug; return whether a promise was broken, in how many seconds, and the summary."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="m3ter-bug-") as name:
        plant(bug, Path(name))
        path = os.pathsep.join((f"{name}/include", f"{name}/plugins", str(ROOT)))
        ended = subprocess.run(
            [sys.executable, "-m", "tests.year", *bug.cases],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
    last = (ended.stdout.strip().splitlines() or [ended.stderr[-300:]])[-1]
    return ended.returncode == 1 and "with a broken promise" in last, time.monotonic() - began, last


def main() -> int:
    """Plant every bug; the exit status is 0 if all were caught."""
    escaped = 0
    with ThreadPoolExecutor(2) as pool:
        for bug, (caught, seconds, last) in zip(BUGS, pool.map(is_caught, BUGS), strict=True):
            escaped += not caught
            print(f"{'caught' if caught else 'NOT CAUGHT':10}  {seconds:4.0f} s  {bug.name}: {last}", flush=True)
    print(f"{len(BUGS) - escaped} of {len(BUGS)} planted bugs caught")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
