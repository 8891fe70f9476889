"""Invitations over time: what became of those that the runs of each day set out to send, and how soon people accept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, and_, literal_column, select

from m3ter_onboarding.ledger.day_one import Moment
from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.listed_values import listed_runs
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.reader_sets import count_of, first_of_each, sets_of
from m3ter_onboarding.ledger.reads.sending_runs import CHART_RUNS, keys_of, sending_runs
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.tables import Tables

#: Days of the chart.
CHART_DAYS = 30

#: How soon people accept is known of the newest so many, within so many days.
ACCEPTED_LOOKED_AT, ACCEPTED_DAYS = 2000, 90

_UTC = ZoneInfo("UTC")

_ACCEPTED, _SENT = InvitationState.ACCEPTED.value, InvitationState.SENT.value
_EXPIRED, _FAILED = InvitationState.EXPIRED.value, InvitationState.FAILED.value


@dataclass(frozen=True)
class DayRun:
    """The only run of a day that set out to send something."""

    dag_id: str
    run_id: str


@dataclass(frozen=True)
class ChartDay:
    """The invitations that the runs of one day, in the reader's time zone, set out to send, by what became of them.

    :param dag_id: the only DAG whose runs set out to send something; None: none did, or several.
    :param run: None: no run did, or several.
    """

    day: date
    accepted: int
    waiting: int
    other: int
    dag_id: str | None = None
    run: DayRun | None = None


@dataclass(frozen=True)
class PeriodFunnel:
    """What became of the rows that the runs of some days read.

    :param rows: that plans read; a person who is read again counts again.
    :param usable: of those.
    :param invited: people who were sent an invitation; of these:
    :param accepted: have accepted it.
    :param expired: have let it expire.
    """

    rows: int
    usable: int
    invited: int
    accepted: int
    expired: int

    def __add__(self, more: PeriodFunnel) -> PeriodFunnel:
        """Add the figures of another ledger."""
        return PeriodFunnel(
            rows=self.rows + more.rows,
            usable=self.usable + more.usable,
            invited=self.invited + more.invited,
            accepted=self.accepted + more.accepted,
            expired=self.expired + more.expired,
        )


@dataclass(frozen=True)
class Trends:
    """One ledger's invitations of the last days.

    :param days: every calendar day of the reader's time zone, also one without a run. Where there were more runs than
        are looked at, they begin with the first that is whole.
    :param since: when the first of them begins.
    :param seconds: between each newest invitation and its acceptance.
    """

    days: list[ChartDay]
    since: datetime
    funnel: PeriodFunnel
    seconds: list[float]


def invitation_trends(
    reader: LedgerReader, dag_ids: Sequence[str], now: datetime, days: int = CHART_DAYS, zone: ZoneInfo = _UTC
) -> Trends:
    """Return what became of the invitations of the last days, by three statements.

    :param zone: whose calendar days are meant.
    """
    moment = Moment(now, zone)
    first = moment.today - timedelta(days=days - 1)

    def day_of(run: Row[Any]) -> date:
        return Moment(run.started_at, zone).today

    def work(connection: Connection) -> Trends:
        t = reader.t
        found = sending_runs(connection, t, dag_ids, moment.midnight(first))
        begin = first
        if len(found) > CHART_RUNS:
            begin = min(day_of(found[-1]) + timedelta(days=1), moment.today)
        runs = list(takewhile(lambda run: day_of(run) >= begin, found))
        states = _states(connection, t, keys_of(runs))
        every = (ChartDay(begin + timedelta(days=number), 0, 0, 0) for number in range((moment.today - begin).days + 1))
        return Trends(
            days=summed_by_day([*every, *(_day(day_of(run), run, states) for run in runs)]),
            since=moment.midnight(begin),
            funnel=_funnel(runs, states),
            seconds=_seconds_to_accept(connection, t, dag_ids, now),
        )

    return reader.read(work, doing="reading the chart")


def summed_by_day(figures: Iterable[ChartDay]) -> list[ChartDay]:
    """Add figures of the same day; the earliest day first."""
    by_day: dict[date, list[ChartDay]] = {}
    for one in figures:
        by_day.setdefault(one.day, []).append(one)
    return [_sum(day, by_day[day]) for day in sorted(by_day)]


def _sum(day: date, parts: Sequence[ChartDay]) -> ChartDay:
    some = [one for one in parts if one.accepted or one.waiting or one.other]
    return ChartDay(
        day=day,
        accepted=sum(one.accepted for one in some),
        waiting=sum(one.waiting for one in some),
        other=sum(one.other for one in some),
        dag_id=some[0].dag_id if len({one.dag_id for one in some}) == 1 else None,
        run=some[0].run if len(some) == 1 else None,
    )


def _states(connection: Connection, t: Tables, runs: Sequence[RunKey]) -> dict[RunKey, dict[str, int]]:
    """Count the invitations that each run set out to send, by the state that they are in now; counting stops."""
    if not runs:
        return {}
    listed, i = listed_runs(connection, runs), t.invitation.c
    counted = {}
    for state in (_ACCEPTED, _SENT, _EXPIRED, _FAILED):
        mine = and_(i.dag_id == listed.c.dag_id, i.run_id == listed.c.run_id, i.state == state)
        one: Select[Any] = select(literal_column("1").label("one")).where(mine).limit(COUNTED + 1)
        counted[state] = count_of(one.correlate(listed)).label(state)
    rows = connection.execute(select(listed.c.dag_id, listed.c.run_id, *counted.values()))
    return {RunKey(row.dag_id, row.run_id): {state: row._mapping[state] for state in counted} for row in rows}


def _day(day: date, run: Row[Any], states: dict[RunKey, dict[str, int]]) -> ChartDay:
    many = defaultdict(int, states.get(RunKey(run.dag_id, run.run_id), {}))
    other, only = many[_EXPIRED] + many[_FAILED], DayRun(run.dag_id, run.run_id)
    return ChartDay(day, many[_ACCEPTED], many[_SENT], other, dag_id=run.dag_id, run=only)


def _funnel(runs: Sequence[Row[Any]], states: dict[RunKey, dict[str, int]]) -> PeriodFunnel:
    sealed = [run for run in runs if run.state == "sealed"]
    rows = sum(run.rows_read or 0 for run in sealed)
    invalid = sum(many for run in sealed for name, many in (run.counts or {}).items() if name.startswith("invalid:"))
    of = {state: sum(many[state] for many in states.values()) for state in (_ACCEPTED, _SENT, _EXPIRED)}
    return PeriodFunnel(rows, rows - invalid, sum(of.values()), of[_ACCEPTED], of[_EXPIRED])


def _seconds_to_accept(connection: Connection, t: Tables, dag_ids: Sequence[str], now: datetime) -> list[float]:
    i = t.invitation.c
    each = max(1, ACCEPTED_LOOKED_AT // max(1, len(dag_ids)))
    since = now - timedelta(days=ACCEPTED_DAYS)
    newest = first_of_each(
        t,
        sets_of(connection, t, dag_ids),
        [InvitationState.ACCEPTED],
        (i.updated_at.desc(), i.invitation_id.desc()),
        each,
        i.updated_at >= since,
    ).subquery()
    rows = connection.execute(
        select(newest.c.sent_at, newest.c.accepted_at)
        .where(newest.c.sent_at.is_not(None), newest.c.accepted_at >= since)
        .limit(ACCEPTED_LOOKED_AT)
    )
    return [max(0.0, (row.accepted_at - row.sent_at).total_seconds()) for row in rows]
