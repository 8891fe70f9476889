"""Long lists in parts: databases take only so many parameters in one statement (SQLite: 32,766)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Sequence[Item], size: int = 500) -> Iterator[Sequence[Item]]:
    """Return the items in their order, at most *size* of them at once."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
