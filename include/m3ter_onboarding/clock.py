"""Clocks and instants: everything in this package is aware and in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


def in_utc(instant: datetime) -> datetime:
    """Return an aware instant in UTC, as a plain ``datetime``."""
    # Airflow's are pendulum's, which lose their zone in arithmetic once it is Python's UTC: make a plain one.
    there = instant.astimezone(timezone.utc)
    return datetime.combine(there.date(), there.time(), tzinfo=timezone.utc)


def utc_now() -> datetime:
    """Return the worker's clock, aware and in UTC."""
    return datetime.now(timezone.utc)


#: How much earlier than expected an entry may be dated: clocks differ, m3ter may date a POST before we see it.
MARGIN = timedelta(minutes=15)
