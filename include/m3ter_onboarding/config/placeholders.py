"""Words that sources write where they have no value, such as ``N/A``: nobody is invited by such a name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

from m3ter_onboarding.config.section import TextList
from m3ter_provider.pasted_text import trim

#: Not "NA" and "Nil", which people are called.
DEFAULT_PLACEHOLDERS = (
    *("n/a", "n / a", "#n/a", "none", "null", "(null)", "nan", "undefined", "unknown"),
    *("-", "--", "\u2013", "\u2014", "?"),
)


def _one_word_each(values: tuple[str, ...]) -> tuple[str, ...]:
    # Nobody is called "n/a, none": it would keep nobody back, silently.
    if any("," in value or ";" in value for value in values):
        raise ValueError("one of them holds several words; write each as an item of a list")
    return values


Placeholders = Annotated[TextList, AfterValidator(_one_word_each)]


def folded_placeholders(words: Iterable[str]) -> frozenset[str]:
    """Return words as values are compared with them: trimmed, in Unicode's NFC form, in any case of letters."""
    return frozenset(trim(unicodedata.normalize("NFC", word)).casefold() for word in words)
