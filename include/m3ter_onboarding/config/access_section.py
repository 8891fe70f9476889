"""The ``access_review:`` section of a configuration: access in m3ter compared with jobs in the warehouse."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, field_validator

from m3ter_onboarding.config.addresses import is_address, is_domain
from m3ter_onboarding.config.schedule import checked_schedule
from m3ter_onboarding.config.section import Section, Text, TextList


class AccessReview(Section):
    """``access_review``: the DAG ``m3ter_access_review__<name>``.

    :param query: path of the SQL file, relative to the YAML file, that selects everybody who has a job now or has
        signed for one; without it there is no such DAG.
    :param schedule: of this DAG: five cron fields, or a preset such as ``@weekly``; None: runs by hand only.
    :param max_change_percent: a read of the warehouse or of m3ter's users that has so many percent fewer people than
        the last accepted one is refused, and changes nothing; a run by hand may accept it.
    :param compare_policies: whether permission policies are compared; m3ter is asked about each user alone, where its
        list does not say them.
    :param reread_policies_after_days: a user who has not changed is asked about again after this many days.
    :param policy_reads_per_run: the most users that one run asks about; the next run goes on with the others.
    :param ignore: e-mail addresses, or domains (exact; a subdomain is another domain), that are left out: shared
        accounts, m3ter's own staff, auditors. So are service users, and everybody that ``exclude`` names.
    """

    query: Text | None = None
    schedule: StrictStr | None = "0 6 * * 1"
    max_change_percent: Annotated[StrictInt | StrictFloat, Field(ge=0, le=100)] = 20
    compare_policies: StrictBool = True
    reread_policies_after_days: Annotated[StrictInt, Field(ge=1, le=366)] = 30
    policy_reads_per_run: Annotated[StrictInt, Field(ge=1)] = 10_000
    ignore: Annotated[TextList, Field(repr=False)] = ()

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        return checked_schedule(value)

    @field_validator("ignore")
    @classmethod
    def _can_match(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        # One that can match nobody would leave nobody out, silently.
        if not all(is_address(value) or is_domain(value) for value in values):
            raise ValueError("one of them is neither an e-mail address nor a domain such as example.com, without *")
        return values

    @property
    def reread_after(self) -> timedelta:
        """``reread_policies_after_days`` for arithmetic."""
        return timedelta(days=self.reread_policies_after_days)

    @property
    def ignored_addresses(self) -> tuple[str, ...]:
        """The addresses in ``ignore``."""
        return tuple(value for value in self.ignore if "@" in value[1:])

    @property
    def ignored_domains(self) -> tuple[str, ...]:
        """The domains in ``ignore``."""
        return tuple(value for value in self.ignore if "@" not in value[1:])
