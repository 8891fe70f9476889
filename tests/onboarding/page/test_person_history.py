"""Whose decisions the history of a row shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert

from m3ter_onboarding.ledger.database import LedgerDatabase
from tests.onboarding.page.conftest import Page
from tests.onboarding.page.test_access import KEY
from tests.support.page_ledger import NOW, ORG_A, PLAN, PLAN_BEFORE

ADDRESS, NO_ADDRESS = "same@example.com", "a b@example.com"


def decide(db: LedgerDatabase, row_no: int, plan_id: str, kind: str, employee: str | None, email: str | None) -> None:
    decision, reason = kind.split(":")
    row = {"row_no": row_no, "plan_id": plan_id, "employee_id": employee, "email": email, "email_key": email}
    with db.engine.begin() as connection:
        at = NOW - timedelta(hours=5 if plan_id == PLAN else 29)
        statement = insert(db.tables.decision).values(
            **row, decision=decision, reason=reason, org_id=ORG_A, decided_at=at, detail=f"{plan_id}, {row_no}"
        )
        connection.execute(statement)


@pytest.mark.parametrize(
    ("kind", "one", "other", "shown"),
    [
        ("invalid:email", ("E1", NO_ADDRESS), ("E2", NO_ADDRESS), [51, 50]),
        ("invalid:email", (None, NO_ADDRESS), ("E2", NO_ADDRESS), [50]),
        ("invalid:employee_id", ("n/a", "one@example.com"), ("n/a", "other@example.com"), [51, 50]),
        ("invalid:employee_id", ("n/a", "n/a"), ("n/a", "n/a"), [50]),
        ("invalid:organisation", (None, "none"), (None, "none"), [50]),
        ("invalid:dates", (None, ADDRESS), ("E2", ADDRESS), [51, 60, 50]),
        ("skip:too_early", ("E1", ADDRESS), ("E2", ADDRESS), [51, 60, 50]),
    ],
)
def test_a_history_has_decisions_of_others_only_where_a_usable_address_or_employee_is_the_same(
    page: Callable[[str], Page],
    ledger: LedgerDatabase,
    kind: str,
    one: tuple[str | None, str],
    other: tuple[str | None, str],
    shown: list[int],
) -> None:
    """Two people who share no more than a word that is no address are not shown as one."""
    decide(ledger, 50, PLAN, kind, *one)
    decide(ledger, 51, PLAN_BEFORE, kind, *one)
    decide(ledger, 60, PLAN_BEFORE, kind, *other)
    story = page("anna").get(f"api/stories/decision/{KEY}/{PLAN}/50")
    assert [int(step["detail"].split(", ")[1]) for step in story["steps"]] == shown
    assert (story["employee_id"], story["email"]) == one
