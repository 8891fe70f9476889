"""People of a plan that nobody approved: that holds for them until a plan that invites them is approved."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, or_, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.tables import Tables, once_more


def rejected_people(db: LedgerDatabase, plan_id: str, org_id: str) -> int:
    """Return how many people of a plan are in one that was rejected or not answered, and in none approved since."""
    given = {"plan_id": plan_id, "org_id": org_id}
    p = db.tables.plan.c

    def work(connection: Connection) -> int:
        # Most organisations have none: nobody has to be looked up then.
        rejected = select(p.plan_id).where(p.org_id == org_id, p.rejected_at.is_not(None))
        if connection.execute(rejected.limit(1)).first() is None:
            return 0
        return int(connection.execute(_held_people(db.tables), given).scalar_one())

    return db.read(work, doing="looking for people of rejected plans")


@built_once
def _held_people(t: Tables) -> Select[Any]:
    """Return the statement that counts the people of a plan who are in a rejected one, and in none approved since."""
    d, refused, approved = t.decision, once_more(t.decision, "refused"), once_more(t.decision, "approved")
    plan_id, org_id = bindparam("plan_id", type_=d.c.plan_id.type), bindparam("org_id", type_=d.c.org_id.type)
    rejected_plan, approved_plan = once_more(t.plan, "rejected_plan"), once_more(t.plan, "approved_plan")
    released = exists(
        select(approved.c.row_no)
        .join(approved_plan, approved_plan.c.plan_id == approved.c.plan_id)
        .where(
            approved.c.org_id == org_id,
            approved.c.email_key == d.c.email_key,
            approved.c.decision == "invite",
            approved_plan.c.approved_at > rejected_plan.c.rejected_at,
        )
        .correlate(d, rejected_plan)
    )
    # An address or an employee of it: either is an index of its own.
    same = [refused.c.email_key == d.c.email_key, refused.c.employee_id == d.c.employee_id]
    held = [
        exists(
            select(refused.c.row_no)
            .join(rejected_plan, rejected_plan.c.plan_id == refused.c.plan_id)
            .where(
                refused.c.org_id == org_id,
                one,
                refused.c.decision == "invite",
                rejected_plan.c.rejected_at.is_not(None),
                ~released,
            )
            .correlate(d)
        )
        for one in same
    ]
    return select(func.count()).select_from(d).where(d.c.plan_id == plan_id, d.c.decision == "invite", or_(*held))
