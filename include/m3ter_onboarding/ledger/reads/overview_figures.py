"""The overview: how the DAGs fare, what needs attention; every count stops somewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, Select, and_, select
from sqlalchemy import union_all as all_of

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.reads.access_list import count_open_findings
from m3ter_onboarding.ledger.reads.bounded_counts import count_up_to, rows_in_state
from m3ter_onboarding.ledger.reads.open_questions import count_questions
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.run_history import RunSummary, newest_runs, states_by_run
from m3ter_onboarding.ledger.reads.scopes import Scope, VisibleRows, scopes_of, within
from m3ter_onboarding.ledger.reads.starting_list import StartingFigures, starting_figures
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import CLAIMABLE_STATES, ONCE_SENT_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables

#: Runs that the overview shows of each DAG, and altogether.
RUNS_EACH, RUNS_SHOWN = 10, 20

#: DAGs that one statement asks for.
_TOGETHER = 100

#: Invitations that expire soonest are compared with the first day of work, up to so many.
COMPARED = 200

#: Days of the chart, and the most runs in it.
CHART_DAYS, CHART_RUNS = 30, 90


@dataclass(frozen=True)
class Funnel:
    """How the last run that had somebody to invite went."""

    run_id: str
    planned: int
    sent: int
    accepted: int


@dataclass(frozen=True)
class DagFigures:
    """The figures of one DAG.

    :param org_id: of its last run; None: it never ran.
    :param base_url: of the m3ter that this organisation was read from; None: it never was.
    :param allow_invitations: whether the connection may send, as the last finished run recorded it; None: no run did.
    :param left: its invitations that the next run may send, by state: refused, unsent; counting stops.
    """

    dag_id: str
    org_id: str | None
    base_url: str | None
    allow_invitations: bool | None
    funnel: Funnel | None
    left: dict[str, int]


@dataclass(frozen=True)
class LedgerFigures:
    """The figures of a reader's DAGs in one ledger.

    :param runs: the newest of all DAGs.
    :param organisations: those that the DAGs work for.
    :param states: invitations by state; counting stops.
    :param questions: the worklist's open questions by decision and reason, without those that wait for a day.
    :param access: the access review's findings by kind; counting stops.
    :param expire_before_start: invitations that expire before the person's first day, of those that expire soonest.
    :param starting: of people who start soon.
    """

    dags: list[DagFigures]
    runs: list[RunSummary]
    organisations: list[str]
    states: dict[str, int]
    questions: dict[str, int]
    access: dict[str, int]
    expire_before_start: int
    starting: StartingFigures


@dataclass(frozen=True)
class ChartDay:
    """The invitations that the runs of one day (UTC) set out to send, by what became of them."""

    day: date
    accepted: int
    waiting: int
    other: int

    def __add__(self, more: ChartDay) -> ChartDay:
        """Add the figures of the same day in another ledger."""
        return ChartDay(self.day, self.accepted + more.accepted, self.waiting + more.waiting, self.other + more.other)


def ledger_figures(reader: LedgerReader, dag_ids: Sequence[str], now: datetime) -> LedgerFigures:
    """Return the figures of these DAGs in one ledger."""

    def work(connection: Connection) -> LedgerFigures:
        t = reader.t
        scopes = scopes_of(connection, t, dag_ids)
        runs = {dag_id: newest_runs(connection, t, dag_id, limit=RUNS_EACH) for dag_id in dag_ids}
        newest = sorted(
            (run for of_dag in runs.values() for run in of_dag), key=lambda run: run.started_at, reverse=True
        )
        return LedgerFigures(
            dags=_figures_of_dags(connection, t, runs, scopes),
            runs=newest[:RUNS_SHOWN],
            organisations=sorted({scope.org_id for scope in scopes}),
            states=_states(connection, t, scopes),
            questions=count_questions(connection, t, VisibleRows(dag_ids, scopes), now),
            access=count_open_findings(connection, t, scopes),
            expire_before_start=_expire_before_start(connection, t, scopes, now),
            starting=starting_figures(connection, t, VisibleRows(dag_ids, scopes), now),
        )

    return reader.read(work, doing="reading the overview")


def _left(
    connection: Connection, t: Tables, dag_ids: Sequence[str], scopes: Sequence[Scope]
) -> dict[str, dict[str, int]]:
    """Count, for each DAG, its invitations that the next run may send, by state."""
    states = state_values(CLAIMABLE_STATES)
    chosen: dict[str, list[Select[Any]]] = {}
    for scope in scopes:
        for state in states if scope.dag_id is not None else ():
            chosen.setdefault(f"{state} {scope.dag_id}", []).append(rows_in_state(t, scope, state))
    counted = count_up_to(connection, chosen)
    return {dag_id: {state: counted.get(f"{state} {dag_id}", 0) for state in states} for dag_id in dag_ids}


def _states(connection: Connection, t: Tables, scopes: Sequence[Scope]) -> dict[str, int]:
    chosen = {state.value: [rows_in_state(t, scope, state.value) for scope in scopes] for state in InvitationState}
    return {state: many for state, many in count_up_to(connection, chosen).items() if many}


def _figures_of_dags(
    connection: Connection, t: Tables, runs: Mapping[str, Sequence[RunSummary]], scopes: Sequence[Scope]
) -> list[DagFigures]:
    """Return the figures of each DAG, by as few statements as there can be."""
    allowed = _allowed(connection, t, list(runs))
    funnels = _funnels(connection, t, runs)
    left = _left(connection, t, list(runs), scopes)
    return [
        DagFigures(
            dag_id=dag_id,
            org_id=of_dag[0].org_id if of_dag else None,
            base_url=of_dag[0].base_url if of_dag else None,
            allow_invitations=allowed.get(dag_id),
            funnel=funnels.get(dag_id),
            left=left[dag_id],
        )
        for dag_id, of_dag in runs.items()
    ]


def _allowed(connection: Connection, t: Tables, dag_ids: Sequence[str]) -> dict[str, bool]:
    r = t.run.c
    allowed: dict[str, bool] = {}
    for some in batches(dag_ids, _TOGETHER):
        newest = [
            select(r.dag_id, r.started_at, r.counts)
            .where(r.dag_id == dag_id)
            .order_by(r.started_at.desc())
            .limit(RUNS_EACH)
            .subquery()
            for dag_id in some
        ]
        parts = [select(one) for one in newest]
        rows = connection.execute(all_of(*parts) if len(parts) > 1 else parts[0]).all()
        for row in sorted(rows, key=lambda row: row.started_at, reverse=True):
            if row.counts and "allow_invitations" in row.counts:
                allowed.setdefault(row.dag_id, row.counts["allow_invitations"])
    return allowed


def _funnels(connection: Connection, t: Tables, runs: Mapping[str, Sequence[RunSummary]]) -> dict[str, Funnel]:
    """Follow, for each DAG, the last run that may send and had somebody to invite: planned, sent, accepted."""
    last = {dag_id: found for dag_id, of_dag in runs.items() if (found := _last_to_invite(of_dag))}
    keys = {dag_id: RunKey(dag_id, run_id) for dag_id, (run_id, _) in last.items()}
    states = states_by_run(connection, t, list(keys.values()), tuple(ONCE_SENT_STATES)) if keys else {}
    return {
        dag_id: Funnel(
            run_id, planned, sum(states[keys[dag_id]].values()), states[keys[dag_id]][InvitationState.ACCEPTED]
        )
        for dag_id, (run_id, planned) in last.items()
    }


def _last_to_invite(runs: Sequence[RunSummary]) -> tuple[str, int] | None:
    for run in runs:
        plan = run.plan
        if plan and plan.sendable and plan.state == "sealed" and plan.invitations:
            return run.run_id, plan.invitations
    return None


def _expire_before_start(connection: Connection, t: Tables, scopes: Sequence[Scope], now: datetime) -> int:
    """Count, among those invitations that expire soonest, those that do so before the person's first day."""
    i, d = t.invitation, t.decision
    many = 0
    for scope in scopes:
        if scope.dag_id is None:
            continue  # invitations found in m3ter have no row of the warehouse
        soonest = (
            select(i.c.plan_id, i.c.row_no, i.c.expires_at)
            .where(within(i, scope), i.c.state == InvitationState.SENT.value, i.c.expires_at >= now)
            .order_by(i.c.expires_at, i.c.invitation_id)
            .limit(COMPARED)
            .subquery()
        )
        rows = connection.execute(
            select(soonest.c.expires_at, d.c.start_date)
            .join(d, and_(d.c.plan_id == soonest.c.plan_id, d.c.row_no == soonest.c.row_no))
            .where(d.c.start_date.is_not(None))
        )
        many += sum(row.expires_at.date() < row.start_date for row in rows)
    return many


