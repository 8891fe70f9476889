"""The kinds of trouble, one module each."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.cases import Case
from tests.chaos.kinds import crossed, database, interrupted, m3ter, overlapping, people, restored
from tests.chaos.scenarios import Recording


def all_cases(recording: Recording, seed: int) -> Iterator[Case]:
    """Yield every case.

    :param recording: the fault points of the scenarios.
    :param seed: of what is drawn when cases are made; each case has further random numbers of its own.
    """
    yield from interrupted.cases(recording)
    yield from database.cases(recording)
    yield from restored.cases()
    yield from m3ter.cases(recording, seed)
    yield from crossed.cases(recording, seed)
    yield from overlapping.cases(recording)
    yield from people.cases(recording)
