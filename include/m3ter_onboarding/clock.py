"""Clocks and instants: everything in this package is aware and in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

#: How much earlier than expected an entry of m3ter's may be dated, and how long its lists may lag: clocks differ, and
#: m3ter may date a POST before we see it (docs/delivery.md, rule 12).
MARGIN = timedelta(minutes=15)

#: An instant of ISO 8601 with its zone, as a regular expression that browsers understand too.
INSTANT_PATTERN = r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})"


def utc_now() -> datetime:
    """Return the worker's clock, aware and in UTC."""
    return datetime.now(timezone.utc)


def in_utc(instant: datetime) -> datetime:
    """Return an aware instant in UTC, as a plain ``datetime``.

    :raises OverflowError: when it lies before the first year or after the last there.
    """
    # Airflow's are pendulum's, which lose their zone in arithmetic once it is Python's UTC: make a plain one.
    there = instant.astimezone(timezone.utc)
    return datetime.combine(there.date(), there.time(), tzinfo=timezone.utc)


def from_milliseconds(milliseconds: int) -> datetime:
    """Return an instant of the database's clock, which counts milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def parse_iso(text: str) -> datetime:
    """Read date and time of ISO 8601, to the microsecond; aware where the text names a zone.

    Python 3.10 reads by itself neither ``Z``, nor a zone without minutes or colon, nor most fractions of a second.

    :raises ValueError: when the text is no date and time, or there is none such.
    """
    text = re.sub(r"(?<=\d)Z$", "+00:00", text.strip(), flags=re.IGNORECASE)
    text = re.sub(r"([+-]\d{2})$", r"\1:00", text) if len(text) > 13 else text  # not the day of a date
    text = re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", text)
    text = re.sub(r"\.(\d{1,6})\d*", lambda fraction: f".{fraction[1]:0<6}", text)
    return datetime.fromisoformat(text)
