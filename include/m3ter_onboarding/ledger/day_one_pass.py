"""One pass over those who start soon: both lists in one transaction, and at most one digest a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select, update

from m3ter_onboarding.ledger.chase import ChaseDays, Why, update_chase
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.day_one import Moment, Standing, update_day_one
from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True)
class DayOnePass:
    """The organisation and the moment of a pass, and its settings.

    :param starts_within: days; who starts later is not listed.
    :param no_successful_run_days: after so many days without one it is said; None: never.
    """

    org_id: str
    dag_id: str
    config_name: str
    now: Moment
    starts_within: int
    chase: ChaseDays
    no_successful_run_days: int | None


@dataclass(frozen=True)
class DayOneCounts:
    """Both lists in figures.

    :param standings: of people who start soon.
    :param chase: invitations to chase, by why.
    """

    standings: Mapping[Standing, int]
    chase: Mapping[Why, int]


def list_who_starts(db: LedgerDatabase, made: DayOnePass) -> DayOneCounts:
    """Bring both lists of an organisation up to date; again at once changes nothing but when they were seen."""

    def work(connection: Connection) -> DayOneCounts:
        t, now = db.tables, made.now
        standings = update_day_one(connection, t, made.org_id, now, made.starts_within)
        chase = update_chase(connection, t, made.org_id, now, made.chase)
        row = {
            "org_id": made.org_id,
            "dag_id": made.dag_id,
            "config_name": made.config_name,
            "time_zone": made.now.zone.key,
            "starts_within_days": made.starts_within,
            "no_successful_run_days": made.no_successful_run_days,
            "first_at": now.at,
            "last_at": now.at,
        }
        db.upsert(connection, t.day_one_pass, [row], keep=("first_at",))
        return DayOneCounts(standings, chase)

    return db.write(work, doing="listing who starts soon")


def claim_digest(db: LedgerDatabase, org_id: str, now: Moment, token: str) -> bool:
    """Return whether the digest of this day is the caller's to send: of one caller a day, and once.

    :param token: of the caller; where the COMMIT's answer was lost, the claim is found by it.
    """
    p = db.tables.day_one_pass.c
    not_yet = or_(p.digest_day.is_(None), p.digest_day < now.today)
    mine = and_(p.digest_day == now.today, p.digest_token == token)

    def work(connection: Connection) -> bool:
        claimed = connection.execute(
            update(db.tables.day_one_pass)
            .where(p.org_id == org_id, or_(not_yet, mine))
            .values(digest_day=now.today, digest_token=token)
        )
        return claimed.rowcount == 1

    return db.write(work, doing="claiming the digest of the day")


@dataclass(frozen=True)
class DigestFigures:
    """What a digest says.

    :param standings: people who start soon, by where they stand.
    :param too_early: of those who are not invited: those whose first day for it is to come.
    :param chase: invitations to chase.
    :param sent_today: invitations that were sent today.
    :param days_without_success: since the last successful onboarding run; None: fewer than would be said.
    """

    standings: Mapping[str, int] = field(default_factory=dict)
    too_early: int = 0
    chase: int = 0
    sent_today: int = 0
    days_without_success: int | None = None


def digest_figures(db: LedgerDatabase, org_id: str, now: Moment, no_successful_run_days: int | None) -> DigestFigures:
    """Return the figures of a digest, from the lists as they were last made."""
    t = db.tables

    def work(connection: Connection) -> DigestFigures:
        d, c = t.day_one.c, t.chase.c
        rows = connection.execute(
            select(d.standing, d.reason, func.count().label("many"))
            .where(d.org_id == org_id, d.ended_at.is_(None))
            .group_by(d.standing, d.reason)
        ).all()
        standings: dict[str, int] = {}
        for row in rows:
            standings[row.standing] = standings.get(row.standing, 0) + row.many
        waits = (row.many for row in rows if (row.standing, row.reason) == (Standing.NOT_INVITED.value, "too_early"))
        chase = connection.execute(select(func.count()).where(c.org_id == org_id, c.ended_at.is_(None))).scalar_one()
        sent = connection.execute(select(func.count()).where(*sent_on_the_day(t, org_id, now))).scalar_one()
        return DigestFigures(
            standings=standings,
            too_early=sum(waits),
            chase=chase,
            sent_today=sent,
            days_without_success=_days_without_success(connection, t, org_id, now.at, no_successful_run_days),
        )

    return db.read(work, doing="reading the figures of the digest")


def sent_on_the_day(t: Tables, org_id: str, now: Moment) -> tuple[Any, ...]:
    """Return the conditions that an invitation was sent on a day of an organisation's time zone."""
    i = t.invitation.c
    begin, end = now.midnight(now.today), now.midnight(now.today + timedelta(days=1))
    return i.org_id == org_id, i.sent_at >= begin, i.sent_at < end


def last_success(t: Tables, org_id: Any) -> Any:
    """Return the query for the end of the last onboarding run of everybody that was a success and might send."""
    r, p = t.run.c, t.plan.c
    might = exists().where(p.dag_id == r.dag_id, p.run_id == r.run_id, p.sendable)
    return select(func.max(r.finished_at)).where(
        r.org_id == org_id, r.outcome == "success", r.may_invite, r.only_employee.is_(None), might
    )


def days_since(at: datetime | None, now: datetime, most: int | None) -> int | None:
    """Return the whole days since an instant, if they are *most* or more."""
    if at is None or most is None:
        return None
    days = (now - at) // timedelta(days=1)
    return days if days >= most else None


def _days_without_success(
    connection: Connection, t: Tables, org_id: str, now: datetime, most: int | None
) -> int | None:
    last = connection.execute(last_success(t, org_id)).scalar()
    if last is None:  # never: since the first run, or since this DAG is there
        r, p = t.run.c, t.day_one_pass.c
        first_run = connection.execute(select(func.min(r.started_at)).where(r.org_id == org_id)).scalar()
        first_pass = connection.execute(select(p.first_at).where(p.org_id == org_id)).scalar()
        last = min((at for at in (first_run, first_pass) if at is not None), default=None)
    return days_since(last, now, most)
