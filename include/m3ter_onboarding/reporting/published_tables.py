"""Decisions and results for the warehouse, where the ledger lives in another database (docs/delivery.md, rule 17).

The same two tables, without the keys that guard sending: what is published is read by people, never by us.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from sqlalchemy import JSON, Column, Dialect, Engine, MetaData, String, Table, Text, delete, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.databases.failures import describe_database_error
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger import results
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.plan_counts import plans_of_run
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.source.warehouse import warehouse_engine

log = logging.getLogger(__name__)

#: Where a JSON column can be made and filled: Snowflake and Redshift know none, and BigQuery's takes no text.
_KNOW_JSON = ("postgresql", "sqlite")
#: Redshift's TEXT is a VARCHAR(256); this is the longest it has.
_LONG_TEXT = Text().with_variant(String(65535), "redshift")


class JsonText(TypeDecorator[Any]):
    """JSON as text, for warehouses that have no type for it."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the longest text of the warehouse."""
        return dialect.type_descriptor(String(65535) if dialect.name == "redshift" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write a value as JSON; NULL stays NULL."""
        return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def publish(db: LedgerDatabase, warehouse: Engine, plan_ids: list[str], *, create_tables: bool = True) -> int | None:
    """Copy the decisions of these plans, and the invitations of their people, into the warehouse.

    Publishing again replaces what was published of the same plans and people.

    :param create_tables: make the two tables where they are missing.
    :returns: how many rows were written; None where the warehouse holds a ledger, this one under another connection
        included: its rows are the guard against a second e-mail, and nobody but the ledger writes them.
    :raises LedgerError: when the warehouse refuses; the ledger itself is complete all the same.
    """
    if _holds_a_ledger(db, warehouse):
        return None
    if not plan_ids:
        return 0
    decisions = results.decisions_of_plans(db, plan_ids)
    invitations = results.invitations_of_plans(db, plan_ids)
    metadata = MetaData()
    published = [
        (published_table(db.tables.decision, metadata, warehouse.dialect.name), "plan_id", decisions),
        (published_table(db.tables.invitation, metadata, warehouse.dialect.name), "invitation_id", invitations),
    ]
    try:
        if create_tables:
            metadata.create_all(warehouse, checkfirst=True)
        with warehouse.begin() as connection:
            for table, key, rows in published:
                keys = sorted({row[key] for row in rows})
                for some_keys in batches(keys):
                    connection.execute(delete(table).where(table.c[key].in_(some_keys)))
                for some_rows in batches(rows):
                    connection.execute(table.insert(), some_rows)
    except SQLAlchemyError as error:
        tables = "" if create_tables else " `m3ter-onboarding ddl --published` prints what makes the two tables there."
        raise LedgerError(
            f"The results could not be published to the warehouse: {describe_database_error(error)}. The ledger holds"
            f" them; clear the task `report` when the warehouse can be written.{tables}"
        ) from None
    return len(decisions) + len(invitations)


def publish_run(db: LedgerDatabase, run: RunKey, config: OnboardingConfig) -> None:
    """Write the decisions and results of a run to its warehouse, where the ledger is not in it.

    :raises LedgerError: when the warehouse cannot be read or written.
    """
    if config.ledger_conn_id == config.warehouse_conn_id:
        return
    warehouse = warehouse_engine(config.warehouse_conn_id)
    try:
        plan_ids = plans_of_run(db, run.dag_id, run.run_id)
        written = publish(db, warehouse, plan_ids, create_tables=config.create_tables)
    finally:
        warehouse.dispose()
    if written is None:
        log.info("The warehouse holds the ledger itself; there is nothing to publish.")
        return
    log.info("Published %d rows to the warehouse (connection %s).", written, config.warehouse_conn_id)


def _holds_a_ledger(db: LedgerDatabase, warehouse: Engine) -> bool:
    name = db.tables.schema_version.name
    try:
        looked = inspect(warehouse)
        return any(looked.has_table(name, schema=schema) for schema in {None, db.tables.schema_version.schema})
    except SQLAlchemyError as error:
        raise LedgerError(
            f"The warehouse could not be read for publishing: {describe_database_error(error)}. The ledger is complete;"
            " clear the task `report` when the warehouse can be reached."
        ) from None


def published_table(table: Table, metadata: MetaData, dialect_name: str) -> Table:
    """Return one of the ledger's tables as it is published: without constraints, server defaults or indexes.

    :param metadata: where the new table belongs.
    :param dialect_name: the warehouse's, in SQLAlchemy's words.
    """

    def type_of(column: Column[Any]) -> Any:
        if isinstance(column.type, JSON) and dialect_name not in _KNOW_JSON:
            return JsonText()
        return _LONG_TEXT if type(column.type) is Text else column.type

    columns = [Column(column.name, type_of(column), primary_key=False, nullable=True) for column in table.columns]
    return Table(table.name, metadata, *columns)
