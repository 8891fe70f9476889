"""What waits for a person, and what a person decides."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import select

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.manual_decisions import decide_by_hand
from m3ter_onboarding.ledger.reads.review_list import review_list
from m3ter_onboarding.ledger.reads.scopes import within_any
from m3ter_onboarding.page.access import Reader, ReaderDep, View
from m3ter_onboarding.page.request_values import Given, InvitationId
from m3ter_onboarding.page.routes.people_routes import State

router = APIRouter(prefix="/api/review")

log = logging.getLogger(__name__)


class DecisionBody(BaseModel):
    """What a person decides about an invitation."""

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    seen: State
    to: Literal["sent", "unsent", "superseded"]
    why: Annotated[Given, StringConstraints(max_length=300, strip_whitespace=True)] | None = None


@router.get("/{ledger}")
def review(ledger: str, reader: ReaderDep) -> dict[str, Any]:
    """Return what waits for a person."""
    view = reader.view_of(ledger)
    return {**review_list(view.ledger, view.dags), "may_decide": any(reader.may_edit(dag) for dag in view.dags)}


@router.post("/{invitation_id}")
def decide(invitation_id: InvitationId, body: DecisionBody, reader: ReaderDep) -> dict[str, Any]:
    """Write what a person decided."""
    view = reader.view_of(body.ledger)
    if not _may_decide(reader, view, invitation_id):
        raise HTTPException(403, "You may read this, and not decide it: that needs the right to edit its DAG.")
    decide_by_hand(
        view.ledger.db,
        invitation_id,
        seen=body.seen,
        to=body.to,
        who=reader.name,
        why=body.why or None,
        now=utc_now(),
    )
    log.info("%s made invitation %d %r by hand; it was %r.", reader.name, invitation_id, body.to, body.seen)
    return {"state": body.to}


def _may_decide(reader: Reader, view: View, invitation_id: int) -> bool:
    """Tell whether the reader may edit the DAG of an invitation, or, where it has none, one of its organisation.

    :raises HTTPException: when they may not even see it.
    """
    i = view.ledger.t.invitation
    row = view.ledger.read(
        lambda connection: connection.execute(
            select(i.c.org_id, i.c.dag_id).where(i.c.invitation_id == invitation_id, within_any(i, view.scopes))
        ).one_or_none(),
        doing="looking for an invitation",
    )
    if row is None:
        raise HTTPException(404, "There is nothing here that you may see.")
    of_org = {scope.dag_id for scope in view.scopes if scope.org_id == row.org_id and scope.dag_id is not None}
    candidates = of_org if row.dag_id is None else {row.dag_id}
    return any(reader.may_edit(dag) for dag in view.dags if dag.dag_id in candidates)
