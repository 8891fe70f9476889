"""Databases of Airflow connections, as SQLAlchemy engines whose errors quote nobody."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from sqlalchemy import Engine
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from m3ter_onboarding.databases.hook_connections import hooked_engine
from m3ter_onboarding.databases.kinds import how_to_install
from m3ter_onboarding.errors import OnboardingError


def database_engine(conn_id: str, *, what: str, key: str, error: type[OnboardingError]) -> Engine:
    """Make the SQLAlchemy engine of an Airflow connection; its errors never quote parameters.

    :param conn_id: a connection of any type whose hook is a ``DbApiHook`` with SQLAlchemy support.
    :param what: what the database is to us, for messages: ``warehouse`` or ``ledger``.
    :param key: the configuration's key that names it.
    :param error: what to raise when there is no such connection, or its driver is not installed.
    """
    hook = _hook(conn_id, what, error)
    conn_type = getattr(hook, "conn_type", None)
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise error(
            f"The {what} connection '{conn_id}' is no SQL database (its hook is {type(hook).__name__});"
            f" set {key} to one that is."
        )

    def refuse(extras: list[str], why: str) -> OnboardingError:
        return error(
            f"The {what} connection '{conn_id}' has extras that would have no effect: {', '.join(extras)} ({why})."
            " Nothing is read or written without them: remove them, or correct the connection."
        )

    try:
        return hooked_engine(hook, refuse)
    except OnboardingError:
        raise
    except (AirflowException, ImportError, AttributeError, NoSuchModuleError) as cause:
        raise error(
            f"The {what} connection '{conn_id}' makes no SQLAlchemy engine ({_named(cause)}): its driver is not"
            " installed or not made for the installed SQLAlchemy, or its credentials are missing;"
            f" {how_to_install(conn_type=conn_type)}, or complete the connection."
        ) from None
    except (SQLAlchemyError, ValueError, TypeError, NotImplementedError) as cause:
        raise error(
            f"The {what} connection '{conn_id}' makes no usable database address ({type(cause).__name__});"
            " correct its host, port and schema."
        ) from None


def _hook(conn_id: str, what: str, error: type[OnboardingError]) -> Any:
    """Return the connection's hook: the one for SQL, where its type has several."""
    undefined = (AirflowException, AttributeError, ImportError, KeyError, ValueError, RuntimeError)
    try:
        connection = BaseHook.get_connection(conn_id)
    except undefined as cause:
        raise error(
            f"The {what} connection '{conn_id}' is not defined in Airflow ({type(cause).__name__}): define it, or"
            " correct its name in the configuration."
        ) from None
    try:
        if connection.conn_type == "databricks":  # Airflow's own hook of this type calls the jobs API
            from airflow.providers.databricks.hooks.databricks_sql import (  # type: ignore[import-not-found,unused-ignore]
                DatabricksSqlHook,
            )

            return DatabricksSqlHook(databricks_conn_id=conn_id)
        return connection.get_hook()  # type: ignore[no-untyped-call,unused-ignore]
    except undefined as cause:  # AttributeError: of a type that has no hook, such as `generic`
        raise error(
            f"The {what} connection '{conn_id}' cannot be used: the provider of its type is not installed where this"
            f" runs, or does not work there ({_named(cause)}); {how_to_install(conn_type=connection.conn_type)}."
        ) from None


def _named(cause: BaseException) -> str:
    """Return the class of an error, and the module that it misses."""
    module = cause.name if isinstance(cause, ImportError) else None
    return f"{type(cause).__name__}: {module}" if module else type(cause).__name__
