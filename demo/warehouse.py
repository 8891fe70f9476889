"""The demo's SQL warehouse: a SQLite file with the table that the query of `include/sql/demo_new_hires.sql` reads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path

from demo.people import Person

_TABLES = """
CREATE TABLE IF NOT EXISTS hires (
    employee_id TEXT,
    email TEXT,
    first_name TEXT,
    last_name TEXT,
    contact_number TEXT,
    permission_policies TEXT,
    start_date TEXT,
    access_end_date TEXT,
    time_zone TEXT,
    loaded_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS hires_loaded_at ON hires (loaded_at);
CREATE TABLE IF NOT EXISTS demo_loaded_day (day TEXT PRIMARY KEY, follows INTEGER NOT NULL);
"""


class Warehouse:
    """The warehouse in one file.

    :param path: the file; made where it does not exist
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.path.touch(mode=0o600)  # it holds people; what exists keeps its mode
        with self.connection() as connection:
            connection.executescript(_TABLES)

    def airflow_connection(self) -> str:
        """Return the connection for Airflow, as JSON."""
        return json.dumps({"conn_type": "sqlite", "host": str(self.path)})

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Open a connection; what is done with it is one transaction."""
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            yield connection

    def loaded_days(self) -> dict[date, bool]:
        """Return the days whose people have been loaded, and whether each followed a loaded one."""
        with self.connection() as connection:
            rows = connection.execute("SELECT day, follows FROM demo_loaded_day ORDER BY day").fetchall()
        return {date.fromisoformat(day): bool(follows) for day, follows in rows}

    def load_day(self, day: date, follows: bool, people: Iterable[Person]) -> None:
        """Load the people of one day.

        :param day: a calendar day, UTC
        :param follows: whether the day before has been loaded
        :param people: see :func:`demo.people.people_of`
        """
        rows = [person.row() for person in people]
        with self.connection() as connection:
            connection.executemany("INSERT INTO hires VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("INSERT INTO demo_loaded_day VALUES (?, ?)", (day.isoformat(), follows))

    def load_finance(self, people: Iterable[Person]) -> date:
        """Load the people of finance, once, into a table like that of the others, and return the day of their rows.

        :param people: see :func:`demo.finance.finance_people`
        """
        with self.connection() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS finance_hires AS SELECT * FROM hires LIMIT 0")
            loaded = "SELECT date(min(loaded_at)) FROM finance_hires"
            if connection.execute(loaded).fetchone()[0] is None:
                rows = [person.row() for person in people]
                connection.executemany("INSERT INTO finance_hires VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            return date.fromisoformat(connection.execute(loaded).fetchone()[0])

    def count_rows(self, start: datetime | str, end: datetime | str) -> int:
        """Count the rows that were loaded in a half-open window, UTC."""
        with self.connection() as connection:
            statement = (
                "SELECT count(*) FROM hires"
                " WHERE datetime(loaded_at) >= datetime(?) AND datetime(loaded_at) < datetime(?)"
            )
            found: int = connection.execute(statement, (str(start), str(end))).fetchone()[0]
            return found
