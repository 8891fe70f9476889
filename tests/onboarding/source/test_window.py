from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.source.window import EarlierRuns, Interval, Window, resolve_interval, resolve_window

UTC = timezone.utc
DAY = timedelta(days=1)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def window(interval: Interval, look_back: timedelta = 3 * DAY, **earlier: datetime | None) -> Window:
    return resolve_window(interval, EarlierRuns(**earlier), look_back=look_back, max_age=90 * DAY, now=at(24))


# -- the interval ----------------------------------------------------------------------------------------------------


def test_the_form_comes_before_airflow() -> None:
    parameters = RunParameters(interval_start=at(1), interval_end=at(2))
    assert resolve_interval(at(5), at(6), parameters, now=at(24), look_back=DAY) == Interval(at(1), at(2))


def test_airflows_interval_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    start, end = datetime(2026, 11, 5, 6, tzinfo=berlin), datetime(2026, 11, 6, 6, tzinfo=berlin)
    interval = resolve_interval(start, end, RunParameters(), now=at(24), look_back=DAY)
    assert interval == Interval(at(5, 5), at(6, 5))
    assert interval.start.tzinfo is UTC


def test_airflows_interval_is_pendulums_and_its_arithmetic_keeps_the_zone() -> None:
    start, end = pendulum.datetime(2026, 11, 5, tz="UTC"), pendulum.datetime(2026, 11, 6, tz="UTC")
    interval = resolve_interval(start, end, RunParameters(), now=at(24), look_back=DAY)
    window = resolve_window(
        interval,
        EarlierRuns(caught_up_until=at(4), waiting_since=at(2)),
        look_back=DAY,
        max_age=90 * DAY,
        now=at(24),
    )
    assert window == Window(at(2), at(6))


@pytest.mark.parametrize(("start", "end"), [(None, None), (at(24), at(24)), (at(24), None)])
def test_without_an_interval_the_look_back_up_to_now(start: datetime | None, end: datetime | None) -> None:
    assert resolve_interval(start, end, RunParameters(), now=at(24), look_back=3 * DAY) == Interval(at(21), at(24))
    assert resolve_interval(start, end, RunParameters(), now=at(24), look_back=0 * DAY) == Interval(at(23), at(24))


# -- the window (docs/delivery.md, 4) ---------------------------------------------------------------------------------


def test_d04_widened_by_the_look_back() -> None:
    assert window(Interval(at(23), at(24))) == Window(at(20), at(24))


def test_d04_a_failed_day_or_a_pause_is_caught_up_with_its_late_rows() -> None:
    assert window(Interval(at(23), at(24)), caught_up_until=at(10)) == Window(at(7), at(24))


def test_d04_the_age_limit_bounds_catching_up() -> None:
    long_ago = at(24) - 400 * DAY
    caught_up = window(Interval(at(23), at(24)), caught_up_until=long_ago)
    assert caught_up.start == at(24) - 90 * DAY


def test_d04_the_age_limit_never_cuts_the_interval() -> None:
    old = Interval(at(24) - 300 * DAY, at(24) - 299 * DAY)
    assert window(old).start == old.start - 3 * DAY
    assert window(old, caught_up_until=at(23)).start == old.start - 3 * DAY


def test_d04_a_later_end_does_not_narrow_a_backfill() -> None:
    assert window(Interval(at(1), at(2)), caught_up_until=at(23)) == window(Interval(at(1), at(2)))


def test_d04_somebody_loaded_long_before_the_first_day_is_not_forgotten() -> None:
    loaded = at(24) - 200 * DAY
    assert window(Interval(at(23), at(24)), waiting_since=loaded).start == loaded


_DAYS = st.integers(-500, 10).map(lambda days: at(24) + days * DAY)


@given(
    start=_DAYS,
    length=st.integers(1, 40),
    finished=st.none() | _DAYS,
    waiting=st.none() | _DAYS,
    look_back=st.integers(0, 30),
)
def test_d04_the_window_always_holds_interval_and_look_back(
    start: datetime, length: int, finished: datetime | None, waiting: datetime | None, look_back: int
) -> None:
    interval = Interval(start, start + length * DAY)
    found = window(interval, caught_up_until=finished, waiting_since=waiting, look_back=look_back * DAY)
    assert found.start <= interval.start - look_back * DAY
    assert found.end == interval.end
    if waiting is not None:
        assert found.start <= waiting
