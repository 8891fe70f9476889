"""Collections are rarer while a body runs, and as before after it, however it ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from m3ter_onboarding.planning.rare_collections import WHILE_PLANNING, WHILE_SENDING, rare_collections


@pytest.fixture(autouse=True)
def threshold() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize("new_objects", [WHILE_SENDING, WHILE_PLANNING])
def test_they_are_rarer_and_then_as_before(new_objects: int) -> None:
    gc.set_threshold(700, 11, 12)
    with rare_collections(new_objects):
        assert gc.get_threshold() == (new_objects, 11, 12)
    assert gc.get_threshold() == (700, 11, 12)


def test_they_are_as_before_after_a_failure() -> None:
    gc.set_threshold(700, 11, 12)
    with pytest.raises(ValueError, match="failed"), rare_collections(WHILE_SENDING):
        raise ValueError("failed")
    assert gc.get_threshold() == (700, 11, 12)


@pytest.mark.parametrize("chosen", [0, 500_000])
def test_a_process_that_collects_less_often_or_never_is_left_alone(chosen: int) -> None:
    gc.set_threshold(chosen, 10, 10)
    with rare_collections(WHILE_PLANNING):
        assert gc.get_threshold()[0] == chosen
