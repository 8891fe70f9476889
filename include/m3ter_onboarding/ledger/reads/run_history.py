"""Runs and their plans: what came of each, why, and what changed since the plan before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, literal_column, select

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger import state_names
from m3ter_onboarding.ledger.reads.invitation_list import PAGE, count_up_to
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.tables import Tables, as_dict
from m3ter_onboarding.planning import reasons

#: Of the plan before, so many rows are looked at for those that are not in the new one.
LOOKED_AT = 2000
VERDICTS = ("invite", "review", "invalid", "skip")


def newest_runs(
    connection: Connection, t: Tables, dag_id: str, *, limit: int, before: datetime | None = None
) -> list[dict[str, Any]]:
    """Return runs of a DAG, the newest first, each with the head of its newest plan."""
    r = t.run.c
    chosen = select(t.run).where(r.dag_id == dag_id)
    if before is not None:
        chosen = chosen.where(r.started_at < before)
    runs = [as_dict(row) for row in connection.execute(chosen.order_by(r.started_at.desc()).limit(limit))]
    plans = _newest_plans(connection, t, dag_id, [run["run_id"] for run in runs])
    return [{**_run_head(run), "plan": plans.get(run["run_id"])} for run in runs]


def _run_head(run: Mapping[str, Any]) -> dict[str, Any]:
    names = ("dag_id", "run_id", "org_id", "run_type", "triggered_by", "mode", "only_employee", "started_at")
    more = ("finished_at", "outcome", "interval_start", "interval_end", "window_start", "window_end", "may_invite")
    return {name: run[name] for name in (*names, *more)}


def _newest_plans(connection: Connection, t: Tables, dag_id: str, run_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    p = t.plan.c
    rows = connection.execute(
        select(t.plan).where(p.dag_id == dag_id, p.run_id.in_(list(run_ids))).order_by(p.run_id, p.seq)
    )
    return {row.run_id: plan_head(as_dict(row)) for row in rows}


def plan_head(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page tells about a plan."""
    names = ("plan_id", "seq", "state", "mode", "sendable", "not_sendable_because", "needs_approval", "approved_by")
    more = ("approved_at", "rejected_by", "rejected_at", "rows_read", "invitations", "counts", "created_at")
    policies = [str(policy.get("name")) for policy in plan["policies"] or ()][:50]
    return {**{name: plan[name] for name in (*names, *more)}, "policies": policies}


def claimed_by_state(
    connection: Connection, t: Tables, runs: Sequence[tuple[str, str]], states: Sequence[str]
) -> dict[tuple[str, str], dict[str, int]]:
    """Count what became of the invitations that each run set out to send; never further than the page says."""
    i = t.invitation.c
    wanted: dict[str, list[Select[Any]]] = {
        f"{number}:{state}": [
            select(literal_column("1")).where(i.dag_id == dag_id, i.run_id == run_id, i.state == state)
        ]
        for number, (dag_id, run_id) in enumerate(runs)
        for state in states
    }
    counted = count_up_to(connection, wanted) if wanted else {}
    return {run: {state: counted[f"{number}:{state}"] for state in states} for number, run in enumerate(runs)}


def run_page(reader: LedgerReader, run: RunKey) -> dict[str, Any] | None:
    """Return a run with all its plans, and the plan of this DAG before; None: the ledger knows no such run."""

    def work(connection: Connection) -> dict[str, Any] | None:
        t = reader.t
        r, p = t.run.c, t.plan.c
        row = connection.execute(select(t.run).where(r.dag_id == run.dag_id, r.run_id == run.run_id)).one_or_none()
        if row is None:
            return None
        plans = [
            as_dict(one)
            for one in connection.execute(
                select(t.plan).where(p.dag_id == run.dag_id, p.run_id == run.run_id).order_by(p.seq.desc()).limit(10)
            )
        ]
        states = claimed_by_state(connection, t, [(run.dag_id, run.run_id)], list(state_names.STATES))
        return {
            **_run_head(as_dict(row)),
            "config_hash": row.config_hash[:12],
            "package_version": row.package_version,
            "delivered_at": row.delivered_at,
            "allow_invitations": (row.counts or {}).get("allow_invitations"),
            "plans": [plan_head(plan) for plan in plans],
            "states": {state: many for state, many in states[run.dag_id, run.run_id].items() if many},
            "before": previous_plan(connection, t, plans[0]) if plans else None,
        }

    return reader.read(work, doing="reading a run")


