"""Engines of Airflow connections."""

from __future__ import annotations

import json
import sqlite3
import sys
from typing import Any

import pytest
from airflow.sdk import Connection
from sqlalchemy import text
from sqlalchemy.dialects import registry

from m3ter_onboarding.databases.connections import database_engine
from m3ter_onboarding.databases.hook_connections import hooked_engine
from m3ter_onboarding.databases.kinds import KINDS, DatabaseKind
from m3ter_onboarding.errors import OnboardingError, SourceError
from m3ter_onboarding.ledger.database import open_ledger
from m3ter_onboarding.source.warehouse import warehouse_engine
from tests.support.databases import airflow_connection_named


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


NOT_INSTALLED = [kind for kind in KINDS.values() if kind.dialect not in ("sqlite", "postgresql", "duckdb", "mysql")]


@pytest.mark.parametrize("what", ["warehouse", "ledger"])
@pytest.mark.parametrize("kind", NOT_INSTALLED, ids=lambda kind: kind.dialect)
def test_a_provider_that_is_not_installed_is_named_with_its_package(kind: DatabaseKind, what: str) -> None:
    opened = warehouse_engine if what == "warehouse" else open_ledger
    with (
        airflow_connection_named(json.dumps({"conn_type": kind.conn_type, "host": "c.example.com"})) as conn_id,
        pytest.raises(OnboardingError) as caught,
    ):
        opened(conn_id)
    said = str(caught.value)
    assert said.startswith(
        f"The {what} connection '{conn_id}' cannot be used: the provider of its type is not installed"
    )
    assert f"install airflow-provider-m3ter[{kind.extra}]" in said
    assert all(package in said for package in kind.packages)


@pytest.mark.parametrize(
    ("conn_type", "module", "package"),
    [("duckdb", "duckdb_engine", "duckdb-engine"), ("postgres", "psycopg", "psycopg[binary]")],
)
def test_a_driver_that_is_not_installed_beside_its_provider_is_named(
    monkeypatch: pytest.MonkeyPatch, conn_type: str, module: str, package: str
) -> None:
    for name in (module, "psycopg2"):
        monkeypatch.setitem(sys.modules, name, None)
    given = {"conn_type": conn_type, "host": "c.example.com", "extra": {"sqlalchemy_scheme": "postgresql+psycopg"}}
    with (
        airflow_connection_named(json.dumps(given)) as conn_id,
        pytest.raises(SourceError, match=rf"makes no SQLAlchemy engine \(\w+: {module}\)") as caught,
    ):
        warehouse_engine(conn_id)
    assert f"install airflow-provider-m3ter[{conn_type}], which brings" in str(caught.value)
    assert package in str(caught.value)


def test_a_connection_of_another_type_is_named() -> None:
    with (
        airflow_connection_named(json.dumps({"conn_type": "clickhouse", "host": "c.example.com"})) as conn_id,
        pytest.raises(SourceError, match="the Airflow provider of connections of type 'clickhouse'"),
    ):
        warehouse_engine(conn_id)


@pytest.mark.parametrize("opened", [warehouse_engine, open_ledger])
def test_a_connection_that_is_not_defined_is_named(opened: Any) -> None:
    with pytest.raises(OnboardingError, match=r"connection 'no_such' is not defined in Airflow \("):
        opened("no_such")


def test_a_connection_of_a_type_without_a_hook_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "generic", "host": "db.example.com"}))
    with pytest.raises(SourceError, match="'warehouse' cannot be used"):
        database_engine("warehouse", what="warehouse", key="warehouse_conn_id", error=SourceError)
