"""Which days a run is for, and the window that its query reads (docs/delivery.md, rule 4).

Everything here is half-open, aware and in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from m3ter_onboarding.clock import in_utc
from m3ter_onboarding.config.run_parameters import RunParameters

#: Where the window of a run over everybody begins.
THE_BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Interval:
    """The days a run is for: [start, end)."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Window:
    """The days that the query reads: [start, end), never less than the run's interval."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class EarlierRuns:
    """How far back earlier runs left something to read again.

    :param caught_up_until: up to where sending runs over everybody have finished; None: there was none yet.
    :param waiting_since: start of the earliest window that read somebody who was ``skip:too_early`` and is still to be
        invited; None: nobody waits.
    :param asked_since: start of the earliest window that read a row of an open entry of the worklist; None: no entry is
        open.
    :param failed_since: start of the earliest window that read somebody whom m3ter refused, where the run asks for
        them again; None: it does not, or there is nobody.
    """

    caught_up_until: datetime | None = None
    waiting_since: datetime | None = None
    asked_since: datetime | None = None
    failed_since: datetime | None = None


def resolve_interval(
    data_interval_start: datetime | None,
    data_interval_end: datetime | None,
    parameters: RunParameters,
    *,
    now: datetime,
    look_back: timedelta,
    by_hand_at: datetime | None = None,
) -> Interval:
    """Decide which days a run is for.

    The form's interval comes first, then Airflow's. A run without either (started by hand with no logical date, or a
    DAG with no schedule, whose interval is empty) is for the look-back, at least a day, up to now. A run by hand whose
    interval is the schedule's last one goes on to its logical date, which Airflow's form sets to now: a preview and the
    run after it are for the same days.

    :param data_interval_start: Airflow's, aware; None if the run has none.
    :param data_interval_end: Airflow's, aware; None if the run has none.
    :param now: aware.
    :param look_back: the configuration's.
    :param by_hand_at: the logical date of a run by hand whose interval Airflow took from the schedule, aware.
    """
    if parameters.interval_start is not None and parameters.interval_end is not None:
        return Interval(parameters.interval_start, parameters.interval_end)
    if data_interval_start is not None and data_interval_end is not None and data_interval_start < data_interval_end:
        ends = max(data_interval_end, by_hand_at or data_interval_end)
        return Interval(in_utc(data_interval_start), in_utc(ends))
    end = in_utc(now)
    return Interval(end - max(look_back, timedelta(days=1)), end)


def resolve_window(
    interval: Interval,
    earlier: EarlierRuns,
    *,
    look_back: timedelta,
    max_age: timedelta,
    now: datetime,
    everybody: bool = False,
) -> Window:
    """Widen a run's interval so that nobody is forgotten.

    Back by the look-back, for rows that came late. Back to where the days are not caught up (and their look-back), for
    days that failed and for pauses, but no further than ``max_age`` before now. And back to ``waiting_since`` and
    ``asked_since``, however long ago: those people are not invited yet, and something can still change that. The
    interval itself is never cut, and a later ``caught_up_until`` never narrows it.

    :param earlier: what earlier runs left.
    :param everybody: the whole past.
    """
    if everybody:
        return Window(min(THE_BEGINNING, interval.start), interval.end)
    starts = [interval.start - look_back]
    if earlier.caught_up_until is not None:
        starts.append(max(in_utc(earlier.caught_up_until) - look_back, in_utc(now) - max_age))
    starts += [
        in_utc(since)
        for since in (earlier.waiting_since, earlier.asked_since, earlier.failed_since)
        if since is not None
    ]
    return Window(min(starts), interval.end)
