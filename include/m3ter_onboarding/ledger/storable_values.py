"""Values that every ledger can be asked about: no column holds others, and some databases fail on them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from m3ter_onboarding import clock

#: The largest numbers that the ledger's columns hold.
LARGEST_ID, LARGEST_ROW_NO = 2**63 - 1, 2**31 - 1
#: So many bytes of an answer are kept, written as JSON; a tenth of that is a long one. Redshift takes 65,535.
LONGEST_ANSWER = 16_384
#: In an answer that was too long: how many of its keys are left out.
LEFT_OUT = "(left out)"
#: Deeper than this nothing of m3ter's is nested.
_DEEPEST = 20
_WITHOUT_NAN = json.JSONEncoder(allow_nan=False)


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


def storable_answer(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a JSON object of m3ter's as every database takes it, and never raise: an e-mail was sent before it came.

    Characters that a database refuses become U+FFFD, numbers that JSON has not become null. Of an object that is too
    long the shortest entries are kept.

    :returns: None for an empty one.
    """
    if _is_storable(answer):
        return dict(answer) or None
    whole: dict[str, Any] = _storable_json(answer, 0)
    if len(json.dumps(whole)) <= LONGEST_ANSWER:
        return whole or None
    room = LONGEST_ANSWER - 2
    kept: set[str] = set()
    for length, key in sorted((len(json.dumps({key: value})), key) for key, value in whole.items()):
        if length > room:
            break
        room -= length
        kept.add(key)
    result = {key: value for key, value in whole.items() if key in kept}
    if len(kept) < len(whole):
        result[LEFT_OUT] = len(whole) - len(kept)
    return result or None


def _is_storable(answer: Mapping[str, Any]) -> bool:
    """Return whether an answer is certainly storable as it is, as almost every one: plain, short and not deep."""
    try:
        text = _WITHOUT_NAN.encode(answer)
    except (TypeError, ValueError, RecursionError):
        return False
    return len(text) <= LONGEST_ANSWER and "\\u" not in text and text.count("{") + text.count("[") < _DEEPEST


def _storable_json(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if not isinstance(value, Mapping | Sequence):
        return value
    if depth == _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {_storable_json(str(key), depth): _storable_json(one, depth + 1) for key, one in value.items()}
    return [_storable_json(one, depth + 1) for one in value]
