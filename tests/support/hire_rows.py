"""Rows of the new-hires query for tests, and the decisions about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.planning.planner import decide
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.new_hire import validate_rows

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


def decide_rows(rows: Iterable[SourceRow], facts: Facts, rules: PlanSettings, *, now: datetime) -> list[Decision]:
    """Validate rows and decide about each, as a plan does."""
    return decide(validate_rows(rows, default_time_zone=rules.time_zone, now=now), facts, rules, now=now)
