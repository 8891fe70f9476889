"""DAG runs as the ledger knows them: who or what asked for which days, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, insert, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.tables import as_dict


@dataclass(frozen=True)
class RunKey:
    """Which DAG run: the key of ``m3ter_onboarding_run``."""

    dag_id: str
    run_id: str


def record_run(db: LedgerDatabase, run: RunKey, values: Mapping[str, Any]) -> None:
    """Begin, or begin again, the row of a DAG run.

    :param values: the columns of ``m3ter_onboarding_run`` that describe the run; a run that is cleared
        starts over, so whatever an earlier try had reached is reset.
    """
    table = db.tables.run
    fresh = {**values, "delivered_at": None, "finished_at": None, "outcome": "running", "counts": {}}

    def work(connection: Connection) -> None:
        mine = and_(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id)
        if connection.execute(update(table).where(mine).values(**fresh)).rowcount == 0:
            connection.execute(insert(table).values(dag_id=run.dag_id, run_id=run.run_id, **fresh))

    db.write(work, doing="recording the run")


def update_run(db: LedgerDatabase, run: RunKey, **values: Any) -> None:
    """Change columns of a run's row."""
    table = db.tables.run

    def work(connection: Connection) -> None:
        connection.execute(
            update(table).where(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id).values(**values)
        )

    db.write(work, doing="recording the run")


def mark_delivered(db: LedgerDatabase, run: RunKey, plan_id: str, now: datetime) -> None:
    """Record that a run has delivered, if its plan covered the very window that the run's row names.

    A snapshot that was cleared alone gives the run a new window, and the plan still covers the old one.
    """
    table, plan = db.tables.run, db.tables.plan

    def work(connection: Connection) -> None:
        covered = exists().where(
            plan.c.plan_id == plan_id,
            plan.c.window_start <= table.c.window_start,
            plan.c.window_end >= table.c.window_end,
        )
        connection.execute(
            update(table)
            .where(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id, covered)
            .values(delivered_at=now)
        )

    db.write(work, doing="recording the run")


def read_run(db: LedgerDatabase, run: RunKey) -> dict[str, Any] | None:
    """Return the row of a run, or None before ``snapshot`` has begun it."""
    table = db.tables.run

    def work(connection: Connection) -> dict[str, Any] | None:
        row = connection.execute(
            select(table).where(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id)
        ).one_or_none()
        return None if row is None else as_dict(row)

    return db.read(work, doing="reading the run")
