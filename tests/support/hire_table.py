"""The table of hires in the warehouses of tests and benchmarks; light, so that a measured process may import it."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, String, Table

HIRES = Table(
    "hires",
    MetaData(),
    Column("employee_id", String(250)),
    Column("email", String(400)),
    Column("first_name", String(200)),
    Column("last_name", String(200)),
    Column("permission_policies", String(200)),
    Column("start_date", String(20)),
    Column("loaded_at", DateTime(timezone=True)),
)
