"""Errors of databases, classified in one place: whether they may pass by themselves, and what may be said about them.

Drivers quote values (docs/delivery.md, rule 18): PostgreSQL's ``DETAIL: Key (email_key)=(…)``, SQLite's ``Could not
decode … with text '…'``. So only the code, the class and names from the SQL text are passed on.
"""

from __future__ import annotations

import re
import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from m3ter_provider.email_identity import mask_addresses

#: Over within seconds: the connection (class 08), serialisation failure, deadlock, lock not available, idle for too
#: long in a transaction, shutdown and start-up of a server, too many connections.
_SOON = ("08", "40001", "40P01", "55P03", "25P03", "57P01", "57P02", "57P03", "53300")
#: Over in minutes or hours: also any other lack of resources, intervention of an operator, transaction rolled back.
_LATER = (*_SOON, "40", "53", "57")
#: MySQL's drivers give no SQLSTATE, and call these operational: no rights (four), no such database, no such column.
_MYSQL_MISTAKES = frozenset({1044, 1045, 1142, 1143, 1049, 1054})
_LOCKED = re.compile(r"database (?:table |schema )?is locked")

#: The parts of a message that are passed on: they name parts of the SQL or of the set-up, never a value of a row.
_HARMLESS = re.compile(
    r"no such (?:column|table|function|collation sequence|module): [\w.$]+"
    r"|ambiguous column name: [\w.$]+"
    r"|near \"[^\"@]{1,40}\": syntax error"
    r"|incomplete input"
    r"|(?:UNIQUE|NOT NULL) constraint failed: [\w.$]+(?:, [\w.$]+)*"
    r"|database (?:table )?is locked|unable to open database file|attempt to write a readonly database"
    r"|file is not a database|database disk image is malformed|disk I/O error|database or disk is full"
    r"|Could not decode to UTF-8 column '[\w.$ ]+'"
    r"|You can only execute one statement at a time"
    r"|(?:Unknown column|Unknown table) '[\w.$]+'"
    r"|Table '[\w.$]+' doesn't exist"
    r"|invalid identifier '[\w.$\"]+'"
    r"|Object '[\w.$\"]+' does not exist"
    r"|Referenced column \"[\w.$]+\" not found|Table with name [\w.$]+ does not exist|Could not set lock on file"
    r"|syntax error at or near \"[^\"@]{1,40}\""
    r"|Invalid (?:column|object) name '[\w.$]+'|ORA-\d{5}|Unrecognized name: [\w.$]+"
    r"|(?:Column|Table) '[\w.$]+' (?:cannot be resolved|does not exist)"
    r"|\[(?:UNRESOLVED_COLUMN|TABLE_OR_VIEW_NOT_FOUND|PARSE_SYNTAX_ERROR)[A-Z_.]*\]"
    # A connection that was not made.
    r"|Connection refused|No such file or directory|timeout expired|Network is unreachable|No route to host"
    r"|could not translate host name|Name or service not known|nodename nor servname provided"
    r"|password authentication failed|no password supplied|no pg_hba\.conf entry|role \"[\w.$-]+\" does not exist"
    r"|database \"[\w.$-]+\" does not exist|the database system is \w+ ?\w*|too many clients already"
    r"|server closed the connection unexpectedly|terminating connection due to [\w ]+"
    r"|server does not support SSL|invalid connection option \"[\w-]{1,63}\"|certificate verify failed"
    r"|root certificate file \"[\w./-]{1,200}\" does not exist|unsupported startup parameter:? [\w.-]+"
    r"|invalid sslmode value: \"[\w-]{1,63}\""
    r"|Can't connect to \w+ server|Access denied for user|Unknown database '[\w.$-]+'"
    r"|Incorrect username or password was specified",
)
#: PostgreSQL's class 42 (syntax, names, rights): its messages name identifiers of the SQL, not values of rows.
_ABOUT_THE_SQL = ("42",)


def passes_soon(error: BaseException) -> bool:
    """Return whether the same statement may succeed within seconds: a lock, a failover, a connection that was lost."""
    error = _first_cause(error)
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    return (_sqlstate(error.orig) or "").startswith(_SOON) or _LOCKED.search(str(error.orig)) is not None


def may_pass_by_itself(error: BaseException) -> bool:
    """Return whether the same statement may succeed later, though nobody changes it, its rights or the data."""
    if passes_soon(error):
        return True
    error = _first_cause(error)
    if not isinstance(error, DBAPIError) or isinstance(error.orig, sqlite3.Error):
        return False
    sqlstate = _sqlstate(error.orig)
    if sqlstate:
        return sqlstate.startswith(_LATER)
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(code, int) and code in _MYSQL_MISTAKES:
        return False
    return isinstance(error, (OperationalError, InterfaceError))


def is_of_the_server(error: DBAPIError) -> bool:
    """Return whether the database's server reported it, and not the driver by itself: it has an SQLSTATE."""
    return _sqlstate(error.orig) is not None


def is_about_a_value(error: DBAPIError) -> bool:
    """Return whether the database could not cast or compute a value: SQLSTATE class 22."""
    return (_sqlstate(error.orig) or "").startswith("22")


def _first_cause(error: BaseException) -> BaseException:
    """Return the error that came first.

    SQLite rolls a whole transaction back when its disk is full or fails. The savepoint is gone then, and the error
    about it would hide why.
    """
    cause: BaseException | None = error
    while isinstance(cause, DBAPIError) and "no such savepoint" in str(cause.orig) and cause.orig is not None:
        cause = cause.orig.__context__
    return cause or error


def describe_database_error(error: BaseException) -> str:
    """Describe a database's error by code, class and names from the SQL; no value of a row, no parameter.

    :param error: SQLAlchemy's exception or the driver's own.
    :returns: for example ``SQLSTATE 42703, UndefinedColumn: column "emial" does not exist``.
    """
    error = _first_cause(error)
    cause = getattr(error, "orig", None) or error
    parts = [code for code in (_code(cause), type(cause).__name__) if code]
    said = _harmless_part(cause)
    return ", ".join(parts) + (f": {said}" if said else "")


def _code(error: BaseException) -> str | None:
    sqlstate = _sqlstate(error)
    if sqlstate:
        return f"SQLSTATE {sqlstate}"
    name = getattr(error, "sqlite_errorname", None)  # Python 3.11 and later
    if isinstance(name, str):
        return name
    numbers = [getattr(error, "errno", None), *error.args[:1]]
    return next((f"code {number}" for number in numbers if isinstance(number, int)), None)


def _sqlstate(error: BaseException | None) -> str | None:
    for attribute in ("sqlstate", "pgcode"):  # psycopg 3 and most others; psycopg2
        value = getattr(error, attribute, None)
        if isinstance(value, str) and re.fullmatch(r"[0-9A-Z]{5}", value):
            return value
    return None


def _harmless_part(error: BaseException) -> str | None:
    diagnosis = getattr(error, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    sqlstate = _sqlstate(error) or ""
    if isinstance(primary, str) and sqlstate.startswith(_ABOUT_THE_SQL):
        return mask_addresses(_shorten(primary))
    if sqlstate.startswith("23") and isinstance(getattr(diagnosis, "constraint_name", None), str):
        return f"constraint {diagnosis.constraint_name}" if diagnosis else None
    text = str(error.args[0]) if isinstance(error, sqlite3.Error) and error.args else str(error)
    match = _HARMLESS.search(text)
    return match.group() if match else None


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
