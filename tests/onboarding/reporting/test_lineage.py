"""Which tables lineage names, and how; that they arrive is seen in tests/integration/test_observed_run.py."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from m3ter_onboarding import access_review_dag, day_one_dag, invitation_status_dag, onboarding_dag
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.ledger.tables import tables_in
from m3ter_onboarding.reporting.lineage import UsedTables, lineage_of
from tests.support.databases import airflow_connection_named

ROOT = Path(__file__).parents[3]

QUERY = """
SELECT employee_id, email, first_name, last_name FROM hr.employees
WHERE loaded_at >= :window_start AND loaded_at < :window_end AND email <> 'ann@example.com'
"""
JOBS = "SELECT employee_id, email FROM jobs JOIN hr.contracts USING (employee_id)"
POSTGRES = {
    "conn_type": "postgres",
    "host": "db.example.com",
    "login": "reader",
    "password": "hidden",
    "schema": "people",
}

pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is not installed")


@pytest.fixture(autouse=True)
def _connections() -> Iterator[None]:
    with ExitStack() as stack:
        for conn_id, fields in {
            "w": POSTGRES,
            "l": {**POSTGRES, "host": "ledger.example.com", "port": 6432, "schema": "onboarding"},
            "file": {"conn_type": "sqlite", "host": "/data/people.db"},
        }.items():
            stack.enter_context(airflow_connection_named(json.dumps(fields), conn_id))
        yield


def config(**values: Any) -> OnboardingConfig:
    given = {"name": "test", "warehouse_conn_id": "w", "query": "q.sql", "access_review": {"query": "j.sql"}}
    return OnboardingConfig.from_mapping({**given, **values}, query_text=QUERY, job_query_text=JOBS)


def names(datasets: list[Any]) -> set[tuple[str, str]]:
    return {(one.namespace, one.name) for one in datasets}


def test_tables_are_named_by_their_database_and_never_with_who_reads_them() -> None:
    used = UsedTables(queries=("query", "jobs"), reads=("invitation",), writes=("plan",), publishes=("invitation",))
    found = lineage_of(config(ledger_conn_id="l", ledger_schema="ours"), used)
    people, ledger = "postgres://db.example.com:5432", "postgres://ledger.example.com:6432"
    assert names(found.inputs) == {
        (people, "people.hr.employees"),
        (people, "people.public.jobs"),
        (people, "people.hr.contracts"),
        (ledger, "onboarding.ours.m3ter_invitation"),
    }
    assert names(found.outputs) == {
        (ledger, "onboarding.ours.m3ter_onboarding_plan"),
        (people, "people.public.m3ter_invitation"),
    }
    assert "hidden" not in repr(found)
    assert "ann@example.com" not in repr(found)
    assert not found.run_facets
    assert not found.job_facets


@pytest.mark.parametrize("values", [{}, {"ledger_conn_id": "l", "publish": False}])
def test_nothing_is_published_where_nothing_is(values: dict[str, Any]) -> None:
    assert lineage_of(config(**values), UsedTables(publishes=("invitation",))).outputs == []


def test_a_database_without_a_naming_of_openlineages_is_named_by_its_connection() -> None:
    found = lineage_of(config(warehouse_conn_id="file"), UsedTables(queries=("query",), writes=("plan",)))
    assert names(found.inputs) == {("sqlite:///data/people.db", "hr.employees")}
    assert names(found.outputs) == {("sqlite:///data/people.db", "m3ter_onboarding_plan")}


def test_a_connection_that_is_not_there_leaves_the_lineage_empty(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = lineage_of(config(warehouse_conn_id="nowhere"), UsedTables(queries=("query",), writes=("plan",)))
    assert (found.inputs, found.outputs) == ([], [])
    assert "The lineage of this task is not complete (" in caplog.text


def operators() -> Iterator[Any]:
    for make in (onboarding_dag, invitation_status_dag, access_review_dag, day_one_dag):
        yield from make(config(ledger_conn_id="l")).tasks


@pytest.mark.parametrize("operator", [*operators()], ids=lambda operator: str(operator.task_id))
def test_every_task_answers_and_names_tables_of_the_ledger(operator: Any) -> None:
    known = {table.name for table in tables_in(None).all()}
    start, complete = operator.get_openlineage_facets_on_start(), operator.get_openlineage_facets_on_complete(None)
    assert names(start.inputs) == names(complete.inputs)
    assert names(start.outputs) == names(complete.outputs)
    used = operator.used_tables
    of_ledger = {name for namespace, name in names(start.inputs + start.outputs) if "ledger." in namespace}
    assert {name.rpartition(".")[2] for name in of_ledger} <= known
    assert len(of_ledger) == len({*used.reads, *used.writes})
    assert bool(used.queries) == (operator.task_id in {"plan", "review_access"})


@pytest.mark.parametrize("folder", ["include/m3ter_onboarding", "plugins/m3ter_provider"])
def test_openlineage_and_opentelemetry_are_imported_only_where_they_are_used(folder: str) -> None:
    eager = [
        f"{path.name}: {ast.unparse(node)}"
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom) and re.search("openlineage|opentelemetry", ast.unparse(node))
    ]
    assert eager == []
