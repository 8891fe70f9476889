from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.local_m3ter import LocalM3ter


@pytest.fixture
def local() -> Iterator[Callable[..., LocalM3ter]]:
    """Return a function that makes in-process sandboxes."""
    made: list[LocalM3ter] = []

    def make(*arguments: Any, **switches: Any) -> LocalM3ter:
        made.append(LocalM3ter(*arguments, **switches))
        return made[-1]

    yield make
    for one in made:
        one.close()
