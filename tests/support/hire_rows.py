"""Rows of the new-hires query for tests."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from m3ter_onboarding.source.columns import SourceRow

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


def row(row_no: int = 1, **values: Any) -> SourceRow:
    """A row that is valid but for the values given."""
    valid = {
        "employee_id": f"E{row_no}",
        "email": f"person{row_no}@example.com",
        "first_name": "Ann",
        "last_name": f"Hire{row_no}",
    }
    return SourceRow(row_no, {**valid, **values})
