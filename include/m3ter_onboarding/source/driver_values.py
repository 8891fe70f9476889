"""Values as database drivers give them, turned into text, dates and lists.

One warehouse gives ``1001``, another ``Decimal('1001')`` or ``1001.0``; one a ``date``, another text. Each function
returns None for nothing (NULL, NaN, blank text) and raises ``ValueError`` with a reason that quotes nothing.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from m3ter_onboarding.clock import parse_iso

#: The open end that HR systems write for "no end".
NO_END = date(9999, 12, 31)
# Joiners are part of Persian and Indic spelling; every other invisible character only disguises.
_JOINERS = "\u200c\u200d"
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?", re.DOTALL)


def to_text(value: Any) -> str | None:
    """Read text: trimmed, in Unicode's NFC form.

    :param value: text, bytes in UTF-8, a whole number or a UUID.
    :raises ValueError: for anything else.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError("is true or false, not text")
    if isinstance(value, (float, Decimal)):
        return _whole_number(value)
    if isinstance(value, (int, UUID)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        try:
            value = bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError("is not UTF-8 text") from None
    if not isinstance(value, str):
        raise ValueError("is not text")
    return unicodedata.normalize("NFC", value).strip() or None


def _whole_number(value: float | Decimal) -> str | None:
    if math.isnan(value):
        return None  # data frames write NaN for NULL
    largest = 2**53 if isinstance(value, float) else 10**38  # beyond it a float is no longer the number that was meant
    if not -largest < value < largest or value != int(value):
        raise ValueError("is a number with a fraction, or too large")
    return str(int(value))


def to_name(value: Any, *, longest: int) -> str | None:
    """Read a line of text that people and e-mail programs will see.

    :param value: text or bytes in UTF-8; a number is no name.
    :param longest: in characters.
    :raises ValueError: when it is too long, or holds characters that cannot be seen.
    """
    if isinstance(value, (int, float, Decimal)) and not (isinstance(value, float) and math.isnan(value)):
        raise ValueError("is a number")
    text = to_text(value)
    if text is None:
        return None
    require_visible(text)
    if len(text) > longest:
        raise ValueError(f"is longer than {longest} characters")
    return text


def require_visible(text: str) -> None:
    """Check that all of a text can be seen.

    :raises ValueError: for control characters, line breaks, lone surrogates, bidirectional controls and the like.
    """
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs", "Co", "Zl", "Zp"}:
            raise ValueError(f"holds a control character (U+{ord(character):04X})")
        if unicodedata.category(character) == "Cf" and character not in _JOINERS:
            raise ValueError(f"holds an invisible character (U+{ord(character):04X})")
    if all(character in _JOINERS or character.isspace() for character in text):
        raise ValueError("holds nothing that can be seen")


def to_date(value: Any, zone: tzinfo) -> date | None:
    """Read a calendar day.

    :param value: a date, a date-time, or ISO text such as 2026-11-24; of an aware date-time the day in ``zone``.
    :param zone: the person's time zone.
    :raises ValueError: for anything else, and for days before 1900.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = to_text(value)
    if isinstance(value, str):
        value = _date_of_text(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        try:
            value = (value.astimezone(zone) if value.tzinfo else value).date()
        except (OverflowError, ValueError):
            raise ValueError("is out of range") from None
    if not isinstance(value, date):
        raise ValueError("is no date; write 2026-11-24")
    if not 1900 <= value.year < 9000 and value != NO_END:
        raise ValueError("is out of range")
    return value


def _date_of_text(text: str) -> date | datetime | None:
    text = text.strip()
    if not text:
        return None
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("is no date; write 2026-11-24")
    try:
        if len(text) > 10:
            return parse_iso(text)
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise ValueError("is no date; write 2026-11-24") from None


def to_names(value: Any) -> tuple[str, ...] | None:
    """Read a list of names: an array, a JSON array as text, or text with commas or semicolons between.

    :raises ValueError: when it is none of these.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = to_text(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("begins like a JSON list and is none") from None
    if isinstance(value, str):
        value = re.split(r"[,;]", value)
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ValueError("is no list of names")
    if not all(isinstance(name, str) for name in value):
        raise ValueError("is a list that holds something other than text")
    names = (unicodedata.normalize("NFC", name).strip() for name in value)
    return tuple(dict.fromkeys(name for name in names if name)) or None


def to_note(value: Any, longest: int) -> str | None:
    """Read a value of any kind as a text that is only shown: dates, numbers and yes or no, too.

    :param longest: in characters; the rest is cut off.
    """
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, (date, float, Decimal)) and not (isinstance(value, float) and math.isnan(value)):
        value = str(value)
    return storable(value, longest)


def storable(value: Any, longest: int) -> str | None:
    """Make any value into text that every ledger can store: a bad row must not break the record of it.

    PostgreSQL stores no NUL, no encoding has lone surrogates.

    :param longest: in characters; the rest is cut off.
    """
    try:
        text = to_text(value)
    except ValueError:
        text = f"({type(value).__name__})" if not isinstance(value, (str, bytes, bool)) else "(not text)"
    if text is None:
        return None
    clean = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in text)
    return clean[:longest]
