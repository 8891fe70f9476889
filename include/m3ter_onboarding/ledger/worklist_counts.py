"""An organisation's worklist in figures, for the report of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.worklist import ClosedWhy


@dataclass(frozen=True)
class WorklistCounts:
    """An organisation's worklist in figures.

    :param open: entries by ``decision:reason``; those whose row is gone do not count.
    :param gone: open entries whose row is no longer in the query.
    :param snoozed: of *open*, those that a person has put off.
    :param oldest: when the oldest of *open* was opened, UTC; None: there is none.
    :param answered: entries that the plan closed because they are answered.
    :param too_old: entries that the plan closed because of their age.
    """

    open: Mapping[str, int] = field(default_factory=dict)
    gone: int = 0
    snoozed: int = 0
    oldest: datetime | None = None
    answered: int = 0
    too_old: int = 0

    @property
    def all(self) -> int:
        """How many entries are open."""
        return sum(self.open.values())


def count_worklist(db: LedgerDatabase, org_id: str, plan_id: str | None, now: datetime) -> WorklistCounts:
    """Count an organisation's open entries, and what a plan closed.

    :param now: UTC; until then an entry may be put off.
    """
    w = db.tables.worklist.c
    of_org, is_open = w.org_id == org_id, w.closed_at.is_(None)

    def work(connection: Connection) -> WorklistCounts:
        there = connection.execute(
            select(w.decision, w.reason, func.count().label("many"), func.min(w.opened_at).label("oldest"))
            .where(of_org, is_open, w.gone_at.is_(None))
            .group_by(w.decision, w.reason)
            .order_by(w.decision, w.reason)
        ).all()
        others = connection.execute(
            select(
                func.count(case((w.gone_at.is_not(None), 1))).label("gone"),
                func.count(case((and_(w.gone_at.is_(None), w.snoozed_until > now), 1))).label("snoozed"),
            ).where(of_org, is_open)
        ).one()
        by_reason = (
            select(w.closed_why, func.count().label("many"))
            .where(of_org, w.closed_plan_id == (plan_id or ""), w.closed_at.is_not(None))
            .group_by(w.closed_why)
        )
        closed = {row.closed_why: row.many for row in connection.execute(by_reason)}
        return WorklistCounts(
            open={f"{row.decision}:{row.reason}": row.many for row in there},
            gone=others.gone,
            snoozed=others.snoozed,
            oldest=min((row.oldest for row in there), default=None),
            answered=closed.get(ClosedWhy.ANSWERED.value, 0),
            too_old=closed.get(ClosedWhy.TOO_OLD.value, 0),
        )

    return db.read(work, doing="counting open questions")
