"""Who starts soon, and where each of them stands: the table ``m3ter_onboarding_day_one``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row

from m3ter_onboarding.clock import in_utc
from m3ter_onboarding.ledger.lasting_lists import ListedRow, update_list
from m3ter_onboarding.ledger.starting_people import PersonStanding, people_who_start
from m3ter_onboarding.ledger.states import (
    LIVE_STATES,
    NOT_YET_SENT_STATES,
    ON_ITS_WAY_STATES,
    InvitationState,
    state_values,
)
from m3ter_onboarding.ledger.tables import Tables

_ON_ITS_WAY, _LIVE = frozenset(state_values(ON_ITS_WAY_STATES)), frozenset(state_values(LIVE_STATES))
#: Another invitation was tried, and perhaps sent, since the last one expired.
_TRIED = frozenset(state_values(NOT_YET_SENT_STATES - {InvitationState.UNSENT}))

#: Decided that they get none: nobody has to prepare anything.
_NOT_TO_BE_INVITED = frozenset({"excluded", "erased"})
#: The last invitation has expired, whether the ledger holds it or m3ter alone.
_HAS_EXPIRED = frozenset({"expired", "cooling_off"})
#: What was sent or accepted before is over.
_IS_OVER = frozenset({"rehire", "missing_in_m3ter"})


class Standing(str, Enum):
    """Where somebody stands who starts soon."""

    NOT_INVITED = "not_invited"  #: no invitation counts; the decision says why
    PENDING = "pending"  #: invited, and has not accepted
    EXPIRES_BEFORE_START = "expires_before_start"  #: likewise, and the invitation expires before the first day
    EXPIRED = "expired"  #: the last invitation has expired, and no other was tried since
    ACCEPTED = "accepted"  #: they have accepted an invitation
    MEMBER = "member"  #: they have access, and joined without an invitation that the ledger knows


#: The names that people read.
STANDINGS: dict[Standing, str] = {
    Standing.NOT_INVITED: "not invited",
    Standing.EXPIRED: "invitation expired",
    Standing.EXPIRES_BEFORE_START: "invited, expires before the first day",
    Standing.PENDING: "invited, not accepted",
    Standing.ACCEPTED: "accepted",
    Standing.MEMBER: "has access",
}
#: Those who could not work if today were their first day.
WITHOUT_ACCESS = (Standing.NOT_INVITED, Standing.EXPIRED, Standing.EXPIRES_BEFORE_START, Standing.PENDING)


class EndedWhy(str, Enum):
    """Why a row of a list is ended."""

    STARTED = "started"  #: the first day is over
    LATER = "later"  #: the first day, or the end of the invitation, is not within the days that are listed
    GONE = "gone"  #: a complete read of the days no longer has the row
    EXCLUDED = "excluded"  #: excluded or erased, and without an invitation
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    OVER = "over"  #: another invitation counts, or a person has decided


@dataclass(frozen=True)
class Moment:
    """One instant, and the day that it is for an organisation.

    :param at: UTC.
    :param zone: the configuration's ``time_zone``.
    """

    at: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        """The day in that time zone."""
        return self.at.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """Return the beginning of a day there, in UTC."""
        return in_utc(datetime.combine(day, time(), tzinfo=self.zone))

    def is_within(self, day: date | None, days: int) -> bool:
        """Return whether a day is today, or one of the next *days*."""
        return day is not None and self.today <= day <= self.today + timedelta(days=days)


def standing_of(person: PersonStanding, now: Moment) -> Standing:
    """Return where a person stands.

    :param now: an invitation that has expired by then is expired, also if m3ter was not read since.
    """
    invitation, decided = person.invitation, person.decided
    if invitation is not None and _is_over(invitation, decided):
        invitation = None
    state = None if invitation is None else invitation.state
    if invitation is not None and state == InvitationState.ACCEPTED.value:
        return Standing.MEMBER if invitation.m3ter_id is None else Standing.ACCEPTED
    if decided.reason == "already_member":
        return Standing.MEMBER
    if invitation is not None and state in _ON_ITS_WAY:
        return _of_invited(invitation.expires_at, decided.start_date, now)
    has_expired = state == InvitationState.EXPIRED.value or decided.reason in _HAS_EXPIRED
    return Standing.EXPIRED if has_expired and state not in _TRIED else Standing.NOT_INVITED


def _is_over(invitation: Row[Any], decided: Row[Any]) -> bool:
    """Return whether a later decision says that an invitation, or the access that it gave, is no more."""
    times = [at for at in (invitation.sent_at, invitation.accepted_at) if at is not None]
    return decided.reason in _IS_OVER and all(at <= decided.decided_at for at in times)


def _of_invited(expires_at: datetime | None, start_date: date | None, now: Moment) -> Standing:
    if expires_at is None:
        return Standing.PENDING
    if expires_at <= now.at:
        return Standing.EXPIRED
    before = start_date is not None and expires_at <= now.midnight(start_date)
    return Standing.EXPIRES_BEFORE_START if before else Standing.PENDING


def update_day_one(connection: Connection, t: Tables, org_id: str, now: Moment, days: int) -> dict[Standing, int]:
    """List everybody who starts today or within *days*, end the rows of all others, and return the counts."""
    people = people_who_start(connection, t, org_id, now.today, now.today + timedelta(days=days))
    listed: dict[Any, ListedRow] = {}
    not_listed: dict[Any, EndedWhy] = {}
    counts = dict.fromkeys(Standing, 0)
    for key, person in people.items():
        why = _not_listed(person, now, days)
        if why is not None:
            not_listed[key] = why
            continue
        standing = standing_of(person, now)
        counts[standing] += 1
        listed[key] = _row(person, standing)

    def ended(before: Any) -> str:
        started = before.start_date is not None and before.start_date < now.today
        return (EndedWhy.STARTED if started else not_listed.get(before.person_key, EndedWhy.LATER)).value

    update_list(connection, t.day_one, org_id, listed, ended=ended, now=now.at, since=("standing", "standing_since"))
    return counts


def _not_listed(person: PersonStanding, now: Moment, days: int) -> EndedWhy | None:
    """Return why a person is not in the list; None: they are."""
    has_invitation = person.invitation is not None and person.invitation.state in _LIVE
    if person.decided.reason in _NOT_TO_BE_INVITED and not has_invitation:
        return EndedWhy.EXCLUDED
    if not now.is_within(person.decided.start_date, days):
        return EndedWhy.LATER
    return EndedWhy.GONE if person.gone else None


def _row(person: PersonStanding, standing: Standing) -> Mapping[str, Any]:
    decided, invitation = person.decided, person.invitation
    return {
        "employee_id": person.employee_id,
        "email": decided.email,
        "email_key": decided.email_key,
        "start_date": decided.start_date,
        "standing": standing.value,
        "decision": decided.decision,
        "reason": decided.reason,
        "plan_id": decided.plan_id,
        "row_no": decided.row_no,
        "dag_id": decided.dag_id,
        "invitation_id": invitation.invitation_id if invitation else None,
        "invitation_state": invitation.state if invitation else None,
        "expires_at": invitation.expires_at if invitation else None,
    }
