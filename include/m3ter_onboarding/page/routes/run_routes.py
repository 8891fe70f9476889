"""Runs of a DAG, one run, and the rows of its plans."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, StringConstraints

from m3ter_onboarding.ledger.reads.plan_comparison import GoneRows, PlannedRows, find_plan, planned_rows, rows_gone
from m3ter_onboarding.ledger.reads.run_history import RunDetails, RunPage, run_details, runs_of_dag
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.page.access import ReaderDep, found
from m3ter_onboarding.page.request_values import RowNo, StorableInstant, StorableText

router = APIRouter(prefix="/api")


class RowsBody(BaseModel):
    """Which rows of a plan; ``gone``: those of the plan before whose person is not in it."""

    model_config = ConfigDict(extra="forbid")

    dag_id: Annotated[str, StringConstraints(max_length=250)]
    plan_id: Annotated[StorableText, StringConstraints(max_length=36)]
    decision: Literal["invite", "review", "invalid", "skip", "gone"]
    after: RowNo | None = None


@router.get("/runs")
def runs(dag_id: str, reader: ReaderDep, before: StorableInstant | None = None) -> RunPage:
    """Return runs of a DAG, the newest first."""
    return runs_of_dag(reader.ledger_of(dag_id), dag_id, before)


@router.get("/run")
def run(dag_id: str, run_id: StorableText, reader: ReaderDep) -> RunDetails:
    """Return one run with its plans."""
    return found(run_details(reader.ledger_of(dag_id), RunKey(dag_id, run_id)))


@router.post("/run/rows")
def rows_of_plan(body: RowsBody, reader: ReaderDep) -> PlannedRows | GoneRows:
    """Return a page of a plan's rows of one kind."""
    ledger = reader.ledger_of(body.dag_id)
    plan = find_plan(ledger, body.dag_id, body.plan_id)
    if plan is None:
        raise HTTPException(404, "There is no such plan of this DAG.")
    return rows_gone(ledger, plan) if body.decision == "gone" else planned_rows(ledger, plan, body.decision, body.after)
