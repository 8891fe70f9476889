"""Who starts soon, and which invitations to chase: both lists, and the same as CSV."""

from __future__ import annotations

import logging
from datetime import date
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from m3ter_onboarding.ledger.day_one import Standing
from m3ter_onboarding.ledger.reads.starting_list import (
    ChaseWhy,
    StartingList,
    StartingPage,
    StartingQuery,
    all_starting,
    starting_page,
)
from m3ter_onboarding.page.access import ReaderDep
from m3ter_onboarding.page.csv_export import starting_as_csv

router = APIRouter(prefix="/api")

log = logging.getLogger(__name__)

#: Rows of the CSV file that are in memory at once.
_EXPORTED_AT_ONCE = 1000


class StartingBody(BaseModel):
    """Which rows a list shows.

    :param starts_from: only people who start on this day or later.
    :param starts_until: only people who start on this day or before.
    """

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    name: StartingList = "day_one"
    standings: Annotated[list[Standing], Field(max_length=len(Standing))] = []
    why: ChaseWhy | None = None
    starts_from: date | None = None
    starts_until: date | None = None
    after: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    def query(self) -> StartingQuery:
        """Return it as the ledger is asked."""
        days = self.starts_from, self.starts_until
        return StartingQuery(self.name, self.standings, self.why, *days, self.after)


@router.post("/day-one")
def starting(body: StartingBody, reader: ReaderDep) -> StartingPage:
    """Return a page of who starts soon, or of the invitations to chase."""
    view = reader.view_of(body.ledger)
    return starting_page(view.ledger, view.visible, body.query())


@router.post("/day-one/export")
def export_starting(body: StartingBody, reader: ReaderDep) -> Response:
    """Return a whole list as CSV."""
    view = reader.view_of(body.ledger)
    log.info("%s exports who starts soon, of the ledger %s, as CSV.", reader.name, view.ledger.db.name)
    pages = all_starting(view.ledger, view.visible, body.query(), _EXPORTED_AT_ONCE)
    first = next(pages)  # a query that cannot be answered is an error, not an empty file
    headers = {"content-disposition": 'attachment; filename="m3ter-day-one.csv"'}
    text = starting_as_csv(chain([first], pages))
    return StreamingResponse(text, media_type="text/csv; charset=utf-8", headers=headers)
