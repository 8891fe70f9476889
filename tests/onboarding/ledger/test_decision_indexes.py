"""Decisions pile up, plan after plan: each reader finds the few that it asks for by an index."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from m3ter_onboarding.ledger.catch_up import failed_since
from m3ter_onboarding.ledger.reads.person_history import history_of_decision
from m3ter_onboarding.ledger.reads.plan_comparison import find_plan, planned_rows, rows_gone
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import rows_visible_to
from m3ter_onboarding.ledger.sealed_requests import keys_of_employees
from m3ter_onboarding.ledger.worklist import PlanRead, Questions
from tests.support.page_plans import statements_of
from tests.support.world import WINDOW, World

BY_EMPLOYEE, BY_ADDRESS, IN_PLAN = "employee_id", "email_key", "employee_id=? AND plan_id"


class Readers:
    """What reads decisions about somebody, each by the columns that it must look for."""

    def __init__(self, world: World) -> None:
        world.hire("e1", "e2")
        for name in ("run-1", "run-2"):
            world.begin_run(world.run(name))
            world.whole_run(name)
        p = world.db.tables.plan.c
        with world.db.engine.connect() as connection:
            self.plan_id, self.dag_id = connection.execute(
                select(p.plan_id, p.dag_id).order_by(p.created_at.desc()).limit(1)
            ).one()
        self.db, self.org_id = world.db, world.m3ter.org_id
        self.reader = LedgerReader(world.db)
        plan = find_plan(self.reader, self.dag_id, self.plan_id)
        assert plan is not None
        self.plan = plan

    def windows_of_employee(self) -> None:
        failed_since(self.db, self.org_id, "e1")

    def excluded(self) -> None:
        keys_of_employees(self.db, self.org_id, self.plan_id, ["e1"])

    def compared(self) -> None:
        planned_rows(self.reader, self.plan, "skip", None)

    def gone(self) -> None:
        rows_gone(self.reader, self.plan)

    def history(self) -> None:
        history_of_decision(self.reader, rows_visible_to(self.reader, [self.dag_id]), self.plan_id, 1)

    def worklist(self) -> None:
        read = PlanRead(self.plan_id, self.dag_id, self.org_id, "name", True, WINDOW.start, WINDOW.end)
        entries: Any = [SimpleNamespace(employee_id="e1")]
        with self.db.engine.connect() as connection:
            Questions().persons_of(connection, self.db.tables, read, entries)


@pytest.mark.parametrize(
    ("read", "columns"),
    [
        (Readers.windows_of_employee, {BY_EMPLOYEE}),
        (Readers.excluded, {IN_PLAN}),
        (Readers.compared, {IN_PLAN}),
        (Readers.gone, {IN_PLAN}),
        (Readers.history, {BY_EMPLOYEE, BY_ADDRESS}),
        (Readers.worklist, {IN_PLAN}),
    ],
)
def test_decisions_about_somebody_are_found_by_an_index(
    sqlite_world: World, read: Callable[[Readers], None], columns: set[str]
) -> None:
    """SQLite has no figures of its tables, and chooses an index by the form of a statement alone."""
    readers = Readers(sqlite_world)
    with statements_of(readers.db.engine) as kept:
        read(readers)
    found = []
    with readers.db.engine.connect() as connection:
        for statement, parameters in kept.ran:
            if "m3ter_onboarding_decision" in statement:
                found += connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    steps = [row.detail for row in found]
    assert not [step for step in steps if step.startswith("SCAN m3ter_")]
    for column in columns:
        assert [step for step in steps if f"(org_id=? AND {column}=?" in step], steps


def test_rows_of_a_reason_are_found_in_an_index_that_has_the_reason(sqlite_world: World) -> None:
    """Else each row of the decision is read until there are enough of this reason."""
    readers = Readers(sqlite_world)
    with statements_of(readers.db.engine) as kept:
        planned_rows(readers.reader, readers.plan, "skip", 0, reason="too_early")
    [(statement, parameters)] = [one for one in kept.ran if "reason = ?" in one[0]]
    with readers.db.engine.connect() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    [step] = [row.detail for row in steps]
    assert "ix_m3ter_onboarding_decision_reason (plan_id=? AND decision=? AND row_no>?" in step
