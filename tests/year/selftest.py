"""``python -m tests.year.selftest``: what was once forgotten is planted again, each by itself, and must be noticed."""

from __future__ import annotations

import sys

from tests.support.planted_bugs import ONBOARDING, Bug, SelfTest, line_with

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
        ((_WORKLIST, 'return verdict in ("invalid", "review")', 'return verdict == "review"'),),
        _SHORT,
    ),
    Bug(
        "what a person decides about is no question",
        ((_WORKLIST, 'return verdict in ("invalid", "review")', 'return verdict == "invalid"'),),
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
        ("--days", "90", "--people", "40", "--kinds", "plain,by_hand_expires"),
    ),
    Bug(
        "whoever lets invitations expire is invited again without bound",
        ((f"{ONBOARDING}/planning/occasion.py", "if times > self._rules.reinvite:", "if not self._rules.reinvite:"),),
        ("--days", "150", "--people", "60"),
    ),
    Bug(
        "rows may ask for every policy",
        (
            (
                f"{ONBOARDING}/planning/restrictions.py",
                "        if isinstance(allowed, str):\n",
                "        if allowed:\n",
            ),
        ),
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
                'w.c.org_id == bindparam("org_id"), w.c.closed_at.is_(None), w.c.reason != DIFFERS',
                'w.c.config_name == "acme_renamed", w.c.closed_at.is_(None), w.c.reason != DIFFERS',
            ),
        ),
        _SHORT,
    ),
)

SELF_TEST = SelfTest(
    "tests.year.selftest",
    BUGS,
    lambda cases: ["-m", "tests.year", *cases],
    lambda output: line_with(output, "with a broken promise"),
)

if __name__ == "__main__":
    sys.exit(SELF_TEST.main())
