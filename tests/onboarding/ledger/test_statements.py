"""Statements are built once: for each ledger, and for each of their forms."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BinaryExpression, ClauseElement, Connection, Engine, event
from sqlalchemy.sql.visitors import iterate

from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.tables import Tables, tables_in
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World


def test_each_ledger_and_each_form_has_a_statement_of_its_own() -> None:
    built: list[tuple[Tables, bool]] = []

    @built_once
    def statement(t: Tables, form: bool) -> object:
        built.append((t, form))
        return object()

    here, elsewhere = tables_in(None), tables_in("elsewhere")
    forms = [(here, True), (here, False), (elsewhere, True)]
    first = [statement(*form) for form in forms]
    assert len(set(map(id, first))) == 3
    assert [statement(*form) for form in forms] == first
    assert built == forms


#: Comparisons: a statement with no more is built in less time than it takes to run.
FEW = 8


def comparisons(statement: ClauseElement) -> list[ClauseElement]:
    """Return the comparisons that a statement makes."""
    return [part for part in iterate(statement) if isinstance(part, BinaryExpression)]


def test_a_second_run_builds_no_long_statement_anew(sqlite_world: World) -> None:
    run: list[ClauseElement] = []

    def keep(_connection: Connection, statement: Any, *_others: Any) -> None:
        if isinstance(statement, ClauseElement):
            run.append(statement)

    def statements_of(number: int) -> list[ClauseElement]:
        run.clear()
        task_run = TaskRun(sqlite_world, f"run-{number}", (WINDOW.start, WINDOW.end))
        sqlite_world.hire(f"e{number}")
        with m3ter_connection(sqlite_world):
            task_run.all()
        return list(run)

    event.listen(Engine, "before_execute", keep)
    try:
        first, second = statements_of(1), statements_of(2)
    finally:
        event.remove(Engine, "before_execute", keep)
    known = {id(part) for statement in first for part in comparisons(statement)}
    anew = {str(one): len([part for part in comparisons(one) if id(part) not in known]) for one in second}
    assert len(anew) > 50
    assert {statement: count for statement, count in anew.items() if count > FEW} == {}
