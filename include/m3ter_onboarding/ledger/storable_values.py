"""Values that every ledger can be asked about: no column holds others, and some databases fail on them."""

from __future__ import annotations

from datetime import datetime

from m3ter_onboarding import clock

#: The largest numbers that the ledger's columns hold.
LARGEST_ID, LARGEST_ROW_NO = 2**63 - 1, 2**31 - 1


def storable_text(text: str) -> str:
    """Return a text that every database takes.

    :raises ValueError: for NUL, which PostgreSQL has no place for, and for halves of a character.
    """
    if "\0" in text:
        raise ValueError("A text with a NUL is in no ledger.")
    text.encode()
    return text


def storable_instant(instant: datetime) -> datetime:
    """Return an instant in UTC.

    :raises ValueError: when there it is before the first or after the last year.
    """
    try:
        return clock.in_utc(instant)
    except OverflowError:
        raise ValueError("This instant is in no calendar.") from None
