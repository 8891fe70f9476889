"""The ``exclude:`` section of a configuration: people who are never invited."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from m3ter_onboarding.config.section import Section, Text, TextList
from m3ter_provider.pasted_text import without_marks

_LABELS = r"[^@\s*/:;,<>()\[\]\"'.]+(?:\.[^@\s*/:;,<>()\[\]\"'.]+)+"
_DOMAIN = re.compile(f"@?{_LABELS}")
_ADDRESS = re.compile(rf"[^@\s;,<>()\[\]\":]+@{_LABELS}")


def _ids_as_text(value: Any) -> Any:
    """YAML reads ``1001`` as a number; an id is text."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, list):
        return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
    return value


class Exclusions(Section):
    """``exclude``: people who are never invited, each decided ``skip:excluded``.

    :param addresses: e-mail addresses, compared as identities (case does not matter).
    :param domains: domains of addresses, exact; a subdomain is another domain.
    :param employee_ids: as the query gives them.
    :param query: path of a second SQL file, relative to the YAML file, whose rows name people who are not invited:
        ``employee_id`` or ``email``, and perhaps ``reason`` and ``until``. It is run on the warehouse for each plan.
    """

    addresses: Annotated[TextList, Field(repr=False)] = ()
    domains: TextList = ()
    employee_ids: Annotated[tuple[Text, ...], BeforeValidator(_ids_as_text), Field(repr=False)] = ()
    query: Text | None = None

    @field_validator("addresses", "domains", "employee_ids")
    @classmethod
    def _are_visible(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        # No valid row has one inside: it would exclude nobody.
        if any(without_marks(value) != value for value in values):
            raise ValueError("one of them holds a character that cannot be seen; write it anew")
        return values

    @field_validator("addresses")
    @classmethod
    def _are_addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        # One that can match nobody would exclude nobody, silently.
        if any(not _ADDRESS.fullmatch(value) or value.lower().startswith("mailto:") for value in values):
            raise ValueError("one of them is no e-mail address; write each alone, such as ada@example.com")
        return values

    @field_validator("employee_ids")
    @classmethod
    def _are_ids(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if any(re.search(r"[,;\r\n\t]", value) for value in values):
            raise ValueError("one of them holds several ids; write each as an item of a list")
        return values

    @field_validator("domains")
    @classmethod
    def _are_domains(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if any(not _DOMAIN.fullmatch(value) for value in values):
            raise ValueError("one of them is no domain such as example.com; each is exact, without *")
        return values
