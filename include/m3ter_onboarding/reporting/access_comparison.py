"""One user or invitation of m3ter compared with what warehouse and configuration say about the person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.ledger.access_findings import Finding, FoundAccess
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.reviewed_access import AskedEnd, Job, KnownPerson, ReviewedInvitation, ReviewedUser
from m3ter_provider.email_identity import ascii_domain, email_domain, email_key
from m3ter_provider.errors import M3terPermissionPolicyError
from m3ter_provider.permission_policies import PolicyBook

#: Dates are kept to the minute by some, and one day's last instant is the next day's first.
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class ReviewRules:
    """The settings of a review, normalised for comparison.

    :param ignored_domains: in their ASCII form.
    """

    compare_policies: bool
    default_policies: tuple[str, ...]
    ignored_keys: frozenset[str] = field(repr=False)
    ignored_domains: frozenset[str]
    ignored_employees: frozenset[str] = field(repr=False)

    @classmethod
    def from_config(cls, config: OnboardingConfig) -> ReviewRules:
        """Take the rules from a configuration; people who are excluded from invitations are left out, too."""
        review, excluded = config.access_review, config.exclude
        domains = (*review.ignored_domains, *excluded.domains)
        return cls(
            compare_policies=review.compare_policies,
            default_policies=config.permission_policies,
            ignored_keys=frozenset(map(email_key, (*review.ignored_addresses, *excluded.addresses))),
            ignored_domains=frozenset(ascii_domain(name.strip().removeprefix("@")) for name in domains),
            ignored_employees=frozenset(excluded.employee_ids),
        )

    def ignore(self, address: str, person: KnownPerson) -> bool:
        """Return whether somebody is left out."""
        if self.ignored_employees.intersection(person.employees):
            return True
        return email_key(address) in self.ignored_keys or email_domain(address) in self.ignored_domains


class AccessComparison:
    """The comparison of one read.

    :param policies: all permission policies of the organisation.
    :param at: when the read began (UTC).
    """

    def __init__(self, rules: ReviewRules, policies: tuple[M3terPolicy, ...], at: datetime) -> None:
        self._rules, self._at = rules, at
        self._book = PolicyBook(policies)
        self._names: Mapping[str, str] = {policy.m3ter_id: policy.name for policy in policies}
        self._resolved: dict[tuple[str, ...], frozenset[str] | None] = {}

    @property
    def unresolved(self) -> int:
        """How many lists of policies name one that m3ter does not have, or has twice; they are not compared."""
        return sum(ids is None for ids in self._resolved.values())

    def of_user(self, user: ReviewedUser) -> Iterator[FoundAccess]:
        """Yield what differs about a user."""
        person = user.person
        if self._rules.ignore(user.email, person):
            return
        access = user.access_ends_at is None or user.access_ends_at > self._at
        jobs = person.jobs or person.jobs_by_employee
        if not jobs:
            if access and not self._starts_later(person):
                yield self._found(Finding.NO_JOB, user, _access(user.access_ends_at), "no access: no job")
            return
        # Access that has ended matters only where nothing else gives the person access.
        if not access and (user.has_other_access or not person.jobs):
            return
        yield from self._ends(user, jobs, access=access)
        if access:
            yield from self._policies(user, jobs)

    def of_invitation(self, invitation: ReviewedInvitation) -> Iterator[FoundAccess]:
        """Yield the finding about an invitation of somebody without a job."""
        person = invitation.person
        if person.jobs or person.jobs_by_employee or self._starts_later(person):
            return
        if not self._rules.ignore(invitation.email, person):
            until = f"an invitation until {_day(invitation.expires_at)}" if invitation.expires_at else "an invitation"
            yield self._found(Finding.PENDING_FOR_LEAVER, invitation, until, "no invitation: no job")

    def _starts_later(self, person: KnownPerson) -> bool:
        return person.starts_on is not None and person.starts_on >= self._at.date()

    def _ends(self, user: ReviewedUser, jobs: tuple[Job, ...], *, access: bool) -> Iterator[FoundAccess]:
        wanted = [job.access_ends_at for job in jobs if job.end_given]
        if not wanted or any(_same_end(user.access_ends_at, end) for end in wanted):
            return
        latest = None if None in wanted else max(end for end in wanted if end is not None)
        if not access and latest is not None and latest <= self._at:
            return  # both are over
        asked = user.person.asked
        kind = Finding.ACCESS_END_DIFFERS
        if isinstance(asked, AskedEnd) and _same_end(user.access_ends_at, asked.access_ends_at):
            kind = Finding.ACCESS_END_CHANGED  # m3ter has what was asked for, and the row says another day now
        yield self._found(kind, user, _access(user.access_ends_at), _access(latest))

    def _policies(self, user: ReviewedUser, jobs: tuple[Job, ...]) -> Iterator[FoundAccess]:
        held = user.policy_ids
        if held is None or not self._rules.compare_policies:
            return
        wanted = [self._wanted_ids(job.permission_policies or self._rules.default_policies) for job in jobs]
        if None in wanted or held in wanted:
            return
        yield self._found(
            Finding.POLICIES_DIFFER, user, self._listed(held), " or ".join(self._listed(ids or ()) for ids in wanted)
        )

    def _wanted_ids(self, names: tuple[str, ...]) -> frozenset[str] | None:
        if not names:
            return None  # neither the row nor the configuration asks for any
        if names not in self._resolved:
            try:
                self._resolved[names] = frozenset(policy.m3ter_id for policy in self._book.resolve(names))
            except M3terPermissionPolicyError:
                self._resolved[names] = None
        return self._resolved[names]

    def _listed(self, ids: frozenset[str] | tuple[str, ...]) -> str:
        return ", ".join(sorted(self._names.get(one, one) for one in ids)) or "no policy"

    def _found(
        self, finding: Finding, entry: ReviewedUser | ReviewedInvitation, in_m3ter: str, wanted: str
    ) -> FoundAccess:
        employees = entry.person.employees
        return FoundAccess(
            finding=finding,
            m3ter_id=entry.m3ter_id,
            email=entry.email,
            email_key=entry.email_key,
            employee_id=employees[0] if len(employees) == 1 else None,
            in_m3ter=in_m3ter,
            wanted=wanted,
        )


def _same_end(in_m3ter: datetime | None, wanted: datetime | None) -> bool:
    """Return whether m3ter's end lies in the last day of access, or at its midnight.

    :param wanted: the last millisecond of that day.
    """
    if in_m3ter is None or wanted is None:
        return in_m3ter is wanted
    return wanted - timedelta(days=1) < in_m3ter <= wanted + _SLACK


def _access(ends_at: datetime | None) -> str:
    return "access without an end" if ends_at is None else f"access until {_day(ends_at)}"


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
