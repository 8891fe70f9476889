"""Invitations that wait for a person, and the decisions of people, one at a time."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, StringConstraints

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.manual_decisions import ManualDecision, decide_by_hand
from m3ter_onboarding.ledger.reads.open_questions import dag_of_question
from m3ter_onboarding.ledger.reads.review_list import review_list
from m3ter_onboarding.ledger.reads.scopes import deciding_dags
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.worklist_decisions import Action, WorklistDecision, decide_about_entry
from m3ter_onboarding.page.access import ReaderDep, found
from m3ter_onboarding.page.answers import Decided, QuestionDecided, Review
from m3ter_onboarding.page.request_values import InvitationId, StorableInstant, StorableText

router = APIRouter(prefix="/api")

log = logging.getLogger(__name__)


class DecisionBody(BaseModel):
    """The decision of a person about an invitation.

    :param seen: the state that they saw.
    """

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    seen: InvitationState
    to: Literal["sent", "unsent", "superseded"]
    why: Annotated[StorableText, StringConstraints(max_length=300, strip_whitespace=True)] | None = None


class QuestionBody(BaseModel):
    """The decision of a person about an open question of the worklist.

    :param since: when it was opened, as they saw it.
    :param until: only with ``snooze``; empty: not put off any more.
    :param note: empty: no note any more; absent: it stays as it is.
    """

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    since: StorableInstant
    action: Action
    until: StorableInstant | None = None
    note: Annotated[StorableText, StringConstraints(max_length=300, strip_whitespace=True)] | None = None


@router.get("/review/{ledger}")
def review(ledger: str, reader: ReaderDep) -> Review:
    """Return the unclear invitations that wait for a person, and the worklist in figures."""
    view = reader.view_of(ledger)
    waiting = review_list(view.ledger, view.visible, utc_now())
    return Review(
        invitations=waiting.invitations,
        more_invitations=waiting.more_invitations,
        counts=waiting.counts,
        may_decide=any(reader.may_edit(dag) for dag in view.dags),
    )


@router.post("/questions/{item_id}")
def decide_question(item_id: InvitationId, body: QuestionBody, reader: ReaderDep) -> QuestionDecided:
    """Close an open question, open it again, put it off, or write a note."""
    view = reader.view_of(body.ledger)
    dag_id = found(
        view.ledger.read(
            lambda c: dag_of_question(c, view.ledger.t, view.visible, item_id), doing="looking for a question"
        )
    )
    if not any(reader.may_edit(dag) for dag in view.dags if dag.dag_id == dag_id):
        raise HTTPException(403, "You may read this, and not decide it: that needs the right to edit its DAG.")
    decision = WorklistDecision(item_id, body.since, body.action, who=reader.name, until=body.until, note=body.note)
    decide_about_entry(view.ledger.db, decision, utc_now())
    log.info("%s decided about question %d of the worklist: %s.", reader.name, item_id, body.action)
    return QuestionDecided(body.action)


@router.post("/review/{invitation_id}")
def decide(invitation_id: InvitationId, body: DecisionBody, reader: ReaderDep) -> Decided:
    """Record what a person decided."""
    view = reader.view_of(body.ledger)
    candidates = found(deciding_dags(view.ledger, view.visible.scopes, invitation_id))
    if not any(reader.may_edit(dag) for dag in view.dags if dag.dag_id in candidates):
        raise HTTPException(403, "You may read this, and not decide it: that needs the right to edit its DAG.")
    decide_by_hand(
        view.ledger.db,
        ManualDecision(invitation_id, seen=body.seen.value, to=body.to, who=reader.name, why=body.why or None),
        utc_now(),
    )
    log.info("%s made invitation %d %r by hand; it was %r.", reader.name, invitation_id, body.to, body.seen.value)
    return Decided(InvitationState(body.to))
