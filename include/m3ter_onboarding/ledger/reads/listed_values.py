"""Lists of ids as one parameter of a statement, in JSON: its text is the same for any number of them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import CTE, ColumnElement, Connection, String, cast, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from m3ter_onboarding.ledger.reads.scopes import Scope
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import InvitationState


def listed_dags(connection: Connection, dag_ids: Iterable[str]) -> CTE:
    """Return a set of DAGs: ``dag_id``."""
    return _values(connection, dag_ids, "dag_id", "dags")


def listed_states(connection: Connection, states: Iterable[InvitationState]) -> CTE:
    """Return a set of states: ``state``."""
    return _values(connection, (state.value for state in states), "state", "states")


def listed_runs(connection: Connection, runs: Iterable[RunKey]) -> CTE:
    """Return a set of runs: ``dag_id`` and ``run_id``."""
    return _pairs(connection, ((run.dag_id, run.run_id) for run in runs), ("dag_id", "run_id"), "runs")


def listed_scopes(connection: Connection, scopes: Iterable[Scope]) -> CTE:
    """Return a set of scopes: ``org_id`` and ``owner``, which is empty for what was found in m3ter."""
    pairs = ((scope.org_id, scope.dag_id or "") for scope in scopes)
    return _pairs(connection, pairs, ("org_id", "owner"), "scopes")


def listed_employees(connection: Connection, employees: Iterable[tuple[str, str]]) -> CTE:
    """Return a set of employees of organisations: ``org_id`` and ``employee_id``."""
    return _pairs(connection, employees, ("org_id", "employee_id"), "employees")


def _values(connection: Connection, values: Iterable[str], name: str, of: str) -> CTE:
    ids = literal(json.dumps(sorted(values)), String())
    if connection.dialect.name == "postgresql":
        listed = func.jsonb_array_elements_text(cast(ids, JSONB)).table_valued("value", name="listed")
    else:
        listed = func.json_each(ids).table_valued("value", name="listed")
    return select(listed.c.value.label(name)).cte(of)


def _pairs(connection: Connection, pairs: Iterable[tuple[str, str]], names: tuple[str, str], of: str) -> CTE:
    """Return a set of pairs. SQLite would look for pairs in ``IN`` from end to end."""
    keys = literal(json.dumps(sorted(set(pairs))), String())
    first: ColumnElement[str]
    second: ColumnElement[str]
    if connection.dialect.name == "postgresql":
        pair = func.jsonb_array_elements(cast(keys, JSONB)).table_valued("value", name="listed").c.value
        first, second = (pair.op("->>")(literal_column(place)) for place in ("0", "1"))
    else:
        pair = func.json_each(keys).table_valued("value", name="listed").c.value
        first, second = (func.json_extract(pair, literal_column(place)) for place in ("'$[0]'", "'$[1]'"))
    return select(first.label(names[0]), second.label(names[1])).cte(of)
