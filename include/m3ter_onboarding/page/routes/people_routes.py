"""Lists of invitations, the same as CSV, and one person's history."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.reads.invitation_list import InvitationPage, InvitationQuery, Sort, all_pages, page_of
from m3ter_onboarding.ledger.reads.person_history import PersonHistory, history_of_decision, history_of_invitation
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.page.access import ReaderDep, found
from m3ter_onboarding.page.csv_export import as_csv
from m3ter_onboarding.page.request_values import InvitationId, RowNo, StorableInstant, StorableText

router = APIRouter(prefix="/api")

log = logging.getLogger(__name__)

#: Rows of the CSV file that are in memory at once.
_EXPORTED_AT_ONCE = 1000
#: Days from now.
Days = Annotated[int, Field(ge=0, le=3650)]
#: Characters of m3ter's answer in a list.
_MESSAGE = 200


class RunOfList(BaseModel):
    """The run whose invitations alone are listed."""

    model_config = ConfigDict(extra="forbid")

    dag_id: Annotated[StorableText, StringConstraints(max_length=250)]
    run_id: Annotated[StorableText, StringConstraints(max_length=250)]


class ListBody(BaseModel):
    """Which invitations a list shows; in the body, since addresses of requests are logged.

    :param runs_since: only those of runs that began then or later and may send.
    :param expires_after_days: only those that expire later than in so many days.
    :param expires_within_days: only those that expire in so many days, and have not expired yet.
    """

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    search: Annotated[StorableText, StringConstraints(max_length=400)] = ""
    states: Annotated[list[InvitationState], Field(max_length=len(InvitationState))] = []
    org_id: Annotated[StorableText, StringConstraints(max_length=64)] | None = None
    run: RunOfList | None = None
    runs_since: StorableInstant | None = None
    expires_after_days: Days | None = None
    expires_within_days: Days | None = None
    sort: Sort = "changed"
    descending: bool = True
    after: Annotated[str, StringConstraints(max_length=4000)] | None = None
    before: Annotated[str, StringConstraints(max_length=4000)] | None = None

    def query(self) -> InvitationQuery:
        """Return it as the ledger is asked."""
        now, after, within = utc_now(), self.expires_after_days, self.expires_within_days
        return InvitationQuery(
            *(self.search, self.states, self.org_id, self.sort, self.descending, self.after, self.before),
            run=None if self.run is None else RunKey(self.run.dag_id, self.run.run_id),
            runs_since=self.runs_since,
            expires_from=None if after is None and within is None else now + timedelta(days=after or 0),
            expires_before=None if within is None else now + timedelta(days=within),
        )


@router.post("/invitations")
def invitations(body: ListBody, reader: ReaderDep) -> InvitationPage:
    """Return a page of a list."""
    view = reader.view_of(body.ledger)
    page = page_of(view.ledger, view.visible.scopes, body.query())
    return replace(page, rows=[replace(row, message=shortened(row.message, _MESSAGE)) for row in page.rows])


@router.post("/export")
def export(body: ListBody, reader: ReaderDep) -> Response:
    """Return a whole list as CSV."""
    view = reader.view_of(body.ledger)
    log.info("%s exports invitations of the ledger %s as CSV.", reader.name, view.ledger.db.name)

    pages = all_pages(view.ledger, view.visible.scopes, body.query(), _EXPORTED_AT_ONCE)
    first = next(pages)  # a query that cannot be answered is an error, not an empty file
    headers = {"content-disposition": 'attachment; filename="m3ter-invitations.csv"'}
    return StreamingResponse(as_csv(chain([first], pages)), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/stories/invitation/{ledger}/{invitation_id}")
def person_of_invitation(ledger: str, invitation_id: InvitationId, reader: ReaderDep) -> PersonHistory:
    """Return the history of an invitation's person."""
    view = reader.view_of(ledger)
    return found(history_of_invitation(view.ledger, view.visible, invitation_id))


@router.get("/stories/decision/{ledger}/{plan_id}/{row_no}")
def person_of_decision(ledger: str, plan_id: StorableText, row_no: RowNo, reader: ReaderDep) -> PersonHistory:
    """Return the history of a decision's person."""
    view = reader.view_of(ledger)
    return found(history_of_decision(view.ledger, view.visible, plan_id, row_no))
