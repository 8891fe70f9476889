"""Who starts soon, and where each of them stands: the table ``m3ter_onboarding_day_one``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from m3ter_onboarding.clock import in_utc
from m3ter_onboarding.ledger.lasting_lists import ListedRow, update_list
from m3ter_onboarding.ledger.starting_people import PersonStanding, people_who_start
from m3ter_onboarding.ledger.states import LIVE_STATES, ON_ITS_WAY_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables

_ON_ITS_WAY, _LIVE = frozenset(state_values(ON_ITS_WAY_STATES)), frozenset(state_values(LIVE_STATES))

#: Decided that they get none: nobody has to prepare anything.
_NOT_TO_BE_INVITED = frozenset({"excluded", "erased"})


class Standing(str, Enum):
    """Where somebody stands who starts soon."""

    NOT_INVITED = "not_invited"  #: the decision says why
    PENDING = "pending"  #: invited, and has not accepted
    EXPIRES_BEFORE_START = "expires_before_start"  #: likewise, and the invitation expires before the first day
    EXPIRED = "expired"  #: the invitation has expired
    ACCEPTED = "accepted"  #: they have accepted an invitation
    MEMBER = "member"  #: they have access, and joined without an invitation that the ledger knows


#: Somebody should do something about these before the first day.
NOT_READY = (Standing.NOT_INVITED, Standing.EXPIRES_BEFORE_START, Standing.EXPIRED)


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
    if invitation is None:
        return Standing.MEMBER if decided.reason == "already_member" else Standing.NOT_INVITED
    state = invitation.state
    if state == InvitationState.ACCEPTED.value:
        return Standing.ACCEPTED if invitation.m3ter_id is not None else Standing.MEMBER
    if state == InvitationState.EXPIRED.value:
        return Standing.EXPIRED
    if state not in _ON_ITS_WAY:
        return Standing.NOT_INVITED
    if invitation.expires_at is None:
        return Standing.PENDING
    if invitation.expires_at <= now.at:
        return Standing.EXPIRED
    first_day = decided.start_date and now.midnight(decided.start_date)
    before = first_day is not None and invitation.expires_at <= first_day
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
