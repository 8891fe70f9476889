"""The plan: one decision for every row, from what the query returned and what ledger and m3ter hold.

A pure function: no connection, no clock, and the order of the rows does not matter. Of the reasons that apply to a
row the first in this list is its decision:

1.  ``invalid:<field>``: the row breaks the contract.
2.  ``skip:excluded``: by address, domain or employee; an address of an excluded employee is excluded in other rows too.
3.  ``skip:domain_not_allowed``: the m3ter connection does not send to this domain.
4.  ``invalid:duplicate_in_batch``: another row has this address or this employee. The row that wins is in time
    (neither too early nor too old), then starts latest, then ends latest, then comes first by employee, address and
    the rest of its content.
5.  ``skip:already_member``, ``skip:already_invited`` (a sender at work included), ``review:unknown_outcome``: alive.
6.  ``skip:too_old``, ``skip:too_early``.
7.  ``review:email_changed``: this employee is alive with another address.
8.  ``review:missing_in_m3ter``: invited or joined once, and m3ter knows nothing of it any more.
9.  ``review:rehire``, ``review:expired``: access ended, or the invitation expired; ``invite`` by setting.
10. ``invalid:policy``, ``review:policy_not_allowed``: what the row asks for.
11. ``skip:refused_before``: m3ter refused exactly this request.
12. ``invite:new``, ``invite:expired``, ``invite:rehire``, ``invite:requested``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.ledger.decisions import Decision, Verdict
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.planning.address_status import ALIVE, AddressStanding, Standing, Standings
from m3ter_onboarding.planning.facts import Known
from m3ter_onboarding.planning.fingerprint import hash_request
from m3ter_onboarding.planning.rules import PlanRules
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.new_hire import InvalidRow, NewHire, employee_id_of, end_of_day, validate_row, zone_of
from m3ter_provider.administrators import administrators
from m3ter_provider.email_identity import email_domain
from m3ter_provider.errors import M3terPermissionPolicyError
from m3ter_provider.models import INVITATION_LIFE, InvitationRequest
from m3ter_provider.permission_policies import PolicyBook, shown


def plan_invitations(rows: Sequence[SourceRow], *, known: Known, rules: PlanRules, now: datetime) -> list[Decision]:
    """Decide about every row.

    :param rows: of the query; their numbers differ.
    :param known: ledger and m3ter, for the addresses and employees of these rows.
    :param rules: the settings.
    :param now: aware.
    :returns: one decision for each row, in the rows' order.
    :raises PlanError: when the configured default policies are missing, ambiguous or not allowed, or make
        administrators where the configuration does not allow that.
    """
    return _Planner(known, rules, now).plan(rows)


def select_employee(rows: Iterable[SourceRow], employee_id: str) -> list[SourceRow]:
    """Keep the rows of one employee.

    :param employee_id: as the warehouse has it; ``1001`` also finds the number 1001.
    """
    return [row for row in rows if employee_id_of(row) == employee_id.strip()]


class _Planner:
    def __init__(self, known: Known, rules: PlanRules, now: datetime) -> None:
        self._rules = rules
        self._now = now
        self._standings = Standings(known, now)
        self._policies = PolicyBook(known.policies)
        self._check_default_policies()

    def plan(self, rows: Sequence[SourceRow]) -> list[Decision]:
        checked = [validate_row(row, default_time_zone=self._rules.time_zone, now=self._now) for row in rows]
        decided: dict[int, Decision] = {}
        remaining: list[NewHire] = []
        excluded_keys = self._keys_of_excluded_employees(checked)
        for hire in checked:
            if isinstance(hire, InvalidRow):
                decided[hire.row_no] = _invalid(hire)
            elif reason := self._exclusion(hire, excluded_keys):
                decided[hire.row_no] = reason
            else:
                remaining.append(hire)
        winners, duplicates = self._without_duplicates(remaining)
        decided.update({decision.row_no: decision for decision in duplicates})
        decided.update({hire.row_no: self._decide(hire) for hire in winners})
        return _accounted(rows, decided)

    # -- rows that are not to be invited, whoever they are -----------------------------------------------------------

    def _keys_of_excluded_employees(self, checked: Iterable[NewHire | InvalidRow]) -> frozenset[str]:
        excluded = self._rules.excluded_employees
        return frozenset(row.email_key for row in checked if row.email_key and row.employee_id in excluded)

    def _exclusion(self, hire: NewHire, excluded_keys: frozenset[str]) -> Decision | None:
        rules = self._rules
        domain = email_domain(hire.email)
        if hire.employee_id in rules.excluded_employees:
            return _decision(hire, "skip", "excluded", "The configuration excludes this employee.")
        if hire.email_key in rules.excluded_keys:
            return _decision(hire, "skip", "excluded", "The configuration excludes this address.")
        if domain in rules.excluded_domains:
            return _decision(hire, "skip", "excluded", f"The configuration excludes the domain {domain}.")
        if hire.email_key in excluded_keys:
            return _decision(hire, "skip", "excluded", "This address also belongs to an excluded employee.")
        if rules.allowed_domains and domain not in rules.allowed_domains:
            return _decision(hire, "skip", "domain_not_allowed", f"The m3ter connection does not send to {domain}.")
        return None

    # -- one row a person --------------------------------------------------------------------------------------------

    def _without_duplicates(self, hires: Iterable[NewHire]) -> tuple[list[NewHire], list[Decision]]:
        winners: list[NewHire] = []
        duplicates: list[Decision] = []
        by_key: dict[str, int] = {}
        by_employee: dict[str, int] = {}
        for hire in sorted(hires, key=self._rank):
            row_no = by_key.get(hire.email_key)
            shared = "address" if row_no is not None else "employee_id"
            row_no = row_no if row_no is not None else by_employee.get(hire.employee_id)
            if row_no is not None:
                detail = f"Row {row_no} has the same {shared} and comes first."
                duplicates.append(_decision(hire, "invalid", "duplicate_in_batch", detail))
                continue
            by_key[hire.email_key] = by_employee[hire.employee_id] = hire.row_no
            winners.append(hire)
        return winners, duplicates

    def _rank(self, hire: NewHire) -> tuple[object, ...]:
        """Order rows by content; the row's number decides only between rows that are equal in everything."""
        starts = hire.start_date.toordinal() if hire.start_date else 0
        ends = hire.access_ends_at.timestamp() if hire.access_ends_at else float("inf")
        return (
            self._timing(hire) is not None,
            -starts,
            -ends,
            hire.employee_id,
            hire.email_key,
            hire.email,
            hire.email_as_given,
            hire.first_name,
            hire.last_name,
            hire.contact_number or "",
            hire.permission_policies or (),
            hire.time_zone,
            hire.row_no,
        )

    def _timing(self, hire: NewHire) -> tuple[str, str] | None:
        """Tell whether it is not the time to invite: the reason and a sentence. Days are counted where the hire is."""
        if hire.start_date is None:
            return None
        rules = self._rules
        days = (hire.start_date - self._now.astimezone(zone_of(hire.time_zone)).date()).days
        if -days > rules.max_age_days:
            return "too_old", f"Started {-days} days ago; after {rules.max_age_days} days nobody is invited."
        if rules.invite_days_before_start is not None and days > rules.invite_days_before_start:
            return (
                "too_early",
                f"Starts in {days} days; invitations go out {rules.invite_days_before_start} days before the start.",
            )
        return None

    # -- one person --------------------------------------------------------------------------------------------------

    def _decide(self, hire: NewHire) -> Decision:
        known = self._standings.of_address(hire.email_key)
        decision = self._if_alive(hire, known) or self._if_not_in_time(hire) or self._if_alive_elsewhere(hire, known)
        decision = decision or self._invite(hire, known)
        return replace(decision, invitation_id=known.row.invitation_id) if known.row else decision

    def _if_alive(self, hire: NewHire, known: AddressStanding) -> Decision | None:
        belongs_to = known.row.employee_id if known.row and known.row.live else None
        other = " It was invited as another employee." if belongs_to not in (None, hire.employee_id) else ""
        match known.standing:
            case Standing.MEMBER:
                return _decision(hire, "skip", "already_member", "Is a member of the m3ter organisation." + other)
            case Standing.INVITED:
                return _decision(hire, "skip", "already_invited", "Has an invitation that is still valid." + other)
            case Standing.UNDER_WAY:
                return _decision(hire, "skip", "already_invited", "The invitation is on its way." + other)
            case Standing.IN_REVIEW:
                detail = "Nobody can tell whether the last attempt sent an e-mail; a person has to decide."
                return _decision(hire, "review", "unknown_outcome", detail + other)
        return None

    def _if_not_in_time(self, hire: NewHire) -> Decision | None:
        timing = self._timing(hire)
        return _decision(hire, "skip", *timing) if timing else None

    def _if_alive_elsewhere(self, hire: NewHire, known: AddressStanding) -> Decision | None:
        elsewhere = self._standings.elsewhere(hire.employee_id, hire.email_key)
        if elsewhere in ALIVE:
            detail = "This employee was invited with another address, or is a member with it."
            return _decision(hire, "review", "email_changed", detail)
        if known.standing is Standing.MISSING:
            detail = "Was invited or a member, but m3ter lists neither any more; a person has to decide."
            return _decision(hire, "review", "missing_in_m3ter", detail)
        return None

    def _invite(self, hire: NewHire, known: AddressStanding) -> Decision:
        rules = self._rules
        elsewhere = self._standings.elsewhere(hire.employee_id, hire.email_key)
        reason, detail = "new", "Nothing in ledger or m3ter stands against it."
        if Standing.ENDED in (known.standing, elsewhere):
            reason, detail = "rehire", "Was a member before; access has ended."
            if rules.invite_again:
                reason, detail = "requested", f"{detail} A person asked to invite again."
            elif rules.if_rehire == "review":
                return _decision(hire, "review", reason, detail)
        elif Standing.EXPIRED in (known.standing, elsewhere):
            reason, detail = "expired", "The last invitation expired without being accepted."
            if rules.invite_again:
                reason, detail = "requested", f"{detail} A person asked to invite again."
            elif rules.if_expired == "review":
                return _decision(hire, "review", reason, detail)
        try:
            policies = self._policies.resolve(hire.permission_policies or rules.default_policies)
        except M3terPermissionPolicyError as error:
            return _decision(hire, "invalid", "policy", str(error))
        if rules.allowed_policies is not None and self._policies.not_among(policies, rules.allowed_policies):
            detail = "Asks for a permission policy that is not among allowed_permission_policies."
            return _decision(hire, "review", "policy_not_allowed", detail)
        if powerful := self._administrators(policies):
            detail = f"Would be made an administrator by {powerful}, and allow_administrator_policies is false."
            return _decision(hire, "review", "policy_not_allowed", detail)
        request = self._request(hire, tuple(policy.m3ter_id for policy in policies))
        request_hash = hash_request(request)
        if known.refused_hash == request_hash:
            if not rules.retry_failed:
                detail = "m3ter refused exactly this request before, or gave no sign of it twice; correct the row."
                return replace(_decision(hire, "skip", "refused_before", detail), request_hash=request_hash)
            reason, detail = "requested", "m3ter refused this request before; a person asked to try again."
        return replace(_decision(hire, "invite", reason, detail), request=request, request_hash=request_hash)

    def _request(self, hire: NewHire, policy_ids: tuple[str, ...]) -> InvitationRequest:
        return InvitationRequest(
            email=hire.email,
            first_name=hire.first_name,
            last_name=hire.last_name,
            contact_number=hire.contact_number,
            permission_policy_ids=policy_ids or None,
            dt_end_access=hire.access_ends_at,
            dt_expiry=self._expiry(hire),
        )

    def _expiry(self, hire: NewHire) -> datetime | None:
        """Tell until when the invitation must be valid, where m3ter's own 30 days do not reach that far.

        Reckoned from the start date, not from now: the request stays the same from run to run.
        """
        if hire.start_date is None:
            return None
        until = end_of_day(hire.start_date + timedelta(days=self._rules.expiry_grace_days), hire.time_zone)
        return until if until > self._now + INVITATION_LIFE else None

    def _administrators(self, policies: Iterable[M3terPolicy]) -> str:
        """Name the policies that make an administrator although the configuration does not allow it."""
        if self._rules.allow_administrators:
            return ""
        return ", ".join(f"{shown(policy.name)} ({policy.id})" for policy in administrators(policies))

    def _check_default_policies(self) -> None:
        rules = self._rules
        nothing = "Nothing is planned and nothing is sent; correct the configuration"
        try:
            policies = self._policies.resolve(rules.default_policies)
            # Also without defaults: an allowed name that is ambiguous is found now, not at the first row.
            allowed = rules.allowed_policies is None or not self._policies.not_among(policies, rules.allowed_policies)
        except M3terPermissionPolicyError as error:
            raise PlanError(
                f"{error} It is configured as permission_policies or allowed_permission_policies. {nothing}, or make"
                " the policy in m3ter."
            ) from None
        if not allowed:
            raise PlanError(
                f"The configured permission_policies are not all among allowed_permission_policies. {nothing}."
            )
        if powerful := self._administrators(policies):
            raise PlanError(
                f"The configured permission_policies would make everybody an administrator: {powerful}. {nothing}, or"
                " set allow_administrator_policies: true if that is meant."
            )


def _decision(hire: NewHire, decision: Verdict, reason: str, detail: str) -> Decision:
    return Decision(
        row_no=hire.row_no,
        decision=decision,
        reason=reason,
        employee_id=hire.employee_id,
        email=hire.email_as_given,
        email_key=hire.email_key,
        detail=detail,
        start_date=hire.start_date,
    )


def _invalid(row: InvalidRow) -> Decision:
    return Decision(
        row_no=row.row_no,
        decision="invalid",
        reason=row.reason,
        employee_id=row.employee_id,
        email=row.email,
        email_key=row.email_key,
        detail=row.detail,
        start_date=row.start_date,
    )


def _accounted(rows: Sequence[SourceRow], decided: dict[int, Decision]) -> list[Decision]:
    """Put decisions into the rows' order, and make sure that every row has exactly one."""
    if len(decided) != len(rows) or any(row.row_no not in decided for row in rows):
        raise PlanError(
            f"{len(rows)} rows came to {len(decided)} decisions. Nothing is sent; this is an error of the planner,"
            " or rows share a number."
        )
    return [decided[row.row_no] for row in rows]
