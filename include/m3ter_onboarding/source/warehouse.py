"""Reading the new hires from any SQL warehouse that SQLAlchemy knows.

The query gets two bound parameters, ``:window_start`` and ``:window_end``; nothing is put into its text. They arrive as

- SQLite: text ``YYYY-MM-DD HH:MM:SS[.ffffff]`` in UTC, the form of SQLite's own ``datetime()``. SQLite has no type for
  time and compares texts: a column in another form (with a ``T``, a zone, or a date alone) must be compared as
  ``datetime(loaded_at)``;
- PostgreSQL: ``timestamptz``, in a session whose time zone is UTC, so a column without a zone is taken as UTC;
- any other: an aware date-time in UTC, as the driver passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, String, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from m3ter_onboarding.config.query_text import for_sqlalchemy
from m3ter_onboarding.databases.connections import database_engine
from m3ter_onboarding.databases.failures import describe_database_error, may_pass_by_itself
from m3ter_onboarding.errors import SourceError
from m3ter_onboarding.source.columns import SourceRow, check_columns, check_exclusion_columns, check_job_columns
from m3ter_onboarding.source.window import Window


def warehouse_engine(conn_id: str) -> Engine:
    """Return an engine for the warehouse.

    :param conn_id: see :func:`~m3ter_onboarding.databases.connections.database_engine`.
    :raises SourceError: when the connection cannot be used.
    """
    return database_engine(conn_id, what="warehouse", key="warehouse_conn_id", error=SourceError)


def read_new_hires(
    conn_id: str, query_text: str, window: Window, *, extra_columns: Sequence[str] = ()
) -> list[SourceRow]:
    """Connect to the warehouse, run the query over a window and return its rows; see :func:`read_rows`."""
    engine = warehouse_engine(conn_id)
    try:
        return read_rows(engine, query_text, window, extra_columns=extra_columns)
    finally:
        engine.dispose()


def check_source(conn_id: str, query_text: str, at: datetime, *, extra_columns: Sequence[str] = ()) -> None:
    """Run the query over no time at all: are its columns those of the contract?

    :param at: where the empty window lies.
    :raises SourceError: naming the column, or why the warehouse cannot be read.
    """
    read_new_hires(conn_id, query_text, Window(at, at), extra_columns=extra_columns)


def read_rows(
    engine: Engine, query_text: str, window: Window, *, chunk_rows: int = 1000, extra_columns: Sequence[str] = ()
) -> list[SourceRow]:
    """Run the query over a window and return its rows, in its order.

    Reading changes nothing, whatever the query says: its transaction is rolled back, and PostgreSQL's cursor on the
    server takes nothing but a SELECT.

    :param engine: of the warehouse; see :func:`warehouse_engine`.
    :param query_text: the SQL as written.
    :param window: half-open, UTC.
    :param extra_columns: columns of one's own, beside the contract's.
    :param chunk_rows: rows fetched at once, through a cursor on the server where the driver has one.
    :raises SourceError: the warehouse cannot be reached, refuses the query, or returns other columns than the
        contract's; never with a value of a row.
    """
    dialect = engine.dialect.name
    values = {"window_start": _bound(window.start, dialect), "window_end": _bound(window.end, dialect)}
    chunks = _chunks(
        engine,
        _statement(query_text, dialect),
        values,
        lambda names: check_columns(names, extra_columns),
        what="new-hires query",
        chunk_rows=chunk_rows,
    )
    return [row for chunk in chunks for row in chunk]


def read_exclusions(conn_id: str, query_text: str) -> list[SourceRow]:
    """Connect to the warehouse, run the query of ``exclude`` and return its rows, in its order.

    :param conn_id: of the warehouse.
    :param query_text: the SQL as written; it binds nothing.
    :raises SourceError: as :func:`read_rows` does.
    """
    engine = warehouse_engine(conn_id)
    try:
        return [row for chunk in _excluded(engine, query_text) for row in chunk]
    finally:
        engine.dispose()


def check_exclusions(conn_id: str, query_text: str) -> None:
    """Run the query of ``exclude``, and read at most one row: does it run, and are its columns right?

    :param conn_id: of the warehouse.
    :raises SourceError: as :func:`read_exclusions` does.
    """
    _try(conn_id, lambda engine: _excluded(engine, query_text, chunk_rows=1))


def check_current_jobs(conn_id: str, query_text: str) -> None:
    """Do the same with the query of the access review.

    :param conn_id: of the warehouse.
    :raises SourceError: as :func:`iter_current_jobs` does.
    """
    _try(conn_id, lambda engine: iter_current_jobs(engine, query_text, chunk_rows=1))


def iter_current_jobs(engine: Engine, query_text: str, *, chunk_rows: int = 1000) -> Generator[list[SourceRow]]:
    """Run the query of the access review, and yield its rows in chunks: there may be more than memory should hold.

    :param engine: of the warehouse; see :func:`warehouse_engine`.
    :param query_text: the SQL as written; it binds nothing.
    :param chunk_rows: rows of a chunk.
    :raises SourceError: as :func:`read_rows` does.
    """
    statement = text(for_sqlalchemy(query_text))
    return _chunks(engine, statement, {}, check_job_columns, what="query of `access_review`", chunk_rows=chunk_rows)


def _excluded(engine: Engine, query_text: str, *, chunk_rows: int = 1000) -> Generator[list[SourceRow]]:
    statement = text(for_sqlalchemy(query_text))
    return _chunks(engine, statement, {}, check_exclusion_columns, what="query of `exclude`", chunk_rows=chunk_rows)


def _try(conn_id: str, read: Callable[[Engine], Generator[list[SourceRow]]]) -> None:
    """Begin to read, and end after the first row: others, however many, stay where they are."""
    engine = warehouse_engine(conn_id)
    try:
        with closing(read(engine)) as chunks:
            next(chunks, None)
    finally:
        engine.dispose()


def _chunks(
    engine: Engine,
    statement: TextClause,
    values: Mapping[str, Any],
    columns_of: Callable[[Sequence[str]], Sequence[str]],
    *,
    what: str,
    chunk_rows: int,
) -> Generator[list[SourceRow]]:
    dialect, many = engine.dialect.name, 0
    with _connected(engine) as connection, _explained(dialect, what):
        if dialect == "postgresql":
            connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
        result = connection.execution_options(stream_results=True, yield_per=chunk_rows).execute(statement, values)
        if not result.returns_rows:
            raise SourceError(f"The {what} returns no rows at all; it must be a SELECT. Nothing is sent.")
        columns = columns_of(list(result.keys()))
        for chunk in result.partitions(chunk_rows):
            yield [
                SourceRow(row_no, dict(zip(columns, row, strict=True)))
                for row_no, row in enumerate(chunk, start=many + 1)
            ]
            many += len(chunk)


def _statement(query_text: str, dialect: str) -> TextClause:
    kind = String() if dialect == "sqlite" else DateTime(timezone=True)
    return text(for_sqlalchemy(query_text)).bindparams(
        bindparam("window_start", type_=kind), bindparam("window_end", type_=kind)
    )


def _bound(instant: datetime, dialect: str) -> datetime | str:
    instant = instant.astimezone(timezone.utc)
    if dialect != "sqlite":
        return instant
    # A fraction only where there is one: "06:00:00" sorts before "06:00:00.000000".
    return instant.strftime("%Y-%m-%d %H:%M:%S.%f" if instant.microsecond else "%Y-%m-%d %H:%M:%S")


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except (SQLAlchemyError, OSError) as error:
        raise SourceError(
            f"The warehouse ({engine.dialect.name}) could not be reached: {describe_database_error(error)}."
            " Nothing was read and nothing is sent; the next run reads these days again.",
            retryable=True,
        ) from None
    with connection:
        yield connection


@contextmanager
def _explained(dialect: str, what: str) -> Iterator[None]:
    """Turn database errors into sentences; the driver's own would quote the row that it choked on."""
    try:
        yield
    except DBAPIError as error:
        raise SourceError(
            f"The warehouse ({dialect}) refused the {what}: {describe_database_error(error)}. Nothing is sent;"
            " correct the query, or the rights of the connection.",
            retryable=may_pass_by_itself(error),
        ) from None
    except SQLAlchemyError as error:
        raise SourceError(
            f"The {what} cannot be run on {dialect}: {type(error).__name__}. Nothing is sent; correct the query."
        ) from None
    except (UnicodeError, ValueError, ArithmeticError, OSError) as error:
        raise SourceError(
            f"A row of the {what} cannot be read: the driver of {dialect} failed on a value"
            f" ({type(error).__name__}). Nothing is sent; select the column as text, or mend the row."
        ) from None
