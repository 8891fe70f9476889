"""Engines of Airflow connections."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from airflow.sdk import Connection
from sqlalchemy import text
from sqlalchemy.dialects import registry

from m3ter_onboarding.databases.connections import database_engine
from m3ter_onboarding.databases.hook_connections import hooked_engine
from m3ter_onboarding.errors import SourceError


class RedshiftHook:
    """Stands for the hook of Airflow's Amazon provider, which is not installed here."""

    conn_type = "redshift"

    def __init__(self, **extras: Any) -> None:
        self.conn = Connection(conn_id="redshift", conn_type="redshift", extra=json.dumps(extras))

    def get_conn(self) -> Any:
        return sqlite3.connect(":memory:")

    def get_sqlalchemy_engine(self, engine_kwargs: Any) -> Any:
        raise AssertionError("it would be taken for PostgreSQL")


def test_redshift_has_its_own_dialect_over_the_connections_of_its_hook() -> None:
    registry.register("redshift.redshift_connector", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    try:
        hook = RedshiftHook(iam=True)
        engine = hooked_engine(hook, lambda *_: SourceError("nothing is refused"))
    finally:
        del registry.impls["redshift.redshift_connector"]
    assert engine.hide_parameters
    # Behind a pooler a statement that was prepared in one session is missing in the next.
    assert hook.conn.extra_dejson == {"iam": True, "max_prepared_statements": 0}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT sqlite_version()")).scalar_one()
    engine.dispose()


def test_redshift_without_its_dialect_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "redshift", "host": "c.example.com"}))
    with pytest.raises(SourceError, match="provider of its type is not installed"):
        database_engine("warehouse", what="warehouse", key="warehouse_conn_id", error=SourceError)


def test_a_connection_of_a_type_without_a_hook_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "generic", "host": "db.example.com"}))
    with pytest.raises(SourceError, match="'warehouse' cannot be used"):
        database_engine("warehouse", what="warehouse", key="warehouse_conn_id", error=SourceError)
