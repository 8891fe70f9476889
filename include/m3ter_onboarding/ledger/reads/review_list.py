"""The list of those that wait for a person: invitations of unknown outcome, and the worklist in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.manual_decisions import ways_out
from m3ter_onboarding.ledger.reads.invitation_list import InvitationQuery, InvitationRow, page_of
from m3ter_onboarding.ledger.reads.open_questions import count_questions, sorted_states
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import VisibleRows
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.ledger.states import WHYS, InvitationState
from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True, repr=False)
class InvitationForReview:
    """An invitation of which nobody knows whether it was sent.

    :param person_name: first and last name; None: not known.
    :param said: why, in words.
    :param way: what a person can do.
    :param to: the states that a person may give it.
    """

    invitation_id: int
    org_id: str
    email: str
    employee_id: str | None
    person_name: str | None
    dag_id: str | None
    state: InvitationState
    since: datetime
    said: str
    detail: str | None
    way: str
    to: list[InvitationState]


@dataclass(frozen=True)
class ReviewList:
    """The invitations for review, up to a page, and whether there are more; the worklist in figures beside them.

    :param counts: open questions by decision and reason, those that are put off or gone left out.
    """

    invitations: list[InvitationForReview]
    more_invitations: bool
    counts: dict[str, int]


def review_list(reader: LedgerReader, visible: VisibleRows, at: datetime) -> ReviewList:
    """Return the invitations that wait for a person, and how many questions are open.

    :param at: UTC, now.
    """
    oldest_first = InvitationQuery(states=(InvitationState.REVIEW,), descending=False)
    unclear = page_of(reader, visible.scopes, oldest_first, counted=False)

    def work(connection: Connection) -> ReviewList:
        return ReviewList(
            invitations=_with_reasons(connection, reader.t, unclear.rows),
            more_invitations=unclear.after is not None,
            counts=count_questions(connection, reader.t, visible, at),
        )

    return reader.read(work, doing="reading the review list")


def _with_reasons(connection: Connection, t: Tables, rows: Sequence[InvitationRow]) -> list[InvitationForReview]:
    e = t.event.c
    events = connection.execute(
        select(e.invitation_id, e.why, e.at)
        .where(e.invitation_id.in_([row.invitation_id for row in rows]), e.to_state == InvitationState.REVIEW.value)
        .order_by(e.event_id)
    )
    causes = {event.invitation_id: event for event in events}
    return [
        InvitationForReview(
            invitation_id=row.invitation_id,
            org_id=row.org_id,
            email=row.email,
            employee_id=row.employee_id,
            person_name=row.person_name,
            dag_id=row.dag_id,
            state=row.state,
            since=cause.at if cause else row.updated_at,
            said=WHYS.get(cause.why, "") if cause else "",
            detail=shortened(row.message),
            way=decision_names.WAYS["unknown_outcome"],
            to=sorted_states(ways_out(row.state.value)),
        )
        for row, cause in ((row, causes.get(row.invitation_id)) for row in rows)
    ]
