"""Engines of Airflow connections."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import registry

from m3ter_onboarding.databases.connections import database_engine, engine_of
from m3ter_onboarding.errors import SourceError


class RedshiftHook:
    """Stands for the hook of Airflow's Amazon provider, which is not installed here."""

    conn_type = "redshift"

    def get_conn(self) -> Any:
        return sqlite3.connect(":memory:")

    def get_sqlalchemy_engine(self, engine_kwargs: Any) -> Any:
        raise AssertionError("it would be taken for PostgreSQL")


def test_redshift_has_its_own_dialect_over_the_connections_of_its_hook() -> None:
    registry.register("redshift.redshift_connector", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    try:
        engine = engine_of(RedshiftHook())
    finally:
        del registry.impls["redshift.redshift_connector"]
    assert engine.hide_parameters
    with engine.connect() as connection:
        assert connection.execute(text("SELECT sqlite_version()")).scalar_one()
    engine.dispose()


def test_redshift_without_its_dialect_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "redshift", "host": "c.example.com"}))
    with pytest.raises(SourceError, match="provider of its type is not installed"):
        database_engine("warehouse", what="warehouse", key="warehouse_conn_id", error=SourceError)
