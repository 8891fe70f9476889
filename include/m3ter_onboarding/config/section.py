"""The base of every section of a configuration: strict, frozen, with texts that are not empty."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr

from m3ter_provider.pasted_text import trim


def as_list(value: Any) -> Any:
    """Return one text as a list of one; anything else as it is."""
    return [value] if isinstance(value, str) else value


def _trimmed(value: Any) -> Any:
    return trim(value) if isinstance(value, str) else value


#: A text that is not empty; spaces and marks that cannot be seen do not count around it.
Text = Annotated[StrictStr, Field(min_length=1), BeforeValidator(_trimmed)]

#: A list of texts; one text alone is a list of one.
TextList = Annotated[tuple[Text, ...], BeforeValidator(as_list)]


class Section(BaseModel):
    """A part of a configuration: unknown keys are errors, values never change, texts are trimmed."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, validate_default=True)
