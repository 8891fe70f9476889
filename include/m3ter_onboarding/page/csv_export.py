"""Lists as CSV, a page at a time, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from operator import attrgetter
from typing import Any, TypeVar

from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.reads.access_list import FindingRow
from m3ter_onboarding.ledger.reads.invitation_list import InvitationPage
from m3ter_onboarding.ledger.reads.open_questions import OpenQuestion
from m3ter_onboarding.ledger.reads.plan_comparison import ExportedRow
from m3ter_onboarding.ledger.reads.starting_list import StartingRow
from m3ter_onboarding.ledger.states import STATES

Row = TypeVar("Row")

COLUMNS = (
    *("employee_id", "email", "person_name", "state", "org_id", "generation", "origin", "m3ter_id", "sent_at"),
    *("accepted_at", "expires_at", "http_status", "message", "dag_id", "run_id", "created_at", "updated_at"),
)
FINDING_COLUMNS = (
    *("finding", "email", "employee_id", "org_id", "m3ter_id", "in_m3ter", "wanted"),
    *("first_seen_at", "last_seen_at", "ended_at"),
)
STARTING_COLUMNS = (
    *("employee_id", "email", "person_name", "start_date", "standing", "standing_said", "why", "since"),
    *("decision", "said", "invitation_state", "expires_at", "state_now", "changed_at", "org_id", "dag_id"),
)
#: These two are handed to those who keep the HR system: headings, and what each has of a row.
PLAN_COLUMNS: Mapping[str, Callable[[ExportedRow], object]] = {
    "Employee id": lambda row: row.employee_id,
    "Name": lambda row: row.person_name,
    "E-mail address": lambda row: row.email,
    "First day": lambda row: row.start_date,
    "Decision": lambda row: decision_names.DECISIONS.get(row.decision, row.decision),
    "Reason": lambda row: _reason(row.reason),
    "Details": lambda row: row.detail,
    "In the row now": lambda row: row.wrong_value,
    "What to do": lambda row: _way(row.decision, row.reason),
    "Invitation": lambda row: "" if row.state is None else STATES.get(row.state, row.state),
    "Permission policies": lambda row: row.policies,
    "Row": lambda row: row.row_no,
    "Code": lambda row: f"{row.decision}:{row.reason}",
    "Organisation": lambda row: row.org_id,
    "DAG": lambda row: row.dag_id,
    "Run": lambda row: row.run_id,
}
QUESTION_COLUMNS: Mapping[str, Callable[[OpenQuestion], object]] = {
    "Employee id": lambda row: row.employee_id,
    "Name": lambda row: row.person_name,
    "E-mail address": lambda row: row.email,
    "First day": lambda row: row.start_date,
    "Reason": lambda row: _reason(row.reason),
    "Details": lambda row: row.detail,
    "In the row now": lambda row: row.wrong_value,
    "What to do": lambda row: _way(row.decision, row.reason),
    "Waits since (UTC)": lambda row: _minute(row.since),
    "Row is gone since (UTC)": lambda row: _minute(row.gone_since),
    "Put off until (UTC)": lambda row: _minute(row.snoozed_until),
    "Closed (UTC)": lambda row: _minute(row.closed_at),
    "Closed by": lambda row: row.closed_by,
    "Note": lambda row: row.note,
    "Note by": lambda row: row.noted_by,
    "Code": lambda row: f"{row.decision}:{row.reason}",
    "DAG": lambda row: row.dag_id,
}
#: Without it Excel reads a file that is opened by a click as the text of another century.
_MARK = "\ufeff"
#: A spreadsheet takes these for the beginning of a formula; the wide forms become plain ones in some.
_FORMULA = r"[=+\-@＝＋－＠]"
#: Some skip these before it.
_UNSEEN = "\\s\\0\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_BEGINS = re.compile(rf"[\t\r\n]|[{_UNSEEN}]*{_FORMULA}")
#: Where a spreadsheet that takes another character for the separator begins a new cell, quoted or not.
_WITHIN = re.compile(rf'([;|\t\r\n][{_UNSEEN}"]*)(?={_FORMULA})')


def cell(value: Any) -> str:
    """Return a value as a cell that no spreadsheet executes."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = _WITHIN.sub(r"\1'", str(value.value if isinstance(value, Enum) else value))
    # Python 3.10 writes no NUL into CSV, and few programs read one: its symbol stands there instead.
    return (f"'{text}" if _BEGINS.match(text) else text).replace("\0", "\u2400")


def file_headers(stem: str, config_names: Iterable[str], now: datetime) -> dict[str, str]:
    """Return the headers that name a file by configurations and the day.

    :param now: UTC.
    """
    names = (re.sub(r"[^A-Za-z0-9_-]+", "-", name) for name in sorted(set(config_names)))
    name = "-".join((stem, *names))[:150]
    return {"content-disposition": f'attachment; filename="{name}-{now:%Y-%m-%d}.csv"'}


def as_csv(pages: Iterable[InvitationPage]) -> Iterator[str]:
    """Return invitations as the text of a CSV file, in pieces."""
    return _as_csv(COLUMNS, (page.rows for page in pages))


def findings_as_csv(pages: Iterable[Sequence[FindingRow]]) -> Iterator[str]:
    """Return findings of the access review as the text of a CSV file, in pieces."""
    return _as_csv(FINDING_COLUMNS, pages)


def starting_as_csv(pages: Iterable[Sequence[StartingRow]]) -> Iterator[str]:
    """Return people who start soon, or invitations to chase, as the text of a CSV file, in pieces."""
    return _as_csv(STARTING_COLUMNS, pages)


def plan_as_csv(pages: Iterable[Sequence[ExportedRow]]) -> Iterator[str]:
    """Return the rows of a plan as the text of a CSV file, in pieces."""
    return _with_headings(PLAN_COLUMNS, pages)


def questions_as_csv(pages: Iterable[Sequence[OpenQuestion]]) -> Iterator[str]:
    """Return questions of the worklist as the text of a CSV file, in pieces."""
    return _with_headings(QUESTION_COLUMNS, pages)


def _as_csv(columns: Sequence[str], pages: Iterable[Sequence[object]]) -> Iterator[str]:
    yield from _with_headings({name: attrgetter(name) for name in columns}, pages)


def _with_headings(columns: Mapping[str, Callable[[Row], object]], pages: Iterable[Sequence[Row]]) -> Iterator[str]:
    yield _MARK + _lines([[*columns]])
    for rows in pages:
        yield _lines([cell(value(row)) for value in columns.values()] for row in rows)


def _reason(reason: str) -> str:
    said = decision_names.REASONS.get(reason, reason).replace("_", " ")  # HR knows no names of columns
    return f"{said[0].upper()}{said[1:]}"


def _way(decision: str, reason: str) -> str:
    # The same word may stand for what is done without anybody: an expired invitation that is followed by another.
    return decision_names.WAYS_FOR_HR.get(reason, "") if decision != "invite" else ""


def _minute(value: datetime | None) -> str:
    """Write an instant as spreadsheets read one."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"


def _lines(rows: Iterable[Iterable[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(rows)
    return buffer.getvalue()
