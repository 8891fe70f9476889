"""What earlier runs did not finish: how far back a run must read so that nobody is forgotten (docs/delivery.md, 4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import LIVE_STATES, ON_ITS_WAY_STATES, OPEN_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables, once_more, state_in

#: Too early; or invited or a member already, which may have ended since without an acceptance.
_WAITING_SKIPS = ("too_early", "already_invited", "already_member")
#: A later decision with one of these ends the waiting. `already_…` does not: whether that still holds is in the ledger.
_ENDS_WAITING = ("excluded", "too_old", "domain_not_allowed")
#: Nor does a review because of an invitation of the ledger that may turn out not to have been sent.
_MAY_TURN_OUT = ("email_changed", "unknown_outcome")


def caught_up_until(db: LedgerDatabase, run: RunKey, org_id: str, not_before: datetime) -> datetime | None:
    """Return until when the days of all sending runs over everybody are caught up, *run* itself left out.

    That is the end of the newest finished window, or the beginning of a run that never finished, if that is earlier: a
    day that failed, a backfill of days long ago. Its days are caught up once a later run that covers them has finished.
    A window that reached into the future counts only up to the moment its run began.

    A DAG of which no run has finished may be one that was renamed: it goes on where the organisation's other DAGs have
    stopped.

    :param not_before: days before this are never caught up.
    :returns: None as long as there was no such run.
    """
    table = db.tables.run

    def work(connection: Connection) -> datetime | None:
        finished, unfinished = _caught_up_by(connection, db.tables, run, org_id, not_before)
        if finished is None:
            dag_ids = select(table.c.dag_id).where(table.c.org_id == org_id, table.c.dag_id != run.dag_id).distinct()
            others = [
                _earliest(_caught_up_by(connection, db.tables, RunKey(dag_id, run.run_id), org_id, not_before))
                for dag_id in connection.execute(dag_ids).scalars()
            ]
            finished = max((until for until in others if until is not None), default=None)
        return _earliest((finished, unfinished))

    return db.read(work, doing="looking for runs that did not finish")


def _earliest(instants: Iterable[datetime | None]) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)


def _caught_up_by(
    connection: Connection, t: Tables, run: RunKey, org_id: str, not_before: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return the end of the newest finished window of one DAG's runs, and where the first unfinished one begins."""
    given = {"dag_id": run.dag_id, "run_id": run.run_id, "org_id": org_id, "not_before": not_before}
    finished, unfinished = _windows(t)
    rows = connection.execute(finished, given)
    until: datetime | None = max((min(end, started) for end, started in rows), default=None)
    begins: datetime | None = connection.execute(unfinished, given).scalar()
    return until, begins


@built_once
def _windows(t: Tables) -> tuple[Select[Any], Select[Any]]:
    """Return what reads the newest finished windows of one DAG's runs, and where the first unfinished one begins."""
    table = t.run
    later = once_more(table, "later_run")
    not_before = bindparam("not_before", type_=table.c.interval_start.type)

    def over_everybody(of: FromClause) -> ColumnElement[bool]:
        mine = of.c.dag_id == bindparam("dag_id"), of.c.org_id == bindparam("org_id")
        return and_(*mine, of.c.may_invite, of.c.only_employee.is_(None))

    begins = case((table.c.interval_start < not_before, not_before), else_=table.c.interval_start)
    covered_since = exists().where(
        over_everybody(later),
        later.c.delivered_at >= table.c.started_at,
        later.c.window_start <= begins,
        later.c.window_end >= table.c.interval_end,
    )
    others = and_(over_everybody(table), table.c.run_id != bindparam("run_id"))
    return (
        select(table.c.window_end, table.c.started_at)
        .where(others, table.c.delivered_at.is_not(None))
        .order_by(table.c.window_end.desc())
        .limit(1000),
        select(func.min(table.c.interval_start)).where(
            others, table.c.delivered_at.is_(None), table.c.interval_end > not_before, ~covered_since
        ),
    )


def waiting_since(db: LedgerDatabase, org_id: str, not_before: datetime, now: datetime) -> datetime | None:
    """Return the start of the oldest window with somebody who still waits to be invited.

    Counted are plans over everybody that were to be sent, of all DAGs of the organisation: one may have been renamed.
    A window is wide for all who are in it, so that a plan for one person, or one that only looked at other days, must
    not widen it.

    Somebody loaded long before the first day falls out of the look-back before it is time. Somebody who was to be
    invited and was not (refused, interrupted, paused) falls out of it before the row is mended or the next run sends.
    The window reaches back to them until an invitation of theirs is settled, or they are decided otherwise. An
    invitation that is past its end settles nothing: the run that begins now reads in m3ter that it has expired.

    :param not_before: people who were planned before this, and not since, are given up.
    :param now: UTC, the worker's clock.
    """
    given = {"org_id": org_id, "not_before": not_before, "now": now}

    def work(connection: Connection) -> datetime | None:
        found: datetime | None = connection.execute(_waiting_since(db.tables), given).scalar()
        return found

    return db.read(work, doing="looking for those who wait to be invited")


