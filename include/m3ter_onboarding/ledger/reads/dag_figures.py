"""The figures of each DAG on the overview: its last run, whether it may send, and how its last invitations went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any, cast

from sqlalchemy import Connection, Row, and_, func, literal, select

from m3ter_onboarding.ledger.first_look import NO_FIRST_LOOK
from m3ter_onboarding.ledger.reads.plan_figures import waits_for_approval
from m3ter_onboarding.ledger.reads.reader_sets import sets_of
from m3ter_onboarding.ledger.reads.run_counts import SentOfRun
from m3ter_onboarding.ledger.reads.run_history import RunFailure
from m3ter_onboarding.ledger.runs import FAILED_TASK, FAILURE, RunKey
from m3ter_onboarding.ledger.sql_types import UtcDateTime
from m3ter_onboarding.ledger.tables import Tables, once_more

#: Runs that are looked at of each DAG.
RUNS_EACH = 10

_EARLIEST = datetime(2, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class NamedRun:
    """A run as people name it: its kind, and when it began."""

    run_id: str
    run_type: str
    started_at: datetime


@dataclass(frozen=True)
class Funnel:
    """How the last run over everybody that had somebody to invite went.

    :param run: None: left out, where there are too many DAGs for cards.
    """

    run: NamedRun | None
    planned: int
    sent: int
    accepted: int


@dataclass(frozen=True)
class FailedSending(NamedRun):
    """The newest run that was meant to send, where it failed.

    :param failure: why; None: it did not record why.
    :param planned: invitations of its newest plan; None: it has none, or no whole plan.
    :param not_sent: so many of these it did not send; None: that is not known, for counting stops.
    """

    failure: RunFailure | None
    planned: int | None
    not_sent: int | None


@dataclass(frozen=True)
class LastDay:
    """The last 24 hours.

    :param invited: invitations that were sent; counting stops.
    :param not_sent: invitations that the newest run of each DAG was to send, and did not.
    :param runs: of each DAG no more than are looked at.
    :param failed: so many of these failed.
    :param more_runs: whether a DAG may have had more.
    """

    invited: int
    not_sent: int
    runs: int
    failed: int
    more_runs: bool


@dataclass(frozen=True)
class LastRun(NamedRun):
    """The newest run of a DAG.

    :param failure: why it failed; None: it did not, or did not record why.
    :param invitations: of its newest plan, where they wait.
    :param waits: whether its invitations wait for a first dry run (``look``) or for an approval; None: for neither.
    """

    outcome: str
    failure: RunFailure | None
    invitations: int | None
    waits: str | None


@dataclass(frozen=True)
class DagFigures:
    """The figures of one DAG.

    :param org_id: of its last run; None: it never ran.
    :param base_url: of the m3ter that this organisation was read from; None: it never was, or it is left out.
    :param allow_invitations: whether the connection may send, as the last finished run recorded it; None: no run did.
    :param last: None: it never ran.
    :param failed: None: the newest run that was meant to send did not fail.
    :param left: its invitations that the next run may send, by state: refused, unsent; counting stops.
    """

    dag_id: str
    org_id: str | None
    base_url: str | None
    allow_invitations: bool | None
    last: LastRun | None
    failed: FailedSending | None
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

    def followed(self, many: int) -> list[RunKey]:
        """Return the runs that the overview has counts of: the newest of all, and of each DAG those that sent last."""
        keys = set(self.newest(many))
        for rows in self.by_dag.values():
            chosen = (_followed(rows), _failed_sending(rows), _sent_last(rows))
            keys |= {RunKey(row.dag_id, row.run_id) for row in chosen if row is not None}
        return sorted(keys, key=lambda key: (key.dag_id, key.run_id))


def newest_runs_of_each(connection: Connection, t: Tables, dag_ids: Sequence[str]) -> NewestRuns:
    """Return the newest runs of each DAG, by one statement."""
    dags, r, p, o = sets_of(connection, t, dag_ids).dags, t.run.c, t.plan.c, t.organisation.c
    older = once_more(t.run, "older").c
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
            *(r.dag_id, r.run_id, r.org_id, r.run_type, r.started_at, r.outcome, o.base_url),
            *(r.may_invite, r.only_employee),
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
    runs: NewestRuns, left: Mapping[str, Mapping[str, int]], sent: Mapping[RunKey, SentOfRun]
) -> list[DagFigures]:
    """Return the figures of each DAG.

    :param left: of each DAG, its invitations that the next run may send.
    :param sent: of the runs that are followed.
    """
    return [
        DagFigures(
            dag_id=dag_id,
            org_id=rows[0].org_id if rows else None,
            base_url=rows[0].base_url if rows else None,
            allow_invitations=next((row.allowed for row in rows if row.allowed is not None), None),
            last=_last(rows[0]) if rows else None,
            failed=_failed(_failed_sending(rows), sent),
            funnel=_funnel(_followed(rows), sent),
            left=dict(left[dag_id]),
        )
        for dag_id, rows in runs.by_dag.items()
    ]


def last_day(runs: NewestRuns, sent: Mapping[RunKey, SentOfRun], invited: int, now: datetime) -> LastDay:
    """Return the figures of the last 24 hours.

    :param invited: invitations that were sent in them.
    """
    since = now - timedelta(days=1)
    of_day = {dag_id: [row for row in rows if row.started_at >= since] for dag_id, rows in runs.by_dag.items()}
    last = [row for rows in of_day.values() if (row := _sent_last(rows)) is not None]
    return LastDay(
        invited=invited,
        not_sent=sum(_not_sent(row, sent) or 0 for row in last),
        runs=sum(map(len, of_day.values())),
        failed=sum(row.outcome == "failed" for rows in of_day.values() for row in rows),
        more_runs=any(len(rows) == RUNS_EACH for rows in of_day.values()),
    )


def without_card(figures: DagFigures) -> DagFigures:
    """Leave out what only a card shows: with hundreds of DAGs it would be half of the answer."""
    funnel = figures.funnel and replace(figures.funnel, run=None)
    return replace(figures, base_url=None, funnel=funnel)


def _began(row: Row[Any]) -> Any:
    return row.started_at


def _last(row: Row[Any]) -> LastRun:
    waits = _waits(row)
    return LastRun(
        run_id=row.run_id,
        run_type=row.run_type,
        started_at=row.started_at,
        outcome=row.outcome,
        failure=_failure(row),
        invitations=row.invitations if waits else None,
        waits=waits,
    )


def _failure(row: Row[Any]) -> RunFailure | None:
    failed = row.outcome == "failed" and row.failure is not None
    return RunFailure(row.failed_task, row.failure) if failed else None


def _waits(row: Row[Any]) -> str | None:
    if row.not_sendable_because == NO_FIRST_LOOK:
        return "look"
    return "approval" if row.outcome == "running" and waits_for_approval(row) else None


def _failed_sending(rows: Sequence[Row[Any]]) -> Row[Any] | None:
    """Return the newest run that was meant to send, where it failed; a run of one person makes good for nobody else."""
    ended = (row for row in rows if row.may_invite and row.outcome != "running")
    newest = next((row for row in ended if row.outcome == "failed" or row.only_employee is None), None)
    return newest if newest is not None and newest.outcome == "failed" else None


def _sent_last(rows: Sequence[Row[Any]]) -> Row[Any] | None:
    """Return the newest run over everybody that was meant to send and has ended."""
    return next((row for row in rows if row.may_invite and _of_everybody(row) and row.outcome != "running"), None)


def _followed(rows: Sequence[Row[Any]]) -> Row[Any] | None:
    """Return the last run over everybody that may send and had somebody to invite."""
    return next((row for row in rows if _of_everybody(row) and _had_somebody(row)), None)


def _of_everybody(row: Row[Any]) -> bool:
    return row.only_employee is None


def _had_somebody(row: Row[Any]) -> bool:
    return bool(row.sendable and _planned(row))


def _planned(row: Row[Any]) -> int | None:
    return (row.invitations or None) if row.plan_state == "sealed" else None


def _not_sent(row: Row[Any], sent: Mapping[RunKey, SentOfRun]) -> int | None:
    if not _planned(row):
        return None
    of_run = sent[RunKey(row.dag_id, row.run_id)]
    return None if of_run.more else max(0, row.invitations - of_run.sent)


def _failed(row: Row[Any] | None, sent: Mapping[RunKey, SentOfRun]) -> FailedSending | None:
    if row is None:
        return None
    return FailedSending(
        run_id=row.run_id,
        run_type=row.run_type,
        started_at=row.started_at,
        failure=_failure(row),
        planned=_planned(row),
        not_sent=_not_sent(row, sent),
    )


def _funnel(row: Row[Any] | None, sent: Mapping[RunKey, SentOfRun]) -> Funnel | None:
    if row is None:
        return None
    of_run = sent[RunKey(row.dag_id, row.run_id)]
    run = NamedRun(row.run_id, row.run_type, row.started_at)
    return Funnel(run, row.invitations, of_run.sent, of_run.accepted)
