"""Rows of plans and their people, whole, for the copy in the warehouse (docs/delivery.md, rule 17)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.tables import as_dict


def decisions_of_plans(db: LedgerDatabase, plan_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return every decision of these plans, by column."""
    decision = db.tables.decision
    chosen = select(decision).where(decision.c.plan_id.in_(plan_ids))
    return db.read(lambda c: [as_dict(row) for row in c.execute(chosen)], doing="reading decisions to publish")


def invitations_of_plans(db: LedgerDatabase, plan_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return every invitation, of whatever state, of the people that these plans decided about, by column."""
    decision, invitation = db.tables.decision, db.tables.invitation
    people = (
        select(decision.c.org_id, decision.c.email_key)
        .where(decision.c.plan_id.in_(plan_ids), decision.c.email_key.is_not(None))
        .distinct()
        .subquery()
    )
    chosen = select(invitation).join(
        people, and_(invitation.c.org_id == people.c.org_id, invitation.c.email_key == people.c.email_key)
    )
    return db.read(lambda c: [as_dict(row) for row in c.execute(chosen)], doing="reading invitations to publish")
