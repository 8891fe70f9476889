"""The new-hire contract: which columns the query returns, and what makes a row a new hire that can be invited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

REQUIRED_COLUMNS = ("employee_id", "email", "first_name", "last_name")
OPTIONAL_COLUMNS = ("contact_number", "permission_policies", "start_date", "access_end_date", "time_zone")


@dataclass(frozen=True)
class SourceRow:
    """One row of the query: its number in the answer, from 1, and its values by column name in lower case."""

    row_no: int
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class NewHire:
    """A row that passed validation. Its ``repr`` names nobody.

    :param email: as it will be sent: trimmed, NFC, the domain in its ASCII form.
    :param permission_policies: names or ids; None: the row names none.
    :param access_ends_at: the end of the last local day, UTC; None: permanent.
    """

    row_no: int
    employee_id: str
    email: str = field(repr=False)
    email_key: str = field(repr=False)
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    contact_number: str | None = field(repr=False)
    permission_policies: tuple[str, ...] | None
    start_date: date | None
    access_ends_at: datetime | None
    time_zone: str


@dataclass(frozen=True)
class InvalidRow:
    """A row that cannot be invited as it is; ``detail`` says why, without personal data."""

    row_no: int
    reason: str
    detail: str
    employee_id: str | None
    email: str | None = field(repr=False)
    email_key: str | None = field(repr=False)
    start_date: date | None = None


def check_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Check the query's columns against the contract."""
    raise NotImplementedError


def validate_row(row: SourceRow, *, default_time_zone: str, now: datetime) -> NewHire | InvalidRow:
    """Make a new hire of a row, or say what is wrong with it."""
    raise NotImplementedError
