"""When a DAG runs: at a time, when assets of Airflow were updated, or both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from croniter import croniter  # type: ignore[import-untyped]
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StrictStr, Tag, field_validator

from m3ter_onboarding.config.section import Section, Text, as_list

_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


def checked_schedule(value: str | None) -> str | None:
    """Return a schedule if Airflow's timetable takes it.

    :param value: five cron fields, or a preset; None: runs by hand only.
    :raises ValueError: when it is neither.
    """
    if value is None or value in _PRESETS:
        return value
    if len(value.split()) != 5 or not _is_cron(value):
        raise ValueError(f"write five cron fields such as '0 6 * * *', one of {', '.join(_PRESETS)}, or null")
    return value


@lru_cache(maxsize=32)
def _is_cron(value: str) -> bool:
    return bool(croniter.is_valid(value))


class AssetSchedule(Section):
    """``schedule`` by assets: for "after the warehouse was loaded".

    :param assets: names or URIs of Airflow's assets; a run begins when each of them was updated since the last one.
    :param cron: a time beside them, as ``schedule`` itself would have it; None: the assets alone.
    """

    assets: Annotated[tuple[Text, ...], BeforeValidator(as_list), Field(min_length=1)]
    cron: StrictStr | None = None

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        return checked_schedule(value)


def next_time(schedule: str | AssetSchedule | None, time_zone: str, after: datetime) -> datetime | None:
    """Return the first time of a schedule after an instant; None: it has no times.

    :param time_zone: of the schedule, such as ``Europe/Berlin``.
    :param after: aware.
    """
    cron = schedule.cron if isinstance(schedule, AssetSchedule) else schedule
    if cron is None:
        return None
    times = croniter(_PRESETS.get(cron, cron), after.astimezone(ZoneInfo(time_zone)), ret_type=datetime)
    found: datetime = times.get_next()
    return found


def _written_as(value: Any) -> str:
    return "AssetSchedule" if isinstance(value, (Mapping, AssetSchedule)) else "str"


#: A time, or assets; which of them is meant is told apart first, so that an error is about one.
Schedule = Annotated[
    Annotated[StrictStr, AfterValidator(checked_schedule), Tag("str")] | Annotated[AssetSchedule, Tag("AssetSchedule")],
    Discriminator(_written_as),
]
