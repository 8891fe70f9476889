"""DAG runs as the ledger knows them: who or what started each, for which days, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

from sqlalchemy import Connection, and_, exists, insert, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase

#: By name; invitations by their state are counted under a name of their own.
Counts = Mapping[str, int | str | Mapping[str, int]]
#: Beside the counts of a run that failed: why, in sentences, and the task whose log has more.
FAILURE, FAILED_TASK = "failure", "failed_task"


@dataclass(frozen=True)
class RunKey:
    """The key of one DAG run in ``m3ter_onboarding_run``."""

    dag_id: str
    run_id: str


@dataclass(frozen=True)
class RunRecord:
    """The order for a DAG run: the columns of ``m3ter_onboarding_run`` that are written when it begins.

    :param run_type: Airflow's word for it, such as ``scheduled``.
    :param triggered_by: the person who started it; None: nobody did.
    :param only_employee: the ``employee_id`` of the one person that the run is about; None: everybody.
    :param window_start: with *window_end*: the days that the query reads, never less than the interval.
    :param may_invite: whether a run of this kind may send.
    """

    config_name: str
    org_id: str
    run_type: str
    triggered_by: str | None
    mode: str
    only_employee: str | None = field(repr=False)
    interval_start: datetime
    interval_end: datetime
    window_start: datetime
    window_end: datetime
    config_hash: str
    package_version: str
    may_invite: bool
    started_at: datetime


@dataclass(frozen=True)
class RunOutcome:
    """How a DAG run ended.

    :param outcome: ``success`` or ``failed``.
    :param counts: by name, as the run's page lists them.
    """

    finished_at: datetime
    outcome: str
    counts: Counts


@dataclass(frozen=True)
class RunRow(RunRecord):
    """The row of a DAG run as the ledger holds it.

    :param delivered_at: when all invitations of its days were sent or settled; None: not yet.
    :param outcome: ``running`` until the run ends.
    """

    delivered_at: datetime | None
    finished_at: datetime | None
    outcome: str
    counts: Counts


def is_first_of_organisation(db: LedgerDatabase, org_id: str) -> bool:
    """Return whether the ledger holds no run of an organisation yet."""
    known = exists().where(db.tables.run.c.org_id == org_id)
    return not db.read(lambda c: c.execute(select(known)).scalar_one(), doing="looking for earlier runs")


def record_run(db: LedgerDatabase, run: RunKey, record: RunRecord) -> None:
    """Begin the row of a DAG run; of a run that was cleared, begin it again, without what the earlier try reached."""
    table = db.tables.run
    fresh = {**asdict(record), "delivered_at": None, "finished_at": None, "outcome": "running", "counts": {}}

    def work(connection: Connection) -> None:
        mine = and_(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id)
        if connection.execute(update(table).where(mine).values(**fresh)).rowcount == 0:
            connection.execute(insert(table).values(dag_id=run.dag_id, run_id=run.run_id, **fresh))

    db.write(work, doing="recording the run")


def finish_run(db: LedgerDatabase, run: RunKey, outcome: RunOutcome) -> None:
    """Record how a run ended."""
    table = db.tables.run

    def work(connection: Connection) -> None:
        connection.execute(
            update(table).where(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id).values(**asdict(outcome))
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


def read_run(db: LedgerDatabase, run: RunKey) -> RunRow | None:
    """Return the row of a run, or None before ``snapshot`` has begun it."""
    table = db.tables.run
    columns = [table.c[column.name] for column in fields(RunRow)]

    def work(connection: Connection) -> RunRow | None:
        row = connection.execute(
            select(*columns).where(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id)
        ).one_or_none()
        return None if row is None else RunRow(*row)

    return db.read(work, doing="reading the run")
