"""Runs of a DAG, one run, and the rows of its plans."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, StringConstraints

from m3ter_onboarding.ledger.reads.run_history import gone_since, newest_runs, plan_of, plan_rows, run_page
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.page.access import ReaderDep
from m3ter_onboarding.page.request_values import Given, Instant, RowNo
from m3ter_onboarding.page.routes.people_routes import found

router = APIRouter(prefix="/api")

_PAGE = 20


class RowsBody(BaseModel):
    """Which rows of a plan."""

    model_config = ConfigDict(extra="forbid")

    dag_id: Annotated[str, StringConstraints(max_length=250)]
    plan_id: Annotated[Given, StringConstraints(max_length=36)]
    decision: Literal["invite", "review", "invalid", "skip", "gone"]
    after: RowNo | None = None


@router.get("/runs")
def runs(dag_id: str, reader: ReaderDep, before: Instant | None = None) -> dict[str, Any]:
    """Return runs of a DAG, the newest first."""
    ledger = reader.ledger_of(dag_id)
    rows = ledger.read(
        lambda connection: newest_runs(connection, ledger.t, dag_id, limit=_PAGE + 1, before=before),
        doing="listing runs",
    )
    return {"rows": rows[:_PAGE], "more": len(rows) > _PAGE}


@router.get("/run")
def run(dag_id: str, run_id: Given, reader: ReaderDep) -> dict[str, Any]:
    """Tell about one run."""
    return found(run_page(reader.ledger_of(dag_id), RunKey(dag_id, run_id)))


@router.post("/run/rows")
def rows_of_plan(body: RowsBody, reader: ReaderDep) -> dict[str, Any]:
    """Return a page of a plan's rows of one kind."""
    ledger = reader.ledger_of(body.dag_id)
    plan = ledger.read(lambda connection: plan_of(connection, ledger.t, body.plan_id), doing="reading a plan")
    if plan is None or plan["dag_id"] != body.dag_id:
        raise HTTPException(404, "There is no such plan of this DAG.")
    return gone_since(ledger, plan) if body.decision == "gone" else plan_rows(ledger, plan, body.decision, body.after)
