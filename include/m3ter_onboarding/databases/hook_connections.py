"""Engines that connect as Airflow's hook itself would: with the extras of the connection, or not at all.

A hook has two ways to a database: ``get_conn``, and a SQLAlchemy engine. The second is often made of a URL that leaves
most extras out: ``sslmode: verify-full`` would connect without TLS, ``options: -c search_path=…`` would reach another
schema, and nobody would notice. Here an extra reaches the driver as ``get_conn`` passes it, or is rejected by name.

Behind a pooler that lends a session for one transaction only, a statement that was prepared in one session is missing
in the next, or is another's. So no driver prepares statements on the server, unless an extra asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any
from urllib.parse import quote

from airflow.sdk.exceptions import AirflowException
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import Dialect

from m3ter_onboarding.errors import OnboardingError

#: Makes the error for extras that would have no effect, of their names and why.
Refuse = Callable[[list[str], str], OnboardingError]

#: Extras that are for the hook alone, or choose what the URL says.
_OF_THE_HOOK = frozenset(
    {
        *("sqlalchemy_scheme", "sqlalchemy_query", "client", "dialect", "placeholder", "escape_word_format"),
        *("insert_statement_format", "replace_statement_format", "escape_column_names"),
    }
)
#: How rows and transactions are handled is SQLAlchemy's matter; the hook decides it anew for each statement, too.
_SQLALCHEMYS = frozenset({"autocommit", "row_factory", "cursor_factory", "connection_factory", "async", "async_"})
#: Parameters that SQLite reads in a name that is a URI.
_OF_SQLITE = frozenset({"mode", "cache", "immutable", "nolock", "psow", "vfs"})
#: Arguments that Snowflake's hook gives its driver and not its engine.
_OF_SNOWFLAKE = (
    *("proxy_host", "proxy_port", "proxy_user", "proxy_password"),
    *("client_request_mfa_token", "client_store_temporary_credential"),
)
#: Extras of BigQuery that say how a job is run, which its dialect decides by itself; and when they change nothing.
_OF_BIGQUERY_JOBS = {"use_legacy_sql": (False,), "priority": ("INTERACTIVE",), "api_resource_configs": (), "labels": ()}


def hooked_engine(hook: Any, refuse: Refuse) -> Engine:
    """Make the engine of a SQL hook; it connects as the hook does, and its errors never quote parameters.

    :param hook: a ``DbApiHook`` with SQLAlchemy support.
    :param refuse: makes the error for extras that cannot have their effect.
    """
    kind = getattr(hook, "conn_type", None)
    if kind == "redshift":
        return _redshift(hook)
    if kind == "gcpbigquery":
        return _bigquery(hook, refuse)
    if kind == "duckdb":
        return _duckdb(hook)
    if kind == "sqlite":  # SQLAlchemy lets other threads use its connections, the hook does not
        return create_engine(_sqlite_url(hook), hide_parameters=True)
    engine: Engine = hook.get_sqlalchemy_engine(engine_kwargs={"hide_parameters": True})
    if engine.dialect.name == "postgresql" and hasattr(hook, "ignored_extra_options"):
        _check_postgres(hook, engine, refuse)
        event.listen(engine, "do_connect", _postgres_arguments(hook, engine.url.query))
    elif kind == "snowflake":
        event.listen(engine, "do_connect", _snowflake_arguments(hook))
    elif not _makes_its_own_engine(hook):
        event.listen(engine, "do_connect", _connections_of(hook, engine, refuse))
    if engine.dialect.name == "postgresql" and engine.dialect.driver == "psycopg":
        event.listen(engine, "do_connect", _prepare_nothing)
    return engine


def _prepare_nothing(_dialect: Dialect, _record: Any, _arguments: list[Any], options: dict[str, Any]) -> None:
    options.setdefault("prepare_threshold", None)


def _redshift(hook: Any) -> Engine:
    """Redshift's hook makes an engine of PostgreSQL's dialect, for reading its catalogue.

    Redshift is no PostgreSQL: it enforces no unique keys and knows no JSON. So it gets its own dialect, over the
    connections that its hook makes.
    """
    connection = getattr(hook, "conn", None)
    if connection is not None:
        connection.extra = json.dumps({"max_prepared_statements": 0, **connection.extra_dejson})
    return create_engine("redshift+redshift_connector://", creator=hook.get_conn, hide_parameters=True)


def _bigquery(hook: Any, refuse: Refuse) -> Engine:
    """The engine of BigQuery's hook takes two of its many ways to log in; the hook's own client takes all."""
    extras: Mapping[str, Any] = hook.connection.extra_dejson
    named = {name.removeprefix("extra__google_cloud_platform__"): value for name, value in extras.items()}
    lost = [name for name, same in _OF_BIGQUERY_JOBS.items() if named.get(name) and named[name] not in same]
    if lost:
        raise refuse(lost, "SQLAlchemy's dialect of BigQuery has no place for them")
    try:
        client = hook.get_client(project_id=hook.project_id, location=hook.location)
    except Exception as cause:  # noqa: BLE001  (of any library by which one can log in; its text may quote a key)
        raise AirflowException(type(cause).__name__) from None
    url = f"bigquery://{hook.project_id or ''}?user_supplied_client=true"
    return create_engine(url, connect_args={"client": client}, hide_parameters=True)


def _duckdb(hook: Any) -> Engine:
    """DuckDB's dialect would open the file by its name alone; the hook opens it with its settings and extensions."""
    from duckdb_engine import ConnectionWrapper  # type: ignore[import-not-found,unused-ignore]

    return create_engine("duckdb://", creator=lambda: ConnectionWrapper(hook.get_conn()), hide_parameters=True)


