"""The pace, on a clock that only the test moves: no second, wherever it begins, holds more than the limit."""

from __future__ import annotations

import heapq
import random
import tracemalloc
from collections import Counter, deque
from collections.abc import Callable
from itertools import count

import pytest

from m3ter_provider.pacing import Pacer
from tests.support.hook_clients import FakeClock


def turns(
    pacer: Pacer, clock: FakeClock, count: int, lateness: random.Random | None = None, *, latest: float = 0.012
) -> list[float]:
    times = []
    for _ in range(count):
        while (wait := pacer.try_turn()) > 0:
            clock.sleep(wait + (lateness.uniform(0, latest) if lateness else 0))
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


@pytest.mark.parametrize("latest", [0.012, 0.02])
def test_a_busy_machine_makes_up_for_late_turns_within_the_limit(latest: float) -> None:
    clock = FakeClock()
    times = turns(Pacer(50, clock=clock), clock, 2001, random.Random(1), latest=latest)
    assert 2000 / (times[-1] - times[0]) >= 0.98 * 49
    spans = [late - early for early, late in zip(times, times[50:], strict=False)]
    assert min(spans) >= 50 / 49 - 1e-5


def test_a_pace_without_limit_needs_no_memory_of_each_turn_in_a_second() -> None:
    tracemalloc.start()
    try:
        Pacer(1e7, clock=FakeClock())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


def test_what_nobody_waited_for_is_not_made_up_for() -> None:
    clock = FakeClock()
    pacer = Pacer(50, clock=clock)
    turns(pacer, clock, 10)
    clock.now += 10
    assert pacer.try_turn() == 0
    assert pacer.try_turn() == pytest.approx(1 / 49 - 0.005, abs=1e-6)


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
    assert (slow[2] - slow[1]) * 49 == pytest.approx(2, rel=0.05)
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


# -- several processes, one limit --------------------------------------------------------------------------------------


def calendar_window(limit: int) -> Callable[[float], bool]:
    """Return a server's answer to a request at a moment: so many in each second of the clock."""
    admitted: Counter[int] = Counter()

    def admits(now: float) -> bool:
        admitted[int(now)] += 1
        return admitted[int(now)] <= limit

    return admits


def sliding_window(limit: int) -> Callable[[float], bool]:
    """Return a server's answer to a request at a moment: so many in the last second, wherever it began."""
    admitted: deque[float] = deque()

    def admits(now: float) -> bool:
        while admitted and admitted[0] <= now - 1:
            admitted.popleft()
        if len(admitted) == limit:
            return False
        admitted.append(now)
        return True

    return admits


def send_side_by_side(
    senders: int, admits: Callable[[float], bool], *, seconds: float, each: int = 1000, seed: int = 1
) -> tuple[float, float]:
    """Let processes that know nothing of each other send, and return e-mails a second and the share of 429.

    :param seconds: from a request to its answer.
    :param each: how many people each has.
    """
    clock, chance, order = FakeClock(), random.Random(seed), count()
    pacers = [Pacer(50, clock=clock) for _ in range(senders)]
    left = [each] * senders
    events: list[tuple[float, int, str, int, float]] = []

    def later(after: float, what: str, who: int, sent_at: float = 0.0) -> None:
        heapq.heappush(events, (clock.now + after, next(order), what, who, sent_at))

    for who in range(senders):
        begins = chance.uniform(0, 0.5)
        for _ in range(16):
            later(begins, "turn", who)
    served = refused = 0
    began = ended = clock.now
    while events:
        clock.now, _, what, who, sent_at = heapq.heappop(events)
        if what == "turn" and left[who]:
            if (wait := pacers[who].try_turn()) > 0:
                later(wait + chance.uniform(0, 0.003), "turn", who)
                continue
            left[who] -= 1
            later(seconds / 2 * chance.uniform(0.8, 1.2), "arrives", who, clock.now)
        elif what == "arrives":
            later(seconds / 2, "served" if admits(clock.now) else "refused", who, sent_at)
        elif what == "served":
            served, ended = served + 1, clock.now
            pacers[who].served(sent_at=sent_at)
            later(0, "turn", who)
        elif what == "refused":
            refused, left[who] = refused + 1, left[who] + 1
            pacers[who].throttled(sent_at=sent_at, retry_after=None)
            later(0, "turn", who)
    assert served == senders * each
    return served / (ended - began), refused / (served + refused)


@pytest.mark.parametrize("window", [calendar_window, sliding_window], ids=["calendar", "sliding"])
@pytest.mark.parametrize(("senders", "seconds"), [(2, 0.02), (2, 0.1), (5, 0.02)])
def test_senders_that_do_not_know_of_each_other_share_the_limit_without_a_storm(
    senders: int, seconds: float, window: Callable[[int], Callable[[float], bool]]
) -> None:
    ran = [send_side_by_side(senders, window(50), seconds=seconds, seed=seed) for seed in range(6)]
    assert sum(pace for pace, _ in ran) / len(ran) >= 0.9 * 50
    assert max(share for _, share in ran) < 0.01


@pytest.mark.parametrize("window", [calendar_window, sliding_window], ids=["calendar", "sliding"])
def test_ten_senders_are_refused_seldom_too(window: Callable[[int], Callable[[float], bool]]) -> None:
    pace, refused = send_side_by_side(10, window(50), seconds=0.1)
    assert pace >= 0.85 * 50
    assert refused < 0.05


def test_one_sender_alone_is_never_refused() -> None:
    pace, refused = send_side_by_side(1, calendar_window(50), seconds=0.1)
    assert pace >= 0.94 * 50  # the last answer and the late start included
    assert refused == 0


def test_a_sender_that_is_alone_again_takes_the_whole_limit_within_a_minute() -> None:
    clock = FakeClock()
    pacer = Pacer(50, clock=clock)
    for _ in range(6):  # among others
        sent_at = turns(pacer, clock, 30)[-1]
        pacer.served(sent_at=sent_at)
        clock.now += 0.02
        pacer.throttled(sent_at=sent_at, retry_after=None)
    clock.now += 61  # a second of it is the pause
    turns(pacer, clock, 2)
    quick = turns(pacer, clock, 20)
    assert (quick[-1] - quick[0]) / 19 == pytest.approx(1 / 49, rel=0.001)
