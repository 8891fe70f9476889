"""Databases of Airflow connections, as SQLAlchemy engines whose errors quote nobody."""

from __future__ import annotations

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from sqlalchemy import Engine
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from m3ter_onboarding.databases.hook_connections import hooked_engine
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
    except (AirflowException, AttributeError, ImportError, KeyError, ValueError, RuntimeError) as cause:
        # AttributeError: of a type that has no hook, such as `generic`
        raise error(
            f"The {what} connection '{conn_id}' cannot be used: it is not defined in Airflow, or the provider of its"
            f" type is not installed ({type(cause).__name__})."
        ) from None
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
            f"The {what} connection '{conn_id}' makes no SQLAlchemy engine ({type(cause).__name__}): its driver is not"
            " installed or not made for the installed SQLAlchemy, or its credentials are missing; install the extra of"
            " its provider, or complete the connection."
        ) from None
    except (SQLAlchemyError, ValueError, TypeError, NotImplementedError) as cause:
        raise error(
            f"The {what} connection '{conn_id}' makes no usable database address ({type(cause).__name__});"
            " correct its host, port and schema."
        ) from None
