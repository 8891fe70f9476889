"""The two rate limits, counted on a frozen clock."""

from __future__ import annotations

import random

import pytest

from m3ter_sandbox.limits import OrganizationLimit, SourceLimit
from tests.support import api_facts


def test_calendar_second_allows_exactly_the_limit_and_opens_with_the_next_second() -> None:
    limit = OrganizationLimit()
    passed = [limit.admit(100.5 + index / 1000, 50, "calendar") for index in range(60)]
    assert passed[:50] == [0.0] * 50
    assert all(wait > 0 for wait in passed[50:])
    assert limit.admit(100.999999, 50, "calendar") == pytest.approx(0.000001)
    assert limit.admit(101.0, 50, "calendar") == 0.0


def test_calendar_second_allows_twice_the_limit_around_its_edge_and_a_sliding_one_does_not() -> None:
    times = [100.99] * 50 + [101.0] * 50
    calendar, sliding = OrganizationLimit(), OrganizationLimit()
    assert [calendar.admit(now, 50, "calendar") for now in times] == [0.0] * 100
    assert sum(sliding.admit(now, 50, "sliding") == 0.0 for now in times) == 50


@pytest.mark.parametrize("window", ["calendar", "sliding"])
def test_a_window_never_holds_more_than_the_limit(window: str) -> None:
    draw = random.Random(7)
    limit, now, admitted = OrganizationLimit(), 0.0, []
    for _ in range(5_000):
        now += draw.expovariate(80)
        if limit.admit(now, 50, window) == 0.0:  # type: ignore[arg-type]
            admitted.append(now)
    for index, start in enumerate(admitted):
        if window == "sliding":
            held = [one for one in admitted[index : index + 60] if one < start + 1.0]
        else:
            held = [one for one in admitted[max(0, index - 60) : index + 60] if int(one) == int(start)]
        assert len(held) <= 50
    # Strict, but not stricter: a client that waits as long as asked is admitted.
    assert len(admitted) > 0.9 * 50 * int(now)


@pytest.mark.parametrize("window", ["calendar", "sliding"])
def test_a_client_that_waits_as_asked_is_admitted(window: str) -> None:
    limit = OrganizationLimit()
    now = 10.3
    for _ in range(500):
        wait = limit.admit(now, 50, window)  # type: ignore[arg-type]
        if wait:
            now += wait + 1e-9
            assert limit.admit(now, 50, window) == 0.0  # type: ignore[arg-type]


def test_refused_requests_do_not_prolong_a_sliding_window() -> None:
    limit = OrganizationLimit()
    assert [limit.admit(0.0, 2, "sliding") for _ in range(2)] == [0.0, 0.0]
    assert all(limit.admit(0.1 * tenth, 2, "sliding") > 0 for tenth in range(1, 10))
    assert limit.admit(1.0, 2, "sliding") == 0.0


def test_changing_the_kind_of_window_in_mid_second_forgets_nothing() -> None:
    limit = OrganizationLimit()
    for _ in range(3):
        assert limit.admit(5.1, 3, "calendar") == 0.0
    assert limit.admit(5.2, 3, "sliding") > 0
    assert limit.admit(6.0, 3, "sliding") > 0
    assert limit.admit(6.0, 3, "calendar") == 0.0


def test_zero_switches_a_limit_off() -> None:
    limit, source = OrganizationLimit(), SourceLimit()
    assert {limit.admit(1.0, 0, "calendar") for _ in range(1000)} == {0.0}
    assert {source.admit(1.0, "10.0.0.1", 0) for _ in range(1000)} == {0.0}


def test_each_source_has_its_own_five_minutes_which_drain_one_by_one() -> None:
    limit, most = SourceLimit(), api_facts.REQUESTS_PER_FIVE_MINUTES
    for number in range(most):
        assert limit.admit(number / 100, "10.0.0.1", most) == 0.0
    assert limit.admit(200.0, "10.0.0.1", most) == pytest.approx(100.0)
    assert limit.admit(200.0, "10.0.0.2", most) == 0.0
    assert limit.admit(300.0, "10.0.0.1", most) == 0.0
    assert limit.admit(300.0, "10.0.0.1", most) == pytest.approx(0.01)
