"""The warehouses that ``init`` writes a query for, and how Airflow connects to each.

The connections are examples: the reader fills in every <…>.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Warehouse:
    """One kind of warehouse.

    :param title: its name for people.
    :param install: the packages to install.
    :param connection: an example of an Airflow connection.
    :param holds_ledger: whether the ledger can live in it (it must guard unique keys).
    """

    title: str
    install: str
    connection: dict[str, Any]
    holds_ledger: bool = False

    @property
    def connection_json(self) -> str:
        """The example as Airflow reads it from an environment variable."""
        return json.dumps(self.connection)


_POSTGRES = {
    "conn_type": "postgres",
    "host": "<host>",
    "login": "<user>",
    "password": "<password>",
    "schema": "<database>",
}

#: An example of a ledger for warehouses that cannot hold it.
LEDGER_CONNECTION = json.dumps(_POSTGRES)

WAREHOUSES = {
    "sqlite": Warehouse(
        "SQLite",
        "airflow-provider-m3ter[sqlite]",
        {"conn_type": "sqlite", "host": "</absolute/path/of/the/file.db>"},
        holds_ledger=True,
    ),
    "postgres": Warehouse("PostgreSQL", "airflow-provider-m3ter[postgres]", _POSTGRES, holds_ledger=True),
    "snowflake": Warehouse(
        "Snowflake",
        'airflow-provider-m3ter[snowflake,postgres] "SQLAlchemy<2.1"',  # which Snowflake's dialect does not know yet
        {
            "conn_type": "snowflake",
            "login": "<user>",
            "password": "<password>",
            "schema": "<schema>",
            "extra": {"account": "<account>", "warehouse": "<warehouse>", "database": "<database>", "role": "<role>"},
        },
    ),
    "bigquery": Warehouse(
        "BigQuery",
        "airflow-provider-m3ter[bigquery,postgres]",
        {"conn_type": "gcpbigquery", "extra": {"project": "<project>", "key_path": "</path/of/the/key/file.json>"}},
    ),
    "redshift": Warehouse(
        "Amazon Redshift",
        "airflow-provider-m3ter[redshift,postgres]",
        {
            "conn_type": "redshift",
            "host": "<cluster endpoint>",
            "port": 5439,
            "login": "<user>",
            "password": "<password>",
            "schema": "<database>",
        },
    ),
}
