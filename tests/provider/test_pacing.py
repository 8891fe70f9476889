"""The pace, on a clock that only the test moves: no second, wherever it begins, holds more than the limit."""

from __future__ import annotations

import random

import pytest

from m3ter_provider.pacing import Pacer
from tests.support.hook_clients import FakeClock


def turns(pacer: Pacer, clock: FakeClock, count: int, lateness: random.Random | None = None) -> list[float]:
    times = []
    for _ in range(count):
        while (wait := pacer.try_turn()) > 0:
            clock.sleep(wait + (lateness.uniform(0, 0.012) if lateness else 0))
        times.append(clock())
    return times


def most_in_a_sliding_second(times: list[float]) -> int:
    return max(sum(1 for other in times if moment <= other < moment + 1) for moment in times)


def most_in_a_calendar_second(times: list[float], offset: float) -> int:
    seconds = [int(moment + offset) for moment in times]
    return max(seconds.count(second) for second in set(seconds))


@pytest.mark.parametrize("limit", [1, 2, 20, 50, 137])
@pytest.mark.parametrize("late", [False, True])
def test_the_pacer_never_exceeds_the_limit(limit: int, late: bool) -> None:
    clock = FakeClock()
    times = turns(Pacer(limit, clock=clock), clock, limit * 6, random.Random(limit) if late else None)
    assert most_in_a_sliding_second(times) <= limit
    assert max(most_in_a_calendar_second(times, offset / 100) for offset in range(100)) <= limit


def test_the_pacer_nearly_reaches_the_limit() -> None:
    clock = FakeClock()
    times = turns(Pacer(50, clock=clock), clock, 2001)
    assert 2000 / (times[-1] - times[0]) == pytest.approx(49, rel=0.001)


def test_a_rest_saves_up_no_burst() -> None:
    clock = FakeClock()
    pacer = Pacer(50, clock=clock)
    turns(pacer, clock, 50)
    clock.now += 3600
    assert most_in_a_sliding_second(turns(pacer, clock, 200)) <= 50


def test_after_429_everyone_waits_a_whole_second() -> None:
    clock = FakeClock()
    pacer = Pacer(50, clock=clock)
    sent_at = turns(pacer, clock, 1)[0]
    clock.now += 0.1
    pacer.throttled(sent_at=sent_at, retry_after=None)
    assert pacer.try_turn() == pytest.approx(1)
    assert turns(pacer, clock, 1)[0] == pytest.approx(sent_at + 1.1)


def test_retry_after_is_honoured_within_reason() -> None:
    clock = FakeClock()
    pacer = Pacer(50, clock=clock)
    pacer.throttled(sent_at=clock(), retry_after=7.0)
    assert pacer.try_turn() == pytest.approx(7)
    pacer.throttled(sent_at=clock(), retry_after=86_400.0)
    assert pacer.try_turn() == pytest.approx(60)


def test_429_slows_down_once_for_all_that_was_under_way_and_recovers() -> None:
    clock = FakeClock()
    pacer = Pacer(50, clock=clock)
    sent = turns(pacer, clock, 10)
    for moment in sent:
        pacer.throttled(sent_at=moment, retry_after=None)
    slow = turns(pacer, clock, 20)
    assert (slow[2] - slow[1]) * 49 == pytest.approx(1 / 0.7, rel=0.05)
    clock.now += 60
    turns(pacer, clock, 5)
    quick = turns(pacer, clock, 20)
    assert (quick[-1] - quick[0]) / 19 == pytest.approx(1 / 49, rel=0.001)


def test_the_pacer_never_stops_altogether() -> None:
    clock = FakeClock()
    pacer = Pacer(50, clock=clock)
    for _ in range(50):
        pacer.throttled(sent_at=clock(), retry_after=0.001)
        clock.now += 0.01
    times = turns(pacer, clock, 3)
    assert times[2] - times[1] <= 1 / (49 * 0.1) + 0.01


def test_pauses_grow_while_they_do_not_help() -> None:
    clock = FakeClock()
    pacer = Pacer(50, clock=clock)
    pauses = []
    for _ in range(8):
        sent_at = turns(pacer, clock, 1)[0]
        clock.now += 0.01
        pacer.throttled(sent_at=sent_at, retry_after=None)
        pauses.append(round(pacer.try_turn()))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    sent_at = turns(pacer, clock, 1)[0]
    pacer.served(sent_at=sent_at)
    clock.now += 0.01
    pacer.throttled(sent_at=clock(), retry_after=None)
    assert round(pacer.try_turn()) == 1
