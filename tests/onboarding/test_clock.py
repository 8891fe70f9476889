"""Instants: in UTC, and as ISO 8601 writes them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3ter_onboarding.clock import in_utc, parse_iso

UTC = timezone.utc
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-11-24T12:00:00Z", "2026-11-24t12:00z", "2026-11-24 13:00:00+01", "2026-11-24 13:00:00.0+0100",
     " 2026-11-24T12:00:00.000000000Z ", "2026-11-24T06:30:00.000-05:30", "2026-11-24T13+01:00"],
)  # fmt: skip
def test_an_instant_is_read_however_its_zone_and_fraction_are_written(text: str) -> None:
    assert parse_iso(text) == NOON


def test_a_fraction_is_read_to_the_microsecond() -> None:
    assert parse_iso("2026-11-24T12:00:00.1234567Z") == NOON + timedelta(microseconds=123456)
    assert parse_iso("2026-11-24T12:00:00.1Z") == NOON + timedelta(milliseconds=100)


def test_a_text_without_zone_has_none() -> None:
    assert parse_iso("2026-11-24T12:00") == NOON.replace(tzinfo=None)
    assert parse_iso("2026-11-24") == datetime(2026, 11, 24)  # noqa: DTZ001  (it names no zone)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30T00:00Z", "2026-11-24T25:00Z", "1700000000", "Z"])
def test_a_text_that_is_no_instant_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_iso(text)


@given(st.datetimes(timezones=st.timezones()))
def test_an_instant_that_python_writes_is_read_back(instant: datetime) -> None:
    assert parse_iso(instant.isoformat()) == datetime.fromisoformat(instant.isoformat())


def test_an_instant_of_airflows_becomes_a_plain_one_in_utc() -> None:
    found = in_utc(pendulum.datetime(2026, 11, 24, 13, tz="Europe/Berlin"))
    assert found == NOON
    assert type(found) is datetime
    assert found.tzinfo is UTC


def test_an_instant_outside_the_calendar_is_an_error() -> None:
    with pytest.raises(OverflowError):
        in_utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))))