def previous_plan(connection: Connection, t: Tables, plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the head of the DAG's last complete plan before this one, whichever run made it.

    Of the same organisation, and about the same people: everybody, or the same only employee.

    :param plan: its row.
    """
    p, r = t.plan.c, t.run.c
    mine = and_(r.dag_id == plan["dag_id"], r.run_id == plan["run_id"])
    only = connection.execute(select(r.only_employee).where(mine)).scalar()
    row = connection.execute(
        select(t.plan)
        .join(t.run, and_(r.dag_id == p.dag_id, r.run_id == p.run_id))
        .where(
            p.dag_id == plan["dag_id"],
            p.org_id == plan["org_id"],
            p.created_at < plan["created_at"],
            p.state == "sealed",
            r.only_employee.is_(None) if only is None else r.only_employee == only,
        )
        .order_by(p.created_at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else {**plan_head(as_dict(row)), "run_id": row.run_id}


def plan_of(connection: Connection, t: Tables, plan_id: str) -> dict[str, Any] | None:
    """Return a plan's row."""
    row = connection.execute(select(t.plan).where(t.plan.c.plan_id == plan_id)).one_or_none()
    return None if row is None else as_dict(row)


def plan_rows(
    reader: LedgerReader, plan: Mapping[str, Any], verdict: str, after: int | None, size: int = PAGE
) -> dict[str, Any]:
    """Return a page of a plan's decisions of one kind, each with what the plan before decided about this person.

    :param plan: its row.
    :param after: the number of the row behind which the page begins.
    """

    def work(connection: Connection) -> dict[str, Any]:
        t = reader.t
        d = t.decision.c
        chosen = select(t.decision).where(d.plan_id == plan["plan_id"], d.decision == verdict)
        if after is not None:
            chosen = chosen.where(d.row_no > after)
        rows = [as_dict(row) for row in connection.execute(chosen.order_by(d.row_no).limit(size + 1))]
        before = previous_plan(connection, t, plan)
        earlier = _decided_before(connection, t, before, [row["employee_id"] for row in rows]) if before else {}
        shown = [_decision_row(row, earlier, known=before is not None) for row in rows[:size]]
        return {"rows": shown, "after": rows[size - 1]["row_no"] if len(rows) > size else None}

    return reader.read(work, doing="reading a plan")


def _decided_before(
    connection: Connection, t: Tables, before: Mapping[str, Any], employees: Sequence[str | None]
) -> dict[str, str]:
    d = t.decision.c
    wanted = sorted({employee for employee in employees if employee})
    rows = connection.execute(
        select(d.employee_id, d.decision, d.reason).where(d.plan_id == before["plan_id"], d.employee_id.in_(wanted))
    )
    return {row.employee_id: f"{row.decision}:{row.reason}" for row in rows}


def _decision_row(row: Mapping[str, Any], earlier: Mapping[str, str], *, known: bool) -> dict[str, Any]:
    name = f"{row['decision']}:{row['reason']}"
    before = earlier.get(row["employee_id"] or "")
    change = None
    if known:
        change = "new" if before is None else "same" if before == name else "changed"
    return {
        **{key: row[key] for key in ("plan_id", "row_no", "employee_id", "email", "decision", "reason", "start_date")},
        "detail": cut(row["detail"]),
        "said": reasons.decision(row["decision"], row["reason"]),
        "change": change,
        "before": reasons.decision(*before.split(":", 1)) if before and change == "changed" else None,
    }


def gone_since(reader: LedgerReader, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return people of the plan before that are not in this one, of as many rows as are looked at."""

    def work(connection: Connection) -> dict[str, Any]:
        t = reader.t
        before = previous_plan(connection, t, plan)
        if before is None:
            return {"rows": [], "complete": True}
        d = t.decision.c
        first = connection.execute(
            select(d.row_no, d.employee_id)
            .where(d.plan_id == before["plan_id"], d.employee_id.is_not(None))
            .order_by(d.row_no)
            .limit(LOOKED_AT)
        ).all()
        still = _still_there(connection, t, plan["plan_id"], [row.employee_id for row in first])
        gone = [row.row_no for row in first if row.employee_id not in still]
        rows = connection.execute(
            select(d.row_no, d.employee_id, d.email, d.decision, d.reason)
            .where(d.plan_id == before["plan_id"], d.row_no.in_(gone[:PAGE]))
            .order_by(d.row_no)
        )
        shown = [
            {
                "plan_id": before["plan_id"],
                "row_no": row.row_no,
                "employee_id": row.employee_id,
                "email": row.email,
                "said": reasons.decision(row.decision, row.reason),
            }
            for row in rows
        ]
        return {"rows": shown, "complete": len(gone) <= PAGE and (before["rows_read"] or 0) <= LOOKED_AT}

    return reader.read(work, doing="comparing two plans")


def _still_there(connection: Connection, t: Tables, plan_id: str, employees: Sequence[str]) -> set[str]:
    d = t.decision.c
    found: set[str] = set()
    for wanted in batches(employees):
        found.update(
            connection.execute(select(d.employee_id).where(d.plan_id == plan_id, d.employee_id.in_(wanted))).scalars()
        )
    return found


def cut(text: str | None, most: int = 400) -> str | None:
    """Shorten a text that somebody else wrote: no page is large because of one."""
    return text if text is None or len(text) <= most else f"{text[: most - 1]}…"