def chart_days(reader: LedgerReader, dag_ids: Sequence[str], now: datetime) -> list[ChartDay]:
    """Return, for each of the last days, what became of the invitations that its runs set out to send.

    Every calendar day (UTC) is there, also one without a run. Where there were more runs than are counted, the days
    begin with the first that is whole.
    """
    first = now.date() - timedelta(days=CHART_DAYS - 1)
    since = datetime.combine(first, time.min, timezone.utc)

    def work(connection: Connection) -> list[ChartDay]:
        t = reader.t
        r = t.run.c
        runs = connection.execute(
            select(r.dag_id, r.run_id, r.started_at)
            .where(r.dag_id.in_(list(dag_ids)), r.started_at >= since, r.may_invite)
            .order_by(r.started_at.desc())
            .limit(CHART_RUNS + 1)
        ).all()
        uncounted = runs[CHART_RUNS:]
        begin = min(uncounted[0].started_at.date() + timedelta(days=1), now.date()) if uncounted else first
        runs = [run for run in runs[:CHART_RUNS] if run.started_at.date() >= begin]
        accepted, sent = InvitationState.ACCEPTED, InvitationState.SENT
        expired, failed = InvitationState.EXPIRED, InvitationState.FAILED
        keys = [RunKey(run.dag_id, run.run_id) for run in runs]
        states = states_by_run(connection, t, keys, (accepted, sent, expired, failed))
        of_runs = [
            ChartDay(run.started_at.date(), of_run[accepted], of_run[sent], of_run[expired] + of_run[failed])
            for run, of_run in zip(runs, map(states.__getitem__, keys), strict=True)
        ]
        days = [begin + timedelta(days=number) for number in range((now.date() - begin).days + 1)]
        return summed_by_day([*(ChartDay(day, 0, 0, 0) for day in days), *of_runs])

    return reader.read(work, doing="reading the chart")


def summed_by_day(figures: Iterable[ChartDay]) -> list[ChartDay]:
    """Add figures of the same day; the earliest day first."""
    days: dict[date, ChartDay] = {}
    for one in figures:
        days[one.day] = days[one.day] + one if one.day in days else one
    return [days[day] for day in sorted(days)]
