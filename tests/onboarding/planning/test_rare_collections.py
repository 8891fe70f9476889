"""The collector of garbage is left as it was found."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from m3ter_onboarding.planning.rare_collections import rare_collections


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(("found", "meanwhile"), [(700, 200_000), (500_000, 500_000), (0, 0)])
def test_it_looks_rarely_and_then_as_before(found: int, meanwhile: int) -> None:
    gc.set_threshold(found, 7, 8)
    seen = []

    def fail() -> None:
        with rare_collections():
            seen.append(gc.get_threshold()[0])
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        fail()
    assert seen == [meanwhile]
    assert gc.get_threshold()[0] == found
