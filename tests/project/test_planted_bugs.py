"""Every bug of the self-tests can be planted where the code is now, and its tests are there."""

from __future__ import annotations

from itertools import chain

import pytest

import tests.chaos.selftest
import tests.guards.selftest
import tests.year.selftest
from tests.support.planted_bugs import ROOT, Bug

BUGS = [*tests.chaos.selftest.BUGS, *tests.guards.selftest.BUGS, *tests.year.selftest.BUGS]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_be_planted(bug: Bug) -> None:
    for file, text, instead in bug.changes:
        assert (ROOT / file).read_text(encoding="utf-8").count(text) == 1, f"{file}: {text}"
        assert text != instead


def test_tests_that_must_notice_a_bug_are_there() -> None:
    for case in set(chain.from_iterable(bug.cases for bug in tests.guards.selftest.BUGS)):
        file, _, name = case.partition("::")
        assert f"def {name}" in (ROOT / file).read_text(encoding="utf-8")
