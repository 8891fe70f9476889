"""A real PgBouncer in transaction mode: each transaction may get another session of the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from demo.airflow_api import wait_until
from tests.support.postgresql import PostgresDatabase

PORT = 6432
CONFIGURATION = """
[databases]
{database} = host={server} dbname={database} user=postgres
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_round_robin = 1
query_wait_timeout = 15
logfile = {folder}/log
"""


def find_pgbouncer() -> str | None:
    """Return the path of PgBouncer, or nothing."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def running_pooler(executable: str, database: PostgresDatabase) -> Iterator[str]:
    """Run a PgBouncer before a database, and give an Airflow connection (JSON) that leads to it.

    :param executable: of PgBouncer.
    """
    with tempfile.TemporaryDirectory(prefix="m3ter-pooler-") as name:
        folder = Path(name)
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            CONFIGURATION.format(database=database.name, server=database.folder, port=PORT, folder=folder)
        )
        user = None
        if os.geteuid() == 0:  # PgBouncer refuses to run as root, and the server's socket is its own user's alone
            user = database.folder.owner()
            shutil.chown(folder, user)
        process = subprocess.Popen([executable, "-q", settings], user=user, stderr=subprocess.DEVNULL)
        try:
            wait_until(partial(_is_ready, folder, process), "PgBouncer", 20, 0.02)
            fields = {"conn_type": "postgres", "host": str(folder), "port": PORT, "login": "postgres"}
            yield json.dumps({**fields, "schema": database.name})
        finally:
            process.terminate()
            process.wait(timeout=20)


def _is_ready(folder: Path, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"PgBouncer did not start: {(folder / 'log').read_text()}")
    return (folder / f".s.PGSQL.{PORT}").exists()
