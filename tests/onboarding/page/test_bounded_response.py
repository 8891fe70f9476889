"""No answer is large because of what somebody wrote into the warehouse."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.page.bounded_response import LARGEST, BoundedResponse, shortened_bytes
from tests.onboarding.page.conftest import Page
from tests.onboarding.page.test_access import KEY
from tests.support.page_ledger import DAG_A, NOW, ORG_A, PLAN, RUN, invite


@pytest.mark.parametrize("character", ["a", "ü", "\U0001f600", '"', "\x01"])
@pytest.mark.parametrize("most", [50, 51, 52, 53, 400])
def test_a_text_is_cut_by_its_bytes(character: str, most: int) -> None:
    found = shortened_bytes(character * 1000, most)
    size = len(json.dumps(found, ensure_ascii=False).encode()) - 2
    assert most - 8 < size <= most
    assert found.endswith("…")
    assert shortened_bytes("short", most) == "short"


def test_a_small_answer_is_not_cut() -> None:
    text = "x" * 5000
    assert json.loads(bytes(BoundedResponse({"detail": text}).body)) == {"detail": text}


def test_keys_that_the_page_asks_by_are_never_cut() -> None:
    long = "x" * 900
    row = {"run_id": long, "employee_id": long, "detail": "y" * 9000}
    answer = json.loads(bytes(BoundedResponse({"employee_id": long, "steps": [row] * 100}).body))
    assert answer["employee_id"] == answer["steps"][0]["run_id"] == long
    assert len(answer["steps"][0]["detail"]) < 900


def long_texts(db: LedgerDatabase, character: str) -> None:
    """Put in the longest texts that the ledger's columns hold."""
    t = db.tables
    address, employee, text = character * 380, character * 245, character * 2000
    policies = [{"id": f"p{number}", "name": character * 200, "version": 1} for number in range(60)]
    with db.engine.begin() as connection:
        run = dict(connection.execute(select(t.run).where(t.run.c.run_id == RUN)).one()._mapping)
        plan = dict(connection.execute(select(t.plan).where(t.plan.c.plan_id == PLAN)).one()._mapping)
        for number in range(60):
            person = {"employee_id": f"{employee}{number:03}", "run_id": f"{'r' * 240}{number:03}"}
            invite(
                connection, t, 5000 + number, state="review", email=f"{address}{number}@e.test", message=text, **person
            )
        for number in range(100):
            connection.execute(
                insert(t.event).values(
                    invitation_id=5000,
                    org_id=ORG_A,
                    from_state="unknown",
                    to_state="review",
                    why="unexplained_entry",
                    message=text,
                    plan_id=PLAN,
                    at=NOW,
                )
            )
            connection.execute(
                insert(t.decision).values(
                    plan_id=PLAN,
                    row_no=100 + number,
                    org_id=ORG_A,
                    employee_id=f"{employee}000",
                    email=f"{address}0@e.test",
                    email_key=f"{address}0@e.test",
                    decision="review",
                    reason="email_changed",
                    detail=text,
                    decided_at=NOW,
                )
            )
        connection.execute(update(t.plan).values(policies=policies))
        for number in range(25):
            of_run = {"run_id": f"{'r' * 240}{number:03}", "triggered_by": character * 240}
            at = NOW - timedelta(minutes=number + 1)
            connection.execute(insert(t.run).values({**run, **of_run, "started_at": at}))
            connection.execute(
                insert(t.plan).values(
                    {
                        **plan,
                        "plan_id": f"plan-{number}",
                        "run_id": of_run["run_id"],
                        "policies": policies,
                        "not_sendable_because": text,
                        "approved_by": character * 240,
                        "created_at": NOW - timedelta(days=2, minutes=number),
                    }
                )
            )


@pytest.mark.parametrize("character", ["a", "\U0001f600", "\x01"])
def test_long_values_stay_within_the_bound(page: Callable[[str], Page], ledger: LedgerDatabase, character: str) -> None:
    long_texts(ledger, character)
    anna = page("anna")  # each of its questions looks at the size
    for path in ("api/overview", f"api/review/{KEY}", f"api/stories/invitation/{KEY}/5000"):
        assert len(json.dumps(anna.get(path))) > 1000
    assert len(anna.get("api/runs", dag_id=DAG_A)["rows"]) == 20
    assert anna.get("api/run", dag_id=DAG_A, run_id=f"{'r' * 240}001")["plans"]
    rows: dict[str, Any] = {"dag_id": DAG_A, "plan_id": PLAN, "decision": "review"}
    assert len(anna.post("api/run/rows", rows)["rows"]) == 50
    assert len(anna.post("api/invitations", {"ledger": KEY})["rows"]) == 50
    assert LARGEST == 200 * 1024
