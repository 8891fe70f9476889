"""People of a plan whom today's settings hold back: they are not sent, and their question is in the worklist.

Decisions never change once they are sealed. A row here stands beside one to invite: since then it may not be sent any
more, and no later change of settings brings it back: a new plan does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, exists, select

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision, Verdict, name_in
from m3ter_onboarding.ledger.states import LIVE_STATES
from m3ter_onboarding.ledger.tables import Tables, state_in
from m3ter_onboarding.ledger.worklist import PlanRead, open_questions


@dataclass(frozen=True)
class Restriction:
    """Why somebody may not be invited by the settings.

    :param detail: a sentence without personal data.
    """

    decision: Verdict
    reason: str
    detail: str


def is_withheld(t: Tables, decision: FromClause) -> ColumnElement[bool]:
    """Return the condition that a decision to invite may not be sent any more."""
    w, d = t.withheld.c, decision.c
    return exists(select(w.row_no).where(w.plan_id == d.plan_id, w.row_no == d.row_no).correlate(decision))


def withhold(db: LedgerDatabase, read: PlanRead, rows: Mapping[int, Restriction], now: datetime) -> int:
    """Hold back rows of a plan that were not sent yet, and open their questions in the worklist.

    :param read: the plan.
    :param rows: by row.
    :param now: UTC.
    :returns: how many rows are held back that were not before.
    """
    return db.write(lambda connection: _withhold(connection, db, read, rows, now), doing="holding people back")


def _withhold(
    connection: Connection, db: LedgerDatabase, read: PlanRead, rows: Mapping[int, Restriction], now: datetime
) -> int:
    t = db.tables
    found: list[Decision] = []
    for batch in batches(sorted(rows)):
        found += _not_sent(connection, t, read, batch, rows)
    values: list[dict[str, Any]] = [
        {
            "plan_id": read.plan_id,
            "row_no": decision.row_no,
            "org_id": read.org_id,
            "decision": decision.decision,
            "reason": decision.reason,
            "withheld_at": now,
        }
        for decision in found
    ]
    for chunk in batches(values):
        connection.execute(db.insert_new(t.withheld), list(chunk))
    open_questions(connection, db, read, found, now)
    return len(found)


def _not_sent(
    connection: Connection, t: Tables, read: PlanRead, batch: Sequence[int], rows: Mapping[int, Restriction]
) -> list[Decision]:
    d, i = t.decision.c, t.invitation
    active = exists().where(i.c.org_id == read.org_id, i.c.email_key == d.email_key, state_in(i, LIVE_STATES))
    chosen = select(t.decision).where(
        d.plan_id == read.plan_id, d.row_no.in_(batch), ~active, ~is_withheld(t, t.decision)
    )
    return [
        Decision(
            row_no=row.row_no,
            decision=rows[row.row_no].decision,
            reason=rows[row.row_no].reason,
            employee_id=row.employee_id,
            email=row.email,
            email_key=row.email_key,
            detail=rows[row.row_no].detail,
            start_date=row.start_date,
            person_name=name_in(row.request),
            invitation_id=row.invitation_id,
        )
        for row in connection.execute(chosen)
    ]
