"""Which rows of a ledger a reader sees: those of their DAGs, and what m3ter had of the organisations these work for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from m3ter_onboarding.ledger.sql_types import whose
from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True, order=True)
class Scope:
    """The rows of one organisation that one DAG made; no DAG: those that were found in m3ter."""

    org_id: str
    dag_id: str | None


def scopes_of(connection: Connection, t: Tables, dag_ids: Iterable[str]) -> list[Scope]:
    """Return what the readers of these DAGs see."""
    wanted = sorted(dag_ids)
    if not wanted:
        return []
    rows = connection.execute(select(t.run.c.dag_id, t.run.c.org_id).where(t.run.c.dag_id.in_(wanted)).distinct())
    worked = {(row.org_id, row.dag_id) for row in rows}
    found = {Scope(org_id, dag_id) for org_id, dag_id in worked} | {Scope(org_id, None) for org_id, _ in worked}
    return sorted(found, key=lambda scope: (scope.org_id, scope.dag_id or ""))


def within(table: Any, scope: Scope) -> ColumnElement[bool]:
    """Return the condition that an invitation is one of this scope, as the indexes have it."""
    return and_(table.c.org_id == scope.org_id, whose(table.c.dag_id) == (scope.dag_id or ""))


def within_any(table: Any, scopes: Sequence[Scope]) -> ColumnElement[bool]:
    """Return the condition for invitations that are looked up by something else; none of no scope."""
    # By DAG: SQLite takes no condition of a thousand parts.
    orgs: dict[str, list[str]] = {}
    for scope in scopes:
        orgs.setdefault(scope.dag_id or "", []).append(scope.org_id)
    parts = [and_(whose(table.c.dag_id) == dag_id, table.c.org_id.in_(ids)) for dag_id, ids in sorted(orgs.items())]
    return or_(*parts) if parts else table.c.invitation_id.is_(None)
