"""Collections are rarer while a sender works, and as before after it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from m3ter_onboarding.sending.garbage_collection import NEW_OBJECTS, rare_collections


@pytest.fixture(autouse=True)
def threshold() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_they_are_rarer_and_then_as_before() -> None:
    gc.set_threshold(700, 11, 12)
    with rare_collections():
        assert gc.get_threshold() == (NEW_OBJECTS, 11, 12)
    assert gc.get_threshold() == (700, 11, 12)


@pytest.mark.parametrize("chosen", [0, 50_000])
def test_a_process_that_collects_less_often_or_never_is_left_alone(chosen: int) -> None:
    gc.set_threshold(chosen, 10, 10)
    with rare_collections():
        assert gc.get_threshold()[0] == chosen
