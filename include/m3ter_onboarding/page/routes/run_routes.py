"""Runs of a DAG, one run, and the rows of its plans."""

from __future__ import annotations

import logging
from itertools import chain
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.reads.plan_comparison import (
    GoneRows,
    PlannedRows,
    exported_rows,
    find_plan,
    planned_rows,
    rows_gone,
)
from m3ter_onboarding.ledger.reads.plan_heads import ComparablePlan
from m3ter_onboarding.ledger.reads.reader import NoRunYetError
from m3ter_onboarding.ledger.reads.run_history import (
    RunDetails,
    RunPage,
    run_details,
    run_standing,
    runs_of_dag,
)
from m3ter_onboarding.ledger.reads.sending_runs import runs_that_may_send
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.page.access import Reader, ReaderDep, found
from m3ter_onboarding.page.airflow_runs import run_in_airflow
from m3ter_onboarding.page.answers import RunProgress
from m3ter_onboarding.page.csv_export import file_headers, plan_as_csv
from m3ter_onboarding.page.request_values import RowNo, StorableInstant, StorableText

router = APIRouter(prefix="/api")

log = logging.getLogger(__name__)

#: Rows of the CSV file that are in memory at once.
_EXPORTED_AT_ONCE = 1000
#: Why a row was decided so.
Reason = Annotated[StorableText, StringConstraints(min_length=1, max_length=50)]


class RowsBody(BaseModel):
    """Which rows of a plan; ``gone``: those of the plan before whose person is not in it.

    :param reason: of these, only those that were decided for it.
    """

    model_config = ConfigDict(extra="forbid")

    dag_id: Annotated[str, StringConstraints(max_length=250)]
    plan_id: Annotated[StorableText, StringConstraints(max_length=36)]
    decision: Literal["invite", "review", "invalid", "skip", "gone"]
    reason: Reason | None = None
    after: RowNo | None = None


class ExportBody(BaseModel):
    """Which rows of a plan the file holds; no decision: all.

    :param reason: only those that were decided for it.
    """

    model_config = ConfigDict(extra="forbid")

    dag_id: Annotated[str, StringConstraints(max_length=250)]
    plan_id: Annotated[StorableText, StringConstraints(max_length=36)]
    decision: Literal["invite", "review", "invalid", "skip"] | None = None
    reason: Reason | None = None


@router.get("/runs")
def runs(dag_id: str, reader: ReaderDep, before: StorableInstant | None = None) -> RunPage:
    """Return runs of a DAG, the newest first."""
    try:
        return runs_of_dag(reader.ledger_of(dag_id), dag_id, before)
    except NoRunYetError:
        return RunPage([], more=False)


@router.get("/runs/sending")
def runs_sending(
    ledger: str, since: StorableInstant, reader: ReaderDep, before: StorableInstant | None = None
) -> RunPage:
    """Return the runs since an instant that may send, of all DAGs of a ledger, the newest first."""
    view = reader.view_of(ledger)
    return runs_that_may_send(view.ledger, view.visible.dag_ids, since, before)


@router.get("/run")
def run(dag_id: str, run_id: StorableText, reader: ReaderDep) -> RunDetails:
    """Return one run with its plans."""
    try:
        return found(run_details(reader.ledger_of(dag_id), RunKey(dag_id, run_id)))
    except NoRunYetError:
        raise HTTPException(404, "No run has reached this ledger yet.") from None


@router.post("/run/rows")
def rows_of_plan(body: RowsBody, reader: ReaderDep) -> PlannedRows | GoneRows:
    """Return a page of a plan's rows of one kind."""
    ledger = reader.ledger_of(body.dag_id)
    plan = _plan(reader, body.dag_id, body.plan_id)
    if body.decision == "gone":
        return rows_gone(ledger, plan)
    return planned_rows(ledger, plan, body.decision, body.after, reason=body.reason)


@router.get("/run/progress")
def progress(dag_id: str, run_id: StorableText, reader: ReaderDep) -> RunProgress:
    """Return how far a run is: its steps in Airflow, and its invitations by state."""
    dag, key = reader.dag(dag_id), RunKey(dag_id, run_id)
    try:
        standing = run_standing(reader.ledger_of(dag_id), key)
    except NoRunYetError:
        standing = None
    airflow = run_in_airflow(key, with_question=reader.may_see_questions(dag)) if reader.may_see_tasks(dag) else None
    if standing is None and airflow is None:
        raise HTTPException(404, "There is no such run.")
    return RunProgress(airflow=airflow, ledger=standing)


@router.post("/run/export")
def export_plan(body: ExportBody, reader: ReaderDep) -> Response:
    """Return the rows of a plan as CSV, the reason beside each."""
    plan = _plan(reader, body.dag_id, body.plan_id)
    log.info("%s exports rows of the plan %s as CSV.", reader.name, plan.plan_id)
    pages = exported_rows(reader.ledger_of(body.dag_id), plan, body.decision, _EXPORTED_AT_ONCE, reason=body.reason)
    first = next(pages)  # a query that cannot be answered is an error, not an empty file
    stem = "-".join(filter(None, ("m3ter-decisions", body.decision, body.reason)))
    headers = file_headers(stem, [reader.dag(body.dag_id).config_name], utc_now())
    text = plan_as_csv(chain([first], pages))
    return StreamingResponse(text, media_type="text/csv; charset=utf-8", headers=headers)


def _plan(reader: Reader, dag_id: str, plan_id: str) -> ComparablePlan:
    plan = find_plan(reader.ledger_of(dag_id), dag_id, plan_id)
    if plan is None:
        raise HTTPException(404, "There is no such plan of this DAG.")
    return plan
