"""What became of invitations since the day-one DAG made its lists: the lists are as old as its last run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, or_, select, union

from m3ter_onboarding.ledger.reads.scopes import VisibleRows
from m3ter_onboarding.ledger.states import LIVE_STATES, state_values
from m3ter_onboarding.ledger.tables import Tables

_LIVE = frozenset(state_values(LIVE_STATES))


def changed_since(
    connection: Connection, t: Tables, visible: VisibleRows, rows: Sequence[Row[Any]]
) -> dict[int, Row[Any]]:
    """Return, by ``item_id``, the invitation of each row's person that is new or has another state since.

    :param rows: of a list: people, or invitations to chase.
    """
    found: dict[int, Row[Any]] = {}
    changed = _changed(connection, t, visible, rows) if rows else ()
    for row in rows:
        mine = [one for one in changed if _is_about(row, one)]
        if mine:
            found[row.item_id] = max(mine, key=lambda one: (one.state in _LIVE, one.invitation_id))
    return found


def _is_about(row: Row[Any], invitation: Row[Any]) -> bool:
    same = invitation.employee_id == row.employee_id if row.employee_id else invitation.email_key == row.email_key
    is_new = (invitation.invitation_id, invitation.state) != (row.invitation_id, row.invitation_state)
    return invitation.org_id == row.org_id and same and is_new and invitation.updated_at > row.last_seen_at


def _changed(connection: Connection, t: Tables, visible: VisibleRows, rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    i = t.invitation.c
    mine = and_(
        i.org_id.in_({row.org_id for row in rows}),
        or_(i.dag_id.in_(sorted(visible.dag_ids)), i.dag_id.is_(None)),
        i.updated_at > min(row.last_seen_at for row in rows),
    )
    columns = (i.invitation_id, i.org_id, i.employee_id, i.email_key, i.state, i.updated_at)
    people: list[Select[Any]] = [
        select(*columns).where(mine, i.employee_id.in_({row.employee_id for row in rows if row.employee_id})),
        select(*columns).where(mine, i.email_key.in_({row.email_key for row in rows if row.email_key})),
    ]
    return connection.execute(union(*people)).all()
