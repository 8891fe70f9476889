"""A real MariaDB for tests, from the system's package, with a time zone and a character set that nobody wants."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from demo.airflow_api import wait_until
from demo.ports import HOST, free_port
from tests.support.missing_tools import skip_or_fail

#: Half an hour beside every whole one: a mistake cannot pass for a correct hour.
TIME_ZONE = "+05:30"
_PASSWORD = "none-of-yours"  # of a server that only this machine reaches, for the time of a test
_OPTIONS = (
    *("--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"),
    *("--character-set-server=latin1", f"--default-time-zone={TIME_ZONE}"),
)


@dataclass(frozen=True)
class MariaDbServer:
    """A running MariaDB.

    :param port: of 127.0.0.1.
    :param socket: for its administrator.
    """

    port: int
    socket: Path
    numbers: Iterator[int]

    def run(self, statement: str, database: str = "mysql") -> str:
        """Run SQL as its administrator, and return the rows as the client writes them."""
        client = ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch", "-N", database]
        done = subprocess.run(client, input=statement, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def new_database(self) -> str:
        """Make an empty database, and return its name."""
        name = f"test_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name}; GRANT ALL ON {name}.* TO tester@'{HOST}';")
        return name

    def airflow_connection(self, database: str, **extra: str) -> str:
        """Return a connection for Airflow, as JSON."""
        fields = {"conn_type": "mysql", "host": HOST, "port": self.port, "login": "tester", "password": _PASSWORD}
        return json.dumps({**fields, "schema": database, "extra": extra})


def installed_mariadb() -> str:
    """Return the path of the server; end the test where it, or the driver of Airflow's provider, is missing."""
    server = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if server is None:
        skip_or_fail("MariaDB is not installed; on Debian: apt-get install mariadb-server")
    try:
        import MySQLdb  # type: ignore[import-not-found] # noqa: F401
    except ImportError:
        skip_or_fail("Airflow's provider for MySQL is not installed: make mysql-driver")
    return server


@contextmanager
def running_mariadb(server: str) -> Iterator[MariaDbServer]:
    """Run a MariaDB in a folder of its own, and end it.

    :param server: its path.
    """
    with tempfile.TemporaryDirectory(prefix="m3ter-mariadb-") as name:
        folder = Path(name)
        user = []
        if os.geteuid() == 0:  # it refuses to run as root
            shutil.chown(folder, "mysql")
            user = ["--user=mysql"]
        data, socket, log = folder / "data", folder / "socket", folder / "log"
        common = ["--no-defaults", f"--datadir={data}", *user]
        normal = "--auth-root-authentication-method=normal"
        subprocess.run(["mariadb-install-db", *common, normal], check=True, capture_output=True)
        port = free_port()
        listening = (f"--socket={socket}", f"--bind-address={HOST}", f"--port={port}")
        files = (f"--log-error={log}", f"--pid-file={folder / 'pid'}")
        process = subprocess.Popen([server, *common, *listening, *files, *_OPTIONS])
        try:
            wait_until(partial(_is_ready, socket, process, log), "MariaDB", 60, 0.05)
            made = MariaDbServer(port, socket, count(1))
            made.run(f"CREATE USER tester@'{HOST}' IDENTIFIED BY '{_PASSWORD}'")
            yield made
        finally:
            process.terminate()
            process.wait(timeout=60)


def _is_ready(socket: Path, process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"MariaDB did not start: {log.read_text()}")
    asked = ["mariadb-admin", "--no-defaults", f"--socket={socket}", "--user=root", "ping"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0
