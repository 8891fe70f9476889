"""Which rows are a configuration's own, where several configurations share one query: the keys that say so."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from m3ter_onboarding.config.section import Text, TextList
from m3ter_provider.pasted_text import without_marks

#: Of the name of an organisation, in characters.
LONGEST_ORGANISATION = 250


def folded_organisation(name: str) -> str:
    """Return a name without its case, its spaces and the marks that nobody sees: names that fold alike may be one."""
    return "".join(without_marks(unicodedata.normalize("NFKC", name).casefold()).split())


@lru_cache(maxsize=16)
def _alike(names: tuple[str, ...]) -> str | None:
    """Return a name that is there twice, folded. Asked once for a list that many configurations share."""
    return next((name for name, times in Counter(map(folded_organisation, names)).items() if times > 1), None)


def _composed(name: str) -> str:
    """Return a name as values of the warehouse are read."""
    return unicodedata.normalize("NFC", name)


def _with_the_own(names: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
    """Check all organisations of a query.

    :raises ValueError: when two of them may be one, or the configuration's own is not there.
    """
    names = tuple(map(_composed, names))
    own = known.data.get("organisation")
    if alike := _alike(names):
        raise ValueError(f"{alike!r} is there more than once, or in two spellings")
    if names and "organisation" in known.data and own not in names:
        raise ValueError("the value of `organisation` is not among them, spelled alike")
    return names


OrganisationName = Annotated[Text, Field(max_length=LONGEST_ORGANISATION), AfterValidator(_composed)]
OrganisationNames = Annotated[TextList, AfterValidator(_with_the_own)]
