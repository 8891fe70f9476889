"""Lists of invitations, the same as CSV, and one person's story."""

from __future__ import annotations

import logging
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from m3ter_onboarding.ledger.reads.invitation_list import Wanted, all_pages, page_of
from m3ter_onboarding.ledger.reads.person_story import story_of_decision, story_of_invitation
from m3ter_onboarding.ledger.reads.run_history import cut
from m3ter_onboarding.page.access import ReaderDep
from m3ter_onboarding.page.csv_export import as_csv
from m3ter_onboarding.page.request_values import Given, InvitationId, RowNo

router = APIRouter(prefix="/api")

log = logging.getLogger(__name__)

#: Rows of the CSV file that are in memory at once.
_EXPORTED_AT_ONCE = 1000

State = Literal[
    "sending", "unknown", "review", "sent", "adopted", "accepted", "expired", "unsent", "failed", "superseded"
]


class ListBody(BaseModel):
    """What a list of invitations is asked for; in the body, since addresses of requests are logged."""

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    search: Annotated[Given, StringConstraints(max_length=400)] = ""
    states: Annotated[list[State], Field(max_length=10)] = []
    org_id: Annotated[Given, StringConstraints(max_length=64)] | None = None
    sort: Literal["changed", "address", "expires"] = "changed"
    descending: bool = True
    after: Annotated[str, StringConstraints(max_length=4000)] | None = None

    def wanted(self) -> Wanted:
        """Return it as the list understands it."""
        return Wanted(self.search, self.states, self.org_id, self.sort, self.descending, self.after)


@router.post("/invitations")
def invitations(body: ListBody, reader: ReaderDep) -> dict[str, Any]:
    """Return a page of a list."""
    view = reader.view_of(body.ledger)
    page = page_of(view.ledger, view.scopes, body.wanted())
    return {"rows": [{**row, "message": cut(row["message"], 200)} for row in page.rows], "after": page.after}


@router.post("/export")
def export(body: ListBody, reader: ReaderDep) -> Response:
    """Return a whole list as CSV."""
    view = reader.view_of(body.ledger)
    log.info("%s exports invitations of the ledger %s as CSV.", reader.name, view.ledger.db.name)

    pages = all_pages(view.ledger, view.scopes, body.wanted(), _EXPORTED_AT_ONCE)
    first = next(pages)  # what cannot be answered is refused, not an empty file
    headers = {"content-disposition": 'attachment; filename="m3ter-invitations.csv"'}
    return StreamingResponse(as_csv(chain([first], pages)), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/stories/invitation/{ledger}/{invitation_id}")
def story_by_invitation(ledger: str, invitation_id: InvitationId, reader: ReaderDep) -> dict[str, Any]:
    """Tell the story of an invitation's person."""
    view = reader.view_of(ledger)
    return found(story_of_invitation(view.ledger, view.dag_ids, invitation_id))


@router.get("/stories/decision/{ledger}/{plan_id}/{row_no}")
def story_by_decision(ledger: str, plan_id: Given, row_no: RowNo, reader: ReaderDep) -> dict[str, Any]:
    """Tell the story of a decision's person."""
    view = reader.view_of(ledger)
    return found(story_of_decision(view.ledger, view.dag_ids, plan_id, row_no))


def found(what: dict[str, Any] | None) -> dict[str, Any]:
    """Return what was found; what a reader may not see is not there.

    :raises HTTPException: 404.
    """
    if what is None:
        raise HTTPException(404, "There is nothing here that you may see.")
    return what
