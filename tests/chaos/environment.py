"""The environment of cases: a local m3ter, databases, and clocks that one process after the other shares."""

from __future__ import annotations

import contextlib
import gc
import importlib
import mmap
import os
import random
import shutil
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from tenacity import wait_random_exponential

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_provider import process_state, retries
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import POSTGRESQL, SQLITE, engine_of, sqlite_connection
from tests.support.hire_table import HIRES
from tests.support.postgresql import PostgresServer
from tests.support.world import World

DATABASES = (SQLITE, POSTGRESQL)

LEDGER_CONN_ID = "chaos_ledger"


class SharedState:
    """What all processes of a case share: how far their clocks are ahead, as if suspended, and one mark."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 9)
        self.set_ahead(0.0)
        self.mark(False)

    def set_ahead(self, seconds: float) -> None:
        """Set how far the clocks are ahead."""
        self._memory[:8] = struct.pack("d", seconds)

    @property
    def ahead(self) -> float:
        """Seconds."""
        return float(struct.unpack("d", self._memory[:8])[0])

    def mark(self, happened: bool) -> None:
        """Set the mark, for every process of the case: something happened, or did not yet."""
        self._memory[8] = happened

    @property
    def marked(self) -> bool:
        """Whether it happened."""
        return bool(self._memory[8])

    def install(self) -> None:
        """Let ``CLOCK_BOOTTIME`` of this process, and of what it forks, be ahead."""
        read = time.clock_gettime

        def clock_gettime(clock: int) -> float:
            return read(clock) + (self.ahead if clock == time.CLOCK_BOOTTIME else 0.0)

        time.clock_gettime = clock_gettime


@dataclass
class Environment:
    """What a worker keeps from case to case: m3ter, databases, clocks.

    :param folder: for its files.
    :param postgres: the server in which it has databases of its own.
    :param number: of the worker.
    """

    folder: Path
    postgres: PostgresServer
    number: int

    def __post_init__(self) -> None:
        self.shared = SharedState()
        self.m3ter = SandboxServer(database=self.folder / "m3ter.db", requests_per_second=0)
        self.folder.mkdir(parents=True, exist_ok=True)
        database = self.postgres.new_database(f"chaos_{self.number}")
        self._postgresql_url, self._postgresql_connection = database.url(), database.airflow_connection()
        self.sqlite_file = self.folder / "ledger.db"
        self._engines: dict[str, Engine] = {}

    @contextmanager
    def running(self) -> Iterator[Environment]:
        """Start the local m3ter, and shorten the waits of this process."""
        self.shared.install()
        _shorten_waits()
        with self.m3ter:
            try:
                yield self
            finally:
                for engine in self._engines.values():
                    engine.dispose()

    def engine(self, database: str) -> Engine:
        """Return this process's engine, for what a test asks and sets; tasks open their own."""
        if database not in self._engines:
            url = f"sqlite:///{self.sqlite_file}" if database == SQLITE else self._postgresql_url
            self._engines[database] = engine_of(url)
        return self._engines[database]

    def dispose_engines(self) -> None:
        """Close this process's connections, so that a forked one cannot use them."""
        for engine in self._engines.values():
            engine.dispose()

    def world(self, database: str, *, tables: bool = True, **values: Any) -> World:
        """Return an empty world: nothing in m3ter, no person, and an empty ledger.

        :param tables: False: the ledger's tables do not exist yet.
        :param values: configuration.
        """
        self.shared.set_ahead(0.0)
        self.m3ter.reset()
        process_state.forget_all()
        self.dispose_engines()
        connection = self._empty(database)
        os.environ[f"AIRFLOW_CONN_{LEDGER_CONN_ID.upper()}"] = connection
        os.environ["AIRFLOW_VAR_M3TER_ONBOARDING_PAUSED"] = "none"
        db = LedgerDatabase(self.engine(database), name=LEDGER_CONN_ID, write_patience=5.0)
        HIRES.create(db.engine)
        if tables:
            prepare_tables(db, create_tables=True, now=datetime.now(timezone.utc), package_version="0")
        return World(m3ter=self.m3ter, db=db, warehouse_conn_id=LEDGER_CONN_ID, values=values)

    def _empty(self, database: str) -> str:
        if database == SQLITE:
            for path in (self.sqlite_file, Path(f"{self.sqlite_file}-journal")):
                path.unlink(missing_ok=True)
            return sqlite_connection(self.sqlite_file)
        with self.engine(database).begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        return self._postgresql_connection

    def remove(self) -> None:
        """Remove its files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _shorten_waits() -> None:
    """Shorten what only waits: pauses between repeats."""
    retries._backoff = wait_random_exponential(multiplier=0.01, max=0.1)
    retries._RATE_LIMITS = 3


def preload(names: Iterable[str] = ()) -> None:
    """Import what tasks import, and freeze it, so that a fork neither imports nor copies it.

    :param names: further modules; one that cannot be imported by itself is left to the tasks.
    """
    known = (
        "airflow.sdk.execution_time.context",
        "airflow.sdk.execution_time.task_runner",
        "m3ter_onboarding.sending.sender",
        *(f"m3ter_onboarding.tasks.{task}" for task in ("snapshot", "plan", "approve", "send", "report")),
        "m3ter_onboarding.reporting.run_report",
        "m3ter_provider.hooks.m3ter",
    )
    for name in (*known, *sorted(set(names) - set(sys.modules))):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def rng_of(name: str, seed: int) -> random.Random:
    """Return the random numbers of a case: the same in every process, version and order of cases."""
    return random.Random(f"{seed}/{name}")
