"""A real PostgreSQL for tests, from a wheel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy import URL


@dataclass(frozen=True)
class PostgresDatabase:
    """One empty database.

    :param folder: of the server's unix socket
    :param name: of the database
    """

    folder: Path
    name: str

    def url(self, driver: str = "psycopg") -> str:
        """Return a SQLAlchemy URL."""
        url = URL.create(
            f"postgresql+{driver}", username="postgres", database=self.name, query={"host": str(self.folder)}
        )
        return url.render_as_string(hide_password=False)

    def airflow_connection(self) -> str:
        """Return a connection for Airflow, as JSON."""
        return json.dumps({"conn_type": "postgres", "host": str(self.folder), "login": "postgres", "schema": self.name})


class PostgresServer:
    """A running PostgreSQL.

    :param folder: of its unix socket
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count(1)

    def new_database(self, name: str | None = None) -> PostgresDatabase:
        """Make an empty database."""
        chosen = name or f"test_{next(self._numbers)}"
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{chosen}"'.encode())
        return PostgresDatabase(self.folder, chosen)
