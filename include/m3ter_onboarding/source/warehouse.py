"""Reading the new hires from any SQL warehouse that SQLAlchemy knows.

The query gets two bound parameters, ``:window_start`` and ``:window_end``, and where it asks for it the configuration's
``:organisation``, a text; nothing is put into its text. The window arrives as

- SQLite: text ``YYYY-MM-DD HH:MM:SS[.ffffff]`` in UTC, the form of SQLite's own ``datetime()``. SQLite has no type for
  time and compares texts: a column in another form (with a ``T``, a zone, or a date alone) must be compared as
  ``datetime(loaded_at)``;
- any other: an aware date-time in UTC, as the driver passes it (PostgreSQL's as ``timestamptz``, MySQL's without its
  zone), in a session whose time zone is UTC (``session_zone``), so a column without a zone is taken as UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeVar

from sqlalchemy import TIMESTAMP, Connection, DateTime, Engine, Executable, String, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from m3ter_onboarding.config.query_text import (
    ROUTING_PARAMETER,
    WINDOW_PARAMETERS,
    bound_parameters,
    for_sqlalchemy,
    misread_parameters,
)
from m3ter_onboarding.databases.connections import database_engine
from m3ter_onboarding.databases.failures import (
    describe_database_error,
    is_about_a_value,
    is_of_the_server,
    may_pass_by_itself,
)
from m3ter_onboarding.errors import SourceError
from m3ter_onboarding.source.columns import (
    DAY_COLUMNS,
    SourceRow,
    check_columns,
    check_exclusion_columns,
    check_job_columns,
)
from m3ter_onboarding.source.session_zone import read_in_utc
from m3ter_onboarding.source.unreadable_values import keep_unreadable_values, with_days_as_text
from m3ter_onboarding.source.window import Window

Result = TypeVar("Result")


def warehouse_engine(conn_id: str) -> Engine:
    """Return an engine for the warehouse.

    :param conn_id: see :func:`~m3ter_onboarding.databases.connections.database_engine`.
    :raises SourceError: when the connection cannot be used.
    """
    return database_engine(conn_id, what="warehouse", key="warehouse_conn_id", error=SourceError)


def read_new_hires(
    conn_id: str,
    query_text: str,
    window: Window,
    take: Callable[[Iterable[list[SourceRow]]], Result],
    *,
    extra_columns: Sequence[str] = (),
    organisation: str | None = None,
) -> Result:
    """Connect to the warehouse, run the query over a window and let its rows be taken; see :func:`read_rows`.

    :param take: is called with the rows in chunks, of which no more than one is in memory. Where the driver fails on a
        value it is called once more, and gets all rows from the first one on.
    :returns: what *take* returned.
    """
    engine = warehouse_engine(conn_id)
    try:
        query = _new_hires_query(engine, query_text, window, extra_columns, organisation)
        return _taken(engine, query, take, chunk_rows=1000)
    finally:
        engine.dispose()


def check_source(
    conn_id: str,
    query_text: str,
    at: datetime,
    *,
    extra_columns: Sequence[str] = (),
    organisation: str | None = None,
) -> None:
    """Run the query over no time at all: are its columns those of the contract?

    :param at: where the empty window lies.
    :raises SourceError: naming the column, or why the warehouse cannot be read.
    """
    read_new_hires(conn_id, query_text, Window(at, at), _listed, extra_columns=extra_columns, organisation=organisation)


def read_rows(
    engine: Engine,
    query_text: str,
    window: Window,
    *,
    chunk_rows: int = 1000,
    extra_columns: Sequence[str] = (),
    organisation: str | None = None,
) -> list[SourceRow]:
    """Run the query over a window and return its rows, in its order.

    Reading changes nothing, whatever the query says: its transaction is rolled back, and PostgreSQL's cursor on the
    server takes nothing but a SELECT.

    :param engine: of the warehouse; see :func:`warehouse_engine`.
    :param query_text: the SQL as written.
    :param window: half-open, UTC.
    :param extra_columns: columns of one's own, beside the contract's.
    :param organisation: of the configuration, where it shares the query: bound if the query asks for it. The rows are
        those that the query returns, other organisations' too; see ``routing``.
    :param chunk_rows: rows fetched at once, through a cursor on the server where the driver has one.
    :raises SourceError: the warehouse cannot be reached, refuses the query, or returns other columns than the
        contract's; never with a value of a row.
    """
    query = _new_hires_query(engine, query_text, window, extra_columns, organisation)
    return _taken(engine, query, _listed, chunk_rows=chunk_rows)


def _new_hires_query(
    engine: Engine, query_text: str, window: Window, extra_columns: Sequence[str], organisation: str | None
) -> _Query:
    dialect = engine.dialect.name
    routed = organisation is not None
    values = {"window_start": _bound(window.start, dialect), "window_end": _bound(window.end, dialect)}
    if organisation is not None and ROUTING_PARAMETER in bound_parameters(query_text, dialect):
        values[ROUTING_PARAMETER] = organisation
    return _Query(
        "new-hires query",
        _over_window(query_text, engine, routed=routed),
        lambda names: check_columns(names, extra_columns, routed=routed),
        values,
    )


def read_exclusions(conn_id: str, query_text: str) -> list[SourceRow]:
    """Connect to the warehouse, run the query of ``exclude`` and return its rows, in its order.

    :param conn_id: of the warehouse.
    :param query_text: the SQL as written; it binds nothing.
    :raises SourceError: as :func:`read_rows` does.
    """
    engine = warehouse_engine(conn_id)
    try:
        return _taken(engine, _exclusions_query(query_text, engine), _listed, chunk_rows=1000)
    finally:
        engine.dispose()


def check_exclusions(conn_id: str, query_text: str) -> None:
    """Run the query of ``exclude``, and read at most one row: does it run, and are its columns right?

    :param conn_id: of the warehouse.
    :raises SourceError: as :func:`read_exclusions` does.
    """
    _try(conn_id, lambda engine: _chunks(engine, _exclusions_query(query_text, engine), chunk_rows=1))


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
    query = _Query(
        "query of `access_review`", _unbound(query_text, engine, "query of `access_review`"), check_job_columns
    )
    return _streamed(engine, query, chunk_rows=chunk_rows)


@dataclass(frozen=True)
class _Query:
    """A query of the configuration.

    :param named: what it is, for messages.
    :param columns_of: checks the names of its columns, and returns them in lower case.
    """

    named: str
    statement: TextClause = field(repr=False)
    columns_of: Callable[[Sequence[str]], Sequence[str]] = field(repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)


def _exclusions_query(query_text: str, engine: Engine) -> _Query:
    named = "query of `exclude`"
    return _Query(named, _unbound(query_text, engine, named), check_exclusion_columns)


def _try(conn_id: str, read: Callable[[Engine], Generator[list[SourceRow]]]) -> None:
    """Begin to read, and end after the first row: others, however many, stay where they are."""
    engine = warehouse_engine(conn_id)
    try:
        with closing(read(engine)) as chunks:
            next(chunks, None)
    finally:
        engine.dispose()


class _UnreadableError(SourceError):
    """The driver failed on a value of a row, and returns no row after it."""

    def __init__(self, message: str, columns: Sequence[str]) -> None:
        super().__init__(message)
        self.columns = columns


def _taken(
    engine: Engine, query: _Query, take: Callable[[Iterable[list[SourceRow]]], Result], *, chunk_rows: int
) -> Result:
    """Let all rows be taken; where the driver fails on a value, again with the days as text, which no driver reads."""
    try:
        return take(_chunks(engine, query, chunk_rows=chunk_rows))
    except _UnreadableError as unreadable:
        return take(_days_as_text(engine, query, unreadable, chunk_rows=chunk_rows))


def _listed(chunks: Iterable[list[SourceRow]]) -> list[SourceRow]:
    return [row for chunk in chunks for row in chunk]


def _streamed(engine: Engine, query: _Query, *, chunk_rows: int) -> Generator[list[SourceRow]]:
    """Yield rows, as :func:`_taken` takes them; once some were yielded, the query is not run again."""
    begun = False
    try:
        for chunk in _chunks(engine, query, chunk_rows=chunk_rows):
            begun = True
            yield chunk
    except _UnreadableError as unreadable:
        if begun:
            raise
        yield from _days_as_text(engine, query, unreadable, chunk_rows=chunk_rows)


def _days_as_text(
    engine: Engine, query: _Query, unreadable: _UnreadableError, *, chunk_rows: int
) -> Generator[list[SourceRow]]:
    instead = with_days_as_text(query.statement, unreadable.columns, DAY_COLUMNS)
    try:
        yield from _chunks(engine, query, chunk_rows=chunk_rows, instead=instead)
    except SourceError:  # some databases allow no such subquery
        raise unreadable from None


def _chunks(
    engine: Engine, query: _Query, *, chunk_rows: int, instead: Executable | None = None
) -> Generator[list[SourceRow]]:
    """Yield the rows of a query.

    :param instead: the statement to execute instead of the query's own.
    """
    dialect, many = engine.dialect.name, 0
    with _connected(engine) as connection:
        with _explained(dialect, query.named):
            keep_unreadable_values(connection)
            read_in_utc(connection)
            result = connection.execution_options(stream_results=True, yield_per=chunk_rows).execute(
                query.statement if instead is None else instead, query.values
            )
            if not result.returns_rows:
                raise SourceError(f"The {query.named} returns no rows at all; it must be a SELECT. Nothing is sent.")
        names = list(result.keys())
        columns = query.columns_of(names)
        chunks = result.partitions(chunk_rows)
        while chunk := _fetched(chunks, dialect, query.named, names):
            yield [
                SourceRow(row_no, dict(zip(columns, row, strict=True)))
                for row_no, row in enumerate(chunk, start=many + 1)
            ]
            many += len(chunk)


def _fetched(chunks: Iterator[Sequence[Any]], dialect: str, named: str, columns: Sequence[str]) -> Sequence[Any]:
    """Return the next rows; none at the end."""
    with _explained(dialect, named, columns):
        return next(chunks, ())


def _unbound(query_text: str, engine: Engine, named: str) -> TextClause:
    """Return a query that binds nothing, as SQLAlchemy must see it.

    :raises SourceError: when it binds something by the rules of the warehouse's dialect.
    """
    return _for_dialect(query_text, engine.dialect.name, named, ())


def _over_window(query_text: str, engine: Engine, *, routed: bool) -> TextClause:
    """Return the new-hires query, as SQLAlchemy must see it.

    :param routed: whether it may bind ``:organisation`` as well.

    :raises SourceError: when it binds something else than the window by the rules of the warehouse's dialect.
    """
    dialect = engine.dialect.name
    # Oracle's driver would cut a plain date-time to its second.
    kinds: dict[str, Any] = {"sqlite": String(), "oracle": TIMESTAMP()}
    kind = kinds.get(dialect, DateTime(timezone=True))
    optional = (ROUTING_PARAMETER,) if routed else ()
    statement = _for_dialect(query_text, dialect, "new-hires query", WINDOW_PARAMETERS, optional)
    bound = [bindparam(name, type_=kind) for name in WINDOW_PARAMETERS]
    if routed and ROUTING_PARAMETER in bound_parameters(query_text, dialect):
        bound.append(bindparam(ROUTING_PARAMETER, type_=String()))
    return statement.bindparams(*bound)


def _for_dialect(
    query_text: str, dialect: str, named: str, parameters: tuple[str, ...], optional: tuple[str, ...] = ()
) -> TextClause:
    if problem := misread_parameters(query_text, dialect, parameters, optional=optional):
        raise SourceError(f"The {named} cannot be run. {problem} Nothing is sent.")
    # A new line: a comment at the end must hide nothing that follows.
    return text(for_sqlalchemy(query_text, dialect) + "\n")


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
def _explained(dialect: str, what: str, fetching: Sequence[str] | None = None) -> Iterator[None]:
    """Turn database errors into sentences; the driver's own would quote the row that it choked on.

    :param fetching: the columns, once the database has accepted the query and rows are fetched.
    """
    try:
        yield
    except DBAPIError as error:
        if fetching is not None and not may_pass_by_itself(error) and not is_of_the_server(error):
            raise _unreadable(dialect, what, describe_database_error(error), fetching) from None
        raise SourceError(
            f"The warehouse ({dialect}) refused the {what}: {describe_database_error(error)}. Nothing is sent;"
            f" {_remedy(error)}.",
            retryable=may_pass_by_itself(error),
        ) from None
    except SQLAlchemyError as error:
        raise SourceError(
            f"The {what} cannot be run on {dialect}: {type(error).__name__}. Nothing is sent; correct the query."
        ) from None
    except (UnicodeError, ValueError, ArithmeticError, OSError) as error:
        raise _unreadable(dialect, what, type(error).__name__, fetching or ()) from None


def _unreadable(dialect: str, what: str, error: str, columns: Sequence[str]) -> _UnreadableError:
    return _UnreadableError(
        f"A row of the {what} cannot be read: the driver of {dialect} failed on a value ({error}). Nothing is sent;"
        " select the column as text, or mend the row.",
        columns,
    )


def _remedy(error: DBAPIError) -> str:
    if is_about_a_value(error):
        return (
            "a value of some row cannot be cast or computed as the query asks: make it NULL there (TRY_CAST, NULLIF,"
            " CASE), or select the column as it is"
        )
    return "correct the query, or the rights of the connection"
