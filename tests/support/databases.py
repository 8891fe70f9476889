"""Databases of tests: their engines, and the Airflow connections that name them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, create_engine, event

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@contextmanager
def airflow_connection_named(content: str, conn_id: str | None = None) -> Iterator[str]:
    """Define an Airflow connection (JSON) while the body runs, and give its id."""
    conn_id = conn_id or f"warehouse_{uuid4().hex[:8]}"
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    os.environ[variable] = content
    try:
        yield conn_id
    finally:
        del os.environ[variable]


def engine_of(url: str, **options: Any) -> Engine:
    """Make an engine that does not wait for the disk."""
    engine = create_engine(url, hide_parameters=True, **options)
    do_not_wait_for_the_disk(engine)
    return engine


def do_not_wait_for_the_disk(engine: Engine) -> None:
    """Let an engine's connections not wait for it: no test pulls the plug of the machine."""
    pragma = "PRAGMA synchronous = OFF" if engine.dialect.name == "sqlite" else "SET synchronous_commit = off"

    @event.listens_for(engine, "connect")
    def connected(dbapi_connection: Any, _record: Any) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute(pragma)
        cursor.close()
        if engine.dialect.name != "sqlite":
            dbapi_connection.commit()


def sqlite_connection(path: Path) -> str:
    """Return an Airflow connection to a SQLite file, as JSON."""
    return json.dumps({"conn_type": "sqlite", "host": str(path)})
