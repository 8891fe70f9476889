"""Where a query can forget people: what ``check`` warns about.

The text is looked at, not parsed: SQL has too many dialects. A query that is not plainly wrong (with ``OR``, a query in
a query, a column that may be a load time) gets no warning.
"""

from __future__ import annotations

import re

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
#: A text such as '-90 days' goes back in time; every other text says nothing here.
_TEXT = re.compile(r"'(-\s*\d)?(?:[^']|'')*'")
_CONDITIONS = re.compile(
    r"\bWHERE\b(.*?)(?:\b(?:GROUP|ORDER|HAVING|QUALIFY|LIMIT|WINDOW)\b|;|$)", re.DOTALL | re.IGNORECASE
)
_NOT_PLAIN = re.compile(r"\b(?:OR|UNION|WITH|EXISTS|CASE|NOT|INTERSECT|EXCEPT)\b", re.IGNORECASE)
_BETWEEN = re.compile(r"\bBETWEEN\b(.*?)\bAND\b", re.DOTALL | re.IGNORECASE)
#: The column that the query gives as start_date: x, t.x, x::date, CAST(x AS date), date(x).
_START = re.compile(r"(?:\w+\(\s*)?([\w.]+)(?:\s+AS\s+\w+)?(?:::\w+)?\s*\)?\s+AS\s+start_date\b", re.IGNORECASE)
_BACK = re.compile(r"-\s*(?:\d|INTERVAL\b)|\b(?:DATE_SUB|SUBDATE|TIMESTAMP_SUB|DATETIME_SUB)\b", re.IGNORECASE)
#: Words of a condition that are neither columns nor functions.
_OTHER_WORDS = frozenset(
    {
        *(
            "and",
            "as",
            "between",
            "cast",
            "date",
            "datetime",
            "timestamp",
            "timestamptz",
            "timestamp_tz",
            "timestamp_ntz",
        ),
        *("timestamp_ltz", "interval", "day", "days", "week", "weeks", "month", "months", "time", "zone", "at", "utc"),
    }
)


def way_to_forget(query_text: str) -> str | None:
    """Return, as a sentence, how a query can leave somebody out for good; None: no way is plain.

    :param query_text: the SQL, which binds both ends of the window.
    """
    plain = _COMMENT.sub(" ", query_text)
    plain = re.sub(r'["`]', "", _TEXT.sub(lambda found: f" {found.group(1) or ''} ", plain))
    conditions = _CONDITIONS.search(plain)
    if conditions is None or _NOT_PLAIN.search(plain) or len(re.findall(r"\bSELECT\b", plain, re.IGNORECASE)) != 1:
        return None
    start_columns = {"start_date", *(name.rpartition(".")[2].lower() for name in _START.findall(plain))}
    bounds: dict[str, list[str]] = {"window_start": [], "window_end": []}
    for condition in re.split(r"\bAND\b", _BETWEEN.sub(r"BETWEEN \1,", conditions[1]), flags=re.IGNORECASE):
        for name, found in bounds.items():
            if f":{name}" in condition:
                found.append(condition)
    lower, upper = (
        bool(found) and all(_is_only_about(condition, start_columns) for condition in found)
        for found in bounds.values()
    )
    if upper and not lower:
        return (
            "its upper end is on start_date, not on the time at which a row was loaded: somebody who starts later than"
            " that is not read, and is not read again when it is time."
        )
    if lower and not any(_BACK.search(condition) for condition in bounds["window_start"]):
        return (
            "its window begins on start_date: somebody whose row is entered after their day in the window has passed"
            " is never read. Compare the time at which the row was loaded, or read back to max_age_days before"
            " :window_start."
        )
    return None


def _is_only_about(condition: str, columns: set[str]) -> bool:
    """Return whether a condition names these columns and no other."""
    words = {
        word.rpartition(".")[2].lower() for word in re.findall(r"(?<![:\w.])[A-Za-z_][\w.]*(?!\w|\.|\s*\()", condition)
    }
    named = words - _OTHER_WORDS
    return bool(named) and named <= columns
