"""The settings of today, for a plan of perhaps yesterday (docs/delivery.md, rule 8).

A plan may wait a day for its approval. What was excluded, closed or forbidden since holds people back; what was opened
since needs a new plan.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.plans import PlanRow
from m3ter_onboarding.ledger.sealed_requests import keys_of_employees, rows_starting_outside
from m3ter_onboarding.ledger.sealing import SealedRequest
from m3ter_onboarding.ledger.withheld import Restriction, withhold
from m3ter_onboarding.ledger.worklist import PlanRead
from m3ter_onboarding.planning.plan_settings import PlanSettings, trusted_by_id
from m3ter_onboarding.planning.restrictions import Restrictions
from m3ter_onboarding.planning.warehouse_exclusions import read_excluded
from m3ter_onboarding.source.excluded_people import ExcludedPerson
from m3ter_provider.email_identity import email_domain

log = logging.getLogger(__name__)

#: An exclusion lasts to the end of its last day where the person is: the last time zone is half a day after UTC.
_LAST_TIME_ZONE = timedelta(hours=12)


@dataclass(frozen=True)
class TodaysSettings:
    """The configuration and the run's parameters, as they are when the sender starts.

    :param allowed_domains: of the m3ter connection; empty: any.
    """

    config: OnboardingConfig
    parameters: RunParameters
    allowed_domains: Sequence[str] = ()

    def hold_back(
        self,
        db: LedgerDatabase,
        plan: PlanRow,
        requests: Iterable[SealedRequest],
        policies: Sequence[M3terPolicy],
        now: datetime,
    ) -> int:
        """Hold back the people of a plan whom the settings do not allow any more; return how many they are.

        :param requests: of the plan, as they were checked.
        :param policies: of m3ter, as just read.
        :param now: UTC.
        :raises SourceError: when the query of ``exclude`` cannot be run: nobody is sent without it.
        """
        restricted = self._restricted(db, plan, requests, policies, now)
        if not restricted:
            return 0
        read = PlanRead(
            plan_id=plan.plan_id,
            dag_id=plan.dag_id,
            org_id=plan.org_id,
            config_name=self.config.name,
            everybody=self.parameters.only_employee is None,
            window_start=plan.window_start,
            window_end=plan.window_end,
        )
        held = withhold(db, read, restricted, now)
        if held:
            kinds = Counter(f"{one.decision}:{one.reason}" for one in restricted.values())
            log.warning(
                "Settings became narrower since this plan was made: %d of its people are held back (%s). They are not"
                " sent, and are in the worklist.",
                held,
                ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
            )
        return held

    def _restricted(
        self,
        db: LedgerDatabase,
        plan: PlanRow,
        requests: Iterable[SealedRequest],
        current: Sequence[M3terPolicy],
        now: datetime,
    ) -> Mapping[int, Restriction]:
        rules = PlanSettings.of_run(self.config, self.parameters, allowed_domains=self.allowed_domains)
        policies = trusted_by_id(current, self.config)
        by_id = {policy.m3ter_id: policy for policy in policies}
        restrictions = Restrictions(rules, policies)
        listed = _Listed(read_excluded(self.config), now)
        of_excluded = keys_of_employees(db, plan.org_id, plan.plan_id, rules.excluded_employees)
        out_of_time = _out_of_time(db, plan, rules)
        found: dict[int, Restriction] = {}

        for sealed in requests:
            asked_for = [by_id[policy_id] for policy_id in sealed.policy_ids if policy_id in by_id]
            restriction = (
                listed.of(sealed.employee_id, sealed.email_key)
                or restrictions.of_person(
                    sealed.employee_id,
                    sealed.email_key,
                    email_domain(str((sealed.request or {}).get("email", ""))),
                    keys_of_excluded=of_excluded,
                )
                or restrictions.of_policies(asked_for)
                or _of_occasion(sealed.reason, rules)
                or out_of_time.get(sealed.row_no)
            )
            if restriction is not None:
                found[sealed.row_no] = restriction
        return found


def _of_occasion(reason: str, rules: PlanSettings) -> Restriction | None:
    """Return why somebody may not be invited once more, by what a person has to decide now."""
    if reason == "rehire" and rules.if_rehire == "review":
        return Restriction("review", "rehire", "Was a member before; `if_rehire` is review since the plan was made.")
    if reason == "expired" and rules.reinvite == 0:
        return Restriction("review", "expired", "An invitation expired; `reinvite` is never since the plan was made.")
    return None


def _out_of_time(db: LedgerDatabase, plan: PlanRow, rules: PlanSettings) -> Mapping[int, Restriction]:
    """Return rows that would have been too old or too early when the plan was made, by the settings of now.

    By that day, not today: a plan that waits for its approval loses nobody. Nor by a day more or less, since the row's
    own time zone is not kept.
    """
    before = rules.invite_days_before_start
    old, early = rows_starting_outside(db, plan.plan_id, rules.max_age_days + 1, None if before is None else before + 1)
    too_old = Restriction("skip", "too_old", f"`max_age_days` is {rules.max_age_days} since the plan was made.")
    too_early = Restriction("skip", "too_early", f"`invite_days_before_start` is {before} since the plan was made.")
    return {**dict.fromkeys(old, too_old), **dict.fromkeys(early, too_early)}


class _Listed:
    """People whom the query of ``exclude`` lists today."""

    def __init__(self, people: Sequence[ExcludedPerson], now: datetime) -> None:
        today = (now - _LAST_TIME_ZONE).date()
        lasting = [one for one in people if one.exclusion.until is None or one.exclusion.until >= today]
        self._keys = frozenset(one.email_key for one in lasting if one.email_key is not None)
        self._employees = frozenset(one.employee_id for one in lasting if one.employee_id is not None)

    def of(self, employee_id: str | None, email_key: str | None) -> Restriction | None:
        if employee_id in self._employees or email_key in self._keys:
            return Restriction("skip", "excluded", "The warehouse excludes this person (query of exclude).")
        return None
