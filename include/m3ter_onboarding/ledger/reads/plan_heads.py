"""Heads of plans: what each decided, the one before it, and a newer one that makes it out of date."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from m3ter_onboarding.ledger.first_look import NO_FIRST_LOOK
from m3ter_onboarding.ledger.reads.run_counts import states_of_plan
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import CLAIMABLE_STATES, state_values
from m3ter_onboarding.ledger.tables import Tables, once_more

#: Permission policies that are named of a plan.
POLICIES_NAMED = 50


@dataclass(frozen=True, repr=False)
class PlanHead:
    """The result of a plan, without its rows.

    :param state: ``open`` while rows are decided, then ``sealed``.
    :param counts: rows by ``decision:reason``.
    :param no_approval_because: why nobody has to approve it; None: somebody has to, it invites nobody, or a worker of
        an earlier version made it.
    :param policies: names of the permission policies that it gives.
    :param waits_for_look: whether nothing of it is sent only since nobody had looked before the first e-mail.
    """

    plan_id: str
    seq: int
    state: str
    mode: str
    sendable: bool
    not_sendable_because: str | None
    needs_approval: bool
    no_approval_because: str | None
    fingerprint: str | None
    approved_by: str | None
    approved_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    rows_read: int | None
    invitations: int | None
    counts: dict[str, int]
    created_at: datetime
    policies: list[str]
    waits_for_look: bool


@dataclass(frozen=True, repr=False)
class PreviousPlan(PlanHead):
    """The plan that another one is compared with, of whichever run."""

    run_id: str


@dataclass(frozen=True)
class ComparablePlan:
    """The columns that identify a plan, and the one before it."""

    plan_id: str
    dag_id: str
    run_id: str
    org_id: str
    created_at: datetime
    fingerprint: str | None
    window_start: datetime
    window_end: datetime


@dataclass(frozen=True, repr=False)
class NewerPlan:
    """The plan of a later run, after which sending exactly an earlier one would do nothing.

    :param sent: it is the same plan, and invitations of it were sent; otherwise it is another plan.
    """

    run_id: str
    sent: bool


def plan_head(row: Row[Any]) -> dict[str, Any]:
    """Return the values of a :class:`PlanHead`.

    :param row: of the plan's table.
    """
    policies = [str(policy.get("name")) for policy in row.policies or ()][:POLICIES_NAMED]
    computed = {"policies": policies, "waits_for_look": row.not_sendable_because == NO_FIRST_LOOK}
    return {**{one.name: row._mapping[one.name] for one in fields(PlanHead) if one.name not in computed}, **computed}


def comparable(row: Row[Any]) -> ComparablePlan:
    """Return what identifies a plan.

    :param row: of the plan's table.
    """
    return ComparablePlan(
        row.plan_id,
        row.dag_id,
        row.run_id,
        row.org_id,
        row.created_at,
        row.fingerprint,
        row.window_start,
        row.window_end,
    )


def previous_plan(connection: Connection, t: Tables, plan: ComparablePlan) -> PreviousPlan | None:
    """Return the head of the DAG's last complete plan before this one, whichever run made it.

    Of the same organisation, and about the same people: everybody, or the same only employee.
    """
    row = _newest(connection, t, plan, t.plan.c.created_at < plan.created_at)
    return None if row is None else PreviousPlan(**plan_head(row), run_id=row.run_id)


def newer_plan(connection: Connection, t: Tables, plan: ComparablePlan) -> NewerPlan | None:
    """Return the DAG's newest plan since this one, which came to something else or was sent; None: this one stands.

    About the same people as in :func:`previous_plan`, and about days of this one: of others it says nothing.
    """
    p = t.plan.c
    same_days = and_(p.window_start < plan.window_end, p.window_end > plan.window_start)
    row = _newest(connection, t, plan, p.created_at > plan.created_at, same_days)
    if row is None:
        return None
    if row.fingerprint != plan.fingerprint:
        return NewerPlan(row.run_id, sent=False)
    states = states_of_plan(connection, t, RunKey(row.dag_id, row.run_id), row.plan_id, 1)
    # Planned alone, the same plan can still be sent.
    return NewerPlan(row.run_id, sent=True) if set(states) - set(state_values(CLAIMABLE_STATES)) else None


def _newest(
    connection: Connection, t: Tables, plan: ComparablePlan, *conditions: ColumnElement[bool]
) -> Row[Any] | None:
    p, r, own = t.plan.c, t.run.c, once_more(t.run, "own_run").c
    only = select(own.only_employee).where(own.dag_id == plan.dag_id, own.run_id == plan.run_id).scalar_subquery()
    return connection.execute(
        select(t.plan)
        .join(t.run, and_(r.dag_id == p.dag_id, r.run_id == p.run_id))
        .where(
            p.dag_id == plan.dag_id,
            p.org_id == plan.org_id,
            p.state == "sealed",
            r.only_employee.is_not_distinct_from(only),
            *conditions,
        )
        .order_by(p.created_at.desc())
        .limit(1)
    ).one_or_none()
