"""Invitations that nobody has accepted, and that expire soon or whose person starts soon: ``m3ter_onboarding_chase``.

m3ter cannot send an invitation again: a person has to remind its receiver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, select

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.day_one import EndedWhy, Moment, Standing, standing_of
from m3ter_onboarding.ledger.lasting_lists import ListedRow, update_list
from m3ter_onboarding.ledger.starting_people import PersonStanding, people_of, people_who_start
from m3ter_onboarding.ledger.states import ON_ITS_WAY_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables

_WAITING = (Standing.PENDING, Standing.EXPIRES_BEFORE_START)
Why = Literal["starts", "expires", "both"]


@dataclass(frozen=True)
class ChaseDays:
    """How soon is soon.

    :param starts_within: days until the start date.
    :param expires_within: days until the invitation expires.
    """

    starts_within: int
    expires_within: int


def update_chase(connection: Connection, t: Tables, org_id: str, now: Moment, days: ChaseDays) -> dict[Why, int]:
    """List the invitations to chase, end the rows of all others, and return the counts."""
    last = now.today + timedelta(days=days.starts_within)
    starting = {
        person.invitation.invitation_id: person
        for person in people_who_start(connection, t, org_id, now.today, last).values()
        if person.invitation is not None and _starts(person, now, days)
    }
    expiring = {row.invitation_id: row for row in _expiring(connection, t, org_id, now, days)}
    others = people_of(connection, t, org_id, [row for number, row in expiring.items() if number not in starting])
    listed: dict[Any, ListedRow] = {}
    counts: dict[Why, int] = {"starts": 0, "expires": 0, "both": 0}
    for number in sorted({*starting, *expiring}):
        person = starting.get(number) or others.get(number)
        why: Why = "expires" if number not in starting else "both" if number in expiring else "starts"
        counts[why] += 1
        invitation = expiring[number] if number in expiring else starting[number].invitation
        listed[number] = _row(invitation, person, why)
    states = _states_of_leaving(connection, t, org_id, listed)

    def ended(before: Row[Any]) -> str:
        return _ended(before, states.get(before.invitation_id), now).value

    update_list(connection, t.chase, org_id, listed, ended=ended, now=now.at)
    return counts


def _starts(person: PersonStanding, now: Moment, days: ChaseDays) -> bool:
    soon = not person.gone and now.is_within(person.decided.start_date, days.starts_within)
    return soon and standing_of(person, now) in _WAITING


def _expiring(connection: Connection, t: Tables, org_id: str, now: Moment, days: ChaseDays) -> list[Row[Any]]:
    i = t.invitation.c
    until = now.midnight(now.today + timedelta(days=days.expires_within + 1))
    chosen = select(i.invitation_id, i.employee_id, i.email, i.email_key, i.dag_id, i.sent_at, i.expires_at).where(
        i.org_id == org_id,
        i.state.in_(state_values(ON_ITS_WAY_STATES)),
        i.expires_at > now.at,
        i.expires_at < until,
    )
    return list(connection.execute(chosen))


def _states_of_leaving(
    connection: Connection, t: Tables, org_id: str, listed: Mapping[Any, ListedRow]
) -> dict[int, Row[Any]]:
    """Return the invitations of rows that are no longer listed."""
    c, i = t.chase.c, t.invitation.c
    numbers = connection.execute(select(c.invitation_id).where(c.org_id == org_id, c.ended_at.is_(None))).scalars()
    found: dict[int, Row[Any]] = {}
    for batch in batches(sorted(set(numbers) - set(listed))):
        chosen: Select[Any] = select(i.invitation_id, i.state, i.expires_at)
        chosen = chosen.where(i.org_id == org_id, i.invitation_id.in_(batch))
        found.update((row.invitation_id, row) for row in connection.execute(chosen))
    return found


def _ended(before: Row[Any], invitation: Row[Any] | None, now: Moment) -> EndedWhy:
    if invitation is None:
        return EndedWhy.OVER
    if invitation.state == InvitationState.ACCEPTED.value:
        return EndedWhy.ACCEPTED
    waits = invitation.state in state_values(ON_ITS_WAY_STATES)
    over = waits and invitation.expires_at is not None and invitation.expires_at <= now.at
    if invitation.state == InvitationState.EXPIRED.value or over:
        return EndedWhy.EXPIRED
    if not waits:
        return EndedWhy.OVER
    started = before.start_date is not None and before.start_date < now.today
    return EndedWhy.STARTED if started else EndedWhy.LATER


def _row(invitation: Any, person: PersonStanding | None, why: Why) -> ListedRow:
    return {
        "employee_id": person.employee_id if person else invitation.employee_id,
        "email": invitation.email,
        "email_key": invitation.email_key,
        "dag_id": invitation.dag_id,
        "start_date": person.decided.start_date if person else None,
        "why": why,
        "sent_at": invitation.sent_at,
        "expires_at": invitation.expires_at,
    }
