"""Results are copied into the warehouse, where the ledger lives in another database (docs/delivery.md, rule 17).

Each time the whole organisation is compared, and only what is missing or no longer current is written: an invitation
that changes long after its run, and what a publication that was killed had left. Everything is read and written in
batches, and each batch is replaced in one transaction, so that it does not matter where one ends.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, false, inspect, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.databases.failures import describe_database_error, may_pass_by_itself
from m3ter_onboarding.errors import LedgerError, LedgerUnusableError
from m3ter_onboarding.ledger import person_view, results
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.results import Key, in_keys
from m3ter_onboarding.reporting.published_tables import ROW_VERSION, Copy, PublishedTables, published_tables
from m3ter_onboarding.source.warehouse import warehouse_engine

log = logging.getLogger(__name__)

#: So many rows are compared at once, by their numbers, and so many are read whole and written at once.
COMPARED, WRITTEN = 5_000, 500
#: Two publications at once may insert the same rows; the later one replaces them.
_TRIES = 3
_ADD_WITHOUT_A_NOUN = ("mssql", "oracle")


def publish(
    db: LedgerDatabase,
    warehouse: Engine,
    org_id: str,
    *,
    create_tables: bool = True,
    make_view: bool = True,
    only_day_one: bool = False,
) -> int | None:
    """Bring the copies of what an organisation's runs decided and did, its worklist and other lists up to date.

    Rows that the ledger does not have are left alone.

    :param create_tables: make tables, columns and the view where they are missing.
    :param make_view: whether the view is among them.
    :param only_day_one: only the two lists of the day-one DAG.
    :returns: how many rows were written; None where the warehouse holds a ledger, this one under another connection
        included: its rows are the guard against a second e-mail, and nobody but the ledger writes them.
    :raises LedgerError: when the warehouse refuses; the ledger itself is complete all the same.
    """
    if holds_a_ledger(db, warehouse):
        return None
    tables = published_tables(db.tables, warehouse.dialect.name)
    try:
        with warehouse.begin() as connection:
            prepare_published(connection, tables, create_tables=create_tables)
        if create_tables and make_view:
            _make_view(warehouse, tables)
        publication = _Publication(db, warehouse, org_id, tables)
        publication.copy_day_one()
        if not only_day_one:
            publication.copy_all()
    except SQLAlchemyError as error:
        raise not_published(error, create_tables=create_tables) from None
    return publication.written


def publish_organisation(
    db: LedgerDatabase, org_id: str, config: OnboardingConfig, *, only_day_one: bool = False
) -> None:
    """Publish to the configuration's warehouse, where the ledger is not in it and ``publish`` allows it.

    :param only_day_one: only the two lists of the day-one DAG.
    :raises LedgerError: when the warehouse cannot be read or written.
    """
    if config.ledger_conn_id == config.warehouse_conn_id or config.publish is False:
        return
    warehouse = warehouse_engine(config.warehouse_conn_id)
    try:
        written = publish(
            db,
            warehouse,
            org_id,
            create_tables=config.create_tables,
            make_view=config.publish is True,
            only_day_one=only_day_one,
        )
    finally:
        warehouse.dispose()
    if written is None:
        log.info("The warehouse holds the ledger itself; there is nothing to publish.")
        return
    log.info("Published %d rows to the warehouse (connection %s).", written, config.warehouse_conn_id)


def holds_a_ledger(db: LedgerDatabase, warehouse: Engine) -> bool:
    """Return whether the warehouse holds a ledger, this one under another connection included.

    :raises LedgerError: when the warehouse cannot be read.
    """
    name = db.tables.schema_version.name
    try:
        looked = inspect(warehouse)
        return any(looked.has_table(name, schema=schema) for schema in {None, db.tables.schema_version.schema})
    except SQLAlchemyError as error:
        raise LedgerError(
            f"The warehouse could not be read for publishing: {describe_database_error(error)}. The ledger is complete;"
            " clear this task when the warehouse can be reached."
        ) from None


def not_published(why: SQLAlchemyError | str, *, create_tables: bool) -> LedgerError:
    """Return the error of a publication; of the kind that nobody tries again where a person must act."""
    tables = "" if create_tables else " `m3ter-onboarding ddl --published` prints what makes the tables there."
    said = why if isinstance(why, str) else describe_database_error(why)
    kind = LedgerError if isinstance(why, SQLAlchemyError) and may_pass_by_itself(why) else LedgerUnusableError
    return kind(
        f"The results could not be published to the warehouse: {said}. The ledger holds them; clear this task when"
        f" the warehouse can be written, or set `publish: false` where it may only be read.{tables}"
    )


def prepare_published(connection: Connection, tables: PublishedTables, *, create_tables: bool) -> None:
    """Make the tables and columns that are missing in the warehouse.

    :raises LedgerUnusableError: when a table that a person made lacks something.
    """
    if create_tables:
        tables.metadata.create_all(connection, checkfirst=True)
    look = inspect(connection)
    for copy in tables.all():
        there = set()
        if create_tables or look.has_table(copy.table.name):
            there = columns_in(connection, copy.table)
        missing = [column for column in copy.table.columns if column.name not in there]
        if missing and not (create_tables and there.issuperset(copy.rows.key)):
            names = ", ".join(column.name for column in missing)
            raise not_published(f"its table {copy.table.name} lacks {names}", create_tables=create_tables)
        for column in missing:  # a column that this version of the package added
            _add_column(connection, copy.table, column.name)


def columns_in(connection: Connection, table: Table) -> set[str]:
    """Return the names of a table's columns in the warehouse, in lower case.

    Asked by a query for no row: not every dialect can describe a table.
    """
    asked = select(text("*")).select_from(table).where(false())
    return {name.lower() for name in connection.execute(asked).keys()}  # noqa: SIM118 (a result, no mapping)


def _add_column(connection: Connection, table: Table, name: str) -> None:
    dialect = connection.dialect
    quote = dialect.identifier_preparer
    kind = dialect.type_compiler_instance.process(table.c[name].type)
    add = "ADD" if dialect.name in _ADD_WITHOUT_A_NOUN else "ADD COLUMN"
    connection.exec_driver_sql(
        f"ALTER TABLE {quote.format_table(table)} {add} {quote.format_column(table.c[name])} {kind}"  # our own names
    )


def _make_view(warehouse: Engine, tables: PublishedTables) -> None:
    """Make the view of people, unless it is there; without it nothing else is missing."""
    try:
        if person_view.NAME in {name.lower() for name in inspect(warehouse).get_view_names()}:
            return
        statement = person_view.view_ddl(warehouse.dialect, tables.of_people)
        with warehouse.begin() as connection:
            connection.exec_driver_sql(statement.replace("%", "%%"))
    except (SQLAlchemyError, NotImplementedError) as error:  # the second: a dialect that lists no views
        why = describe_database_error(error) if isinstance(error, SQLAlchemyError) else type(error).__name__
        log.warning(
            "The view %s could not be made in the warehouse: %s. `m3ter-onboarding ddl --published` prints it.",
            person_view.NAME,
            why,
        )


@dataclass
class _Publication:
    """One comparison of an organisation's rows with their copies.

    :param written: how many rows were written so far.
    """

    db: LedgerDatabase
    warehouse: Engine
    org_id: str
    tables: PublishedTables
    written: int = field(default=0, init=False)

    def copy_day_one(self) -> None:
        """Copy the people who start soon and the invitations to chase."""
        self._copy_by_number(self.tables.day_one)
        self._copy_by_number(self.tables.chase)

    def copy_all(self) -> None:
        """Copy every other table: what is read together is written before what names it."""
        self._copy_by_number(self.tables.invitation)
        self._copy_events()
        self._copy_plans()
        self._copy_by_number(self.tables.worklist)
        self._copy_by_number(self.tables.access_read)
        self._copy_by_number(self.tables.access_review)
        stale = self._stale(self.tables.run, results.versions(self.db, self.tables.run.rows, self.org_id))
        self._copy_rows(self.tables.run, stale)

    def _copy_by_number(self, copy: Copy) -> None:
        """Copy rows that change and whose key is a number."""
        after = 0
        while ledger := results.versions(self.db, copy.rows, self.org_id, after=after, limit=COMPARED):
            number, last = copy.table.c[copy.rows.key[0]], max(ledger)[0]
            self._copy_rows(copy, self._stale(copy, ledger, number > after, number <= last))
            after = last

    def _copy_events(self) -> None:
        """Copy events, which are only ever added: from the newest down, until all that is older is there.

        By numbers alone it could not be known: one that was numbered early may be committed late.
        """
        copy = self.tables.event
        source, table = copy.rows.table, copy.table
        last = results.newest_number(self.db, source, "event_id", self.org_id)
        while last > 0:
            mine = source.c.org_id == self.org_id, source.c.event_id <= last
            with self.warehouse.connect() as connection:
                theirs = table.c.org_id == self.org_id, table.c.event_id <= last
                there = results.total_of(connection, table, "event_id", *theirs)
            if there == results.total(self.db, source, "event_id", *mine):
                return
            first = last - COMPARED
            ledger = results.versions(self.db, copy.rows, self.org_id, after=first, limit=COMPARED)
            ledger = {key: version for key, version in ledger.items() if key[0] <= last}
            self._copy_rows(copy, self._stale(copy, ledger, table.c.event_id > first, table.c.event_id <= last))
            last = first

    def _copy_plans(self) -> None:
        """Copy plans with their decisions; a plan is written when all its decisions are."""
        copy = self.tables.plan
        stale = self._stale(copy, results.versions(self.db, copy.rows, self.org_id))
        for some in batches(stale, WRITTEN):
            for row in results.rows_with(self.db, copy.rows, self.org_id, some):
                if row["state"] == "sealed":
                    self._copy_decisions(row["plan_id"])
                self._replace(copy, [(row["plan_id"],)], [row])

    def _copy_decisions(self, plan_id: str) -> None:
        copy = self.tables.decision
        source, d = copy.rows.table.c, copy.table.c
        wanted = results.total(self.db, copy.rows.table, "row_no", source.plan_id == plan_id)
        for _ in range(_TRIES):
            with self.warehouse.connect() as connection:
                if results.total_of(connection, copy.table, "row_no", d.plan_id == plan_id) == wanted:
                    return
            after = 0
            while rows := results.decisions_after(self.db, plan_id, after, WRITTEN):
                last = rows[-1]["row_no"]
                self._write(copy.table, rows, d.plan_id == plan_id, d.row_no > after, d.row_no <= last)
                after = last

    def _stale(self, copy: Copy, ledger: dict[Key, str], *within: ColumnElement[bool]) -> list[Key]:
        """Return the keys of rows whose copy is missing, twice there, or not current."""
        columns = [copy.table.c[name] for name in copy.rows.key]
        version = [copy.table.c[ROW_VERSION]] if copy.rows.version else []
        statement = select(*columns, *version).where(copy.table.c.org_id == self.org_id, *within)
        there: dict[Key, str | None] = {}
        constant = copy.rows.version_of({}) if not copy.rows.version else ""
        with self.warehouse.connect() as connection:
            for row in connection.execute(statement):
                key = tuple(row[: len(columns)])
                there[key] = None if key in there else (row[-1] if version else constant)
        return [key for key, current in ledger.items() if there.get(key) != current]

    def _copy_rows(self, copy: Copy, keys: Sequence[Key]) -> None:
        size = WRITTEN if len(copy.rows.key) == 1 else WRITTEN // 5
        for some in batches(keys, size):
            self._replace(copy, some, results.rows_with(self.db, copy.rows, self.org_id, some))

    def _replace(self, copy: Copy, keys: Sequence[Key], rows: Sequence[dict[str, Any]]) -> None:
        if copy.rows.version:
            rows = [{**row, ROW_VERSION: copy.rows.version_of(row)} for row in rows]
        self._write(copy.table, rows, in_keys(copy.table, copy.rows.key, keys))

    def _write(self, table: Table, rows: Sequence[dict[str, Any]], *replaced: ColumnElement[bool]) -> None:
        """Replace some rows of the organisation, in one transaction."""
        for tries_left in reversed(range(_TRIES)):
            try:
                with self.warehouse.begin() as connection:
                    self._replace_in(connection, table, rows, *replaced)
            except IntegrityError:
                if not tries_left:
                    raise
            else:
                self.written += len(rows)
                return

    def _replace_in(
        self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *replaced: ColumnElement[bool]
    ) -> None:
        connection.execute(delete(table).where(table.c.org_id == self.org_id, *replaced))
        if rows:
            connection.execute(table.insert(), list(rows))
