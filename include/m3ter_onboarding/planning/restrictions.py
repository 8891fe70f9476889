"""Whom the settings exclude, and which permission policies they do not allow: asked when a plan is made, and when sent.

A plan may wait a day for its approval. Settings that became narrower since hold people back; wider ones change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.withheld import Restriction
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_provider.administrators import administrators
from m3ter_provider.permission_policies import PolicyBook, shown


class Restrictions:
    """The settings that keep people from being invited.

    :param rules: the settings of now.
    :param policies: all permission policies of the organisation.
    """

    def __init__(self, rules: PlanSettings, policies: Iterable[M3terPolicy]) -> None:
        self._rules = rules
        self._policies = PolicyBook(policies)

    def of_person(
        self, employee_id: str | None, email_key: str | None, domain: str, *, keys_of_excluded: frozenset[str]
    ) -> Restriction | None:
        """Return why a person may not be invited; None: nothing says so.

        :param domain: of the address, in its ASCII form.
        :param keys_of_excluded: address keys of employees who are excluded.
        """
        rules = self._rules
        if employee_id in rules.excluded_employees:
            return Restriction("skip", "excluded", "The configuration excludes this employee.")
        if email_key in rules.excluded_keys:
            return Restriction("skip", "excluded", "The configuration excludes this address.")
        if domain in rules.excluded_domains:
            return Restriction("skip", "excluded", f"The configuration excludes the domain {domain}.")
        if email_key in keys_of_excluded:
            return Restriction("skip", "excluded", "This address also belongs to an excluded employee.")
        if rules.allowed_domains and domain not in rules.allowed_domains:
            return Restriction("skip", "domain_not_allowed", f"The m3ter connection does not send to {domain}.")
        return None

    def of_policies(self, policies: Sequence[M3terPolicy]) -> Restriction | None:
        """Return why these permission policies may not be given; None: they may.

        :raises M3terPermissionPolicyError: for an allowed name that more than one policy bears.
        """
        details = []
        if others := self.not_allowed(policies):
            details.append(
                f"Asks for {_named(others)}, not among allowed_permission_policies; allow it there, or correct the row."
            )
        if powerful := self.administrators_among(policies):
            details.append(f"Would be made an administrator by {powerful}, and allow_administrator_policies is false.")
        return Restriction("review", "policy_not_allowed", " ".join(details)) if details else None

    def not_allowed(self, policies: Iterable[M3terPolicy]) -> tuple[M3terPolicy, ...]:
        """Return the policies that may not be given.

        :raises M3terPermissionPolicyError: for an allowed name that more than one policy bears.
        """
        allowed = self._rules.allowed_policies
        if isinstance(allowed, str):
            return ()
        return self._policies.not_among(policies, self._rules.default_policies if allowed is None else allowed)

    def administrators_among(self, policies: Iterable[M3terPolicy]) -> str:
        """Name the policies that make an administrator although the configuration does not allow it."""
        return "" if self._rules.allow_administrators else _named(administrators(policies))


def _named(policies: Iterable[M3terPolicy]) -> str:
    return ", ".join(f"{shown(policy.name)} ({policy.id})" for policy in policies)
