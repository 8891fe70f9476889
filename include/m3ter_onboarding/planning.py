"""The pure planner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from m3ter_onboarding.config import OnboardingConfig
from m3ter_onboarding.hires import SourceRow
from m3ter_onboarding.known import Known, M3terPolicy
from m3ter_provider.models import InvitationRequest

Verdict = Literal["invite", "skip", "invalid", "review"]


@dataclass(frozen=True)
class PlanRules:
    """The settings that a plan depends on."""

    time_zone: str = "UTC"
    max_age_days: int = 90
    invite_days_before_start: int | None = None
    expiry_grace_days: int = 14
    default_policies: tuple[str, ...] = ()
    allowed_policies: tuple[str, ...] | None = None
    excluded_keys: frozenset[str] = field(default=frozenset(), repr=False)
    excluded_domains: frozenset[str] = frozenset()
    excluded_employees: frozenset[str] = field(default=frozenset(), repr=False)
    allowed_domains: frozenset[str] = frozenset()
    if_expired: Literal["review", "invite"] = "review"
    if_rehire: Literal["review", "invite"] = "review"
    retry_failed: bool = False

    @classmethod
    def from_config(
        cls, config: OnboardingConfig, *, allowed_domains: Iterable[str] = (), retry_failed: bool = False
    ) -> PlanRules:
        """Take the rules from a configuration and the connection's ``allowed_domains`` (empty: any)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Decision:
    """What happens with one row."""

    row_no: int
    decision: Verdict
    reason: str
    employee_id: str | None
    email: str | None = field(repr=False)
    email_key: str | None = field(repr=False)
    request: InvitationRequest | None = field(default=None, repr=False)
    request_hash: str | None = None
    detail: str | None = None
    start_date: date | None = None
    invitation_id: int | None = None

    @property
    def name(self) -> str:
        """``invite:new``, ``skip:already_member``, …"""
        return f"{self.decision}:{self.reason}"


def plan_invitations(rows: Sequence[SourceRow], *, known: Known, rules: PlanRules, now: datetime) -> list[Decision]:
    """Decide about every row, in the rows' order."""
    raise NotImplementedError


def select_employee(rows: Sequence[SourceRow], employee_id: str) -> list[SourceRow]:
    """Keep the rows of one employee."""
    raise NotImplementedError


def resolve_policies(names: Sequence[str], policies: Iterable[M3terPolicy]) -> tuple[M3terPolicy, ...]:
    """Find permission policies by id or name."""
    raise NotImplementedError


def fingerprint(decisions: Iterable[Decision], policies: Iterable[M3terPolicy]) -> str:
    """SHA-256 over everything that will be POSTed and the id and version of every policy used."""
    raise NotImplementedError


def explain(decision: Decision) -> list[str]:
    """Tell one decision's story, step by step, without personal data."""
    raise NotImplementedError
