"""The runs of some days that may send: the overview sums them up, and lists show their invitations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, literal_column, select

from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.reader_sets import sets_of
from m3ter_onboarding.ledger.reads.run_counts import sent_by_run
from m3ter_onboarding.ledger.reads.run_history import RUNS_LISTED, RunPage, runs_by_key
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.tables import Tables, once_more

#: The most that are looked at.
CHART_RUNS = 1000


def sending_runs(connection: Connection, t: Tables, dag_ids: Sequence[str], since: datetime) -> list[Row[Any]]:
    """Return the newest runs that may send, each with its newest plan, the newest first; one more where there are."""
    dags, r, p = sets_of(connection, t, dag_ids).dags, t.run.c, t.plan.c
    later = once_more(t.plan, "later").c
    newer: Select[Any] = select(literal_column("1")).where(
        later.dag_id == p.dag_id, later.run_id == p.run_id, later.seq > p.seq
    )
    chosen: Select[Any] = (
        select(r.dag_id, r.run_id, r.started_at, p.state, p.sendable, p.rows_read, p.invitations, p.counts)
        .select_from(
            dags.join(t.run, r.dag_id == dags.c.dag_id).outerjoin(
                t.plan, and_(p.dag_id == r.dag_id, p.run_id == r.run_id, ~newer.correlate(t.plan).exists())
            )
        )
        .where(r.started_at >= since, r.may_invite)
        .order_by(r.started_at.desc())
        .limit(CHART_RUNS + 1)
    )
    return list(connection.execute(chosen))


def keys_of(runs: Iterable[Row[Any]]) -> list[RunKey]:
    """Return the runs that set out to send something."""
    return [RunKey(run.dag_id, run.run_id) for run in runs if run.invitations]


def runs_that_may_send(
    reader: LedgerReader, dag_ids: Sequence[str], since: datetime, before: datetime | None = None
) -> RunPage:
    """Return a page of the runs that the overview sums up.

    :param since: only runs that began then or later.
    :param before: only runs that began before this instant.
    """

    def work(connection: Connection) -> RunPage:
        t = reader.t
        found = sending_runs(connection, t, dag_ids, since)[:CHART_RUNS]
        keys = [RunKey(run.dag_id, run.run_id) for run in found if before is None or run.started_at < before]
        shown = keys[:RUNS_LISTED]
        rows = runs_by_key(connection, t, shown, sent_by_run(connection, t, shown))
        return RunPage(rows, more=len(keys) > RUNS_LISTED)

    return reader.read(work, doing="listing runs")
