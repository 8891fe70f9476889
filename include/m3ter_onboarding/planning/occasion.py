"""The occasion to invite somebody: new, back after their access ended, or again after an invitation that expired.

How often somebody is invited again is bounded by person. All their invitations count that nobody accepted, of any
generation, to any address that they had, whoever sent them, in the ledger or in m3ter's list alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from m3ter_onboarding.ledger.decisions import Verdict
from m3ter_onboarding.ledger.people import LedgerInvitation
from m3ter_onboarding.planning.address_status import AddressStatus, Status
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.source.new_hire import NewHire
from m3ter_provider.models import INVITATION_LIFE


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
        self._listed = {invitation.m3ter_id: invitation for invitation in facts.invitations}
        self._in_ledger = {row.m3ter_id for row in facts.ledger}
        self._rows_of_key: dict[str, list[LedgerInvitation]] = {}
        self._rows_of_employee: dict[str, list[LedgerInvitation]] = {}
        for row in facts.ledger:
            self._rows_of_key.setdefault(row.email_key, []).append(row)
            if row.employee_id is not None:
                self._rows_of_employee.setdefault(row.employee_id, []).append(row)

    def of(self, hire: NewHire, address: AddressStatus, elsewhere: Status | None) -> Occasion:
        """Return the occasion to invite a hire whose address is not taken.

        :param elsewhere: the status of the employee's other address.
        """
        statuses = (address.status, elsewhere)
        if Status.ENDED not in statuses and Status.EXPIRED not in statuses:
            return _NEW
        keys = self._addresses_of(hire)
        past = list(self._unaccepted(hire, keys))
        if Status.ENDED in statuses:
            detail = "Was a member before; access has ended."
            if self._rules.if_rehire == "review":
                return Occasion("review", "rehire", detail)
            # Invited since, as a rehire, and not accepted: the bound holds for that as for a new hire.
            past = [one for one in past if self._is_since_the_end(one, keys)]
            if not past:
                return Occasion("invite", "rehire", detail)
        return self._after_expiry(past)

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

    def _addresses_of(self, hire: NewHire) -> set[str]:
        others = {row.email_key for row in self._rows_of_employee.get(hire.employee_id, ())}
        previous = self._facts.previous_addresses.get(hire.employee_id)
        return {hire.email_key, *others, *([previous] if previous else ())}

    def _unaccepted(self, hire: NewHire, keys: set[str]) -> Iterator[_PastInvitation]:
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
        for invitation in self._facts.invitations:
            in_ledger = invitation.m3ter_id in self._in_ledger
            if invitation.email_key in keys and not invitation.accepted and not in_ledger:
                began = invitation.created_at
                yield _PastInvitation(began, invitation.expires_at or _end_of_life(began))

    def _is_since_the_end(self, one: _PastInvitation, keys: Iterable[str]) -> bool:
        ends = [
            user.access_ends_at
            for user in self._facts.users
            if user.email_key in keys and user.access_ends_at is not None
        ]
        return one.began is None or not ends or one.began >= max(ends)


def _end_of_life(began: datetime | None) -> datetime | None:
    return None if began is None else began + INVITATION_LIFE
