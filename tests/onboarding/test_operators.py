"""How errors leave a task."""

from __future__ import annotations

import traceback

import pytest

from m3ter_onboarding.errors import OnboardingError
from m3ter_onboarding.operators import explained

ADDRESS = "quillondra@example.com"


def test_d18_what_nobody_foresaw_is_named_by_class_and_place_alone() -> None:
    with (
        pytest.raises(OnboardingError, match=r"unexpected KeyError at .*test_operators\.py:\d+") as caught,
        explained(),
    ):
        raise KeyError(ADDRESS)
    assert ADDRESS not in "".join(traceback.format_exception(caught.value))
