"""``ddl``: the ledger's tables, and those of the published results, as SQL for a person who may make them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Dialect, Table, make_url
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.schema import CreateIndex, CreateTable

from m3ter_onboarding.cli.failure import CommandError
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.databases.kinds import how_to_install
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.ledger.person_view import view_ddl
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION, Tables, tables_in
from m3ter_onboarding.ledger.upgrades import record_version, upgrade_steps
from m3ter_onboarding.reporting.published_tables import published_tables
from m3ter_provider import __version__


def ledger_ddl(
    dialect_name: str,
    schema: str | None = None,
    role: str | None = None,
    config_path: Path | None = None,
    upgrade_from: int | None = None,
) -> str:
    """Return one transaction that makes those of the ledger's tables that are missing.

    :param dialect_name: ``postgresql`` or ``sqlite``.
    :param schema: of the tables; None: the configuration's, or the connection's own.
    :param role: a PostgreSQL role that is granted what tasks need; None: nobody.
    :param config_path: a configuration, for its ``ledger_schema``.
    :param upgrade_from: the version of the tables as they are; None: make them.
    :raises CommandError: when the options contradict each other, or the configuration is wrong.
    """
    if dialect_name not in ("postgresql", "sqlite"):
        raise CommandError(
            f"--dialect {dialect_name}: the ledger is in PostgreSQL (SQLite for trials); write postgresql or sqlite."
            " A warehouse of another kind only holds results, see --published.",
            status=2,
        )
    schema = _schema(schema, config_path)
    if dialect_name == "sqlite" and schema is not None:
        raise CommandError(
            f"SQLite has no schemas, and {schema!r} was asked for; leave out --schema (in a configuration:"
            " ledger_schema), or use --dialect postgresql.",
            status=2,
        )
    if dialect_name == "sqlite" and role is not None:
        raise CommandError("SQLite has no roles; leave out --role, or use --dialect postgresql.", status=2)
    dialect, tables = make_url(f"{dialect_name}://").get_dialect()(), tables_in(schema)
    if upgrade_from is None:
        made = [*_statements(tables, dialect, schema)]
    elif 1 <= upgrade_from < SCHEMA_VERSION:
        made = _upgrade(tables, dialect, upgrade_from)
    else:
        raise CommandError(
            f"--upgrade-from {upgrade_from}: this package's tables have version {SCHEMA_VERSION}, so a number from 1 to"
            f" {SCHEMA_VERSION - 1} can be upgraded. The version is in the table m3ter_onboarding_schema.",
            status=2,
        )
    statements = [*made, *_grants(tables, dialect, schema, role)]
    return _script(
        f"-- The ledger of airflow-provider-m3ter {__version__} (schema version {SCHEMA_VERSION}), {dialect_name}.",
        ["BEGIN", *statements, "COMMIT"],
    )


def published_ddl(dialect_name: str) -> str:
    """Return the statements that make the tables into which results are published, and the view over them.

    :param dialect_name: of the warehouse, in SQLAlchemy's words, such as ``snowflake``.
    :raises CommandError: when SQLAlchemy does not know that dialect here.
    """
    dialect = _dialect(dialect_name)
    published = published_tables(tables_in(None), dialect.name)
    made = [_made_if_missing(copy.table, dialect) for copy in published.all()]
    return _script(
        f"-- The results that airflow-provider-m3ter {__version__} publishes, {dialect_name}. Tasks need SELECT, INSERT"
        " and DELETE.",
        [*made, view_ddl(dialect, published.of_people)],
        # T-SQL: a view is made in a batch of its own.
        end=";\nGO" if dialect.name == "mssql" else ";",
    )


def _dialect(name: str) -> Dialect:
    try:
        return make_url(f"{name}://").get_dialect()()
    except (NoSuchModuleError, ImportError, AttributeError) as cause:  # the last: of Snowflake's, with SQLAlchemy 2.1
        raise CommandError(
            f"--dialect {name}: SQLAlchemy does not know it here, or not in its version ({type(cause).__name__}). To"
            f" print its tables, {how_to_install(dialect=name)}; then run this again.",
            status=2,
        ) from None


def _made_if_missing(table: Table, dialect: Dialect) -> str:
    if dialect.name == "oracle":  # which knows no IF NOT EXISTS before version 23: a table that is there stays, too
        return _text(CreateTable(table), dialect)
    if dialect.name == "mssql":
        return f"IF OBJECT_ID(N'{table.name}', N'U') IS NULL\n{_text(CreateTable(table), dialect)}"
    return _text(CreateTable(table, if_not_exists=True), dialect)


def _script(header: str, statements: list[str], *, end: str = ";") -> str:
    return "\n\n".join([header, *(f"{statement}{end}" for statement in statements)]) + "\n"


def _schema(schema: str | None, config_path: Path | None) -> str | None:
    if schema is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", schema):
        raise CommandError(
            f"--schema {schema!r} cannot be a `ledger_schema`: write a letter or '_', then letters, digits and '_'.",
            status=2,
        )
    if config_path is None:
        return schema
    try:
        configured = load_config(config_path).ledger_schema
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    if schema is not None and schema != configured:
        raise CommandError(
            f"--schema is {schema!r} and the key 'ledger_schema' of {config_path} is {configured!r}: tasks would look"
            " elsewhere. Leave out --schema, or change the key.",
            status=2,
        )
    return configured


def _statements(tables: Tables, dialect: Dialect, schema: str | None) -> Iterator[str]:
    quote = dialect.identifier_preparer
    if schema is not None:
        yield f"CREATE SCHEMA IF NOT EXISTS {quote.quote(schema)}"
    for table in tables.all():
        yield _text(CreateTable(table, if_not_exists=True), dialect)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield _text(CreateIndex(index, if_not_exists=True), dialect)
    yield view_ddl(dialect, tables.of_people)
    version = quote.format_table(tables.schema_version)
    # Only into an empty table: tables that are there already may be of another version, and stay so.
    yield (
        f"INSERT INTO {version} (version, created_at, package_version)\n"  # noqa: S608 - our own names
        f"SELECT {SCHEMA_VERSION}, CURRENT_TIMESTAMP, '{__version__}'\n"
        f"WHERE NOT EXISTS (SELECT 1 FROM {version})"
    )


def _upgrade(tables: Tables, dialect: Dialect, version: int) -> list[str]:
    made = []
    for step in upgrade_steps(dialect, tables, version):
        first, *others = step.statements
        made += [f"{step.about}\n{first}", *others]
    return [*made, view_ddl(dialect, tables.of_people), record_version(dialect, tables)]


def _grants(tables: Tables, dialect: Dialect, schema: str | None, role: str | None) -> Iterator[str]:
    if role is None:
        return
    quote = dialect.identifier_preparer
    grantee = quote.quote_identifier(role)
    if schema is not None:
        yield f"GRANT USAGE ON SCHEMA {quote.quote(schema)} TO {grantee}"
    for table in tables.all():
        rights = "SELECT" if table is tables.schema_version else "SELECT, INSERT, UPDATE, DELETE"
        yield f"GRANT {rights} ON {quote.format_table(table)} TO {grantee}"
    for table in filter(_numbers_itself, tables.all()):
        column = table.autoincrement_column
        assert column is not None  # noqa: S101 (said by _numbers_itself)
        sequence = f"{table.name}_{column.name}_seq"
        where = f"{quote.quote(schema)}." if schema is not None else ""
        yield f"GRANT USAGE ON SEQUENCE {where}{quote.quote(sequence)} TO {grantee}"


def _numbers_itself(table: Table) -> bool:
    column = table.autoincrement_column
    return column is not None and column.autoincrement is True


def _text(element: CreateTable | CreateIndex, dialect: Dialect) -> str:
    text = str(element.compile(dialect=dialect))
    return "\n".join(line.rstrip() for line in text.strip().replace("\t", "    ").splitlines())
