"""A row of the query becomes a new hire that can be invited, or is decided ``invalid:<reason>`` for that row alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from m3ter_onboarding.config.placeholders import DEFAULT_PLACEHOLDERS, folded_placeholders
from m3ter_onboarding.config.run_parameters import LONGEST_EMPLOYEE_ID
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.privacy import repr_of
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.driver_values import (
    NO_END,
    require_visible,
    storable,
    to_date,
    to_instant,
    to_name,
    to_names,
    to_note,
    to_text,
)
from m3ter_onboarding.source.email_addresses import sendable_address
from m3ter_onboarding.source.local_days import end_of_day, zone_of
from m3ter_provider.email_identity import email_key
from m3ter_provider.pasted_text import trim, without_marks
from m3ter_provider.person_names import why_not_a_name

#: m3ter's limits, in characters ("Invite User to Organization").
LONGEST_NAME = 100
LONGEST_CONTACT_NUMBER = 50
LONGEST_EXCLUSION_REASON = 200
#: Of a column of one's own; the rest is cut off.
LONGEST_EXTRA = 400
_NOT_EXCLUDED = frozenset({"false", "f", "no", "n", "0", "off"})
_EXCLUDED_WITHOUT_REASON = frozenset({"true", "t", "yes", "y", "1", "on"})
#: Of a value that is wrong; the rest is cut off.
LONGEST_WRONG_VALUE = 400
#: The longest address that mail knows (RFC 5321), and room for texts that are no address.
LONGEST_EMAIL = 320


@dataclass(frozen=True)
class RowExclusion:
    """An exclusion that the row brings with it.

    :param reason: as the warehouse has it, perhaps personal; None: it gives none.
    :param until: the last day of it, where the hire is; None: it has no end.
    """

    reason: str | None = field(repr=False)
    until: date | None


class NewHire(NamedTuple):
    """A row that passed validation. Its ``repr`` names nobody.

    :param email: as it will be sent: trimmed, NFC, the domain in its ASCII form.
    :param email_as_given: as the warehouse has it, trimmed.
    :param permission_policies: names or ids; None: the row names none.
    :param access_ends_at: the last millisecond of the last local day, UTC; None: permanent.
    :param exclusion: where the row itself says that nobody is to be invited.
    :param extra: the columns of one's own, by name.
    :param updated_at: when the row was written, UTC; None: it does not say so, or nobody can read it.
    """

    row_no: int
    employee_id: str
    email: str
    email_as_given: str
    email_key: str
    first_name: str
    last_name: str
    contact_number: str | None
    permission_policies: tuple[str, ...] | None
    start_date: date | None
    access_ends_at: datetime | None
    time_zone: str
    exclusion: RowExclusion | None = None
    extra: Mapping[str, str] | None = None
    updated_at: datetime | None = None

    def __repr__(self) -> str:
        """Name nobody."""
        return repr_of(self, "row_no", "permission_policies", "start_date", "access_ends_at", "time_zone", "exclusion")


#: A row after validation: a hire that can be decided about, or the decision ``invalid:<reason>``.
ValidatedRow: TypeAlias = NewHire | Decision


class _FlawError(Exception):
    """The first flaw of a row.

    :param column: whose value is wrong; None: that of the reason's name.
    """

    def __init__(self, reason: str, detail: str, *, column: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.column = column or reason


_PLACEHOLDERS = folded_placeholders(DEFAULT_PLACEHOLDERS)


def validate_rows(
    rows: Iterable[SourceRow],
    *,
    default_time_zone: str,
    now: datetime,
    extra_columns: Sequence[str] = (),
    placeholders: Iterable[str] = DEFAULT_PLACEHOLDERS,
) -> list[ValidatedRow]:
    """Validate every row of the query, each once and by itself; see :func:`validate_row`."""
    words = folded_placeholders(placeholders)
    return [
        validate_row(row, default_time_zone=default_time_zone, now=now, extra_columns=extra_columns, placeholders=words)
        for row in rows
    ]


def select_employee(rows: Iterable[ValidatedRow], employee_id: str) -> list[ValidatedRow]:
    """Keep the rows of one employee; a row whose ``employee_id`` is unusable is nobody's.

    :param employee_id: as the warehouse has it; ``1001`` also finds the number 1001.
    """
    wanted = trim(unicodedata.normalize("NFC", employee_id))  # as ids are read
    return [
        row
        for row in rows
        if row.employee_id == wanted and not (isinstance(row, Decision) and row.reason == "employee_id")
    ]


def validate_row(
    row: SourceRow,
    *,
    default_time_zone: str,
    now: datetime,
    extra_columns: Sequence[str] = (),
    placeholders: frozenset[str] = _PLACEHOLDERS,
) -> ValidatedRow:
    """Make a new hire of a row, or decide why it is invalid: the first flaw found is the reason.

    The employee and the address of an invalid row are kept for the record, as far as a ledger can store them.

    :param row: one row of the query.
    :param default_time_zone: IANA name, for rows without one.
    :param now: aware; access that ended before it is invalid.
    :param extra_columns: columns of one's own; their values never make a row invalid.
    :param placeholders: words for a missing value, as :func:`folded_placeholders` returns them.
    """
    start: date | None = None
    extra, value = _extra(row, extra_columns), row.values.get
    try:
        employee_id = _no_placeholder("employee_id", _employee_id(value("employee_id")), placeholders)
        as_given, email = _email(value("email"))
        first_name = _person_name("first_name", value("first_name"), placeholders)
        last_name = _person_name("last_name", value("last_name"), placeholders)
        contact_number = _contact_number(value("contact_number"), placeholders)
        time_zone = _time_zone(value("time_zone"), default_time_zone)
        start = _start(value("start_date"), time_zone)
        access_ends_at = _end_of_access(value("access_end_date"), start, time_zone, now)
        exclusion = _exclusion(value("exclude"), value("exclude_until"), time_zone)
        policies = _policies(value("permission_policies"))
    except _FlawError as flaw:
        return _invalid(row, flaw, start or _readable_start(row, default_time_zone), extra)
    return NewHire(
        row_no=row.row_no,
        employee_id=employee_id,
        email=email,
        email_as_given=as_given,
        email_key=email_key(email),
        first_name=first_name,
        last_name=last_name,
        contact_number=contact_number,
        permission_policies=policies,
        start_date=start,
        access_ends_at=access_ends_at,
        time_zone=time_zone,
        exclusion=exclusion,
        extra=extra,
        updated_at=to_instant(value("updated_at")),
    )


def _invalid(row: SourceRow, flaw: _FlawError, start: date | None, extra: Mapping[str, str] | None) -> Decision:
    given = storable(row.values.get("email"), LONGEST_EMAIL)
    employee_id = storable(row.values.get("employee_id"), LONGEST_EMPLOYEE_ID)
    named = employee_id or given  # nobody could find, and erase, the data of a row that names nobody
    return Decision(
        row_no=row.row_no,
        decision="invalid",
        reason=flaw.reason,
        detail=flaw.detail,
        employee_id=employee_id,
        email=given,
        email_key=email_key(given)[:LONGEST_EMAIL] if given else None,
        start_date=start,
        person_name=_given_name(row) if named else None,
        wrong_value=to_note(row.values.get(flaw.column), LONGEST_WRONG_VALUE) if named else None,
        extra=extra,
        updated_at=to_instant(row.values.get("updated_at")),
    )


def _given_name(row: SourceRow) -> str | None:
    names = (to_note(row.values.get(column), LONGEST_NAME) for column in ("first_name", "last_name"))
    return " ".join(name for name in names if name) or None


def _extra(row: SourceRow, columns: Sequence[str]) -> dict[str, str] | None:
    if not columns:
        return None
    values = {name: to_note(row.values.get(name), LONGEST_EXTRA) for name in columns}
    return {name: value for name, value in values.items() if value is not None} or None


def _employee_id(value: Any) -> str:
    if type(value) is str and value.isascii() and value.isalnum() and len(value) <= LONGEST_EMPLOYEE_ID:
        return value  # almost every id: all of it can be seen
    try:
        text = to_text(value)
        if text is not None:
            require_visible(text, joiners=False)
    except ValueError as reason:
        raise _FlawError("employee_id", f"The employee_id {reason}.") from None
    if text is not None and len(text) > LONGEST_EMPLOYEE_ID:
        raise _FlawError("employee_id", f"The employee_id is longer than {LONGEST_EMPLOYEE_ID} characters.")
    return _required("employee_id", text)


def _email(value: Any) -> tuple[str, str]:
    """Return the address as the warehouse has it, and as it will be sent."""
    try:
        text = to_text(value)
    except ValueError as reason:
        raise _FlawError("email", f"The e-mail address {reason}.") from None
    given = _required("email", text)
    try:
        return given, sendable_address(given)
    except ValueError as reason:
        raise _FlawError("email", str(reason)) from None


def _name(column: str, value: Any, longest: int) -> str | None:
    try:
        return to_name(value, longest=longest)
    except ValueError as reason:
        raise _FlawError(column, f"The {column} {reason}.") from None


def _person_name(column: str, value: Any, placeholders: frozenset[str]) -> str:
    """Read a name that goes into an e-mail."""
    known = _known_name(value, placeholders) if type(value) is str else None
    return _judged_name(column, value, placeholders) if known is None else known


@lru_cache(maxsize=16_384)  # people share names
def _known_name(text: str, placeholders: frozenset[str]) -> str | None:
    """Return a name as it is sent; None: something is wrong with it."""
    try:
        return _judged_name("", text, placeholders)
    except _FlawError:
        return None


def _judged_name(column: str, value: Any, placeholders: frozenset[str]) -> str:
    name = _required(column, _name(column, value, LONGEST_NAME))
    if why := why_not_a_name(name):
        raise _FlawError(column, f"The {column} {why}.")
    return _no_placeholder(column, name, placeholders)


def _no_placeholder(column: str, text: str, placeholders: frozenset[str]) -> str:
    if text.casefold() in placeholders:
        raise _FlawError(
            column, f"The {column} is a word for a missing value; if it is meant, take it out of `placeholders`."
        )
    return text


def _contact_number(value: Any, placeholders: frozenset[str]) -> str | None:
    """Read a number; marks that cannot be seen, which pasting leaves between its digits, are no part of it."""
    if value is None:
        return None
    try:
        text = without_marks(to_text(value) or "")
    except ValueError as reason:
        raise _FlawError("contact_number", f"The contact_number {reason}.") from None
    return None if text.casefold() in placeholders else _name("contact_number", text, LONGEST_CONTACT_NUMBER)


def _time_zone(value: Any, default: str) -> str:
    try:
        name = to_text(value) or default
        zone_of(name)
    except ValueError as reason:
        raise _FlawError("time_zone", f"The time_zone {reason}.") from None
    return name


def _day(column: str, value: Any, time_zone: str) -> date | None:
    if value is None:
        return None
    try:
        return to_date(value, zone_of(time_zone))
    except ValueError as reason:
        raise _FlawError("dates", f"The {column} {reason}.", column=column) from None


def _start(value: Any, time_zone: str) -> date | None:
    """Read the first day; few days are many people's."""
    return _start_of_text(value, time_zone) if type(value) is str else _judged_start(value, time_zone)


