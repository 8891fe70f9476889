"""m3ter, or the ledger's database, fails while whole runs go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from sqlalchemy import create_engine, text

from tests.chaos.airflow.airflow_case import CREATE, AirflowCase
from tests.chaos.airflow.interrupted import KILL
from tests.support.databases import SQLITE

#: What may become of the POST of an invitation.
OF_POSTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "status", "status": 504, "when": "after"},
    {"kind": "status", "status": 500, "when": "before"},
    {"kind": "reset", "when": "before"},
    {"kind": "reset", "when": "after"},
    {"kind": "drop", "when": "before"},
    {"kind": "drop", "when": "after"},
    {"kind": "hang", "when": "before"},
    {"kind": "hang", "when": "after"},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"kind": "late_commit", "seconds": 0.8, "answer": "504"},
    {"kind": "late_commit", "seconds": 0.8, "answer": "reset"},
    {"kind": "late_commit", "seconds": 3.5, "answer": "nothing"},
    {"kind": "revoke_token"},
    {"kind": "garbled", "garble": "html"},
)
#: What may become of any request.
OF_ANYTHING: tuple[Mapping[str, Any], ...] = (
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"kind": "drop"},
    {"kind": "reset", "when": "after"},
    {"kind": "revoke_token"},
)


def switch_on(case: AirflowCase) -> None:
    """Switch on faults of several kinds, each for 5 to 20 % of the requests."""
    rng = case.rng
    for fault in rng.sample(OF_POSTS, 3):
        case.org.m3ter.faults(**fault, operation=CREATE, probability=rng.uniform(0.05, 0.2), seed=rng.randrange(1000))
    case.org.m3ter.faults(**rng.choice(OF_ANYTHING), probability=rng.uniform(0.05, 0.1), seed=rng.randrange(1000))


def mixed(case: AirflowCase) -> None:
    """Two days under faults."""
    switch_on(case)
    run_id = case.begin()
    case.end_of(run_id)
    case.day += 1
    case.hire(4, 8, day=1)
    case.end_of(case.org.trigger(1))
    count_hits(case)


def mixed_and_killed(case: AirflowCase) -> None:
    """One day under faults, and tasks are killed as well."""
    switch_on(case)
    run_id = case.begin()
    case.signal_tries(run_id, "plan", [KILL])
    case.signal_tries(run_id, "send", [KILL])
    case.end_of(run_id)
    count_hits(case)


def lists_lag(case: AirflowCase) -> None:
    """What was made is not in the lists for a while; some answers are lost, and the sender is killed."""
    lag = case.rng.uniform(0.5, 2)
    case.org.m3ter.switches(list_lag_seconds=lag, user_list_lag_seconds=lag)
    case.faults_injected += 1
    case.org.m3ter.faults(
        kind="status", status=504, when="after", operation=CREATE, probability=0.2, seed=case.rng.randrange(1000)
    )
    run_id = case.begin()
    case.signal_tries(run_id, "send", [KILL])
    case.end_of(run_id)
    count_hits(case)


def count_hits(case: AirflowCase) -> None:
    """Count the faults that hit, latency aside."""
    case.faults_injected += sum(fault["hits"] for fault in case.org.m3ter.active_faults() if fault["kind"] != "latency")


def m3ter_down(case: AirflowCase) -> None:
    """m3ter is away for some seconds in mid-send, by a stop or a power cut."""
    run_id = case.begin()
    case.mid_send(run_id)
    case.rng.choice((case.org.m3ter.stop, case.org.m3ter.kill))()
    case.faults_injected += 1
    case.wait(2, 8)
    case.org.m3ter.start()
    case.end_of(run_id)


def database_away(case: AirflowCase) -> None:
    """PostgreSQL ends every session of the ledger, three times; SQLite is locked by somebody else for seconds."""
    run_id = case.begin()
    case.mid_send(run_id)
    for _ in range(3):
        if case.org.ledger.engine.dialect.name == SQLITE:
            lock_for_some_seconds(case)
        else:
            end_sessions(case)
        case.faults_injected += 1
        case.wait(0.2, 2)
    case.end_of(run_id)


def lock_for_some_seconds(case: AirflowCase) -> None:
    """Hold SQLite's one lock."""
    with closing(sqlite3.connect(str(case.org.ledger.engine.url.database), timeout=60)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        case.wait(1, 6)
        connection.rollback()


def end_sessions(case: AirflowCase) -> None:
    """End the sessions of all others."""
    engine = create_engine(case.org.ledger.engine.url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()
    case.org.ledger.engine.dispose()  # our own were among them
