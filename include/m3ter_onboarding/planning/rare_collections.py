"""Python looks for garbage in cycles rarely while a plan is made.

A plan makes and drops many objects a row, and none of them is in a cycle; looking at them again and again took a sixth
of its time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: So many more objects must have been made than dropped before Python looks.
_OBJECTS = 200_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the collector of this process start rarely while the body runs."""
    before = gc.get_threshold()
    gc.set_threshold(max(_OBJECTS, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
