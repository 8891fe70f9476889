"""Publishing to warehouses that know less than PostgreSQL."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from importlib.resources import files

import pytest
import yaml
from sqlalchemy import JSON, MetaData, create_engine, make_url, text

from m3ter_onboarding.ledger import person_view
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.tables import tables_in
from m3ter_onboarding.reporting.published_tables import published_table, published_tables

NOW = datetime(2026, 11, 26, tzinfo=timezone.utc)


@pytest.mark.parametrize("dialect", ["snowflake", "redshift", "bigquery"])
def test_a_warehouse_without_a_type_for_json_gets_text(dialect: str) -> None:
    decision = published_table(tables_in(None).decision, MetaData(), dialect)
    assert not [column.name for column in decision.columns if isinstance(column.type, JSON)]
    engine = create_engine("sqlite://")
    request = {"email": "ada@example.com", "policies": ["é"]}
    with engine.begin() as warehouse:
        decision.create(warehouse)
        row = {"plan_id": "p", "org_id": "o", "decision": "invite", "reason": "new", "decided_at": NOW}
        warehouse.execute(
            decision.insert(), [{**row, "row_no": 1, "request": request}, {**row, "row_no": 2, "request": None}]
        )
        stored = (
            warehouse.execute(text("SELECT request FROM m3ter_onboarding_decision ORDER BY row_no")).scalars().all()
        )
    assert stored[1] is None
    assert json.loads(stored[0]) == request
    engine.dispose()


def test_the_dbt_source_names_what_is_published() -> None:
    file = files("m3ter_onboarding").joinpath("examples/dbt/sources.yml")
    (source,) = yaml.safe_load(file.read_text(encoding="utf-8"))["sources"]
    ledger = tables_in(None)
    columns = {copy.table.name: set(copy.table.columns.keys()) for copy in published_tables(ledger, "snowflake").all()}
    view = person_view.view_ddl(make_url("sqlite://").get_dialect()(), ledger.of_people)
    columns[person_view.NAME] = set(re.findall(r"(?:AS |people\.)(\w+)", view.rpartition("SELECT people.")[2])) | {
        "org_id"
    }
    assert {table["name"] for table in source["tables"]} == set(columns)
    for table in source["tables"]:
        assert {column["name"] for column in table["columns"]} <= columns[table["name"]], table["name"]
        for column in table["columns"]:
            for test in column["tests"]:
                if column["name"] == "state" and isinstance(test, dict):
                    assert set(test["accepted_values"]["values"]) - {"invite", "skip", "invalid"} == {*InvitationState}


def test_keys_are_where_they_are_enforced() -> None:
    ledger = tables_in(None)
    for dialect, keys in (("postgresql", {"org_id", "plan_id", "row_no"}), ("snowflake", set())):
        decision = published_tables(ledger, dialect).decision.table
        assert set(decision.primary_key.columns.keys()) == keys


def test_columns_with_a_type_keep_it() -> None:
    for dialect in ("postgresql", "sqlite"):
        decision = published_table(tables_in(None).decision, MetaData(), dialect)
        assert isinstance(decision.c.request.type, JSON)