def _sqlite_url(hook: Any) -> URL:
    """Return the hook's URL, with the name by which SQLite opens a file as the extras say."""
    url = make_url(hook.get_uri())
    if "uri" in url.query or not url.database or not url.query.keys() & _OF_SQLITE:
        return url
    return url.set(database=f"file:{quote(url.database)}").update_query_dict({"uri": "true"})


def _postgres_extras(hook: Any) -> dict[str, Any]:
    """Return what the hook's ``get_conn`` gives the driver beside host, user, password, database and port."""
    given = {"options": hook.options} if getattr(hook, "options", None) else {}
    left_out = _SQLALCHEMYS.union(hook.ignored_extra_options)
    return {**given, **{name: value for name, value in hook.connection.extra_dejson.items() if name not in left_out}}


def _check_postgres(hook: Any, engine: Engine, refuse: Refuse) -> None:
    extras, query = _postgres_extras(hook), engine.url.query
    if unlike := [name for name, value in extras.items() if name in query and query[name] != str(value)]:
        raise refuse(unlike, "its `sqlalchemy_query` has another value for them")
    if extras and engine.dialect.driver not in ("psycopg", "psycopg2"):
        raise refuse(list(extras), f"its `sqlalchemy_scheme` names the driver {engine.dialect.driver}")


def _postgres_arguments(hook: Any, query: Mapping[str, Any]) -> Callable[..., None]:
    def complete(_dialect: Dialect, _record: Any, _arguments: list[Any], options: dict[str, Any]) -> None:
        options.update((name, value) for name, value in _postgres_extras(hook).items() if name not in query)
        if hook.connection.extra_dejson.get("iam", False):  # a token is good for minutes, the engine for hours
            options["user"], options["password"], options["port"] = hook.get_iam_token(hook.connection)

    return complete


def _snowflake_arguments(hook: Any) -> Callable[..., None]:
    def complete(_dialect: Dialect, _record: Any, _arguments: list[Any], options: dict[str, Any]) -> None:
        given = hook._get_conn_params()
        options.update((name, given[name]) for name in _OF_SNOWFLAKE if given.get(name))

    return complete


def _makes_its_own_engine(hook: Any) -> bool:
    """Return whether the hook does more than to make an engine of a URL: those of ODBC and JDBC use ``get_conn``."""
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    return getattr(type(hook), "get_sqlalchemy_engine", None) is not DbApiHook.get_sqlalchemy_engine


def _connections_of(hook: Any, engine: Engine, refuse: Refuse) -> Callable[..., Any]:
    """Let the hook connect, where its driver is the dialect's; otherwise the URL must have all extras."""
    extras = [name for name in hook.connection.extra_dejson if name not in _OF_THE_HOOK]
    lost = [name for name in extras if name not in engine.url.query]

    def connect(dialect: Dialect, _record: Any, _arguments: list[Any], _options: dict[str, Any]) -> Any:
        driver = _package(getattr(dialect.loaded_dbapi, "__name__", ""))
        try:
            connection = copy(hook).get_conn()  # of a copy: some hooks keep their connection, and return it again
        except TypeError:
            raise refuse(extras, f"its driver, {driver}, does not know one of them") from None
        except (AirflowException, ImportError, RuntimeError, ValueError) as cause:
            if lost:
                raise refuse(lost, f"its hook cannot connect, {type(cause).__name__}") from None
            return None
        if _package(type(connection).__module__) != driver:
            connection.close()
            if lost:
                raise refuse(lost, f"SQLAlchemy connects with another driver than its hook, {driver}")
            return None
        if driver == "MySQLdb":  # the extra `cursor` would return each row as a dictionary
            connection.cursorclass = dialect.loaded_dbapi.cursors.Cursor
        return connection

    return connect


def _package(module: str) -> str:
    return module.partition(".")[0]
