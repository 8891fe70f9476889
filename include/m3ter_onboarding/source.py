"""Reading the new hires from any SQL warehouse."""

from __future__ import annotations

from sqlalchemy import Engine

from m3ter_onboarding.hires import SourceRow
from m3ter_onboarding.window import Window


def warehouse_engine(conn_id: str) -> Engine:
    """Make the SQLAlchemy engine of an Airflow connection; parameters never reach a log."""
    raise NotImplementedError


def read_rows(engine: Engine, query_text: str, window: Window, *, chunk_rows: int = 1000) -> list[SourceRow]:
    """Run the query over a window."""
    raise NotImplementedError
