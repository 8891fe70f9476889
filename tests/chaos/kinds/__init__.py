"""The kinds of cases, one module each."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.cases import Case
from tests.chaos.kinds import (
    backfills,
    by_hand,
    database,
    everything,
    interrupted,
    m3ter,
    overlapping,
    people,
    rails,
    restored,
    two_senders,
    zombies,
)
from tests.chaos.recorded_points import Recording


def all_cases(recording: Recording) -> Iterator[Case]:
    """Yield every case.

    :param recording: the fault points of the scenarios.
    """
    yield from interrupted.cases(recording)
    yield from database.cases(recording)
    yield from restored.cases()
    yield from m3ter.cases()
    yield from overlapping.cases()
    yield from two_senders.cases()
    yield from zombies.cases(recording)
    yield from backfills.cases()
    yield from people.cases()
    yield from by_hand.cases(recording)
    yield from rails.cases()
    yield from everything.cases()
