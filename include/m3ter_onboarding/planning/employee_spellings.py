"""Spellings of one ``employee_id``: ``00123``, ``123`` and ``123.0``, or ``E1`` and ``e1``.

An id is compared as it is: only the source knows whether zeros and case belong to it. A load that changes its spelling
makes another employee of everybody, so such ids are pointed out to people, and never merged.
"""

from __future__ import annotations

import re

#: Longer runs of zeros, and longer ids, are looked for in the plan only.
_MOST_ZEROS = 12
_LONGEST = 40
_SPACES = re.compile(r"\s+")
_ZERO_FRACTION = re.compile(r"(?<=\d)\.0+$")


def spelling_key(employee_id: str) -> str:
    """Return what is left of an id without zeros at its beginning, ``.0`` at its end, spaces and case."""
    if employee_id.isascii() and employee_id.isalnum():  # almost every id
        return employee_id.lower().lstrip("0") or "0"
    folded = _SPACES.sub("", employee_id).casefold()
    return _ZERO_FRACTION.sub("", folded).lstrip("0") or "0"


def other_spellings(employee_id: str) -> frozenset[str]:
    """Return the likely spellings of an id, as they can be looked up; the id itself left out."""
    key = spelling_key(employee_id)
    if len(key) > _LONGEST:
        return frozenset()
    found = {key, key.upper(), key.capitalize()}
    found |= {"0" * zeros + one for one in tuple(found) for zeros in range(1, _MOST_ZEROS - len(one) + 1)}
    if key.isdecimal():
        found |= {f"{one}.0" for one in tuple(found)}
    return frozenset(found) - {employee_id}
