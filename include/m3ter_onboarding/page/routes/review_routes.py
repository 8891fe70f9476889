"""The list of those that wait for a person, and the decisions of people."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, StringConstraints

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.manual_decisions import ManualDecision, decide_by_hand
from m3ter_onboarding.ledger.reads.review_list import review_list
from m3ter_onboarding.ledger.reads.scopes import deciding_dags
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.page.access import ReaderDep, found
from m3ter_onboarding.page.answers import Decided, Review
from m3ter_onboarding.page.request_values import InvitationId, StorableText

router = APIRouter(prefix="/api/review")

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


@router.get("/{ledger}")
def review(ledger: str, reader: ReaderDep) -> Review:
    """Return what waits for a person."""
    view = reader.view_of(ledger)
    waiting = review_list(view.ledger, view.visible)
    return Review(
        invitations=waiting.invitations,
        more_invitations=waiting.more_invitations,
        rows=waiting.rows,
        more_rows=waiting.more_rows,
        may_decide=any(reader.may_edit(dag) for dag in view.dags),
    )


@router.post("/{invitation_id}")
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
