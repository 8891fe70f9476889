"""Whatever a warehouse holds in any column, each row has a decision that can be recorded, and the others theirs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from m3ter_onboarding.config.query_columns import CONTRACT_COLUMNS
from m3ter_onboarding.errors import SourceError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.planning.planner import decide
from m3ter_onboarding.source.columns import SourceRow, check_columns
from m3ter_onboarding.source.current_job import current_job
from m3ter_onboarding.source.excluded_people import excluded_people
from m3ter_onboarding.source.new_hire import validate_rows
from tests.support.hire_rows import NOW, row
from tests.support.hostile_values import DRIVER_VALUES, TEXTS, hostile

EXTRA = "department"
ROWS = st.dictionaries(st.sampled_from([*CONTRACT_COLUMNS, EXTRA]), DRIVER_VALUES)


def record(db: LedgerDatabase, decisions: list[Decision]) -> None:
    """Write decisions as a plan does, and take them back."""
    table = db.tables.decision
    rows: list[dict[str, Any]] = [
        {
            "plan_id": str(uuid4()),
            "row_no": one.row_no,
            "org_id": "o",
            "employee_id": one.employee_id,
            "email": one.email,
            "email_key": one.email_key,
            "decision": one.decision,
            "reason": one.reason,
            "detail": one.detail,
            "start_date": one.start_date,
            "request": one.request.to_json() if one.request else None,
            "extra": dict(one.extra) if one.extra else None,
            "decided_at": NOW,
        }
        for one in decisions
    ]
    db.rehearse(lambda connection: connection.execute(insert(table), rows), doing="recording decisions")


@hostile
@given(values=ROWS)
def test_a_hostile_row_has_a_decision_and_stops_no_other(ledger: LedgerDatabase, values: dict[str, Any]) -> None:
    rows = [row(1), row(2, **values), SourceRow(3, values), row(4)]
    validated = validate_rows(rows, default_time_zone="UTC", now=NOW, extra_columns=[EXTRA])
    decisions = decide(validated, Facts(), PlanSettings(), now=NOW)
    assert [one.row_no for one in decisions] == [1, 2, 3, 4]
    assert decisions[3].decision == "invite" or "person4" in str(values)
    for one in decisions:
        assert one.decision in ("invite", "skip", "invalid", "review")
        assert one.detail
        (one.detail + repr(one)).encode()
    record(ledger, decisions)


@hostile
@given(column=st.sampled_from(CONTRACT_COLUMNS), value=DRIVER_VALUES)
def test_one_hostile_value_concerns_its_row_alone(ledger: LedgerDatabase, column: str, value: Any) -> None:
    rows = [row(1), row(2, **{column: value}), row(3)]
    decisions = decide(validate_rows(rows, default_time_zone="UTC", now=NOW), Facts(), PlanSettings(), now=NOW)
    assert {decisions[0].decision, decisions[2].decision} <= {"invite"}
    record(ledger, decisions)


@hostile
@given(rows=st.lists(st.dictionaries(st.sampled_from(["employee_id", "email", "until", "reason"]), DRIVER_VALUES)))
def test_a_list_of_exclusions_may_hold_anything(rows: list[dict[str, Any]]) -> None:
    found = excluded_people([SourceRow(n, values) for n, values in enumerate(rows)], time_zone="Europe/Berlin")
    validated = validate_rows([row(1)], default_time_zone="UTC", now=NOW)
    assert len(decide(validated, Facts(excluded_people=found), PlanSettings(), now=NOW)) == 1


@hostile
@given(values=st.dictionaries(st.sampled_from(CONTRACT_COLUMNS), DRIVER_VALUES))
def test_a_list_of_jobs_may_hold_anything(values: dict[str, Any]) -> None:
    repr(current_job(SourceRow(1, values), "UTC")).encode()


@hostile
@given(names=st.lists(TEXTS, max_size=6))
def test_columns_may_have_any_name(names: list[str]) -> None:
    try:
        check_columns(names)
    except SourceError as error:
        str(error).encode("utf-8", "surrogatepass")
