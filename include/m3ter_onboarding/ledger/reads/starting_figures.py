"""Those who start soon, on the overview: organisations, the days that each has, and days without a successful run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, func, select

from m3ter_onboarding.ledger.day_one import Moment
from m3ter_onboarding.ledger.day_one_pass import days_since, last_success
from m3ter_onboarding.ledger.reads.ledger_counts import CountedDay, LedgerCounts, StartingDay
from m3ter_onboarding.ledger.reads.reader_sets import sets_of
from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True)
class StartingFigures:
    """What the overview shows of those who start soon.

    :param standings: people, by where they stand.
    :param days: the same by first day; the earliest first.
    :param as_of: when the day-one DAG has made its lists; of several organisations, the earliest; None: never.
    :param within_days: who starts today or within so many days is in the list; of several organisations, the most.
    :param today: the organisations' day; of several time zones, the earliest.
    :param chase: invitations to chase.
    :param sent_today: invitations sent on this day of each organisation's time zone; counting stops.
    :param without_success: organisations without a successful onboarding run, and for how many days.
    """

    standings: dict[str, int]
    days: list[StartingDay]
    as_of: datetime | None
    within_days: int
    today: date
    chase: int
    sent_today: int
    without_success: dict[str, int]


def admissions(connection: Connection, t: Tables, dag_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Return each organisation that one of the DAGs works for, with the DAG, its name and last day-one pass, if any."""
    dags, a, p, r = sets_of(connection, t, dag_ids).dags, t.admission.c, t.day_one_pass.c, t.run.c
    first_run = select(func.min(r.started_at)).where(r.org_id == p.org_id).correlate(t.day_one_pass)
    # The end of the index, not the largest of all.
    newest = last_success(t, p.org_id).with_only_columns(r.finished_at).where(r.finished_at.is_not(None))
    last = newest.order_by(r.finished_at.desc()).limit(1).correlate(t.day_one_pass).scalar_subquery()
    chosen: Select[Any] = (
        select(
            *(a.org_id, a.dag_id, t.mirror_org.c.name, p.time_zone, p.no_successful_run_days, p.first_at, p.last_at),
            p.starts_within_days,
            last.label("last_success"),
            first_run.where(last.is_(None)).scalar_subquery().label("first_run"),
        )
        .select_from(
            t.admission.outerjoin(t.day_one_pass, p.org_id == a.org_id).outerjoin(
                t.mirror_org, t.mirror_org.c.org_id == a.org_id
            )
        )
        .where(a.dag_id.in_(select(dags.c.dag_id)))
    )
    return connection.execute(chosen).all()


def counted_days(rows: Iterable[Row[Any]], now: datetime) -> list[CountedDay]:
    """Return today, as the organisations have it."""
    zones: dict[tuple[datetime, datetime], set[str]] = {}
    for row in rows:
        if row.time_zone is not None:
            moment = Moment(now, ZoneInfo(row.time_zone))
            ends = moment.midnight(moment.today), moment.midnight(moment.today + timedelta(days=1))
            zones.setdefault(ends, set()).add(row.org_id)
    return [CountedDay(tuple(sorted(org_ids)), *ends) for ends, org_ids in sorted(zones.items())]


def starting_figures(rows: Iterable[Row[Any]], counts: LedgerCounts, now: datetime) -> StartingFigures:
    """Return what the overview shows.

    :param rows: as :func:`admissions` returns them.
    """
    passes = {row.org_id: row for row in rows if row.time_zone is not None}
    without: dict[str, int] = {}
    for org_id, row in sorted(passes.items()):
        since = row.last_success or min(at for at in (row.first_run, row.first_at) if at is not None)
        days = days_since(since, now, row.no_successful_run_days)
        if days is not None:
            without[org_id] = days
    standings: dict[str, int] = {}
    for one in counts.starting:
        standings[one.standing] = standings.get(one.standing, 0) + one.many
    return StartingFigures(
        standings=standings,
        days=counts.starting,
        as_of=min((row.last_at for row in passes.values()), default=None),
        within_days=max((row.starts_within_days for row in passes.values()), default=0),
        today=min((Moment(now, ZoneInfo(row.time_zone)).today for row in passes.values()), default=now.date()),
        chase=counts.chase,
        sent_today=counts.sent_today,
        without_success=without,
    )
