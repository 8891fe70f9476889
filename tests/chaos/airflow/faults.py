"""m3ter, or the ledger's database, fails while whole runs go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from sqlalchemy import create_engine, text

from tests.chaos.airflow.interrupted import KILL
from tests.chaos.airflow.trial import CREATE, Trial
from tests.support.side_by_side import SQLITE

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


def switch_on(trial: Trial) -> None:
    """Switch on faults of several kinds, each for 5 to 20 % of the requests."""
    rng = trial.rng
    for fault in rng.sample(OF_POSTS, 3):
        trial.org.m3ter.faults(**fault, operation=CREATE, probability=rng.uniform(0.05, 0.2), seed=rng.randrange(1000))
    trial.org.m3ter.faults(**rng.choice(OF_ANYTHING), probability=rng.uniform(0.05, 0.1), seed=rng.randrange(1000))


def mixed(trial: Trial) -> None:
    """Two days under faults."""
    switch_on(trial)
    run_id = trial.begin()
    trial.end_of(run_id)
    trial.day += 1
    trial.hire(4, 8, day=1)
    trial.end_of(trial.org.trigger(1))
    count_hits(trial)


def mixed_and_killed(trial: Trial) -> None:
    """One day under faults, and tasks are killed as well."""
    switch_on(trial)
    run_id = trial.begin()
    trial.strike(run_id, "plan", [KILL])
    trial.strike(run_id, "send", [KILL])
    trial.end_of(run_id)
    count_hits(trial)


def lists_lag(trial: Trial) -> None:
    """What was made is not in the lists for a while; some answers are lost, and the sender is killed."""
    lag = trial.rng.uniform(0.5, 2)
    trial.org.m3ter.switches(list_lag_seconds=lag, user_list_lag_seconds=lag)
    trial.troubles += 1
    trial.org.m3ter.faults(
        kind="status", status=504, when="after", operation=CREATE, probability=0.2, seed=trial.rng.randrange(1000)
    )
    run_id = trial.begin()
    trial.strike(run_id, "send", [KILL])
    trial.end_of(run_id)
    count_hits(trial)


def count_hits(trial: Trial) -> None:
    """Count the faults that hit, latency aside."""
    trial.troubles += sum(fault["hits"] for fault in trial.org.m3ter.active_faults() if fault["kind"] != "latency")


def m3ter_down(trial: Trial) -> None:
    """m3ter is away for some seconds in mid-send, by a stop or a power cut."""
    run_id = trial.begin()
    trial.mid_send(run_id)
    trial.rng.choice((trial.org.m3ter.stop, trial.org.m3ter.kill))()
    trial.troubles += 1
    trial.wait(2, 8)
    trial.org.m3ter.start()
    trial.end_of(run_id)


def database_away(trial: Trial) -> None:
    """PostgreSQL ends every session of the ledger, three times; SQLite is locked by somebody else for seconds."""
    run_id = trial.begin()
    trial.mid_send(run_id)
    for _ in range(3):
        if trial.org.ledger.engine.dialect.name == SQLITE:
            lock_for_some_seconds(trial)
        else:
            end_sessions(trial)
        trial.troubles += 1
        trial.wait(0.2, 2)
    trial.end_of(run_id)


def lock_for_some_seconds(trial: Trial) -> None:
    """Hold SQLite's one lock."""
    with closing(sqlite3.connect(str(trial.org.ledger.engine.url.database), timeout=60)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        trial.wait(1, 6)
        connection.rollback()


def end_sessions(trial: Trial) -> None:
    """End the sessions of all others."""
    engine = create_engine(trial.org.ledger.engine.url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()
    trial.org.ledger.engine.dispose()  # our own were among them
