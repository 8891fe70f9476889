"""The sections ``day_one:`` and ``chase:``: the DAG that lists people who start soon and invitations to chase."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt, StrictStr, field_validator

from m3ter_onboarding.config.alerts_section import Notifiers
from m3ter_onboarding.config.schedule import checked_schedule
from m3ter_onboarding.config.section import Section

_Days = Annotated[StrictInt, Field(ge=0, le=366)]


class DayOneSettings(Section):
    """``day_one``: the DAG ``m3ter_day_one__<name>``.

    :param schedule: of this DAG: five cron fields, or a preset such as ``@daily``; None: runs by hand only.
    :param starts_within_days: people who start today or within so many days are listed in
        ``m3ter_onboarding_day_one``.
    """

    schedule: StrictStr | None = "0 7 * * *"
    starts_within_days: _Days = 14

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        return checked_schedule(value)


class ChaseSettings(Section):
    """``chase``: invitations that nobody has accepted, and the digest of the DAG ``m3ter_day_one__<name>``.

    :param starts_within_days: an invitation that is not accepted is listed in ``m3ter_onboarding_chase`` if its person
        starts today or within so many days.
    :param expires_within_days: and if it expires within so many days.
    :param no_successful_run_days: the digest says so when no onboarding run of the organisation was a success for so
        many days; None: never.
    :param notifiers: of the digest; None: those of ``alerts.on_failure``.
    """

    starts_within_days: _Days = 7
    expires_within_days: _Days = 5
    no_successful_run_days: Annotated[StrictInt, Field(ge=1, le=366)] | None = 3
    notifiers: Notifiers | None = None
