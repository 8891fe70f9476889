"""The ``exclude:`` section of a configuration: people who are never invited."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from m3ter_onboarding.config.addresses import is_address, is_domain
from m3ter_onboarding.config.run_parameters import LONGEST_EMPLOYEE_ID
from m3ter_onboarding.config.section import Section, Text, TextList
from m3ter_provider.pasted_text import without_marks


def _ids_as_text(value: Any) -> Any:
    """YAML reads ``1001`` as a number; an id is text."""
    if isinstance(value, str) and re.search(r"\S\s+\S", value):
        raise ValueError("it may hold several ids; write each as an item of a list, also one with a space in it")
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, list):
        return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
    return value


class Exclusions(Section):
    """``exclude``: people who are never invited, each decided ``skip:excluded``.

    :param addresses: e-mail addresses, compared as identities (case does not matter).
    :param domains: domains of addresses, exact; a subdomain is another domain.
    :param employee_ids: as the query gives them; one with a space in it as an item of a list.
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
        if not all(map(is_address, values)):
            raise ValueError("one of them is no e-mail address; write each alone, such as ada@example.com")
        return values

    @field_validator("employee_ids")
    @classmethod
    def _are_ids(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if any(re.search(r"[,;\r\n\t]", value) for value in values):
            raise ValueError("one of them holds several ids; write each as an item of a list")
        if any(len(value) > LONGEST_EMPLOYEE_ID for value in values):
            raise ValueError(f"one of them is longer than {LONGEST_EMPLOYEE_ID} characters, as no id may be")
        # As the query's rows are compared: two texts that look the same may be different Unicode.
        return tuple(unicodedata.normalize("NFC", value) for value in values)

    @field_validator("domains")
    @classmethod
    def _are_domains(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(is_domain, values)):
            raise ValueError("one of them is no domain such as example.com; each is exact, without *")
        return values
