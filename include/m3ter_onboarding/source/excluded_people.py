"""Rows of the query of ``exclude``: people who are not invited, as the warehouse lists them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.driver_values import storable, to_text
from m3ter_onboarding.source.local_days import read_day
from m3ter_onboarding.source.new_hire import LONGEST_EMAIL, LONGEST_EXCLUSION_REASON, RowExclusion
from m3ter_provider.email_identity import email_key
from m3ter_provider.pasted_text import without_marks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExcludedPerson:
    """One person of the list; each of the two names them by itself.

    :param email_key: of their address.
    """

    employee_id: str | None = field(repr=False)
    email_key: str | None = field(repr=False)
    exclusion: RowExclusion


def excluded_people(rows: Sequence[SourceRow], *, time_zone: str) -> list[ExcludedPerson]:
    """Return the people that the rows exclude. An end that cannot be read is none.

    Rather nobody is invited than too many.

    :param time_zone: IANA name, for ends that are instants.
    """
    people, nobody, unreadable, unusable = list[ExcludedPerson](), 0, 0, 0
    for row in rows:
        employee_id, address = _name(row.values.get("employee_id")), _name(row.values.get("email"))
        unusable += not (_is_usable(row.values.get("employee_id")) and _is_usable(row.values.get("email")))
        if employee_id is None and address is None:
            nobody += 1
            continue
        try:
            until = read_day(row.values.get("until"), time_zone)
        except ValueError:
            until, unreadable = None, unreadable + 1
        reason = storable(row.values.get("reason"), LONGEST_EXCLUSION_REASON)
        key = None if address is None else email_key(address)
        people.append(ExcludedPerson(employee_id, key, RowExclusion(reason, until)))
    if nobody:
        log.warning(
            "%d row(s) of the query of `exclude` have neither employee_id nor email, and exclude nobody.", nobody
        )
    if unusable:
        log.warning(
            "%d row(s) of the query of `exclude` have an employee_id or email that cannot be read and excludes nobody.",
            unusable,
        )
    if unreadable:
        log.warning(
            "%d row(s) of the query of `exclude` have an `until` that is no date such as 2026-11-24; these people are"
            " excluded without end.",
            unreadable,
        )
    return people


def _name(value: Any) -> str | None:
    """Return by what a person is excluded; without marks that nobody sees, which no valid row has inside."""
    text = storable(value, LONGEST_EMAIL)
    return without_marks(text) or None if text is not None else None


def _is_usable(value: Any) -> bool:
    try:
        to_text(value)
    except ValueError:
        return False
    return True
