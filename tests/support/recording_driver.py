"""A driver of any database that keeps what it is given: what would reach a warehouse that no test can run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect

Statement = tuple[str, Any]


class SnowflakeDialect(DefaultDialect):
    """Standard SQL under Snowflake's name: its own dialect does not go with the Airflow and SQLAlchemy of the tests."""

    name, driver = "snowflake", "connector"
    supports_statement_cache = True


class DatabricksDialect(DefaultDialect):
    """Likewise: its own needs pyarrow and pandas."""

    name, driver = "databricks", "sql"
    supports_statement_cache = True


@contextmanager
def stand_in_dialects() -> Iterator[None]:
    """Let SQLAlchemy find these two dialects."""
    registry.impls |= {"snowflake": lambda: SnowflakeDialect, "databricks": lambda: DatabricksDialect}
    yield
    for name in ("snowflake", "databricks"):
        del registry.impls[name]


class RecordingDriver:
    """What SQLAlchemy takes for a driver (PEP 249); its queries return no row.

    :param paramstyle: of the real one.
    :param columns: of every result.
    """

    apilevel, threadsafety, version, __version__ = "2.0", 1, "99.0.0", "99.0.0"

    def __init__(self, paramstyle: str, columns: tuple[str, ...]) -> None:
        self.paramstyle, self.columns = paramstyle, columns
        self.executed: list[Statement] = []

    Error = DatabaseError = OperationalError = InterfaceError = IntegrityError = ProgrammingError = Exception

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return f"the driver's {name}"  # its types

    def connect(self, *_where: Any, **_options: Any) -> Connection:
        """Open a connection."""
        return Connection(self)


class Connection:
    """A connection of :class:`RecordingDriver`."""

    transaction = None

    def __init__(self, driver: RecordingDriver) -> None:
        self.driver = driver

    def cursor(self, *_options: Any, **_more: Any) -> Cursor:
        """Return a cursor."""
        return Cursor(self.driver)

    def commit(self) -> None:
        """Keep nothing."""

    rollback = close = commit


class Cursor:
    """A cursor of :class:`RecordingDriver`."""

    arraysize, rowcount = 1, 0

    def __init__(self, driver: RecordingDriver) -> None:
        self.driver = driver
        self.description: Any = [(name, *[None] * 6) for name in driver.columns]

    def execute(self, statement: str, parameters: Any = None, **_more: Any) -> None:
        """Keep a statement."""
        self.driver.executed.append((statement, parameters))

    executemany = execute

    def fetchone(self) -> None:
        """Return no row."""

    def fetchmany(self, _size: int = 1) -> list[Any]:
        """Return no row."""
        return []

    def fetchall(self) -> list[Any]:
        """Return no row."""
        return []

    def setinputsizes(self, *_sizes: Any, **_more: Any) -> None:
        """Take the types of parameters."""

    def close(self) -> None:
        """Close it."""


def recording_engine(url: str, paramstyle: str, columns: tuple[str, ...]) -> tuple[Engine, list[Statement]]:
    """Make an engine, and return it with the list of what will have reached its driver.

    :param url: names the dialect.
    :param paramstyle: of the dialect's real driver.
    :param columns: of every result.
    """
    driver = RecordingDriver(paramstyle, columns)
    # Not initialized: it would ask the server for its version.
    return create_engine(url, module=driver, _initialize=False), driver.executed
