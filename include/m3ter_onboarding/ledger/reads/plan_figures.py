"""The figures of a plan in lists of runs, and whether it waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row

from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True)
class PlanFigures:
    """The figures of a plan; None: it is not complete.

    :param waits: whether it waits for a person's approval, as long as its run goes on.
    """

    rows_read: int | None
    invitations: int | None
    waits: bool


def plan_columns(t: Tables) -> list[ColumnElement[Any]]:
    """Return the columns that :func:`plan_figures` needs."""
    p = t.plan.c
    return [p.rows_read, p.invitations, p.sendable, p.needs_approval, p.approved_at, p.rejected_at]


def plan_figures(row: Row[Any]) -> PlanFigures:
    """Return the figures of a plan's row."""
    return PlanFigures(row.rows_read, row.invitations, waits_for_approval(row))


def waits_for_approval(row: Row[Any]) -> bool:
    """Return whether nobody has answered yet the question about a plan, as long as its run goes on."""
    return bool(row.sendable and row.needs_approval and row.approved_at is None and row.rejected_at is None)
