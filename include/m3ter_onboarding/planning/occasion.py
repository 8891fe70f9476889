"""The occasion to invite somebody: new, back after their access ended, or again after an invitation that expired.

How often somebody is invited again is bounded by person. All their invitations count that nobody accepted, of any
generation, to any address that they had, whoever sent them, in the ledger or in m3ter's list alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from m3ter_onboarding.ledger.decisions import Verdict
from m3ter_onboarding.planning.address_status import AddressStatus, Status
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.source.new_hire import NewHire
from m3ter_provider.models import INVITATION_LIFE

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Occasion:
    """Why somebody would be invited, and whether the configuration lets it happen now.

    :param verdict: ``invite``, or the decision instead.
    :param detail: a sentence without personal data.
    """

    verdict: Verdict
    reason: str
    detail: str


_NEW = Occasion("invite", "new", "Nothing in ledger or m3ter stands against it.")


@dataclass(frozen=True)
class _PastInvitation:
    """One e-mail that nobody accepted.

    :param began: when it was sent; None: not known.
    :param expired: when it expired; None: not known.
    """

    began: datetime | None
    expired: datetime | None


class Occasions:
    """The occasions of a plan's hires.

    :param facts: ledger and mirror.
    :param now: aware, UTC.
    """

    def __init__(self, facts: Facts, rules: PlanSettings, now: datetime) -> None:
        self._facts = facts
        self._rules = rules
        self._now = now

    def of(self, hire: NewHire, address: AddressStatus, elsewhere: Status | None) -> Occasion:
        """Return the occasion to invite a hire whose address is not taken.

        :param elsewhere: the status of the employee's other address.
        """
        statuses = (address.status, elsewhere)
        if Status.ENDED not in statuses and Status.EXPIRED not in statuses:
            return _NEW
        keys = self._past.addresses_of(hire)
        past = list(self._past.unaccepted(hire, keys))
        if Status.ENDED in statuses:
            detail = "Was a member before; access has ended."
            if self._rules.if_rehire == "review":
                return Occasion("review", "rehire", detail)
            # Invited since, as a rehire, and not accepted: the bound holds for that as for a new hire.
            past = [one for one in past if self._past.is_since_the_end(one, keys)]
            if not past:
                return Occasion("invite", "rehire", detail)
        return self._after_expiry(past)

    @cached_property
    def _past(self) -> _Past:
        """Look facts up only where somebody's invitation expired, or somebody left: in most plans, nobody's."""
        return _Past(self._facts)

    def _after_expiry(self, past: list[_PastInvitation]) -> Occasion:
        times = max(len(past), 1)
        invited = f"Invited {times} time{'s' if times > 1 else ''}; the last invitation expired without being accepted"
        if times > self._rules.reinvite:
            bound = ", and reinvite allows no more" if self._rules.reinvite else ""
            return Occasion("review", "expired", f"{invited}{bound}.")
        expired = max((one.expired for one in past if one.expired), default=None)
        follows = None if expired is None else min(expired, self._now) + self._rules.cool_off
        if follows is not None and follows > self._now:
            return Occasion("skip", "cooling_off", f"{invited}; the next may follow from {follows:%Y-%m-%d %H:%M} UTC.")
        return Occasion("invite", "expired", f"{invited}.")


class _Past:
    """What became of earlier invitations, by address and employee.

    :param facts: ledger and mirror.
    """

    def __init__(self, facts: Facts) -> None:
        self._previous = facts.previous_addresses
        self._listed = {invitation.m3ter_id: invitation for invitation in facts.invitations}
        self._in_ledger = {row.m3ter_id for row in facts.ledger}
        self._rows_of_key = _by(facts.ledger, lambda row: row.email_key)
        self._rows_of_employee = _by(facts.ledger, lambda row: row.employee_id)
        self._invitations = _by(facts.invitations, lambda invitation: invitation.email_key)
        self._users = _by(facts.users, lambda user: user.email_key)

    def addresses_of(self, hire: NewHire) -> set[str]:
        """Return a hire's address, and the employee's others."""
        others = {row.email_key for row in self._rows_of_employee.get(hire.employee_id, ())}
        previous = self._previous.get(hire.employee_id)
        return {hire.email_key, *others, *([previous] if previous else ())}

    def unaccepted(self, hire: NewHire, keys: set[str]) -> Iterator[_PastInvitation]:
        """Yield the e-mails that a hire did not accept, by ledger and m3ter."""
        rows = {
            row.invitation_id: row
            for row in (
                *self._rows_of_key.get(hire.email_key, ()),
                *self._rows_of_employee.get(hire.employee_id, ()),
            )
        }
        # An address that was invited without an employee, and is this one's by an earlier plan.
        for key in keys:
            rows.update({row.invitation_id: row for row in self._rows_of_key.get(key, ()) if row.employee_id is None})
        for row in rows.values():
            was_emailed = row.m3ter_id is not None or row.sent_at is not None
            if was_emailed and row.accepted_at is None:
                listed = self._listed.get(row.m3ter_id or "")
                began, expired = row.sent_at, row.expires_at
                if listed is not None:
                    began, expired = began or listed.created_at, listed.expires_at or expired
                yield _PastInvitation(began, expired or _end_of_life(began))
        for invitation in (one for key in keys for one in self._invitations.get(key, ())):
            if not invitation.accepted and invitation.m3ter_id not in self._in_ledger:
                began = invitation.created_at
                yield _PastInvitation(began, invitation.expires_at or _end_of_life(began))

    def is_since_the_end(self, one: _PastInvitation, keys: Iterable[str]) -> bool:
        """Return whether an e-mail is later than the end of any access by these addresses."""
        users = (user for key in keys for user in self._users.get(key, ()))
        ends = [user.access_ends_at for user in users if user.access_ends_at is not None]
        return one.began is None or not ends or one.began >= max(ends)


def _by(found: Iterable[_Found], key_of: Callable[[_Found], str | None]) -> dict[str, list[_Found]]:
    by_key: dict[str, list[_Found]] = {}
    for one in found:
        if (key := key_of(one)) is not None:
            by_key.setdefault(key, []).append(one)
    return by_key


def _end_of_life(began: datetime | None) -> datetime | None:
    return None if began is None else began + INVITATION_LIFE
