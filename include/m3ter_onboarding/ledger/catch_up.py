"""What earlier runs left undone: how far back a run must read so that nobody is forgotten (docs/delivery.md, 4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, exists, func, literal, or_, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sql_types import UtcDateTime
from m3ter_onboarding.ledger.states import LIVE_STATES, OPEN_STATES
from m3ter_onboarding.ledger.tables import state_in


def worked_off_until(db: LedgerDatabase, run: RunKey, org_id: str, not_before: datetime) -> datetime | None:
    """Return up to where the days of all sending runs over everybody are worked off, other than those of *run* itself.

    That is where the newest finished window ended, or where a run began that never came to its end, if that is earlier:
    a day that failed, a backfill of days long ago. Its days count as worked off once a later run that covers them has
    finished. A window that reached into the future counts only up to the moment its run began.

    :param not_before: days before this are never caught up.
    :returns: None as long as there was no such run.
    """
    table = db.tables.run
    later = table.alias()

    def over_everybody(of: FromClause) -> ColumnElement[bool]:
        return and_(of.c.dag_id == run.dag_id, of.c.org_id == org_id, of.c.may_invite, of.c.only_employee.is_(None))

    begins = case(
        (table.c.interval_start < not_before, literal(not_before, UtcDateTime())), else_=table.c.interval_start
    )
    covered_since = exists().where(
        over_everybody(later),
        later.c.delivered_at >= table.c.started_at,
        later.c.window_start <= begins,
        later.c.window_end >= table.c.interval_end,
    )

    def work(connection: Connection) -> datetime | None:
        others = and_(over_everybody(table), table.c.run_id != run.run_id)
        rows = connection.execute(
            select(table.c.window_end, table.c.started_at)
            .where(others, table.c.delivered_at.is_not(None))
            .order_by(table.c.window_end.desc())
            .limit(1000)
        )
        finished: datetime | None = max((min(end, started) for end, started in rows), default=None)
        unfinished: datetime | None = connection.execute(
            select(func.min(table.c.interval_start)).where(
                others, table.c.delivered_at.is_(None), table.c.interval_end > not_before, ~covered_since
            )
        ).scalar()
        return min((instant for instant in (finished, unfinished) if instant is not None), default=None)

    return db.read(work, doing="looking for runs that did not finish")


#: A later decision with one of these ends the waiting; `already_…` does not: whether that still holds is in the ledger.
_ENDS_WAITING = ("excluded", "too_old", "domain_not_allowed")
#: Nor does a review because of an invitation of the ledger that may turn out not to have been sent.
_MAY_TURN_OUT = ("email_changed", "unknown_outcome")


def waiting_since(db: LedgerDatabase, run: RunKey, org_id: str, not_before: datetime) -> datetime | None:
    """Return the start of the oldest window with someone who still waits to be invited.

    Counted are plans over everybody that were to be sent: a window is wide for all who are in it, so that a wish about
    one person, or a look at other days, must not widen it.

    Someone loaded long before the first day falls out of the look-back before it is time; someone who was to be invited
    and was not (refused, interrupted, paused) falls out of it before the row is mended or the next run sends. The
    window reaches back to them until they have a living invitation or are decided otherwise.

    :param not_before: whoever was planned before this and not since is given up.
    """
    decision, plan, invitation, runs = db.tables.decision, db.tables.plan, db.tables.invitation, db.tables.run
    later, later_plan, begun_by = decision.alias(), plan.alias(), invitation.alias()

    def work(connection: Connection) -> datetime | None:
        def alive(same: ColumnElement[bool]) -> ColumnElement[bool]:
            settled = [state.value for state in LIVE_STATES - OPEN_STATES]
            return exists().where(invitation.c.org_id == org_id, same, state_in(invitation, settled))

        decided_since = exists().where(
            later.c.org_id == org_id,
            later.c.employee_id == decision.c.employee_id,
            later.c.plan_id == later_plan.c.plan_id,
            later_plan.c.dag_id == run.dag_id,
            later_plan.c.mode.not_in(("dry_run", "baseline")),
            later_plan.c.state == "sealed",
            later_plan.c.sealed_at > plan.c.sealed_at,
            or_(
                and_(later.c.decision == "review", later.c.reason.not_in(_MAY_TURN_OUT)),
                and_(later.c.decision == "skip", later.c.reason.in_(_ENDS_WAITING)),
            ),
        )
        waits = or_(
            and_(decision.c.decision == "skip", decision.c.reason == "too_early"), decision.c.decision == "invite"
        )
        # A look at other days (a dry run, a backfill that plans only) asks nobody to invite whom it saw. What a
        # baseline found missing in m3ter is for the next run.
        meant = or_(plan.c.sendable, plan.c.mode == "baseline")
        # The whole past is one person's wish: it is for others only once it was granted.
        begun = or_(
            plan.c.mode != "full",
            exists().where(begun_by.c.dag_id == plan.c.dag_id, begun_by.c.run_id == plan.c.run_id),
            exists().where(
                runs.c.dag_id == plan.c.dag_id, runs.c.run_id == plan.c.run_id, runs.c.delivered_at.is_not(None)
            ),
        )
        return connection.execute(
            select(func.min(plan.c.window_start)).where(
                plan.c.dag_id == run.dag_id,
                plan.c.org_id == org_id,
                plan.c.state == "sealed",
                plan.c.sealed_at >= not_before,
                plan.c.plan_id == decision.c.plan_id,
                waits,
                meant,
                begun,
                ~_about_one(db, plan),
                # Two questions, not one with OR: each then has an index of its own.
                ~alive(invitation.c.email_key == decision.c.email_key),
                ~alive(invitation.c.employee_id == decision.c.employee_id),
                ~decided_since,
            )
        ).scalar()

    return db.read(work, doing="looking for those who wait to be invited")


def failed_since(db: LedgerDatabase, run: RunKey, org_id: str, employee_id: str | None = None) -> datetime | None:
    """Return the start of the earliest window that read somebody whom m3ter refused.

    :param employee_id: instead, the earliest that read this person, whatever became of her.
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
                    plan.c.dag_id == run.dag_id,
                )
            ).scalar()
        return connection.execute(
            select(func.min(plan.c.window_start)).where(
                invitation.c.org_id == org_id,
                invitation.c.state == "failed",
                invitation.c.plan_id == plan.c.plan_id,
                plan.c.dag_id == run.dag_id,
                ~_about_one(db, plan),
            )
        ).scalar()

    return db.read(work, doing="looking for those whom m3ter refused")


def _about_one(db: LedgerDatabase, plan: FromClause) -> ColumnElement[bool]:
    """Return the condition that a plan is of a run with ``only_employee``."""
    runs = db.tables.run.alias()
    return exists().where(
        runs.c.dag_id == plan.c.dag_id, runs.c.run_id == plan.c.run_id, runs.c.only_employee.is_not(None)
    )
