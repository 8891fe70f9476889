"""Long lists in parts."""

from __future__ import annotations

import pytest

from m3ter_onboarding.databases.batches import batches


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (500, [500]), (501, [500, 1]), (1200, [500, 500, 200])]
)
def test_batches_hold_every_item_once_in_order(count: int, sizes: list[int]) -> None:
    items = list(range(count))
    parts = list(batches(items))
    assert [len(part) for part in parts] == sizes
    assert [item for part in parts for item in part] == items


def test_size_of_a_batch_can_be_chosen() -> None:
    assert [list(part) for part in batches("abcde", 2)] == [["a", "b"], ["c", "d"], ["e"]]
