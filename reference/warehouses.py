"""The table of warehouses, made from what the product knows of each."""

from __future__ import annotations

from m3ter_onboarding.cli.warehouses import WAREHOUSES, Warehouse
from m3ter_onboarding.reporting.published_tables import ENFORCE_KEYS
from m3ter_onboarding.source.session_zone import IN_UTC

#: Those in which the tests run whole jobs; of the two that are one kind, MariaDB.
RUN_BY_TESTS = ("sqlite", "postgres", "duckdb", "mariadb")
_BESIDE_IT = "beside it (`ledger_conn_id`)"


def warehouses() -> list[tuple[str, ...]]:
    """Return the rows: name, warehouse, connection type, extra, time zone of the session, keys, ledger, how tested."""
    return [
        (
            f"`{name}`",
            warehouse.kind.title,
            f"`{warehouse.kind.conn_type}`",
            f"`{warehouse.kind.extra}`",
            _zone(warehouse),
            "tables and a view; keys enforced" if warehouse.kind.dialect in ENFORCE_KEYS else "tables and a view",
            "in it, or beside it" if warehouse.kind.holds_ledger else _BESIDE_IT,
            "run" if name in RUN_BY_TESTS else "as MariaDB" if name == "mysql" else "by its form",
        )
        for name, warehouse in WAREHOUSES.items()
    ]


def _zone(warehouse: Warehouse) -> str:
    if warehouse.kind.dialect == "sqlite":
        return "none: texts in UTC"
    statement = IN_UTC.get(warehouse.kind.dialect)
    return f"`{statement}`" if statement else "none: always UTC"


COLUMNS = (
    *("`init --warehouse`", "warehouse", "connection type", "extra", "session of the query"),
    *("published", "the ledger", "tested"),
)
