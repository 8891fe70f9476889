"""Lineage for OpenLineage: the tables that a task reads and writes, by their names alone.

OpenLineage's provider asks the tasks, where it is installed and switched on; nothing of it is imported before. No
database is connected to. A query's text stays here: it may name people.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from m3ter_onboarding.config.organisation import OnboardingConfig

log = logging.getLogger(__name__)

#: Where tables are whose schema nobody names, by OpenLineage's scheme; Snowflake's connection has one of its own.
_DEFAULT_SCHEMAS = {"postgres": "public", "redshift": "public", "mssql": "dbo"}


@dataclass(frozen=True)
class UsedTables:
    """The tables that a kind of task uses.

    :param queries: the configuration's queries that it runs in the warehouse: ``query``, ``exclusions``, ``jobs``.
    :param reads: the ledger's tables, by their names in :class:`~m3ter_onboarding.ledger.tables.Tables`.
    :param writes: likewise.
    :param publishes: the tables that it publishes to the warehouse, likewise.
    """

    queries: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Database:
    """A database as OpenLineage names it.

    :param namespace: scheme, host and port; never a user or a password.
    :param schema: of tables whose schema nobody names; None: they have none.
    """

    namespace: str
    dialect: str
    name: str | None
    schema: str | None
    upper_case: bool

    def dataset(self, table: str, schema: str | None = None, database: str | None = None) -> Any:
        from airflow.providers.common.compat.openlineage.facet import Dataset

        parts = (database or self.name, schema or self.schema, table)
        name = ".".join(part for part in parts if part)
        return Dataset(namespace=self.namespace, name=name.upper() if self.upper_case else name)


def lineage_of(config: OnboardingConfig, used: UsedTables) -> Any:
    """Return what OpenLineage's provider expects of an operator: its inputs and its outputs.

    :returns: an ``OperatorLineage``; without the tables of a database whose connection tells nothing.
    """
    from airflow.providers.openlineage.extractors import (  # type: ignore[import-not-found, unused-ignore]
        OperatorLineage,
    )

    from m3ter_onboarding.ledger.tables import tables_in

    inputs: list[Any] = []
    outputs: list[Any] = []
    try:
        warehouse, ledger = _database(config.warehouse_conn_id), _database(config.ledger_conn_id)
        inputs += [table for text in _texts(config, used.queries) for table in _tables_of(text, warehouse)]
        tables, schema = tables_in(config.ledger_schema), config.ledger_schema
        inputs += [ledger.dataset(getattr(tables, name).name, schema) for name in used.reads]
        outputs += [ledger.dataset(getattr(tables, name).name, schema) for name in used.writes]
        if config.ledger_conn_id != config.warehouse_conn_id and config.publish is not False:
            outputs += [warehouse.dataset(getattr(tables, name).name) for name in used.publishes]
    except Exception as error:  # noqa: BLE001  (lineage is no reason to fail, and a foreign text may quote a query)
        log.info("The lineage of this task is not complete (%s). Nothing else is affected.", type(error).__name__)
    return OperatorLineage(inputs=inputs, outputs=outputs)


def _texts(config: OnboardingConfig, queries: Iterable[str]) -> Iterator[str]:
    found = {"query": config.query_text, "exclusions": config.exclusions_text, "jobs": config.job_query_text}
    yield from (found[name] for name in queries if found[name])


def _tables_of(text: str, database: _Database) -> list[Any]:
    """Return the tables that a query reads, as far as OpenLineage's parser finds them."""
    from airflow.providers.openlineage.sqlparser import (  # type: ignore[import-not-found, unused-ignore]
        SQLParser,
    )

    parsed = SQLParser(dialect=database.dialect).parse([text])
    tables = parsed.in_tables if parsed else []
    return [database.dataset(table.name, table.schema, table.database) for table in tables]


def _database(conn_id: str) -> _Database:
    from airflow.sdk import BaseHook

    hook: Any = BaseHook.get_hook(conn_id)
    connection = BaseHook.get_connection(conn_id)
    info = hook.get_openlineage_database_info(connection)
    if info is None:  # of no database that OpenLineage's naming knows, such as SQLite
        port = f":{connection.port}" if connection.port else ""
        namespace = f"{connection.conn_type}://{connection.host or ''}{port}"
        return _Database(namespace, "generic", connection.schema or None, None, upper_case=False)
    return _Database(
        namespace=f"{info.scheme}://{info.authority}" if info.authority else info.scheme,
        dialect=hook.get_openlineage_database_dialect(connection),
        name=info.database or None,
        schema=connection.schema if info.scheme == "snowflake" else _DEFAULT_SCHEMAS.get(info.scheme),
        upper_case=bool(info.is_uppercase_names),
    )
