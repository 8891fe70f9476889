"""Attempts under way."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, and_, func, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.states import InvitationState


def under_way(db: LedgerDatabase, run: RunKey, longest: timedelta) -> int:
    """Return how many attempts of a run have begun within so long, under a claim that still holds, and have no result.

    :param longest: that one POST may take.
    """
    i = db.tables.invitation.c

    def work(connection: Connection) -> int:
        begun = and_(
            i.state == InvitationState.SENDING.value,
            i.attempt_started_ms > db_now_ms() - int(longest / timedelta(milliseconds=1)),
            i.lease_until_ms > db_now_ms(),
        )
        mine = and_(i.dag_id == run.dag_id, i.run_id == run.run_id)
        return int(connection.execute(select(func.count()).where(mine, begun)).scalar_one())

    return db.read(work, doing="looking for an older sender")
