"""Counts of a plan, never people: decisions, domains, and what became of its invitations."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, func, select

from m3ter_onboarding.ledger.database import LedgerDatabase


def decisions_by_reason(db: LedgerDatabase, plan_id: str) -> dict[str, int]:
    """Return how many rows of a plan had each ``decision:reason``."""
    d = db.tables.decision.c

    def work(connection: Connection) -> dict[str, int]:
        rows = connection.execute(
            select(d.decision, d.reason, func.count())
            .where(d.plan_id == plan_id)
            .group_by(d.decision, d.reason)
            .order_by(d.decision, d.reason)
        )
        return {f"{decision}:{reason}": count for decision, reason, count in rows}

    return db.read(work, doing="counting decisions")


def domains_of_plan(db: LedgerDatabase, plan_id: str) -> dict[str, int]:
    """Return how many invitations of a plan go to addresses of each domain."""
    d = db.tables.decision.c

    def work(connection: Connection) -> dict[str, int]:
        keys = connection.execute(select(d.email_key).where(d.plan_id == plan_id, d.decision == "invite")).scalars()
        return dict(Counter(str(key).rpartition("@")[2] for key in keys))

    return db.read(work, doing="counting domains")


def events_of_plan(db: LedgerDatabase, plan_id: str) -> dict[str, int]:
    """Return how many invitations came to each state while they were claimed by a plan, such as ``sent``."""
    e = db.tables.event.c

    def work(connection: Connection) -> dict[str, int]:
        rows = connection.execute(
            select(e.to_state, func.count(func.distinct(e.invitation_id)))
            .where(e.plan_id == plan_id)
            .group_by(e.to_state)
        )
        return dict(sorted((state, count) for state, count in rows))

    return db.read(work, doing="counting events")
