"""Durations as people write them in YAML: ``90`` (seconds), ``"90s"``, ``"2m"``, ``"24h"``, ``"7d"``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")


def parse_duration(value: Any) -> timedelta:
    """Read a duration.

    :param value: seconds as a number, text like ``2m`` or ``24h``, or a ``timedelta``.
    :raises ValueError: when it is none of these, or longer than ten years.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and (match := _TEXT.fullmatch(value)):
        amount, unit = float(match[1]), _UNITS[match[2]]
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        amount, unit = float(value), "seconds"
    else:
        raise ValueError("write seconds as a number, or text such as 90s, 2m, 24h or 7d")
    try:
        duration = timedelta(**{unit: amount})
    except (OverflowError, ValueError):
        raise ValueError("is not a length of time") from None
    if duration > timedelta(days=3660):
        raise ValueError("is longer than ten years")
    return duration


def _not_zero(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


#: A ``timedelta`` that YAML may write as ``2m``; serialised as seconds.
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(timedelta.total_seconds, return_type=float, when_used="json"),
]

#: One that is longer than nothing.
LastingDuration = Annotated[Duration, AfterValidator(_not_zero)]
