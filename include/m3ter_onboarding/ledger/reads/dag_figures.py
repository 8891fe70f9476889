"""The figures of each DAG on the overview: its last run, whether it may send, and how its last invitations went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import Any, cast

from sqlalchemy import Connection, Row, and_, func, literal, literal_column, select

from m3ter_onboarding.ledger.first_look import NO_FIRST_LOOK
from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.listed_values import listed_runs
from m3ter_onboarding.ledger.reads.reader_sets import count_of, sets_of
from m3ter_onboarding.ledger.reads.run_history import RunFailure
from m3ter_onboarding.ledger.runs import FAILED_TASK, FAILURE, RunKey
from m3ter_onboarding.ledger.sql_types import UtcDateTime
from m3ter_onboarding.ledger.states import ONCE_SENT_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables

#: Runs that are looked at of each DAG.
RUNS_EACH = 10

_EARLIEST = datetime(2, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Funnel:
    """How the last run that had somebody to invite went."""

    run_id: str
    planned: int
    sent: int
    accepted: int


@dataclass(frozen=True)
class LastRun:
    """The newest run of a DAG.

    :param failure: why it failed; None: it did not, or did not record why.
    :param waits: whether its invitations wait for a first dry run (``look``) or for an approval; None: for neither.
    """

    run_id: str
    started_at: datetime
    outcome: str
    failure: RunFailure | None
    invitations: int | None
    waits: str | None


@dataclass(frozen=True)
class DagFigures:
    """The figures of one DAG.

    :param org_id: of its last run; None: it never ran.
    :param base_url: of the m3ter that this organisation was read from; None: it never was.
    :param allow_invitations: whether the connection may send, as the last finished run recorded it; None: no run did.
    :param last: None: it never ran.
    :param left: its invitations that the next run may send, by state: refused, unsent; counting stops.
    """

    dag_id: str
    org_id: str | None
    base_url: str | None
    allow_invitations: bool | None
    last: LastRun | None
    funnel: Funnel | None
    left: dict[str, int]


@dataclass(frozen=True)
class NewestRuns:
    """The newest runs of some DAGs, each as a row with its newest plan; by DAG, the newest first."""

    by_dag: Mapping[str, Sequence[Row[Any]]]

    def newest(self, many: int) -> list[RunKey]:
        """Return the newest of all."""
        rows = sorted((row for rows in self.by_dag.values() for row in rows), key=_began, reverse=True)
        return [RunKey(row.dag_id, row.run_id) for row in rows[:many]]


def newest_runs_of_each(connection: Connection, t: Tables, dag_ids: Sequence[str]) -> NewestRuns:
    """Return the newest runs of each DAG, by one statement."""
    dags, r, p, o = sets_of(connection, t, dag_ids).dags, t.run.c, t.plan.c, t.organisation.c
    older = t.run.alias("older").c
    tenth = (
        select(older.started_at)
        .where(older.dag_id == dags.c.dag_id)
        .order_by(older.started_at.desc())
        .limit(1)
        .offset(RUNS_EACH - 1)
        .correlate(dags)
        .scalar_subquery()
    )
    # Neither database takes the newest ten of each from an index by itself: from which on is looked up first.
    since = (
        select(dags.c.dag_id, func.coalesce(tenth, literal(_EARLIEST, UtcDateTime())).label("since"))
        .cte("since")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    runs = (
        since.join(t.run, and_(r.dag_id == since.c.dag_id, r.started_at >= since.c.since))
        .outerjoin(t.organisation, o.org_id == r.org_id)
        .outerjoin(t.plan, and_(p.dag_id == r.dag_id, p.run_id == r.run_id))
    )
    rows = connection.execute(
        select(
            *(r.dag_id, r.run_id, r.org_id, r.started_at, r.outcome, o.base_url),
            r.counts["allow_invitations"].as_boolean().label("allowed"),
            r.counts[FAILED_TASK].as_string().label("failed_task"),
            r.counts[FAILURE].as_string().label("failure"),
            *(p.seq, p.state.label("plan_state"), p.sendable, p.invitations, p.not_sendable_because),
            *(p.needs_approval, p.approved_at, p.rejected_at),
        ).select_from(runs)
    )
    newest: dict[str, dict[str, Row[Any]]] = {dag_id: {} for dag_id in dag_ids}
    for row in rows:
        before = newest[row.dag_id].get(row.run_id)
        if before is None or row.seq > before.seq:
            newest[row.dag_id][row.run_id] = cast("Row[Any]", row)
    return NewestRuns(
        {
            dag_id: list(islice(sorted(of_dag.values(), key=_began, reverse=True), RUNS_EACH))
            for dag_id, of_dag in newest.items()
        }
    )


def figures_of_dags(
    connection: Connection, t: Tables, runs: NewestRuns, left: Mapping[str, Mapping[str, int]]
) -> list[DagFigures]:
    """Return the figures of each DAG, by one statement.

    :param left: of each DAG, its invitations that the next run may send.
    """
    funnels = _funnels(connection, t, runs)
    return [
        DagFigures(
            dag_id=dag_id,
            org_id=rows[0].org_id if rows else None,
            base_url=rows[0].base_url if rows else None,
            allow_invitations=next((row.allowed for row in rows if row.allowed is not None), None),
            last=_last(rows[0]) if rows else None,
            funnel=funnels.get(dag_id),
            left=dict(left[dag_id]),
        )
        for dag_id, rows in runs.by_dag.items()
    ]


def _began(row: Row[Any]) -> Any:
    return row.started_at


def _last(row: Row[Any]) -> LastRun:
    failed = row.outcome == "failed" and row.failure is not None
    return LastRun(
        run_id=row.run_id,
        started_at=row.started_at,
        outcome=row.outcome,
        failure=RunFailure(row.failed_task, row.failure) if failed else None,
        invitations=row.invitations,
        waits=_waits(row),
    )


def _waits(row: Row[Any]) -> str | None:
    if row.not_sendable_because == NO_FIRST_LOOK:
        return "look"
    asked = row.sendable and row.needs_approval and not row.approved_at and not row.rejected_at
    return "approval" if asked and row.outcome == "running" else None


def _funnels(connection: Connection, t: Tables, runs: NewestRuns) -> dict[str, Funnel]:
    """Follow, for each DAG, the last run that may send and had somebody to invite: planned, sent, accepted."""
    last = {dag_id: row for dag_id, rows in runs.by_dag.items() if (row := next(filter(_had_somebody, rows), None))}
    if not last:
        return {}
    followed = listed_runs(connection, [RunKey(dag_id, row.run_id) for dag_id, row in last.items()])
    wanted, i, counted = followed.c, t.invitation.c, {}
    for state in state_values(ONCE_SENT_STATES):
        mine = and_(i.dag_id == wanted.dag_id, i.run_id == wanted.run_id, i.state == state)
        counted[state] = count_of(
            select(literal_column("1").label("one")).where(mine).limit(COUNTED + 1).correlate(followed)
        )
    rows = connection.execute(select(wanted.dag_id, *(many.label(state) for state, many in counted.items())))
    found = defaultdict(dict, {row.dag_id: row._mapping for row in rows})
    return {
        dag_id: Funnel(
            run_id=row.run_id,
            planned=row.invitations,
            sent=sum(found[dag_id][state] for state in counted),
            accepted=found[dag_id][InvitationState.ACCEPTED.value],
        )
        for dag_id, row in last.items()
    }


def _had_somebody(row: Row[Any]) -> bool:
    return bool(row.sendable and row.plan_state == "sealed" and row.invitations)