@lru_cache(maxsize=1_024)
def _start_of_text(value: str, time_zone: str) -> date | None:
    return _judged_start(value, time_zone)


def _judged_start(value: Any, time_zone: str) -> date | None:
    day = _day("start_date", value, time_zone)
    if day == NO_END:  # nobody starts then, and nothing may be reckoned from it
        raise _FlawError("dates", "The start_date is out of range.", column="start_date")
    return day


def _readable_start(row: SourceRow, default_time_zone: str) -> date | None:
    """Return the first day of a row that has another flaw: who starts soon is asked of those, too."""
    value = row.values.get("start_date")
    for time_zone in (row.values.get("time_zone"), default_time_zone):
        try:
            return _start(value, _time_zone(time_zone, default_time_zone))
        except _FlawError:
            continue
    return None


def _end_of_access(value: Any, start: date | None, time_zone: str, now: datetime) -> datetime | None:
    last_day = _day("access_end_date", value, time_zone)
    if last_day is None or last_day == NO_END:
        return None
    if start is not None and last_day < start:
        raise _FlawError("dates", "The access_end_date lies before the start_date.", column="access_end_date")
    ends_at = end_of_day(last_day, time_zone)
    if ends_at <= now:
        raise _FlawError("dates", "The access_end_date lies in the past.", column="access_end_date")
    return ends_at


def _exclusion(value: Any, until: Any, time_zone: str) -> RowExclusion | None:
    if value is None:
        return None
    if isinstance(value, bool):
        value = str(value)
    try:
        reason = to_text(value)
        if reason is not None:
            require_visible(reason)
    except ValueError as flaw:
        raise _FlawError("exclude", f"The exclude {flaw}.") from None
    if reason is None or reason.lower() in _NOT_EXCLUDED:
        return None
    if len(reason) > LONGEST_EXCLUSION_REASON:
        raise _FlawError("exclude", f"The exclude is longer than {LONGEST_EXCLUSION_REASON} characters.")
    last_day = _day("exclude_until", until, time_zone)
    without_reason = reason.lower() in _EXCLUDED_WITHOUT_REASON
    return RowExclusion(None if without_reason else reason, None if last_day == NO_END else last_day)


def _policies(value: Any) -> tuple[str, ...] | None:
    try:
        return to_names(value)
    except ValueError as reason:
        raise _FlawError("policy", f"The permission_policies {reason}.", column="permission_policies") from None


def _required(column: str, text: str | None) -> str:
    if text is None:
        raise _FlawError(column, f"The {column} is missing.")
    return text
