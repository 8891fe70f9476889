"""Which rows of a ledger a reader sees: those of their DAGs, and what m3ter had of the organisations these work for.

A DAG works for an organisation once m3ter has let its connection read it to the end. That a run named the organisation
is no proof: anybody may write an id into a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True, order=True)
class Scope:
    """The rows of one organisation that one DAG made; no DAG: those that were found in m3ter."""

    org_id: str
    dag_id: str | None


@dataclass(frozen=True)
class VisibleRows:
    """The rows of a ledger that a reader of some DAGs sees.

    :param dag_ids: DAGs whose runs and plans they see.
    :param scopes: invitations that they see.
    """

    dag_ids: Sequence[str]
    scopes: Sequence[Scope]


def rows_visible_to(reader: LedgerReader, dag_ids: Sequence[str]) -> VisibleRows:
    """Return the rows that a reader of these DAGs sees."""
    scopes = reader.read(lambda c: scopes_of(c, reader.t, dag_ids), doing="looking for organisations")
    return VisibleRows(dag_ids, scopes)


def scopes_of(connection: Connection, t: Tables, dag_ids: Iterable[str]) -> list[Scope]:
    """Return the scopes that a reader of these DAGs sees."""
    wanted = sorted(dag_ids)
    if not wanted:
        return []
    a = t.admission.c
    rows = connection.execute(select(a.dag_id, a.org_id).where(a.dag_id.in_(wanted)))
    worked = {(row.org_id, row.dag_id) for row in rows}
    found = {Scope(org_id, dag_id) for org_id, dag_id in worked} | {Scope(org_id, None) for org_id, _ in worked}
    return sorted(found, key=lambda scope: (scope.org_id, scope.dag_id or ""))


def deciding_dags(reader: LedgerReader, scopes: Sequence[Scope], invitation_id: int) -> frozenset[str] | None:
    """Return the DAGs of which a person must be allowed to edit one, to decide about an invitation.

    The DAG that made it; where it was found in m3ter, each of its organisation that the reader sees.

    :returns: None when the reader does not see the invitation.
    """
    i = reader.t.invitation
    row = reader.read(
        lambda connection: connection.execute(
            select(i.c.org_id, i.c.dag_id).where(i.c.invitation_id == invitation_id)
        ).one_or_none(),
        doing="looking for an invitation",
    )
    if row is None or Scope(row.org_id, row.dag_id or None) not in scopes:
        return None
    if row.dag_id is not None:
        return frozenset({row.dag_id})
    return frozenset(scope.dag_id for scope in scopes if scope.org_id == row.org_id and scope.dag_id is not None)
