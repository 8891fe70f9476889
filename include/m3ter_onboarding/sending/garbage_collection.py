"""Python's garbage collection while a sender works: less often, since it took a third of the sender's processor time.

Hundreds of attempts are in flight at once, and each new object of theirs makes Python look through all the others, and
through Airflow's. What a sender leaves is freed by its counts of references; collections remain for what is not.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: New objects between two collections; 700 as Python begins. Ten thousand are some megabytes.
NEW_OBJECTS = 10_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect less often while the body runs; a process that collects still less often, or never, is left alone."""
    before = gc.get_threshold()
    if 0 < before[0] < NEW_OBJECTS:
        gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
