"""The kinds of databases that this package knows: how Airflow and SQLAlchemy call each, and what it needs installed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DatabaseKind:
    """One kind of database.

    :param title: its name for people.
    :param conn_type: the type of its Airflow connection.
    :param dialect: the name of its SQLAlchemy dialect.
    :param packages: what its extra of this package installs: the provider, and the dialect where neither has it.
    :param extra: of this package.
    """

    title: str
    conn_type: str
    dialect: str
    extra: str
    packages: tuple[str, ...]

    @property
    def holds_ledger(self) -> bool:
        """Whether the ledger can be in it: it must guard unique keys, and its locks must be known."""
        return self.dialect in LEDGERS

    @property
    def install(self) -> str:
        """What pip installs."""
        return f"airflow-provider-m3ter[{self.extra}]"


#: The dialects of databases that can hold the ledger.
LEDGERS = ("postgresql", "sqlite")

_PROVIDER = "apache-airflow-providers-"

#: By the name that ``m3ter-onboarding init --warehouse`` takes.
KINDS = {
    "sqlite": DatabaseKind("SQLite", "sqlite", "sqlite", "sqlite", (f"{_PROVIDER}sqlite",)),
    "postgres": DatabaseKind(
        "PostgreSQL", "postgres", "postgresql", "postgres", (f"{_PROVIDER}postgres", "psycopg[binary]")
    ),
    "duckdb": DatabaseKind("DuckDB", "duckdb", "duckdb", "duckdb", (f"{_PROVIDER}duckdb", "duckdb-engine")),
    "mysql": DatabaseKind("MySQL", "mysql", "mysql", "mysql", (f"{_PROVIDER}mysql",)),
    "mariadb": DatabaseKind("MariaDB", "mysql", "mysql", "mysql", (f"{_PROVIDER}mysql",)),
    "snowflake": DatabaseKind("Snowflake", "snowflake", "snowflake", "snowflake", (f"{_PROVIDER}snowflake",)),
    "bigquery": DatabaseKind(
        "BigQuery", "gcpbigquery", "bigquery", "bigquery", (f"{_PROVIDER}google", "sqlalchemy-bigquery")
    ),
    "redshift": DatabaseKind(
        "Amazon Redshift", "redshift", "redshift", "redshift", (f"{_PROVIDER}amazon", "sqlalchemy-redshift")
    ),
    "databricks": DatabaseKind(
        "Databricks", "databricks", "databricks", "databricks", (f"{_PROVIDER}databricks", "databricks-sqlalchemy")
    ),
    "trino": DatabaseKind("Trino", "trino", "trino", "trino", (f"{_PROVIDER}trino",)),
    "mssql": DatabaseKind("SQL Server", "mssql", "mssql", "mssql", (f"{_PROVIDER}microsoft-mssql",)),
    "oracle": DatabaseKind("Oracle", "oracle", "oracle", "oracle", (f"{_PROVIDER}oracle",)),
}


def how_to_install(*, conn_type: str | None = None, dialect: str | None = None) -> str:
    """Return what to install for a database, as the end of a sentence.

    :param conn_type: of its Airflow connection.
    :param dialect: SQLAlchemy's name, where the connection is not known.
    """
    for kind in KINDS.values():
        if conn_type == kind.conn_type or (conn_type is None and dialect == kind.dialect):
            return f"install {kind.install}, which brings {' and '.join(kind.packages)}"
    if conn_type:
        return f"install the Airflow provider of connections of type '{conn_type}', and its SQLAlchemy dialect"
    return "install the package of this SQLAlchemy dialect"
