"""The time zone of the session that reads: UTC, wherever the server stands.

A database compares an instant with a column that has no zone, or shows one that has, by its session's zone. MySQL keeps
TIMESTAMP in UTC and compares it as the clock of the session's zone: under a server in ``+05:30`` every row would be
read five and a half hours late.
"""

from __future__ import annotations

from sqlalchemy import Connection

#: By SQLAlchemy's name of the dialect; the others' sessions have no zone, or always UTC (SQLite, SQL Server, BigQuery).
IN_UTC = {
    "postgresql": "SET LOCAL TIME ZONE 'UTC'",  # of the transaction: behind a pooler the session is another's, too
    "duckdb": "SET TimeZone = 'UTC'",
    "mysql": "SET time_zone = '+00:00'",  # names of zones are known only where their tables were loaded
    "mariadb": "SET time_zone = '+00:00'",
    "snowflake": "ALTER SESSION SET TIMEZONE = 'UTC'",
    "redshift": "SET timezone TO 'UTC'",
    "databricks": "SET TIME ZONE 'UTC'",
    "trino": "SET TIME ZONE 'UTC'",
    "oracle": "ALTER SESSION SET TIME_ZONE = '+00:00'",
}


def read_in_utc(connection: Connection) -> None:
    """Set the session's time zone to UTC, in the transaction that reads.

    :param connection: to the warehouse.
    """
    if statement := IN_UTC.get(connection.dialect.name):
        connection.exec_driver_sql(statement)
