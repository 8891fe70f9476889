"""The ``status:`` section of a configuration: the DAG that follows what became of invitations."""

from __future__ import annotations

from pydantic import StrictStr, field_validator

from m3ter_onboarding.config.schedule import checked_schedule
from m3ter_onboarding.config.section import Section


class StatusSettings(Section):
    """``status``: the DAG ``m3ter_invitation_status__<name>``.

    :param schedule: of this DAG: five cron fields, or a preset such as ``@hourly``; None: runs by hand only.
    """

    schedule: StrictStr | None = "30 */4 * * *"

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        return checked_schedule(value)
