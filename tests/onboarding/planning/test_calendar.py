"""Calendars: 29 February, both changes of the clocks, Sydney and New York; days are counted where the hire is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import instance

from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.source.window import EarlierRuns, resolve_interval, resolve_window
from tests.support.hire_rows import decide_rows, row

UTC = timezone.utc
SYDNEY, NEW_YORK, LONDON = "Australia/Sydney", "America/New_York", "Europe/London"
RULES = PlanSettings(invite_days_before_start=14, max_age_days=90)

#: Zone, the first day; the first instant (UTC) of the fourteenth day before it, that of the ninety-first day after it;
#: the last instant of access on that first day.
DAYS = [
    # No change of the clocks.
    ("UTC", "2026-12-01", "2026-11-17T00:00", "2027-03-02T00:00", "2026-12-01T23:59:59.999"),
    # 29 February is a first and a last day, and is counted in the days before and after.
    ("UTC", "2028-02-29", "2028-02-15T00:00", "2028-05-30T00:00", "2028-02-29T23:59:59.999"),
    ("UTC", "2028-03-14", "2028-02-29T00:00", "2028-06-13T00:00", "2028-03-14T23:59:59.999"),
    ("UTC", "2027-03-14", "2027-02-28T00:00", "2027-06-13T00:00", "2027-03-14T23:59:59.999"),
    (SYDNEY, "2028-02-29", "2028-02-14T13:00", "2028-05-29T14:00", "2028-02-29T12:59:59.999"),
    (NEW_YORK, "2028-02-29", "2028-02-15T05:00", "2028-05-30T04:00", "2028-03-01T04:59:59.999"),
    # New York: forward on 14 March 2027, back on 7 November 2027.
    (NEW_YORK, "2027-03-14", "2027-02-28T05:00", "2027-06-13T04:00", "2027-03-15T03:59:59.999"),
    (NEW_YORK, "2027-11-07", "2027-10-24T04:00", "2028-02-06T05:00", "2027-11-08T04:59:59.999"),
    # Sydney: back on 4 April 2027, forward on 3 October 2027.
    (SYDNEY, "2027-04-04", "2027-03-20T13:00", "2027-07-03T14:00", "2027-04-04T13:59:59.999"),
    (SYDNEY, "2027-10-03", "2027-09-18T14:00", "2028-01-01T13:00", "2027-10-03T12:59:59.999"),
    # London: forward on 28 March 2027, back on 31 October 2027.
    (LONDON, "2027-03-28", "2027-03-14T00:00", "2027-06-26T23:00", "2027-03-28T22:59:59.999"),
    (LONDON, "2027-10-31", "2027-10-16T23:00", "2028-01-30T00:00", "2027-10-31T23:59:59.999"),
]


def decided(zone: str, start: str, now: datetime, **values: str) -> str:
    facts = Facts(policies=(M3terPolicy("p-view", "Viewer", 1),))
    [decision] = decide_rows([row(start_date=start, time_zone=zone, **values)], facts, RULES, now=now)
    return decision.name


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "start", "begins", "ends", "access"), DAYS)
def test_days_are_counted_by_the_calendar_of_the_hire(
    zone: str, start: str, begins: str, ends: str, access: str
) -> None:
    moment = timedelta(milliseconds=1)
    assert decided(zone, start, at(begins) - moment) == "skip:too_early"
    assert decided(zone, start, at(begins)) == "invite:new"
    assert decided(zone, start, at(ends) - moment) == "invite:new"
    assert decided(zone, start, at(ends)) == "skip:too_old"
    now = at(begins)
    facts = Facts(policies=(M3terPolicy("p-view", "Viewer", 1),))
    values = {"start_date": start, "access_end_date": start, "time_zone": zone}
    [decision] = decide_rows([row(**values)], facts, RULES, now=now)
    assert decision.request is not None
    assert decision.request.dt_end_access == at(access)
    assert decided(zone, start, at(access), access_end_date=start) == "invalid:dates"
    assert decided(zone, start, at(access) - moment, access_end_date=start) == "invite:new"


@pytest.mark.parametrize(
    ("zone", "before", "hours"),
    [
        # Six in the morning, three days in a row around the change: every day is 24 hours but the one that changes.
        (NEW_YORK, "2027-03-13", [24, 23, 24]),
        (NEW_YORK, "2027-11-06", [24, 25, 24]),
        (SYDNEY, "2027-04-03", [24, 25, 24]),
        (SYDNEY, "2027-10-02", [24, 23, 24]),
        (LONDON, "2028-02-28", [24, 24, 24]),
    ],
)
def test_windows_of_days_with_a_change_of_the_clocks_leave_no_hour_out(
    zone: str, before: str, hours: list[int]
) -> None:
    timetable = CronDataIntervalTimetable("0 6 * * *", zone)
    first = datetime.fromisoformat(f"{before}T06:30").replace(tzinfo=ZoneInfo(zone))
    windows = []
    for day in range(3):
        now = (first + timedelta(days=day)).astimezone(UTC)
        airflow = timetable.infer_manual_data_interval(run_after=instance(now))
        interval = resolve_interval(airflow.start, airflow.end, RunParameters(), now=now, look_back=timedelta(0))
        windows.append(
            resolve_window(interval, EarlierRuns(), look_back=timedelta(0), max_age=timedelta(days=90), now=now)
        )
    assert [(window.end - window.start) / timedelta(hours=1) for window in windows] == hours
    assert [one.end for one in windows[:-1]] == [other.start for other in windows[1:]]
