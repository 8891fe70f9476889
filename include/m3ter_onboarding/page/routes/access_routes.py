"""The findings of the access review: a list, and the same as CSV."""

from __future__ import annotations

import logging
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from m3ter_onboarding.ledger.access_findings import Finding
from m3ter_onboarding.ledger.reads.access_list import (
    FindingPage,
    FindingQuery,
    ShownFindings,
    all_findings,
    findings_page,
)
from m3ter_onboarding.page.access import ReaderDep
from m3ter_onboarding.page.csv_export import findings_as_csv
from m3ter_onboarding.page.request_values import InvitationId

router = APIRouter(prefix="/api")

log = logging.getLogger(__name__)

#: Findings of the CSV file that are in memory at once.
_EXPORTED_AT_ONCE = 1000


class FindingsBody(BaseModel):
    """Which findings a list shows."""

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    shown: ShownFindings = "open"
    finding: Finding | None = None
    after: InvitationId = 0
    before: InvitationId | None = None

    def query(self) -> FindingQuery:
        """Return it as the ledger is asked."""
        return FindingQuery(self.shown, self.finding, self.after, self.before)


@router.post("/access")
def findings(body: FindingsBody, reader: ReaderDep) -> FindingPage:
    """Return a page of findings."""
    view = reader.view_of(body.ledger)
    return findings_page(view.ledger, view.visible.scopes, body.query())


@router.post("/access/export")
def export_findings(body: FindingsBody, reader: ReaderDep) -> Response:
    """Return all findings as CSV."""
    view = reader.view_of(body.ledger)
    log.info("%s exports findings about access of the ledger %s as CSV.", reader.name, view.ledger.db.name)
    pages = all_findings(view.ledger, view.visible.scopes, body.query(), _EXPORTED_AT_ONCE)
    first = next(pages)  # a query that cannot be answered is an error, not an empty file
    headers = {"content-disposition": 'attachment; filename="m3ter-access-review.csv"'}
    text = findings_as_csv(chain([first], pages))
    return StreamingResponse(text, media_type="text/csv; charset=utf-8", headers=headers)
