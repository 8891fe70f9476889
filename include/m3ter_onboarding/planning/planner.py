"""The decision whether somebody is invited: one for every row, by the row, the rules and what ledger and m3ter hold.

:func:`decide` is a pure function: no connection, no clock, and the order of the rows does not matter. Of the reasons
that apply to a row the first in this list is its decision:

1.  ``invalid:<field>``: the row breaks the contract, or nobody can say whose it is (``organisation``).
2.  ``skip:erased``: the person's data were erased; decided before, see ``erased_rows``, and whatever else is wrong.
    ``skip:excluded``: by the row, or by address, domain or employee; an address of an excluded employee is excluded in
    other rows too, and so is a row that shares address or employee with one that excludes.
3.  ``skip:domain_not_allowed``: the m3ter connection does not send to this domain.
4.  ``invalid:duplicate_in_batch``: another row has this address or this employee. Of one employee's rows the newest by
    ``updated_at`` counts, where all have it. Else the row that wins is in time (neither too early nor too old), then
    starts latest, then ends latest, then comes first by employee, address and the rest of its content; but an
    employee's rows with several addresses, none of them too old, are each decided about by itself, see 12.
5.  ``review:address_looks_alike``: another employee's row, the ledger or m3ter has an address that differs only in
    letters that are often taken for the same (ß and ss). Perhaps it is another person; nobody is e-mailed twice.
    ``skip:already_member``, ``skip:already_invited`` (a sender at work included), ``review:unknown_outcome``: the
    address is taken.
6.  ``skip:too_old``, ``skip:too_early``.
7.  ``review:email_changed``: another address of this employee is taken.
8.  ``review:missing_in_m3ter``: invited or joined once, and m3ter knows nothing of it any more.
9.  ``review:rehire``, ``review:expired``, ``skip:cooling_off``: access ended, or the invitation expired; ``invite`` by
    setting, as often as the setting allows.
10. ``invalid:policy``, ``review:policy_not_allowed``: the policies that the row asks for.
11. ``skip:refused_before``: m3ter refused exactly this request.
12. ``review:several_addresses``: rows of this employee name several addresses, and nothing says which one counts.
13. ``invite:new``, ``invite:expired``, ``invite:rehire``, ``invite:requested``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.ledger.decisions import Decision, Verdict
from m3ter_onboarding.ledger.people import LedgerInvitation
from m3ter_onboarding.ledger.withheld import Restriction
from m3ter_onboarding.ledger.worklist import is_asked
from m3ter_onboarding.planning.address_status import TAKEN, AddressStatus, AddressStatuses, Status
from m3ter_onboarding.planning.employee_versions import EmployeeVersions
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.fingerprint import hash_request
from m3ter_onboarding.planning.granted_policies import GrantedPolicies
from m3ter_onboarding.planning.occasion import Occasions
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.planning.restrictions import Restrictions
from m3ter_onboarding.planning.warehouse_exclusions import WarehouseExclusions
from m3ter_onboarding.source.local_days import end_of_day, zone_of
from m3ter_onboarding.source.new_hire import LONGEST_WRONG_VALUE, NewHire, ValidatedRow
from m3ter_provider.email_identity import email_domain, same_spelling
from m3ter_provider.models import INVITATION_LIFE, InvitationRequest


def decide(rows: Sequence[ValidatedRow], facts: Facts, rules: PlanSettings, *, now: datetime) -> list[Decision]:
    """Decide about every row.

    :param rows: of the query, validated; their numbers differ.
    :param facts: ledger and m3ter, for the addresses and employees of these rows.
    :param rules: the settings.
    :param now: aware.
    :returns: one decision for each row, in the rows' order.
    :raises PlanError: when the configured default policies are missing, ambiguous or not allowed, or make
        administrators where the configuration does not allow that.
    """
    return _Planner(facts, rules, now).plan(rows)


class _Judged(NamedTuple):
    """What is decided about a hire."""

    verdict: Verdict
    reason: str
    detail: str
    request: InvitationRequest | None = None
    request_hash: str | None = None


class _Planner:
    def __init__(self, facts: Facts, rules: PlanSettings, now: datetime) -> None:
        self._rules = rules
        self._now = now
        self._listed = facts.excluded_people
        self._statuses = AddressStatuses(facts, now)
        self._occasions = Occasions(facts, rules, now)
        self._restrictions = Restrictions(rules, facts.policies)
        self._has_domains = bool(rules.excluded_domains or rules.allowed_domains)
        # Rows have few start dates: each is judged once.
        self._timings: dict[tuple[date, str], tuple[str, str] | None] = {}
        self._policies = GrantedPolicies(facts.policies, rules, self._restrictions)
        self._policies.check_defaults()

    def plan(self, rows: Sequence[ValidatedRow]) -> list[Decision]:
        decided: dict[int, Decision] = {}
        remaining: list[NewHire] = []
        excluded_keys = self._keys_of_excluded_employees(rows)
        by_warehouse = WarehouseExclusions(rows, self._listed, self._now)
        for row in rows:
            if isinstance(row, Decision):
                decided[row.row_no] = row
            elif excluded := by_warehouse.of(row):
                extra = {**(row.extra or {}), **(excluded.extra or {})} or None
                decided[row.row_no] = _decision(row, "skip", "excluded", excluded.detail)._replace(extra=extra)
            elif reason := self._exclusion(row, excluded_keys):
                decided[row.row_no] = reason
            else:
                remaining.append(row)
        versions = EmployeeVersions(rows, [hire for hire in remaining if not self._is_too_old(hire)])
        winners, duplicates = self._without_duplicates(remaining, versions)
        decided.update({decision.row_no: decision for decision in duplicates})
        for hire in winners:
            decision = self._decide(hire)
            contested = decision.decision == "invite" and versions.are_contested(hire.employee_id)
            decided[hire.row_no] = _several_addresses(hire) if contested else decision
        return _accounted(rows, decided)

    # -- rows that are never invited ---------------------------------------------------------------------------------

    def _keys_of_excluded_employees(self, rows: Iterable[ValidatedRow]) -> frozenset[str]:
        excluded = self._rules.excluded_employees
        return frozenset(row.email_key for row in rows if row.email_key and row.employee_id in excluded)

    def _exclusion(self, hire: NewHire, excluded_keys: frozenset[str]) -> Decision | None:
        domain = email_domain(hire.email) if self._has_domains else ""
        found = self._restrictions.of_person(hire.employee_id, hire.email_key, domain, keys_of_excluded=excluded_keys)
        return None if found is None else _decision(hire, *_restricted(found))

    # -- one row a person --------------------------------------------------------------------------------------------

    def _without_duplicates(
        self, hires: Iterable[NewHire], versions: EmployeeVersions
    ) -> tuple[list[NewHire], list[Decision]]:
        """Return the rows that are decided about by themselves, and the decisions about the others."""
        hires = list(hires)
        if versions.are_single and len({hire.email_key for hire in hires}) == len(hires):
            return hires, []
        winners: list[NewHire] = []
        others: list[Decision] = []
        by_key: dict[str, NewHire] = {}
        by_employee: dict[str, NewHire] = {}
        for hire in sorted(hires, key=self._rank):
            if (newer := versions.newer_than(hire)) is not None:
                others.append(_older(hire, newer))
                continue
            of_address, of_employee = by_key.get(hire.email_key), by_employee.get(hire.employee_id)
            if versions.are_contested(hire.employee_id):  # each of their addresses is decided about
                of_employee = of_address if of_address and of_address.employee_id == hire.employee_id else None
            if of_address is not None and of_employee is None and not same_spelling(hire.email, of_address.email):
                by_employee[hire.employee_id] = hire
                decision = self._decide(hire)
                alike = _decision(hire, *_looks_alike(f"The address of row {of_address.row_no}"))
                others.append(alike if decision.decision == "invite" else decision)
            elif first := of_address or of_employee:
                shared = "address" if of_address is not None else "employee_id"
                detail = f"Row {first.row_no} has the same {shared} and comes first."
                others.append(_decision(hire, "invalid", "duplicate_in_batch", detail))
            else:
                by_key[hire.email_key] = by_employee[hire.employee_id] = hire
                winners.append(hire)
        return winners, others

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

    def _is_too_old(self, hire: NewHire) -> bool:
        timing = self._timing(hire)
        return timing is not None and timing[0] == "too_old"

    def _timing(self, hire: NewHire) -> tuple[str, str] | None:
        """Return why it is not the time to invite: the reason and a sentence. Days are counted where the hire is."""
        if hire.start_date is None:
            return None
        key = hire.start_date, hire.time_zone
        if key not in self._timings:
            self._timings[key] = self._judge_timing(*key)
        return self._timings[key]

    def _judge_timing(self, start_date: date, time_zone: str) -> tuple[str, str] | None:
        rules = self._rules
        days = (start_date - self._now.astimezone(zone_of(time_zone)).date()).days
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
        judged, row = self._judge(hire)
        return _decision(hire, *judged, invitation_id=row.invitation_id if row else None)

    def _judge(self, hire: NewHire) -> tuple[_Judged, LedgerInvitation | None]:
        """Return what is decided about a hire, and the ledger's row that it rests on."""
        address = self._statuses.of_address(hire.email_key)
        if self._statuses.looks_alike(address, hire.email_key, hire.email):
            return _looks_alike("An address that was invited or is a member's"), None
        elsewhere = self._statuses.elsewhere(hire.employee_id, hire.email_key)
        judged = (
            self._if_taken(hire, address)
            or self._if_not_in_time(hire)
            or self._if_for_review(address.status, elsewhere)
            or self._invite(hire, address, elsewhere)
        )
        return judged, address.row

    def _if_taken(self, hire: NewHire, address: AddressStatus) -> _Judged | None:
        belongs_to = address.row.employee_id if address.row and address.row.live else None
        other = " It was invited as another employee." if belongs_to not in (None, hire.employee_id) else ""
        match address.status:
            case Status.MEMBER:
                return _Judged("skip", "already_member", "Is a member of the m3ter organisation." + other)
            case Status.INVITED:
                return _Judged("skip", "already_invited", "Has an invitation that is still valid." + other)
            case Status.UNDER_WAY:
                return _Judged("skip", "already_invited", "The invitation is on its way." + other)
            case Status.IN_REVIEW:
                detail = "Nobody can tell whether the last attempt sent an e-mail; a person has to decide."
                return _Judged("review", "unknown_outcome", detail + other)
        return None

    def _if_not_in_time(self, hire: NewHire) -> _Judged | None:
        timing = self._timing(hire)
        return _Judged("skip", *timing) if timing else None

    def _if_for_review(self, status: Status, elsewhere: Status | None) -> _Judged | None:
        if elsewhere in TAKEN:
            detail = "This employee was invited with another address, or is a member with it."
            return _Judged("review", "email_changed", detail)
        if status is Status.MISSING:
            detail = "Was invited or a member, but m3ter lists neither any more; a person has to decide."
            return _Judged("review", "missing_in_m3ter", detail)
        return None

    def _invite(self, hire: NewHire, address: AddressStatus, elsewhere: Status | None) -> _Judged:
        occasion = self._occasions.of(hire, address, elsewhere)
        reason, detail = occasion.reason, occasion.detail
        if reason != "new" and self._rules.invite_again:
            reason, detail = "requested", f"{detail} A person asked to invite again."
        elif occasion.verdict != "invite":
            return _Judged(occasion.verdict, reason, detail)
        policy_ids = self._policies.of(hire.permission_policies)
        if isinstance(policy_ids, Restriction):
            return _restricted(policy_ids)
        request = self._request(hire, policy_ids)
        request_hash = hash_request(self._lasting(hire, request))
        if address.refused_hash == request_hash:
            if not self._rules.retry_failed:
                detail = "m3ter refused exactly this request before; correct the row."
                return _Judged("skip", "refused_before", detail, None, request_hash)
            reason, detail = "requested", "m3ter refused this request before; a person asked to try again."
        return _Judged("invite", reason, detail, request, request_hash)

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

    def _lasting(self, hire: NewHire, request: InvitationRequest) -> InvitationRequest:
        """Return what of a request stays the same from run to run while nothing changes: no end reckoned from now."""
        if request.dt_expiry is None or request.dt_expiry == self._after_start(hire):
            return request
        return request.model_copy(update={"dt_expiry": None})

    def _expiry(self, hire: NewHire) -> datetime | None:
        """Return until when the invitation is to be valid; None: m3ter's own 30 days."""
        after_start = self._after_start(hire)
        days = self._rules.validity_days
        if days is None:
            reaches_further = after_start is not None and after_start > self._now + INVITATION_LIFE
            return after_start if reaches_further else None
        today = self._now.astimezone(zone_of(hire.time_zone)).date()
        from_now = end_of_day(today + timedelta(days=days), hire.time_zone)
        return from_now if after_start is None else max(from_now, after_start)

    def _after_start(self, hire: NewHire) -> datetime | None:
        """Return until when the invitation must at least be valid, by the start date."""
        if hire.start_date is None:
            return None
        return end_of_day(hire.start_date + timedelta(days=self._rules.expiry_grace_days), hire.time_zone)


