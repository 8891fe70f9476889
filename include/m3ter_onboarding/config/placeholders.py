"""Words that sources write where they have no value, such as ``N/A``: nobody is invited by such a name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from m3ter_provider.pasted_text import trim

#: Not "NA" and "Nil", which people are called.
DEFAULT_PLACEHOLDERS = ("n/a", "#n/a", "none", "null", "nan", "undefined", "unknown", "-", "--", "?")


def folded_placeholders(words: Iterable[str]) -> frozenset[str]:
    """Return words as values are compared with them: trimmed, in Unicode's NFC form, in any case of letters."""
    return frozenset(trim(unicodedata.normalize("NFC", word)).casefold() for word in words)
