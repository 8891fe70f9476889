"""Databases of Airflow connections, as SQLAlchemy engines whose errors quote nobody."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from m3ter_onboarding.errors import OnboardingError


def database_engine(conn_id: str, *, what: str, key: str, error: type[OnboardingError]) -> Engine:
    """Make the SQLAlchemy engine of an Airflow connection; its errors never quote parameters.

    :param conn_id: a connection of any type whose hook is a ``DbApiHook`` with SQLAlchemy support.
    :param what: what the database is to us, for messages: ``warehouse`` or ``ledger``.
    :param key: the configuration's key that names it.
    :param error: what to raise when there is no such connection, or its driver is not installed.
    """
    try:
        hook = BaseHook.get_hook(conn_id)
    except (AirflowException, ImportError, KeyError, ValueError, RuntimeError) as cause:
        raise error(
            f"The {what} connection '{conn_id}' cannot be used: it is not defined in Airflow, or the provider of its"
            f" type is not installed ({type(cause).__name__})."
        ) from None
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise error(
            f"The {what} connection '{conn_id}' is no SQL database (its hook is {type(hook).__name__});"
            f" set {key} to one that is."
        )
    try:
        return engine_of(hook)
    except (AirflowException, ImportError, AttributeError, NoSuchModuleError) as cause:
        raise error(
            f"The {what} connection '{conn_id}' makes no SQLAlchemy engine ({type(cause).__name__}): its driver is not"
            " installed or not made for the installed SQLAlchemy, or its credentials are missing; install the extra of"
            " its provider, or complete the connection."
        ) from None
    except (SQLAlchemyError, ValueError, TypeError, NotImplementedError) as cause:
        raise error(
            f"The {what} connection '{conn_id}' makes no usable database address ({type(cause).__name__});"
            " correct its host, port and schema."
        ) from None


def engine_of(hook: Any) -> Engine:
    """Make the engine of a SQL hook.

    Redshift's hook makes one of PostgreSQL's dialect, for reading its catalogue. Redshift is no PostgreSQL: it enforces
    no unique keys and knows no JSON. So it gets its own dialect, over the connections that its hook makes.
    """
    if getattr(hook, "conn_type", None) == "redshift":
        return create_engine("redshift+redshift_connector://", creator=hook.get_conn, hide_parameters=True)
    engine: Engine = hook.get_sqlalchemy_engine(engine_kwargs={"hide_parameters": True})
    return engine
