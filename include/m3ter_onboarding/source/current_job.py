"""A row of the access review's query: somebody who has a job now.

A row with a flaw still says that somebody has a job. So the address and the employee are kept as far as they can be
read, and a flawed end of access or list of policies is not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from m3ter_onboarding.config.run_parameters import LONGEST_EMPLOYEE_ID
from m3ter_onboarding.ledger.storable_values import storable_text
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.driver_values import NO_END, to_date, to_names, to_text
from m3ter_onboarding.source.local_days import end_of_day, zone_of
from m3ter_onboarding.source.new_hire import LONGEST_EMAIL
from m3ter_provider.email_identity import email_key, is_one_address

_LONGEST_KEY = 400


@dataclass(frozen=True)
class CurrentJob:
    """Somebody who has a job now. Its ``repr`` names nobody.

    :param email_key: None: the row has no address that can be read.
    :param employee_id: None: the row has none.
    :param end_given: whether the row says until when access is wanted, or that it has no end.
    :param access_ends_at: the last millisecond of the last local day, UTC; None: no end.
    :param permission_policies: names or ids; None: the row names none.
    :param flawed: whether a value of the row cannot be used.
    """

    row_no: int
    email_key: str | None = field(repr=False)
    employee_id: str | None = field(repr=False)
    end_given: bool
    access_ends_at: datetime | None
    permission_policies: tuple[str, ...] | None
    flawed: bool

    @property
    def names_somebody(self) -> bool:
        """Whether it can be compared with anybody."""
        return self.email_key is not None or self.employee_id is not None


def current_job(row: SourceRow, default_time_zone: str) -> CurrentJob:
    """Read a row of the query, as far as its values can be used.

    :param default_time_zone: IANA name, for rows without one.
    """
    values, flaws = row.values, 0
    address = _text(values.get("email"), LONGEST_EMAIL)
    employee_id = _text(values.get("employee_id"), LONGEST_EMPLOYEE_ID)
    flaws += address is None or not is_one_address(address)
    flaws += employee_id is None and not _is_empty(values.get("employee_id"))
    end_given, ends_at = False, None
    try:
        end_given, ends_at = _end(values, default_time_zone)
    except ValueError:
        flaws += 1
    policies = None
    try:
        policies = to_names(values.get("permission_policies"))
    except ValueError:
        flaws += 1
    return CurrentJob(
        row_no=row.row_no,
        email_key=email_key(address)[:_LONGEST_KEY] if address else None,
        employee_id=employee_id,
        end_given=end_given,
        access_ends_at=ends_at,
        permission_policies=policies,
        flawed=bool(flaws),
    )


def _end(values: Mapping[str, Any], default_time_zone: str) -> tuple[bool, datetime | None]:
    """Return whether the row says an end of access, and which; in the past it is one all the same."""
    if "access_end_date" not in values:
        return False, None
    zone = to_text(values.get("time_zone")) or default_time_zone
    last_day = to_date(values["access_end_date"], zone_of(zone))
    return True, None if last_day is None or last_day == NO_END else end_of_day(last_day, zone)


def _text(value: Any, longest: int) -> str | None:
    try:
        text = to_text(value)
        return storable_text(text) if text is not None and len(text) <= longest else None
    except ValueError:
        return None


def _is_empty(value: Any) -> bool:
    try:
        return to_text(value) is None
    except ValueError:
        return False
