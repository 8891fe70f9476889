"""Days where a person is: their time zone, the end of a day there, and a day as a warehouse writes it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from m3ter_onboarding.source.driver_values import NO_END, to_date


@lru_cache(maxsize=4096)
def end_of_day(day: date, time_zone: str) -> datetime:
    """Return the last millisecond of a local day, in UTC.

    A millisecond before midnight, so that the day is right whether m3ter takes the end as inclusive or not.

    :param day: before 9999-12-31.
    :param time_zone: IANA name.
    """
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone_of(time_zone))
    return midnight.astimezone(timezone.utc) - timedelta(milliseconds=1)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone.

    :param name: IANA name.
    :raises ValueError: when there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder of zones, such as "Europe"
        raise ValueError("is no IANA time zone such as Europe/London") from None


def read_day(value: Any, time_zone: str) -> date | None:
    """Read a day; None where there is none, or it is the open end that HR systems write.

    :param time_zone: IANA name, for instants.
    :raises ValueError: when it is no day.
    """
    day = to_date(value, zone_of(time_zone))
    return None if day == NO_END else day
