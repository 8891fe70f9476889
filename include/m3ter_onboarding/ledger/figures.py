"""How an organisation stands, in figures for those on call: ages and counts, nobody's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, func, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.day_one_pass import last_success
from m3ter_onboarding.ledger.states import ON_ITS_WAY_STATES
from m3ter_onboarding.ledger.tables import state_in

#: Ages of open questions: the name of each, and below how many days it is.
AGES: Mapping[str, int | None] = {"under_1_day": 1, "under_7_days": 7, "under_30_days": 30, "older": None}


@dataclass(frozen=True)
class Figures:
    """An organisation at one moment.

    :param questions: open questions of the worklist by ``(reason, age)``; see :data:`AGES`.
    :param oldest_open: since when the oldest invitation is on its way that nobody has accepted, UTC; None: there is
        none.
    :param last_success: when the last onboarding run over everybody that might send was a success, UTC; None: none was.
    """

    questions: Mapping[tuple[str, str], int]
    oldest_open: datetime | None
    last_success: datetime | None


def figures_of(db: LedgerDatabase, org_id: str, now: datetime) -> Figures:
    """Count how an organisation stands.

    :param now: UTC.
    """
    w, i = db.tables.worklist.c, db.tables.invitation.c
    bounds = [(w.opened_at > now - timedelta(days=days), name) for name, days in AGES.items() if days is not None]
    (oldest,) = (name for name, days in AGES.items() if days is None)

    def work(connection: Connection) -> Figures:
        age = case(*bounds, else_=oldest).label("age")
        rows = connection.execute(
            select(w.reason, age, func.count())
            .where(w.org_id == org_id, w.closed_at.is_(None), w.gone_at.is_(None))
            .group_by(w.reason, age)
        )
        return Figures(
            questions={(reason, name): many for reason, name, many in rows},
            oldest_open=connection.execute(
                select(func.min(func.coalesce(i.sent_at, i.created_at))).where(
                    i.org_id == org_id, state_in(db.tables.invitation, ON_ITS_WAY_STATES)
                )
            ).scalar(),
            last_success=connection.execute(last_success(db.tables, org_id)).scalar(),
        )

    return db.read(work, doing="counting how the organisation stands")
