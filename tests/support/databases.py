"""Databases of tests: their engines, and the Airflow connections that name them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, create_engine

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
    """Make an engine whose errors show no parameters, as those of the tasks."""
    return create_engine(url, hide_parameters=True, **options)


def sqlite_connection(path: Path) -> str:
    """Return an Airflow connection to a SQLite file, as JSON."""
    return json.dumps({"conn_type": "sqlite", "host": str(path)})
