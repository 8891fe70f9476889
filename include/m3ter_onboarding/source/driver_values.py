"""Values as database drivers give them, turned into text, dates and lists.

One warehouse gives ``1001``, another ``Decimal('1001')`` or ``1001.0``; one a ``date``, another text. Each function
returns None for nothing (NULL, NaN, blank text) and raises ``ValueError`` with a reason that quotes nothing.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import date, datetime, time, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from m3ter_onboarding.clock import parse_iso
from m3ter_onboarding.source.unreadable_values import UnreadText
from m3ter_provider.pasted_text import trim

#: The open end that HR systems write for "no end".
NO_END = date(9999, 12, 31)
# Joiners are part of Persian and Indic spelling; every other invisible character only disguises.
_JOINERS = "\u200c\u200d"
#: From here on an instant may be the last day of year 9999 in some time zone.
_NEARLY_NO_END = datetime(9999, 12, 30)  # noqa: DTZ001 (compared without zones)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?", re.DOTALL)
# What databases write and Python has not: infinity, years of five digits and more, BC.
_INFINITE = re.compile(r"\+?inf(?:inity)?", re.IGNORECASE)
_AFTER_9999 = re.compile(r"\+?0*[1-9]\d{4,}-\d{2}-\d{2}(?:[T ][^a-zA-Z]*Z?)?", re.IGNORECASE)
_BEFORE_CHRIST = re.compile(r"-inf(?:inity)?|-\d{4,}-\d{2}-\d{2}.*|\d{4,}-\d{2}-\d{2}.* BC", re.IGNORECASE | re.DOTALL)
# PostgreSQL's text of an array, where the driver does not know the type of its elements.
_ELEMENT = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^,{}"\\]+)', re.DOTALL)
_ARRAY = re.compile(r'\{(?:(?:"(?:[^"\\]|\\.)*"|[^,{}"\\]+)(?:,|(?=\})))*\}', re.DOTALL)


def to_text(value: Any) -> str | None:
    """Read text: trimmed, also of marks that cannot be seen, in Unicode's NFC form.

    :param value: text, bytes in UTF-8, a whole number or a UUID.
    :raises ValueError: for anything else.
    """
    if value is None:
        return None
    if type(value) is str and value.isascii():  # almost every value: NFC already, and with no marks
        return value.strip() or None
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
    if not isinstance(value, str) or isinstance(value, UnreadText):
        raise ValueError("is not text")
    return trim(unicodedata.normalize("NFC", value)) or None


def _whole_number(value: float | Decimal) -> str | None:
    if _is_nan(value):
        return None
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
    if not isinstance(value, str) and isinstance(value, (int, float, Decimal)) and not _is_nan(value):
        raise ValueError("is a number")
    text = to_text(value)
    if text is None:
        return None
    require_visible(text)
    if len(text) > longest:
        raise ValueError(f"is longer than {longest} characters")
    return text


def require_visible(text: str, *, joiners: bool = True) -> None:
    """Check that all of a text can be seen.

    :param joiners: whether it may hold them: they belong to the spelling of words.
    :raises ValueError: for control characters, line breaks, lone surrogates, bidirectional controls and the like.
    """
    if text.isprintable() and text and not text.isspace():
        return  # no character of the categories below, and something that can be seen
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs", "Co", "Zl", "Zp"}:
            raise ValueError(f"holds a control character (U+{ord(character):04X})")
        if unicodedata.category(character) == "Cf" and not (joiners and character in _JOINERS):
            raise ValueError(f"holds an invisible character (U+{ord(character):04X})")
    if all(character in _JOINERS or character.isspace() for character in text):
        raise ValueError("holds nothing that can be seen")


def to_date(value: Any, zone: tzinfo) -> date | None:
    """Read a calendar day; the open end for infinity, years after 9999, and 9999-12-31 in any zone.

    :param value: a date, a date-time, or ISO text such as 2026-11-24; of an aware date-time the day in ``zone``.
    :param zone: the person's time zone.
    :raises ValueError: for anything else, and for days before 1900.
    """
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = to_text(value)
    if isinstance(value, str):
        value = _date_of_text(value)
    if value is None or _is_nan(value):
        return None
    if isinstance(value, (float, Decimal)) and math.isinf(value):
        value = NO_END if value > 0 else date.min
    if isinstance(value, datetime):
        try:
            value = _day_of_instant(value, zone)
        except (OverflowError, ValueError):
            raise ValueError("is out of range") from None
    if not isinstance(value, date):
        raise ValueError("is no date such as 2026-11-24")
    if not 1900 <= value.year < 9000 and value != NO_END:
        raise ValueError("is out of range")
    return value


def to_instant(value: Any) -> datetime | None:
    """Read an instant by which rows are ordered, in UTC; infinity is the last one that there is.

    :param value: as :func:`to_date` reads it; without a zone it is taken as UTC, and a day as its beginning.
    :returns: None also where it cannot be read: then nothing orders the row.
    """
    if value is None:
        return None
    try:
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = to_text(value)
        if isinstance(value, str):
            value = _date_of_text(value)
        if not isinstance(value, date):
            return None
        instant = value if isinstance(value, datetime) else datetime.combine(value, time())
        in_zone = instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)
        return in_zone.astimezone(timezone.utc)
    except (OverflowError, ValueError):
        return None


def _is_nan(value: Any) -> bool:
    """Return whether it is how data frames write NULL."""
    return value.is_nan() if isinstance(value, Decimal) else isinstance(value, float) and math.isnan(value)


def _day_of_instant(value: datetime, zone: tzinfo) -> date:
    if value.tzinfo is None:
        return value.date()
    return NO_END if value.replace(tzinfo=None) >= _NEARLY_NO_END else value.astimezone(zone).date()


@lru_cache(maxsize=4096)  # rows have few days
def _date_of_text(text: str) -> date | datetime | None:
    text = trim(text)
    if not text or text.startswith("0000-00-00"):  # MySQL's "no day", as some of its drivers give it
        return None
    if _INFINITE.fullmatch(text) or _AFTER_9999.fullmatch(text):
        return NO_END
    if _BEFORE_CHRIST.fullmatch(text):
        raise ValueError("is out of range")
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("is no date such as 2026-11-24")
    try:
        if len(text) > 10:
            # Warehouses write a zone apart from the time, or in letters: "00:00:00.000 +0000", "00:00:00 UTC".
            return parse_iso(re.sub(r" ?(?:UTC|GMT)$", "Z", re.sub(r" ([+-]\d{2}:?\d{2}|Z)$", r"\1", text)))
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise ValueError("is no date such as 2026-11-24") from None


def to_names(value: Any) -> tuple[str, ...] | None:
    """Read a list of names: an array, a JSON array as text, or text with commas or semicolons between.

    An array may come as PostgreSQL writes it, ``{Admin,"Read only"}``. NULL in a list is nothing.

    :raises ValueError: when it is none of these.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = to_text(value)
    if value is None or _is_nan(value):
        return None
    if isinstance(value, UnreadText):
        raise ValueError("is no list of names")
    if isinstance(value, str):
        value = _names_of_text(trim(value))
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ValueError("is no list of names")
    given = [name for name in value if name is not None and not _is_nan(name)]
    if not all(isinstance(name, str) and not isinstance(name, UnreadText) for name in given):
        raise ValueError("is a list that holds something other than text")
    names = (trim(unicodedata.normalize("NFC", name)) for name in given)
    return tuple(dict.fromkeys(name for name in names if name)) or None


def _names_of_text(text: str) -> Any:
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("begins like a JSON list and is none") from None
    if _ARRAY.fullmatch(text):
        elements = _ELEMENT.finditer(text[1:-1])
        return [
            re.sub(r"\\(.)", r"\1", one["quoted"], flags=re.DOTALL) if one["quoted"] is not None else one["plain"]
            for one in elements
            if one["quoted"] is not None or one["plain"].upper() != "NULL"
        ]
    return re.split(r"[,;]", text)


def to_note(value: Any, longest: int) -> str | None:
    """Read a value of any kind as a text that is only shown: dates, numbers and yes or no, too.

    :param longest: in characters; the rest is cut off.
    """
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, (date, float, Decimal, UnreadText)) and not _is_nan(value):
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
