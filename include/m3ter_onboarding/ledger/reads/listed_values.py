"""Lists of ids as one parameter of a statement, in JSON: its text is the same for any number of them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import CTE, ColumnElement, Connection, String, cast, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from m3ter_onboarding.ledger.runs import RunKey


def listed_dags(connection: Connection, dag_ids: Iterable[str]) -> CTE:
    """Return a set of DAGs: ``dag_id``."""
    ids = literal(json.dumps(sorted(dag_ids)), String())
    if connection.dialect.name == "postgresql":
        listed = func.jsonb_array_elements_text(cast(ids, JSONB)).table_valued("value", name="listed")
    else:
        listed = func.json_each(ids).table_valued("value", name="listed")
    return select(listed.c.value.label("dag_id")).cte("dags")


def listed_runs(connection: Connection, runs: Iterable[RunKey]) -> CTE:
    """Return a set of runs: ``dag_id`` and ``run_id``. SQLite would look for pairs in ``IN`` from end to end."""
    keys = literal(json.dumps(sorted((run.dag_id, run.run_id) for run in runs)), String())
    dag_id: ColumnElement[str]
    run_id: ColumnElement[str]
    if connection.dialect.name == "postgresql":
        pair = func.jsonb_array_elements(cast(keys, JSONB)).table_valued("value", name="listed").c.value
        dag_id, run_id = (pair.op("->>")(literal_column(place)) for place in ("0", "1"))
    else:
        pair = func.json_each(keys).table_valued("value", name="listed").c.value
        dag_id, run_id = (func.json_extract(pair, literal_column(place)) for place in ("'$[0]'", "'$[1]'"))
    return select(dag_id.label("dag_id"), run_id.label("run_id")).cte("runs")
