"""The permission policies that people of a plan get: each list of names is looked up and judged once."""

from __future__ import annotations

from collections.abc import Iterable

from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.withheld import Restriction
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.planning.restrictions import Restrictions
from m3ter_provider.errors import M3terPermissionPolicyError
from m3ter_provider.permission_policies import PolicyBook


class GrantedPolicies:
    """The policies by the names that rows ask for, or by default.

    :param policies: all of the organisation.
    :param restrictions: of the same policies, by the settings.
    """

    def __init__(self, policies: Iterable[M3terPolicy], rules: PlanSettings, restrictions: Restrictions) -> None:
        self._rules = rules
        self._policies = PolicyBook(policies)
        self._restrictions = restrictions
        self._judged: dict[tuple[str, ...], tuple[str, ...] | Restriction] = {}

    def of(self, names: tuple[str, ...] | None) -> tuple[str, ...] | Restriction:
        """Return the ids of the permission policies that a hire gets, or why they may not be given.

        :param names: that the row asks for; None: the default ones.
        """
        wanted = names or self._rules.default_policies
        if wanted not in self._judged:
            self._judged[wanted] = self._judge(wanted)
        return self._judged[wanted]

    def _judge(self, names: tuple[str, ...]) -> tuple[str, ...] | Restriction:
        try:
            policies = self._policies.resolve(names)
        except M3terPermissionPolicyError as error:
            return Restriction("invalid", "policy", str(error))
        return self._restrictions.of_policies(policies) or tuple(policy.m3ter_id for policy in policies)

    def check_defaults(self) -> None:
        """Check the default policies, and the names of those that are allowed, also where no row gets them.

        :raises PlanError: when one is missing, ambiguous or not allowed, or makes administrators unasked.
        """
        rules = self._rules
        nothing = "Nothing is planned and nothing is sent; correct the configuration"
        try:
            policies = self._policies.resolve(rules.default_policies)
            # Also without defaults: an allowed name that is ambiguous is found now, not at the first row.
            others = self._restrictions.not_allowed(policies)
        except M3terPermissionPolicyError as error:
            raise PlanError(
                f"{error} It is configured as permission_policies or allowed_permission_policies. {nothing}, or make"
                " the policy in m3ter."
            ) from None
        if others:
            raise PlanError(
                f"The configured permission_policies are not all among allowed_permission_policies. {nothing}."
            )
        if powerful := self._restrictions.administrators_among(policies):
            raise PlanError(
                f"The configured permission_policies would make everybody an administrator: {powerful}. {nothing}, or"
                " set allow_administrator_policies: true if that is meant."
            )
