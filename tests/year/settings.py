"""The settings of a simulated year, and the days on which somebody changes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from tests.year.people import CONTRACTOR, GUARDED, LATE, OWN, PARTNER, READER


@dataclass(frozen=True)
class Settings:
    """Configuration and connection of one day."""

    name: str = "acme"
    allowed_domains: frozenset[str] = frozenset({OWN, CONTRACTOR})
    excluded_domains: frozenset[str] = frozenset({CONTRACTOR})
    policies: frozenset[str] = frozenset({READER, GUARDED})
    allowed_policies: tuple[str, ...] = (READER, LATE)
    if_rehire: str = "review"
    reinvite: str = "never"
    cool_off_days: int = 7
    max_age_days: int = 90
    invite_days_before_start: int = 14

    @property
    def reinvitations(self) -> int:
        """How often somebody whose invitation expired is invited again."""
        return {"never": 0, "once": 1}[self.reinvite]


@dataclass(frozen=True)
class Year:
    """What happens in the middle of a simulated year.

    :param first: its first day.
    :param days: its length.
    """

    first: date
    days: int

    def _day(self, share: float) -> date:
        return self.first + timedelta(days=round(self.days * share))

    def settings(self, day: date) -> Settings:
        """Return the settings of a day."""
        now = Settings()
        if day >= self._day(0.30):
            now = replace(now, policies=now.policies | {LATE})
        if day >= self._day(0.35):
            now = replace(now, allowed_domains=now.allowed_domains | {PARTNER})
        if day >= self._day(0.40):
            now = replace(now, allowed_policies=(*now.allowed_policies, GUARDED))
        if day >= self._day(0.45):
            now = replace(now, excluded_domains=frozenset())
        if day >= self._day(0.50):
            now = replace(now, if_rehire="invite")
        if day >= self._day(0.52):
            now = replace(now, reinvite="once")
        if self._day(0.55) <= day < self._day(0.55) + timedelta(days=5):
            now = replace(now, allowed_domains=frozenset({PARTNER}))  # a slip of somebody's hand
        if day >= self._day(0.75):
            now = replace(now, name="acme_renamed")
        return now

    def pauses(self, day: date) -> bool:
        """Tell whether nothing runs on a day: once for a month, or a twelfth of a shorter simulation."""
        begin = self._day(0.80)
        return begin <= day < begin + timedelta(days=min(30, self.days // 12))
