"""The overview: how the DAGs fare, what needs attention; every count stops somewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, select

from m3ter_onboarding.ledger.reads.invitation_list import count_up_to, in_state
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.run_history import claimed_by_state, newest_runs
from m3ter_onboarding.ledger.reads.scopes import Scope, scopes_of, within
from m3ter_onboarding.ledger.state_names import STATES
from m3ter_onboarding.ledger.tables import Tables
from m3ter_onboarding.page.onboarding_dags import OnboardingDag

#: Runs that the overview shows of each DAG, and altogether.
RUNS_EACH, RUNS_SHOWN = 10, 20

#: What was sent by a run and did not come back.
SENT = ("sent", "accepted", "expired", "superseded")
#: Invitations that expire soonest are compared with the first day of work, up to so many.
COMPARED = 200

#: As far as the chart goes back, and the most runs in it.
CHART_DAYS, CHART_RUNS = 30, 90


def ledger_overview(reader: LedgerReader, dags: Sequence[OnboardingDag], now: datetime) -> dict[str, Any]:
    """Return what one ledger says about a reader's DAGs."""

    def work(connection: Connection) -> dict[str, Any]:
        t = reader.t
        scopes = scopes_of(connection, t, [dag.dag_id for dag in dags])
        runs = {dag.dag_id: newest_runs(connection, t, dag.dag_id, limit=RUNS_EACH) for dag in dags}
        states = _states(connection, t, scopes)
        return {
            "dags": [_dag(connection, t, dag, runs[dag.dag_id]) for dag in dags],
            "runs": sorted(
                (run for of_dag in runs.values() for run in of_dag), key=lambda run: run["started_at"], reverse=True
            )[:RUNS_SHOWN],
            "organisations": sorted({scope.org_id for scope in scopes}),
            "states": states,
            "expire_before_start": _expire_before_start(connection, t, scopes, now),
        }

    return reader.read(work, doing="reading the overview")


def _states(connection: Connection, t: Tables, scopes: Sequence[Scope]) -> dict[str, int]:
    counted = count_up_to(connection, {state: [in_state(t, scope, state) for scope in scopes] for state in STATES})
    return {state: many for state, many in counted.items() if many}


def _dag(connection: Connection, t: Tables, dag: OnboardingDag, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = runs[0] if runs else None
    planned = next((run["plan"] for run in runs if run["plan"] and run["plan"]["state"] == "sealed"), None)
    counts: Mapping[str, int] = planned["counts"] if planned else {}
    return {
        "dag_id": dag.dag_id,
        "org_id": last["org_id"] if last else None,
        "allow_invitations": _allowed(connection, t, dag.dag_id),
        "funnel": _funnel(connection, t, dag.dag_id, runs),
        "plan_review": sum(many for name, many in counts.items() if name.startswith("review:")),
        "plan_invalid": sum(many for name, many in counts.items() if name.startswith("invalid:")),
        "plan_run_id": next((run["run_id"] for run in runs if run["plan"] is planned), None) if planned else None,
    }


def _allowed(connection: Connection, t: Tables, dag_id: str) -> bool | None:
    """Tell whether the connection may send, as the last finished run recorded it; None: no run did."""
    r = t.run.c
    counts = connection.execute(
        select(r.counts).where(r.dag_id == dag_id).order_by(r.started_at.desc()).limit(RUNS_EACH)
    ).scalars()
    return next((one["allow_invitations"] for one in counts if one and "allow_invitations" in one), None)


def _funnel(connection: Connection, t: Tables, dag_id: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Follow the last run that may send and had somebody to invite: planned, sent, accepted."""
    for run in runs:
        plan = run["plan"]
        if run["may_invite"] and plan and plan["state"] == "sealed" and plan["invitations"]:
            key = (dag_id, run["run_id"])
            states = claimed_by_state(connection, t, [key], SENT)[key]
            return {
                "run_id": run["run_id"],
                "planned": plan["invitations"],
                "sent": sum(states.values()),
                "accepted": states["accepted"],
            }
    return None


def _expire_before_start(connection: Connection, t: Tables, scopes: Sequence[Scope], now: datetime) -> int:
    """Count, among those invitations that expire soonest, those that do so before the person's first day."""
    i, d = t.invitation, t.decision
    many = 0
    for scope in scopes:
        if scope.dag_id is None:
            continue  # what was found in m3ter has no row of the warehouse
        soonest = (
            select(i.c.plan_id, i.c.row_no, i.c.expires_at)
            .where(within(i, scope), i.c.state == "sent", i.c.expires_at >= now)
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


def chart(reader: LedgerReader, dags: Sequence[OnboardingDag], now: datetime) -> list[dict[str, Any]]:
    """Return, for each of the last days, what became of the invitations that its runs set out to send."""
    since = now - timedelta(days=CHART_DAYS)

    def work(connection: Connection) -> list[dict[str, Any]]:
        t = reader.t
        r = t.run.c
        runs = connection.execute(
            select(r.dag_id, r.run_id, r.started_at)
            .where(r.dag_id.in_([dag.dag_id for dag in dags]), r.started_at >= since, r.may_invite)
            .order_by(r.started_at.desc())
            .limit(CHART_RUNS)
        ).all()
        states = claimed_by_state(
            connection, t, [(run.dag_id, run.run_id) for run in runs], ("accepted", "sent", "expired", "failed")
        )
        days: dict[str, dict[str, int]] = {}
        for run in runs:
            day = days.setdefault(run.started_at.date().isoformat(), dict.fromkeys(("accepted", "waiting", "other"), 0))
            of_run = states[run.dag_id, run.run_id]
            day["accepted"] += of_run["accepted"]
            day["waiting"] += of_run["sent"]
            day["other"] += of_run["expired"] + of_run["failed"]
        return [{"day": day, **counted} for day, counted in sorted(days.items())]

    return reader.read(work, doing="reading the chart")