def _looks_alike(other: str) -> _Judged:
    detail = (
        f"{other} differs from this one only in letters that are often taken for the same, such as ß and ss. Perhaps it"
        " is another person's; a person has to decide."
    )
    return _Judged("review", "address_looks_alike", detail)


def _several_addresses(hire: NewHire) -> Decision:
    detail = (
        "Rows of this employee name several addresses, and nothing says which one counts. A person has to decide, or"
        " the query to return updated_at."
    )
    return _decision(hire, "review", "several_addresses", detail)


def _older(hire: NewHire, newer: ValidatedRow) -> Decision:
    unusable = ", although it cannot be used" if isinstance(newer, Decision) else ""
    detail = f"Row {newer.row_no} of this employee is newer, by updated_at, and counts{unusable}."
    return _decision(hire, "invalid", "duplicate_in_batch", detail)


def _restricted(found: Restriction) -> _Judged:
    return _Judged(found.decision, found.reason, found.detail)


def _decision(
    hire: NewHire,
    decision: Verdict,
    reason: str,
    detail: str,
    request: InvitationRequest | None = None,
    request_hash: str | None = None,
    *,
    invitation_id: int | None = None,
) -> Decision:
    return Decision(
        row_no=hire.row_no,
        decision=decision,
        reason=reason,
        employee_id=hire.employee_id,
        email=hire.email_as_given,
        email_key=hire.email_key,
        request=request,
        request_hash=request_hash,
        detail=detail,
        start_date=hire.start_date,
        invitation_id=invitation_id,
        person_name=f"{hire.first_name} {hire.last_name}" if is_asked(decision, reason) else None,
        wrong_value=_asked_policies(hire) if reason in ("policy", "policy_not_allowed") else None,
        extra=hire.extra,
    )


def _asked_policies(hire: NewHire) -> str | None:
    return ", ".join(hire.permission_policies or ())[:LONGEST_WRONG_VALUE] or None


def _accounted(rows: Sequence[ValidatedRow], decided: dict[int, Decision]) -> list[Decision]:
    """Put decisions into the rows' order, and make sure that every row has exactly one."""
    if len(decided) != len(rows) or any(row.row_no not in decided for row in rows):
        raise PlanError(
            f"{len(rows)} rows came to {len(decided)} decisions. Nothing is sent; this is an error of the planner,"
            " or rows share a number."
        )
    return [decided[row.row_no] for row in rows]
