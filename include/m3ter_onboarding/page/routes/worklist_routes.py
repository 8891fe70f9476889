"""The worklist: a page of it, and decisions about several of its questions at once, looked at before."""

from __future__ import annotations

import logging
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.reads.numbered_pages import PagePlace
from m3ter_onboarding.ledger.reads.open_questions import (
    QuestionPage,
    QuestionQuery,
    Shown,
    all_questions,
    question_page,
)
from m3ter_onboarding.ledger.reads.question_selection import (
    AT_ONCE,
    NAMED,
    QuestionSelection,
    named_questions,
    question_selection,
)
from m3ter_onboarding.ledger.worklist_decisions import Action, WorklistDecision, decide_about_entries
from m3ter_onboarding.page.access import ReaderDep, View
from m3ter_onboarding.page.answers import QuestionsDecided
from m3ter_onboarding.page.csv_export import file_headers, questions_as_csv
from m3ter_onboarding.page.request_values import InvitationId, StorableInstant, StorableText

router = APIRouter(prefix="/api")

log = logging.getLogger(__name__)

#: Questions of the CSV file that are in memory at once.
_EXPORTED_AT_ONCE = 200


class QuestionsBody(BaseModel):
    """Which questions a list shows; in the body, since addresses of requests are logged.

    :param older_than_days: opened so long ago; 0: at any time.
    :param search: a part of an address or of a name, or a whole employee_id.
    """

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    shown: Shown = "open"
    kind: Annotated[StorableText, StringConstraints(max_length=80)] = ""
    dag_id: Annotated[StorableText, StringConstraints(max_length=250)] | None = None
    older_than_days: Annotated[int, Field(ge=0, le=3650)] = 0
    search: Annotated[StorableText, StringConstraints(max_length=400)] = ""
    after: InvitationId = 0
    before: InvitationId | None = None

    def query(self, ids: list[int] | None = None) -> QuestionQuery:
        """Return it as the ledger is asked."""
        return QuestionQuery(utc_now(), self.shown, self.kind, self.dag_id, self.older_than_days, self.search, ids)


class SelectionBody(QuestionsBody):
    """Which questions a person is about to decide about.

    :param ids: those that they ticked; empty: all of the list.
    """

    ids: Annotated[list[InvitationId], Field(max_length=AT_ONCE)] | None = None


class SeenBody(BaseModel):
    """A question as the person saw it.

    :param since: when it was opened.
    """

    model_config = ConfigDict(extra="forbid")

    item_id: InvitationId
    since: StorableInstant


class QuestionsDecisionBody(BaseModel):
    """The decision of a person about several questions.

    :param until: only with ``snooze``.
    :param note: empty: no note any more; absent: each stays as it is.
    """

    model_config = ConfigDict(extra="forbid")

    ledger: Annotated[str, StringConstraints(max_length=40)]
    action: Action
    questions: Annotated[list[SeenBody], Field(min_length=1, max_length=AT_ONCE)]
    until: StorableInstant | None = None
    note: Annotated[StorableText, StringConstraints(max_length=300, strip_whitespace=True)] | None = None

    def decisions(self, who: str) -> list[WorklistDecision]:
        """Return what is decided about each, by the name of a person."""
        return [
            WorklistDecision(one.item_id, one.since, self.action, who, until=self.until, note=self.note)
            for one in {one.item_id: one for one in self.questions}.values()
        ]


@router.post("/worklist")
def questions(body: QuestionsBody, reader: ReaderDep) -> QuestionPage:
    """Return a page of the worklist."""
    view = reader.view_of(body.ledger)
    return question_page(view.ledger, view.visible, body.query(), PagePlace(body.after, body.before))


@router.post("/worklist/export")
def export_questions(body: QuestionsBody, reader: ReaderDep) -> Response:
    """Return a whole list of questions as CSV."""
    view = reader.view_of(body.ledger)
    log.info("%s exports questions of the worklist of the ledger %s as CSV.", reader.name, view.ledger.db.name)
    pages = all_questions(view.ledger, view.visible, body.query(), _EXPORTED_AT_ONCE)
    first = next(pages)  # a query that cannot be answered is an error, not an empty file
    stem = "-".join(filter(None, ("m3ter-worklist", *body.kind.split(":"))))
    headers = file_headers(stem, (dag.config_name for dag in view.dags), utc_now())
    text = questions_as_csv(chain([first], pages))
    return StreamingResponse(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/worklist/preview")
def preview(body: SelectionBody, reader: ReaderDep) -> QuestionSelection:
    """Return which questions a decision would be about; nothing is written."""
    view = reader.view_of(body.ledger)
    return question_selection(view.ledger, view.visible, body.query(body.ids), _editable(reader, view))


@router.post("/worklist/decide")
def decide_questions(body: QuestionsDecisionBody, reader: ReaderDep) -> QuestionsDecided:
    """Close several questions, open them again, put them off, or write a note; each only if it is as it was seen."""
    view = reader.view_of(body.ledger)
    decisions = body.decisions(reader.name)
    named = named_questions(view.ledger, view.visible, [one.item_id for one in decisions])
    editable = _editable(reader, view)
    mine = [one for one in decisions if one.item_id in named and named[one.item_id].dag_id in editable]
    changed = sorted(decide_about_entries(view.ledger.db, mine, utc_now()))
    done = [one.item_id for one in mine if one.item_id not in changed]
    log.info(
        "%s decided about %d questions of the worklist: %s. Numbers: %s.", reader.name, len(done), body.action, done
    )
    return QuestionsDecided(
        action=body.action,
        done=len(done),
        changed=len(changed),
        changed_names=[named[one].name for one in changed[:NAMED]],
        not_yours=len(decisions) - len(mine),
    )


def _editable(reader: ReaderDep, view: View) -> list[str]:
    return [dag.dag_id for dag in view.dags if reader.may_edit(dag)]
