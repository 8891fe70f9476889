"""The ``status:`` section of a configuration: the DAG that follows what became of invitations."""

from __future__ import annotations

from croniter import croniter  # type: ignore[import-untyped]
from pydantic import StrictStr, field_validator

from m3ter_onboarding.config.section import Section

_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")


def checked_schedule(value: str | None) -> str | None:
    """Return a schedule if Airflow's timetable takes it.

    :param value: five cron fields, or a preset; None: runs by hand only.
    :raises ValueError: when it is neither.
    """
    if value is None or value in _PRESETS:
        return value
    if len(value.split()) != 5 or not croniter.is_valid(value):
        raise ValueError(f"write five cron fields such as '0 6 * * *', one of {', '.join(_PRESETS)}, or null")
    return value


class StatusSettings(Section):
    """``status``: the DAG ``m3ter_invitation_status__<name>``.

    :param schedule: of this DAG: five cron fields, or a preset such as ``@hourly``; None: runs by hand only.
    """

    schedule: StrictStr | None = "30 */4 * * *"

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        return checked_schedule(value)
