"""Invitations over time: what became of those that the runs of each day set out to send."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from sqlalchemy import Connection, select

from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.run_history import states_by_run
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import InvitationState

#: Days of the chart, and the most runs in it.
CHART_DAYS, CHART_RUNS = 30, 90


@dataclass(frozen=True)
class ChartDay:
    """The invitations that the runs of one day (UTC) set out to send, by what became of them."""

    day: date
    accepted: int
    waiting: int
    other: int

    def __add__(self, more: ChartDay) -> ChartDay:
        """Add the figures of the same day in another ledger."""
        return ChartDay(self.day, self.accepted + more.accepted, self.waiting + more.waiting, self.other + more.other)


def chart_days(reader: LedgerReader, dag_ids: Sequence[str], now: datetime) -> list[ChartDay]:
    """Return, for each of the last days, what became of the invitations that its runs set out to send.

    Every calendar day (UTC) is there, also one without a run. Where there were more runs than are counted, the days
    begin with the first that is whole.
    """
    first = now.date() - timedelta(days=CHART_DAYS - 1)
    since = datetime.combine(first, time.min, timezone.utc)

    def work(connection: Connection) -> list[ChartDay]:
        t = reader.t
        r = t.run.c
        runs = connection.execute(
            select(r.dag_id, r.run_id, r.started_at)
            .where(r.dag_id.in_(list(dag_ids)), r.started_at >= since, r.may_invite)
            .order_by(r.started_at.desc())
            .limit(CHART_RUNS + 1)
        ).all()
        uncounted = runs[CHART_RUNS:]
        begin = min(uncounted[0].started_at.date() + timedelta(days=1), now.date()) if uncounted else first
        runs = [run for run in runs[:CHART_RUNS] if run.started_at.date() >= begin]
        accepted, sent = InvitationState.ACCEPTED, InvitationState.SENT
        expired, failed = InvitationState.EXPIRED, InvitationState.FAILED
        keys = [RunKey(run.dag_id, run.run_id) for run in runs]
        states = states_by_run(connection, t, keys, (accepted, sent, expired, failed))
        of_runs = [
            ChartDay(run.started_at.date(), of_run[accepted], of_run[sent], of_run[expired] + of_run[failed])
            for run, of_run in zip(runs, map(states.__getitem__, keys), strict=True)
        ]
        days = [begin + timedelta(days=number) for number in range((now.date() - begin).days + 1)]
        return summed_by_day([*(ChartDay(day, 0, 0, 0) for day in days), *of_runs])

    return reader.read(work, doing="reading the chart")


def summed_by_day(figures: Iterable[ChartDay]) -> list[ChartDay]:
    """Add figures of the same day; the earliest day first."""
    days: dict[date, ChartDay] = {}
    for one in figures:
        days[one.day] = days[one.day] + one if one.day in days else one
    return [days[day] for day in sorted(days)]
