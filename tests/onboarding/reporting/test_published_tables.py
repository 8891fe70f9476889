"""Publishing to warehouses that know less than PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from sqlalchemy import JSON, MetaData, create_engine, text

from m3ter_onboarding.ledger.tables import tables_in
from m3ter_onboarding.reporting.published_tables import published_table

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


def test_columns_with_a_type_keep_it() -> None:
    for dialect in ("postgresql", "sqlite"):
        decision = published_table(tables_in(None).decision, MetaData(), dialect)
        assert isinstance(decision.c.request.type, JSON)
