"""Warehouse and ledger behind a pooler that lends a session for one transaction only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Integer, bindparam, text

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import open_ledger
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.schema import prepare_tables, tables_version
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION
from m3ter_onboarding.source.warehouse import warehouse_engine
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import airflow_connection_named
from tests.support.hire_table import HIRES
from tests.support.missing_tools import skip_or_fail
from tests.support.pooler import find_pgbouncer, running_pooler
from tests.support.postgresql import PostgresDatabase
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World, WorldDatabase, run_sql

AT_ONCE = 9

#: What a session keeps from one transaction to the next, and a pooler would hand on.
KEPT = """
    SELECT pg_backend_pid() AS pid, string_agg(what, ', ') AS kept FROM (
        SELECT 'setting ' || name AS what FROM pg_settings WHERE setting <> reset_val AND context = 'user'
        UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements
        UNION ALL SELECT 'lock ' || locktype FROM pg_locks WHERE locktype = 'advisory'
        UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relpersistence = 't'
        UNION ALL SELECT 'channel ' || pg_listening_channels()
    ) AS everything
"""


@pytest.fixture
def pooler(postgres_database: PostgresDatabase) -> Iterator[str]:
    """Run a pooler before an empty database; return the Airflow connection that leads to it."""
    executable = find_pgbouncer()
    if executable is None:
        skip_or_fail("PgBouncer is not installed; on Debian: apt-get install pgbouncer")
    with running_pooler(executable, postgres_database) as connection:
        yield connection


@pytest.fixture
def pooled(pooler: str, m3ter: SandboxServer) -> Iterator[World]:
    """Return a world whose ledger and warehouse are behind the pooler."""
    with airflow_connection_named(pooler) as conn_id, closing(open_ledger(conn_id)) as db:
        HIRES.create(db.engine)
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
        yield WorldDatabase(db, conn_id).world(m3ter)


def ask_at_once(conn_id: str) -> list[str]:
    """Ask from many connections at once, each for other things, and return the errors and wrong answers."""
    together = Barrier(AT_ONCE)

    def ask(who: int) -> str | None:
        statement = text(f"SELECT :number + {who}").bindparams(bindparam("number", type_=Integer))
        with closing(open_ledger(conn_id)) as db:
            db.now_ms()
            together.wait(timeout=20)
            for number in range(12):

                def read(connection: Any, number: int = number) -> int:
                    return int(connection.execute(statement, {"number": number}).scalar_one())

                try:
                    answer = db.read(read, doing="asking")
                except LedgerError as error:
                    return str(error)
                if answer != number + who:
                    return f"{number} + {who} = {answer}"
        return None

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [wrong for wrong in threads.map(ask, range(AT_ONCE)) if wrong]


def test_statements_of_many_connections_do_not_collide_behind_a_pooler(pooler: str) -> None:
    with airflow_connection_named(pooler) as conn_id:
        assert ask_at_once(conn_id) == []


def test_they_do_where_an_extra_asks_for_prepared_statements(pooler: str) -> None:
    """What the driver does by itself: this shows that the test before would notice."""
    asking = json.dumps({**json.loads(pooler), "extra": {"prepare_threshold": 5}})
    with airflow_connection_named(asking) as conn_id:
        assert ask_at_once(conn_id) != []


def test_a_whole_run_passes_through_a_pooler_and_leaves_nothing_in_its_sessions(pooled: World) -> None:
    people = pooled.hire(*(f"e{number}" for number in range(40)))
    with m3ter_connection(pooled, allow_invitations=True):
        for mode in ("dry_run", "normal"):
            TaskRun(pooled, mode, (WINDOW.start, WINDOW.end), params={"mode": mode}).all()
    assert pooled.emails() == dict.fromkeys(people, 1)
    reader = LedgerReader(pooled.db)
    assert reader.read(lambda c: c.execute(text("SELECT count(*) FROM hires")).scalar_one(), doing="counting") == 40
    with ExitStack() as transactions:
        others = warehouse_engine(pooled.warehouse_conn_id)
        transactions.callback(others.dispose)
        kept = [transactions.enter_context(others.connect()) for _ in range(3)]
        sessions = {row.pid: row.kept for row in (connection.exec_driver_sql(KEPT).one() for connection in kept)}
    assert len(sessions) == 3
    assert set(sessions.values()) == {None}
    run_sql(pooled, "DELETE FROM hires")  # may be written
    assert tables_version(pooled.db) == SCHEMA_VERSION
