"""Values in m3ter's answers, as every other part of the product can use them: in a database, a log or an e-mail.

m3ter's own words, and what people wrote into m3ter, may hold anything. What an optional field holds and cannot be read
counts as absent. Half a character and NUL become U+FFFD in texts that are shown. Ids and addresses stand for a person
or a thing and are never repaired or cut, since two of them could become one: :func:`substitute` takes their place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, core_schema

#: The longest id that is taken as one, in characters; m3ter's own have 36.
LONGEST_ID = 100
#: The longest address that mail knows (RFC 5321).
LONGEST_ADDRESS = 320
#: Begins what takes the place of an id or address that cannot be used; no address and no id of m3ter's begins so.
SUBSTITUTE = "unreadable:"

# Dates outside are as good as these: nothing of m3ter's is older, and arithmetic with them stays in the calendar.
_FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST = datetime(9998, 12, 31, tzinfo=timezone.utc)
_LARGEST = 2**63 - 1


def is_whole_text(text: str) -> bool:
    """Return whether every database and every encoding takes a text: no NUL, no half of a character."""
    return (text.isascii() and "\0" not in text) or not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def whole_text(text: str) -> str:
    """Return a text as every database and every encoding takes it: halves of characters and NUL become U+FFFD."""
    if is_whole_text(text):
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def substitute(text: str) -> str:
    """Return what takes the place of an id or address that cannot be used: the same for the same text alone."""
    return SUBSTITUTE + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_substitute(text: str) -> bool:
    """Return whether a text took the place of an id or address: m3ter cannot be asked for it."""
    return text.startswith(SUBSTITUTE)


def usable_identity(text: str, longest: int) -> str:
    """Return an id or address, or what takes its place.

    :param longest: in characters.
    """
    return text if len(text) <= longest and is_whole_text(text) else substitute(text)


class _OrAbsent:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


def or_absent() -> _OrAbsent:
    """Return the validator of an optional field: what cannot be read is None."""
    return _OrAbsent()


def _or_empty(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return () if value is None else handler(value)
    except (ValueError, OverflowError):
        return ()


def _or_nameless(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValueError:
        return ""


def _in_calendar(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    # m3ter's times are UTC; one without a zone must not become local time.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    try:
        return min(max(aware.astimezone(timezone.utc), _FIRST), _LAST)
    except OverflowError:
        return _FIRST if aware.year < 5000 else _LAST


def as_server_time(moment: datetime) -> datetime:
    """Return an instant of m3ter's clock in UTC, within the years that can be reckoned with."""
    return _in_calendar(moment) or _FIRST


class _Calendar:
    """The validator of a time: one in UTC, as m3ter writes them, passes without a call of Python."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        as_written = core_schema.datetime_schema(tz_constraint=0, ge=_FIRST, le=_LAST)
        other = core_schema.no_info_after_validator_function(_in_calendar, handler(source))
        return core_schema.union_schema([as_written, other], mode="left_to_right")


class _Mended:
    """The validator of a text: one that needs no mending passes without a call of Python, which every answer pays for.

    :param longest: in characters; None: of any length.
    :param mend: called before pydantic looks, which takes no half of a character for text.
    """

    def __init__(self, mend: Callable[[str], str], longest: int | None = None) -> None:
        self._mend = mend
        self._longest = longest

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = handler(source)
        whole = core_schema.str_schema(strict=True, min_length=1, max_length=self._longest, pattern=r"^[^\x00]*$")
        mended = core_schema.no_info_before_validator_function(self._mend_text, text)
        return core_schema.union_schema([whole, mended], mode="left_to_right")

    def _mend_text(self, value: Any) -> Any:
        return self._mend(value) if isinstance(value, str) else value


def _identity(longest: int) -> _Mended:
    return _Mended(lambda text: usable_identity(text, longest), longest)


_WHOLE = _Mended(whole_text)

Identifier = Annotated[str, Field(min_length=1), _identity(LONGEST_ID)]
"""An id; one that cannot be used has a substitute."""

OptionalIdentifier = Annotated[Identifier | None, or_absent()]

Identifiers = Annotated[tuple[Identifier, ...], WrapValidator(_or_empty)]
"""A list of ids; null, and what is no list of them, is empty."""

Address = Annotated[str, Field(min_length=1), _identity(LONGEST_ADDRESS)]
"""An e-mail address; one that cannot be used has a substitute."""

Words = Annotated[str | None, _WHOLE, or_absent()]
"""A text that is shown."""

Name = Annotated[str, _WHOLE, WrapValidator(_or_nameless)]
"""A name that has to be there; one that is no text is empty, and no name that anybody could ask for."""

Moment = Annotated[datetime | None, _Calendar(), or_absent()]
"""A time in an answer: UTC; absent, null, "" and what is no time are None."""

WholeNumber = Annotated[int | None, Field(ge=-_LARGEST, le=_LARGEST), or_absent()]

Flag = Annotated[bool | None, or_absent()]

Patterns = Annotated[tuple[str, ...], BeforeValidator(lambda value: ("*",) if value is None else value)]
"""A list of patterns; null may stand for anything, and so is everything; anything else that is none is an error."""

Statements = WrapValidator(_or_empty)
"""The validator of a policy's statements: if one of them cannot be read, none is shown."""
