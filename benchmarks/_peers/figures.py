"""Medians, spreads and ratios of what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks._peers.cases import RAW


@dataclass(frozen=True)
class Measured:
    """One peer in one round of one case.

    :param people: the people that it was given.
    :param wall: seconds.
    :param cpu: seconds of the client's process.
    :param lost: people without an e-mail at the end.
    :param twice: people with more than one.
    """

    case: str
    peer: str
    round: int
    people: int
    wall: float
    cpu: float
    peak_mib: float
    requests: int
    tokens: int
    twice: int
    lost: int

    @property
    def rate(self) -> float:
        """Invitations a second."""
        return self.people / self.wall

    @property
    def cpu_each(self) -> float:
        """Seconds of the processor for one invitation."""
        return self.cpu / self.people


@dataclass(frozen=True)
class Spread:
    """A median with the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Line:
    """One peer in one case, all rounds together; counts are the most that a round had.

    :param asked: how many people the case has.
    :param people: how many the peer was given; fewer: figures of all are scaled.
    :param wall: seconds, for ``asked``.
    :param speed: invitations a second, as a share of raw aiohttp's in the same round.
    :param cpu: microseconds of the client's process for one invitation.
    :param cpu_ratio: the same, as a multiple of raw aiohttp's in the same round.
    """

    case: str
    peer: str
    rounds: int
    asked: int
    people: int
    wall: Spread
    rate: float
    speed: Spread
    cpu: Spread
    cpu_ratio: Spread
    peak_mib: float
    requests: int
    tokens: int
    twice: int
    lost: int


def lines_of(measured: Sequence[Measured]) -> list[Line]:
    """Put the rounds together, by case and peer in the order in which they were measured first."""
    raw = {(one.case, one.round): one for one in measured if one.peer == RAW}
    measured = [one for one in measured if (one.case, one.round) in raw]  # where time ended, a round may have none
    return [
        _line([one for one in measured if (one.case, one.peer) == key], raw)
        for key in dict.fromkeys((one.case, one.peer) for one in measured)
    ]


def _line(rounds: Sequence[Measured], raw: dict[tuple[str, int], Measured]) -> Line:
    first = rounds[0]
    asked = raw[first.case, first.round].people
    return Line(
        case=first.case,
        peer=first.peer,
        rounds=len(rounds),
        asked=asked,
        people=first.people,
        wall=Spread.of([asked / one.rate for one in rounds]),
        rate=statistics.median(one.rate for one in rounds),
        speed=Spread.of([one.rate / raw[one.case, one.round].rate for one in rounds]),
        cpu=Spread.of([one.cpu_each * 1e6 for one in rounds]),
        cpu_ratio=Spread.of([one.cpu_each / raw[one.case, one.round].cpu_each for one in rounds]),
        peak_mib=max(one.peak_mib for one in rounds),
        requests=max(one.requests for one in rounds),
        tokens=max(one.tokens for one in rounds),
        twice=max(one.twice for one in rounds),
        lost=max(one.lost for one in rounds),
    )


def measured_from(values: Sequence[dict[str, Any]]) -> list[Measured]:
    """Read what was kept as JSON."""
    return [Measured(**one) for one in values]
