"""Runs and the heads of their plans: what each was for, what it decided, what became of its invitations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.reads.listed_values import listed_runs
from m3ter_onboarding.ledger.reads.plan_figures import PlanFigures, plan_columns, plan_figures
from m3ter_onboarding.ledger.reads.plan_heads import (
    POLICIES_NAMED,
    NewerPlan,
    PlanHead,
    PreviousPlan,
    comparable,
    newer_plan,
    plan_head,
    previous_plan,
)
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.run_counts import SentOfRun, sent_by_run, states_by_run, states_of_plan
from m3ter_onboarding.ledger.runs import FAILED_TASK, FAILURE, RunKey
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.tables import Tables

#: Runs of a page; plans of a run.
RUNS_LISTED, PLANS_LISTED = 20, 10
#: Invitations of one run are counted up to so many of each state.
COUNTED_OF_RUN = 100_000


@dataclass(frozen=True)
class RunFailure:
    """Why a run failed: sentences, and the task whose log has more."""

    task_id: str
    sentence: str


@dataclass(frozen=True, repr=False)
class RunHead:
    """The task of a run, and how it ended.

    :param base_url: of the m3ter that the organisation was read from; None: it never was.
    :param run_type: Airflow's word for it, such as ``scheduled``.
    :param triggered_by: the person who started it; None: nobody did.
    :param only_employee: the one employee that it is about; None: everybody.
    :param outcome: ``running`` until it ends.
    :param may_invite: whether a run of this kind may send.
    :param failure: None: it did not fail, or did not record why.
    """

    dag_id: str
    run_id: str
    org_id: str
    base_url: str | None
    run_type: str
    triggered_by: str | None
    mode: str
    only_employee: str | None
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    interval_start: datetime
    interval_end: datetime
    window_start: datetime
    window_end: datetime
    may_invite: bool
    failure: RunFailure | None


@dataclass(frozen=True, repr=False)
class RunSummary(RunHead):
    """A run with the figures of its newest plan.

    :param plan: None: none was made yet.
    :param sent: invitations that it sent, whatever became of them; counting stops.
    """

    plan: PlanFigures | None
    sent: int


@dataclass(frozen=True)
class RunStanding:
    """How far a run is; counts only.

    :param plan_id: of its newest plan; None: none was begun yet.
    :param sealed: whether that plan is complete.
    :param invitations: of that plan.
    :param states: the run's invitations by the state that they are in now.
    """

    outcome: str
    plan_id: str | None
    sealed: bool
    invitations: int
    states: dict[str, int]


@dataclass(frozen=True)
class RunPage:
    """Runs of a DAG, the newest first, and whether there are older ones."""

    rows: list[RunSummary]
    more: bool


@dataclass(frozen=True)
class Approval:
    """Why a person must approve a plan, and until when.

    :param because: the ends of "because …".
    :param until: by the database's clock; without an answer until then nothing is sent.
    """

    because: list[str]
    until: datetime | None


@dataclass(frozen=True, repr=False)
class RunDetails(RunHead):
    """A run with all its plans.

    :param config_hash: the beginning of its configuration's hash.
    :param delivered_at: when all invitations of its days were sent or settled; None: not yet.
    :param allow_invitations: whether the connection could send; None: the run did not record it.
    :param plans: the newest first.
    :param states: its invitations by the state that they are in now; counting stops.
    :param outcomes: invitations of the newest plan by the state that they are in now, each counted up to all of it.
    :param before: the plan that the newest one is compared with.
    :param newer: a later run's, after which sending exactly the newest one would do nothing; None: there is none.
    :param approval: of the newest plan; None: nobody has to approve it.
    :param administrators: permission policies of the newest plan that make administrators, by name.
    """

    config_hash: str
    package_version: str
    delivered_at: datetime | None
    allow_invitations: bool | None
    plans: list[PlanHead]
    states: dict[str, int]
    outcomes: dict[str, int]
    before: PreviousPlan | None
    newer: NewerPlan | None
    approval: Approval | None
    administrators: list[str]


def runs_of_dag(reader: LedgerReader, dag_id: str, before: datetime | None = None) -> RunPage:
    """Return a page of a DAG's runs.

    :param before: only runs that began before this instant.
    """
    rows = reader.read(
        lambda connection: newest_runs(connection, reader.t, dag_id, limit=RUNS_LISTED + 1, before=before),
        doing="listing runs",
    )
    return RunPage(rows[:RUNS_LISTED], len(rows) > RUNS_LISTED)


def newest_runs(
    connection: Connection, t: Tables, dag_id: str, *, limit: int, before: datetime | None = None
) -> list[RunSummary]:
    """Return runs of a DAG, the newest first, each with the figures of its newest plan."""
    r = t.run.c
    chosen = _with_host(t).where(r.dag_id == dag_id)
    if before is not None:
        chosen = chosen.where(r.started_at < before)
    runs = connection.execute(chosen.order_by(r.started_at.desc()).limit(limit)).all()
    plans = _newest_plans(connection, t, dag_id, [run.run_id for run in runs])
    sent = sent_by_run(connection, t, [RunKey(dag_id, run.run_id) for run in runs])
    return [
        RunSummary(**_run_head(run), plan=plans.get(run.run_id), sent=sent[RunKey(dag_id, run.run_id)].sent)
        for run in runs
    ]


def runs_by_key(
    connection: Connection, t: Tables, keys: Sequence[RunKey], sent: Mapping[RunKey, SentOfRun]
) -> list[RunSummary]:
    """Return these runs, in this order, each with the figures of its newest plan; by two statements.

    :param sent: of each of these runs.
    """
    r, p = t.run.c, t.plan.c
    wanted = listed_runs(connection, keys)
    runs = {
        RunKey(row.dag_id, row.run_id): _run_head(row)
        for row in connection.execute(
            _with_host(t).join(wanted, and_(r.dag_id == wanted.c.dag_id, r.run_id == wanted.c.run_id))
        )
    }
    plans = {
        RunKey(row.dag_id, row.run_id): plan_figures(row)
        for row in connection.execute(
            select(p.dag_id, p.run_id, *plan_columns(t))
            .join(wanted, and_(p.dag_id == wanted.c.dag_id, p.run_id == wanted.c.run_id))
            .order_by(p.seq)
        )
    }
    return [RunSummary(**runs[key], plan=plans.get(key), sent=sent[key].sent) for key in keys if key in runs]


def _newest_plans(connection: Connection, t: Tables, dag_id: str, run_ids: Sequence[str]) -> dict[str, PlanFigures]:
    p = t.plan.c
    rows = connection.execute(
        select(p.run_id, *plan_columns(t))
        .where(p.dag_id == dag_id, p.run_id.in_(list(run_ids)))
        .order_by(p.run_id, p.seq)
    )
    return {row.run_id: plan_figures(row) for row in rows}


def _with_host(t: Tables) -> Select[Any]:
    of_run = t.run.outerjoin(t.organisation, t.organisation.c.org_id == t.run.c.org_id)
    return select(t.run, t.organisation.c.base_url).select_from(of_run)


def _run_head(row: Row[Any]) -> dict[str, Any]:
    head = {field.name: row._mapping[field.name] for field in fields(RunHead) if field.name != "failure"}
    counts = row.counts or {}
    failed = row.outcome == "failed" and FAILURE in counts
    return {**head, "failure": RunFailure(counts[FAILED_TASK], counts[FAILURE]) if failed else None}


def _approval(plan: Row[Any]) -> Approval:
    until = None if plan.valid_until_ms is None else datetime.fromtimestamp(plan.valid_until_ms / 1000, timezone.utc)
    return Approval(list(plan.approval_because or ()), until)


def _administrators(plan: Row[Any]) -> list[str]:
    policies = plan.policies or ()
    return [str(one.get("name")) for one in policies if one.get("administrator_like")][:POLICIES_NAMED]


def _outcomes(connection: Connection, t: Tables, run: RunKey, plan: Row[Any]) -> dict[str, int]:
    # No state has more than the plan has: counting as far is exact, and no further than that.
    most = min(plan.invitations or 0, COUNTED_OF_RUN)
    return states_of_plan(connection, t, run, plan.plan_id, most) if most else {}


def run_details(reader: LedgerReader, run: RunKey) -> RunDetails | None:
    """Return a run with all its plans, and the plan of this DAG before; None: the ledger knows no such run."""

    def work(connection: Connection) -> RunDetails | None:
        t = reader.t
        r, p = t.run.c, t.plan.c
        row = connection.execute(_with_host(t).where(r.dag_id == run.dag_id, r.run_id == run.run_id)).one_or_none()
        if row is None:
            return None
        plans = connection.execute(
            select(t.plan)
            .where(p.dag_id == run.dag_id, p.run_id == run.run_id)
            .order_by(p.seq.desc())
            .limit(PLANS_LISTED)
        ).all()
        states = states_by_run(connection, t, [run], list(InvitationState))[run]
        return RunDetails(
            **_run_head(row),
            config_hash=row.config_hash[:12],
            package_version=row.package_version,
            delivered_at=row.delivered_at,
            allow_invitations=(row.counts or {}).get("allow_invitations"),
            plans=[PlanHead(**plan_head(plan)) for plan in plans],
            states={state.value: many for state, many in states.items() if many},
            outcomes=_outcomes(connection, t, run, plans[0]) if plans else {},
            before=previous_plan(connection, t, comparable(plans[0])) if plans else None,
            newer=newer_plan(connection, t, comparable(plans[0])) if plans else None,
            approval=_approval(plans[0]) if plans and plans[0].needs_approval else None,
            administrators=_administrators(plans[0]) if plans else [],
        )

    return reader.read(work, doing="reading a run")


def run_standing(reader: LedgerReader, run: RunKey) -> RunStanding | None:
    """Return how far a run is; None: the ledger knows no such run."""

    def work(connection: Connection) -> RunStanding | None:
        t = reader.t
        r, p = t.run.c, t.plan.c
        outcome = connection.execute(select(r.outcome).where(r.dag_id == run.dag_id, r.run_id == run.run_id)).scalar()
        if outcome is None:
            return None
        plan = connection.execute(
            select(p.plan_id, p.state, p.invitations)
            .where(p.dag_id == run.dag_id, p.run_id == run.run_id)
            .order_by(p.seq.desc())
            .limit(1)
        ).one_or_none()
        states = states_by_run(connection, t, [run], list(InvitationState), COUNTED_OF_RUN)[run]
        return RunStanding(
            outcome=outcome,
            plan_id=plan.plan_id if plan else None,
            sealed=plan is not None and plan.state == "sealed",
            invitations=(plan.invitations or 0) if plan else 0,
            states={state.value: many for state, many in states.items() if many},
        )

    return reader.read(work, doing="reading a run")


def runs_recorded(reader: LedgerReader, runs: Sequence[RunKey]) -> set[RunKey]:
    """Return those of the runs that the ledger knows."""

    def work(connection: Connection) -> set[RunKey]:
        r = reader.t.run.c
        known: set[RunKey] = set()
        for some in batches(runs):
            rows = connection.execute(
                select(r.dag_id, r.run_id).where(
                    r.dag_id.in_([run.dag_id for run in some]), r.run_id.in_([run.run_id for run in some])
                )
            )
            known |= {RunKey(row.dag_id, row.run_id) for row in rows}
        return known & set(runs)

    return reader.read(work, doing="looking for runs")
