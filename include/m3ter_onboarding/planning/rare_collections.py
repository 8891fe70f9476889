"""Python's garbage collection during work that makes many objects and leaves no cycles: less often.

Hundreds of attempts are in flight at once while a sender works, and each new object makes Python look through all the
others, and through Airflow's: a third of the sender's processor time, and a sixth of a plan's. What they leave is freed
by its counts of references; collections remain for what is not.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: New objects between two collections; 700 as Python begins. Ten thousand are some megabytes.
WHILE_SENDING, WHILE_PLANNING = 10_000, 200_000


@contextmanager
def rare_collections(new_objects: int) -> Iterator[None]:
    """Collect less often while the body runs; a process that collects still less often, or never, is left alone.

    :param new_objects: between two collections.
    """
    before = gc.get_threshold()
    if 0 < before[0] < new_objects:
        gc.set_threshold(new_objects, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
