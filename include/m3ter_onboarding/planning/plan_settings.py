"""The settings a plan depends on, normalised for comparison."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from m3ter_onboarding.config.allowed_policies import named_policies
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode, RunParameters
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_provider.email_identity import ascii_domain, email_key

#: The decision after access that ended.
WhenEnded = Literal["review", "invite"]


@dataclass(frozen=True)
class PlanSettings:
    """The settings of a plan; see :class:`~m3ter_onboarding.config.organisation.OnboardingConfig` for each setting.

    :param allowed_policies: all that may be given; None: ``default_policies`` only; ``any``: every one.
    :param excluded_keys: address keys; ``excluded_domains`` and ``allowed_domains`` are in their ASCII form.
    :param allow_administrators: whether a policy may make somebody an administrator, see
        :mod:`m3ter_provider.administrators`.
    :param allowed_domains: of the m3ter connection; empty: any.
    :param reinvite: how often a person may be invited again after an invitation that expired.
    :param cool_off: from then until the next.
    :param retry_failed: invite again people whom m3ter refused, also when nothing changed.
    :param invite_again: somebody asked for exactly this person: invite also when an invitation has expired, or an
        access has ended.
    """

    time_zone: str = "UTC"
    max_age_days: int = 90
    invite_days_before_start: int | None = None
    validity_days: int | None = None
    expiry_grace_days: int = 14
    default_policies: tuple[str, ...] = ()
    allowed_policies: tuple[str, ...] | Literal["any"] | None = None
    allow_administrators: bool = False
    excluded_keys: frozenset[str] = field(default=frozenset(), repr=False)
    excluded_domains: frozenset[str] = frozenset()
    excluded_employees: frozenset[str] = field(default=frozenset(), repr=False)
    allowed_domains: frozenset[str] = frozenset()
    reinvite: int = 0
    cool_off: timedelta = timedelta()
    if_rehire: WhenEnded = "review"
    retry_failed: bool = False
    invite_again: bool = False

    @classmethod
    def from_config(
        cls,
        config: OnboardingConfig,
        *,
        allowed_domains: Iterable[str] = (),
        retry_failed: bool = False,
        invite_again: bool = False,
    ) -> PlanSettings:
        """Take the rules from a configuration.

        :param allowed_domains: of the m3ter connection; empty: any.
        :param retry_failed: the run's mode asks for it.
        :param invite_again: the same, for one person alone.
        """
        return cls(
            time_zone=config.time_zone,
            max_age_days=config.max_age_days,
            invite_days_before_start=config.invite_days_before_start,
            validity_days=config.validity_days,
            expiry_grace_days=config.expiry_grace_days,
            default_policies=config.permission_policies,
            allowed_policies=config.allowed_permission_policies,
            allow_administrators=config.allow_administrator_policies,
            excluded_keys=frozenset(map(email_key, config.exclude.addresses)),
            excluded_domains=_domains(config.exclude.domains),
            excluded_employees=frozenset(config.exclude.employee_ids),
            allowed_domains=_domains(allowed_domains),
            reinvite=config.most_reinvitations,
            cool_off=timedelta(days=config.cool_off_days),
            if_rehire=config.if_rehire,
            retry_failed=retry_failed,
            invite_again=invite_again,
        )

    @classmethod
    def of_run(
        cls, config: OnboardingConfig, parameters: RunParameters, *, allowed_domains: Iterable[str] = ()
    ) -> PlanSettings:
        """Take the rules of one run's plan from its configuration and its parameters.

        :param allowed_domains: of the m3ter connection; empty: any.
        """
        again = parameters.mode is Mode.RETRY_FAILED
        return cls.from_config(
            config,
            allowed_domains=allowed_domains,
            retry_failed=again,
            invite_again=again and parameters.only_employee is not None,
        )


def trusted_by_id(policies: Iterable[M3terPolicy], config: OnboardingConfig) -> tuple[M3terPolicy, ...]:
    """Return policies; one that m3ter does not show is no administrator's where the configuration names it by its id.

    Its name would not do: whoever may make policies in m3ter may give theirs that name.
    """
    named = {*config.permission_policies, *named_policies(config.allowed_permission_policies)}
    return tuple(
        replace(policy, administrator_like=False) if not policy.statements_shown and policy.id in named else policy
        for policy in policies
    )


def _domains(names: Iterable[str]) -> frozenset[str]:
    return frozenset(ascii_domain(name.strip().removeprefix("@")) for name in names)
