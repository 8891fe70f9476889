"""The warehouses that ``init`` writes a query for, and how Airflow connects to each.

The connections are examples: the reader fills in every <…>.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from m3ter_onboarding.databases.kinds import KINDS, DatabaseKind


@dataclass(frozen=True)
class Warehouse:
    """One kind of warehouse.

    :param kind: of its database.
    :param query: the name of its query among the examples.
    :param connection: an example of an Airflow connection.
    :param install: what pip installs, where its extra alone is not enough.
    """

    kind: DatabaseKind
    query: str
    connection: dict[str, Any]
    install: str

    @property
    def connection_json(self) -> str:
        """The example as Airflow reads it from an environment variable."""
        return json.dumps({"conn_type": self.kind.conn_type, **self.connection})


_SERVER = {"host": "<host>", "login": "<user>", "password": "<password>"}
_CONNECTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {"host": "</absolute/path/of/the/file.db>"},
    "postgres": {**_SERVER, "schema": "<database>"},
    "duckdb": {"host": "</absolute/path/of/the/file.duckdb>"},
    "mysql": {**_SERVER, "port": 3306, "schema": "<database>"},
    "mariadb": {**_SERVER, "port": 3306, "schema": "<database>"},
    "snowflake": {
        "login": "<user>",
        "password": "<password>",
        "schema": "<schema>",
        "extra": {"account": "<account>", "warehouse": "<warehouse>", "database": "<database>", "role": "<role>"},
    },
    "bigquery": {"extra": {"project": "<project>", "key_path": "</path/of/the/key/file.json>"}},
    "redshift": {**_SERVER, "host": "<cluster endpoint>", "port": 5439, "schema": "<database>"},
    "databricks": {
        "host": "<workspace, such as dbc-1234.cloud.databricks.com>",
        "password": "<token>",
        "extra": {"http_path": "</sql/1.0/warehouses/…>", "catalog": "<catalog>", "schema": "<schema>"},
    },
    "trino": {
        **_SERVER,
        "port": 443,
        "schema": "<schema>",
        "extra": {"catalog": "<catalog>", "protocol": "https"},
    },
    "mssql": {**_SERVER, "port": 1433, "schema": "<database>"},
    "oracle": {**_SERVER, "port": 1521, "extra": {"service_name": "<service>"}},
}

#: An example of a ledger for warehouses that cannot hold it.
LEDGER_CONNECTION = json.dumps({"conn_type": "postgres", **_CONNECTIONS["postgres"]})


def _install(kind: DatabaseKind) -> str:
    if kind.holds_ledger:
        return kind.install
    beside = f"airflow-provider-m3ter[{kind.extra},postgres]"
    # Which the provider does not know yet.
    return f'{beside} "SQLAlchemy<2.1"' if kind.dialect == "snowflake" else beside


WAREHOUSES = {
    name: Warehouse(kind, "mysql" if kind.dialect == "mysql" else name, _CONNECTIONS[name], _install(kind))
    for name, kind in KINDS.items()
}