@built_once
def _waiting_since(t: Tables) -> Select[Any]:
    decision, plan, invitation = t.decision, t.plan, t.invitation
    org_id, now = bindparam("org_id", type_=plan.c.org_id.type), bindparam("now", type_=invitation.c.expires_at.type)
    not_before = bindparam("not_before", type_=plan.c.sealed_at.type)
    waits = or_(
        and_(decision.c.decision == "skip", decision.c.reason.in_(_WAITING_SKIPS)), decision.c.decision == "invite"
    )
    # A plan that only looked at other days (a dry run, a backfill that plans only) asks for no invitation. A
    # baseline does: the people that it found missing in m3ter are for the next run.
    meant = or_(plan.c.sendable, plan.c.mode == "baseline")
    otherwise = _last_decided_otherwise(t, org_id, not_before)
    waiting = (
        select(decision.c.employee_id, decision.c.email_key, func.min(plan.c.window_start).label("since"))
        .select_from(plan)
        .join(decision, decision.c.plan_id == plan.c.plan_id)
        .outerjoin(otherwise, otherwise.c.employee_id == decision.c.employee_id)
        .where(
            plan.c.org_id == org_id,
            plan.c.state == "sealed",
            plan.c.sealed_at >= not_before,
            waits,
            meant,
            _is_no_ungranted_full_run(t),
            ~_about_one(t, plan),
            or_(otherwise.c.at.is_(None), otherwise.c.at <= plan.c.sealed_at),
        )
        .group_by(decision.c.employee_id, decision.c.email_key)
        .cte("waiting")
    )
    return select(func.min(waiting.c.since)).where(
        # Two conditions, not one with OR: each then has an index of its own.
        ~_invitation_is_settled(t, org_id, invitation.c.email_key == waiting.c.email_key, now),
        ~_invitation_is_settled(t, org_id, invitation.c.employee_id == waiting.c.employee_id, now),
    )


def _is_no_ungranted_full_run(t: Tables) -> ColumnElement[bool]:
    """Return the condition that a plan is not one over the whole past of which nothing was sent.

    The whole past is one person's request: it widens the windows of others only once it was granted.
    """
    plan, runs, begun = t.plan, t.run, once_more(t.invitation, "begun")
    return or_(
        plan.c.mode != "full",
        exists().where(begun.c.dag_id == plan.c.dag_id, begun.c.run_id == plan.c.run_id),
        exists().where(
            runs.c.dag_id == plan.c.dag_id, runs.c.run_id == plan.c.run_id, runs.c.delivered_at.is_not(None)
        ),
    )


def _about_one(t: Tables, plan: FromClause) -> ColumnElement[bool]:
    """Return the condition that a plan is of a run with ``only_employee``."""
    runs = once_more(t.run, "about_one")
    return exists().where(
        runs.c.dag_id == plan.c.dag_id, runs.c.run_id == plan.c.run_id, runs.c.only_employee.is_not(None)
    )


def _invitation_is_settled(
    t: Tables, org_id: ColumnElement[str], same_person: ColumnElement[bool], now: ColumnElement[datetime]
) -> ColumnElement[bool]:
    i = t.invitation
    is_over = and_(state_in(i, ON_ITS_WAY_STATES), i.c.expires_at.is_not(None), i.c.expires_at <= now)
    return exists().where(i.c.org_id == org_id, same_person, state_in(i, LIVE_STATES - OPEN_STATES), ~is_over)


def _last_decided_otherwise(t: Tables, org_id: ColumnElement[str], not_before: ColumnElement[datetime]) -> CTE:
    """Return when each employee was last decided about so that they wait no more: ``employee_id`` and ``at``.

    Only plans count that put their questions into the worklist, which from then on keeps the person in the window: a
    backfill that plans only, or a run about one person, would end the waiting and ask nobody.
    """
    decision, plan = once_more(t.decision, "decided"), once_more(t.plan, "deciding_plan")
    return (
        select(decision.c.employee_id, func.max(plan.c.sealed_at).label("at"))
        .where(
            decision.c.org_id == org_id,
            decision.c.plan_id == plan.c.plan_id,
            plan.c.org_id == org_id,
            plan.c.sendable,
            plan.c.state == "sealed",
            plan.c.sealed_at >= not_before,
            ~_about_one(t, plan),
            or_(
                and_(decision.c.decision == "review", decision.c.reason.not_in(_MAY_TURN_OUT)),
                and_(decision.c.decision == "skip", decision.c.reason.in_(_ENDS_WAITING)),
            ),
        )
        .group_by(decision.c.employee_id)
        .cte("decided_otherwise")
    )


def failed_since(db: LedgerDatabase, org_id: str, employee_id: str | None = None) -> datetime | None:
    """Return the start of the earliest window that read somebody who was refused by m3ter.

    :param employee_id: instead, the earliest that read this person, whatever became of them.
    :returns: None: there is nobody.
    """
    plan, invitation, decision = db.tables.plan, db.tables.invitation, db.tables.decision

    def work(connection: Connection) -> datetime | None:
        if employee_id is not None:
            return connection.execute(
                select(func.min(plan.c.window_start)).where(
                    decision.c.org_id == org_id,
                    decision.c.employee_id == employee_id,
                    decision.c.plan_id == plan.c.plan_id,
                )
            ).scalar()
        return connection.execute(
            select(func.min(plan.c.window_start)).where(
                invitation.c.org_id == org_id,
                invitation.c.state == InvitationState.FAILED.value,
                invitation.c.plan_id == plan.c.plan_id,
                ~_about_one(db.tables, plan),
            )
        ).scalar()

    return db.read(work, doing="looking for those whom m3ter refused")
