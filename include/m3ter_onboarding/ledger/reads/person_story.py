"""One person's story: every decision and every change of an invitation, in the order in which they happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from m3ter_onboarding.ledger import state_names
from m3ter_onboarding.ledger.reads.invitation_list import rows_of
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.run_history import cut
from m3ter_onboarding.ledger.reads.scopes import scopes_of, within_any
from m3ter_onboarding.ledger.tables import Tables, as_dict
from m3ter_onboarding.planning import reasons

#: So many decisions, events and invitations at most: the newest.
MOST = 80
#: The task whose log tells more, by the event.
_SENT_BY = ("claimed", "answered", "refused", "no_answer", "not_begun", "turned_away", "not_reached", "invalid_request")


def story_of_invitation(reader: LedgerReader, dag_ids: Sequence[str], invitation_id: int) -> dict[str, Any] | None:
    """Tell what happened to the person of an invitation; None: the reader may not see it.

    :param dag_ids: what the reader may read.
    """

    def work(connection: Connection) -> dict[str, Any] | None:
        t = reader.t
        i = t.invitation.c
        scopes = scopes_of(connection, t, dag_ids)
        row = connection.execute(
            select(i.org_id, i.employee_id, i.email_key, i.email).where(
                i.invitation_id == invitation_id, within_any(t.invitation, scopes)
            )
        ).one_or_none()
        return None if row is None else _story(connection, t, dag_ids, as_dict(row))

    return reader.read(work, doing="reading a person's story")


def story_of_decision(reader: LedgerReader, dag_ids: Sequence[str], plan_id: str, row_no: int) -> dict[str, Any] | None:
    """Tell what happened to the person of a decision; None: the reader may not see it."""

    def work(connection: Connection) -> dict[str, Any] | None:
        t = reader.t
        d, p = t.decision.c, t.plan.c
        row = connection.execute(
            select(d.org_id, d.employee_id, d.email_key, d.email)
            .join(t.plan, p.plan_id == d.plan_id)
            .where(d.plan_id == plan_id, d.row_no == row_no, p.dag_id.in_(list(dag_ids)))
        ).one_or_none()
        return None if row is None else _story(connection, t, dag_ids, as_dict(row))

    return reader.read(work, doing="reading a person's story")


def _story(connection: Connection, t: Tables, dag_ids: Sequence[str], person: Mapping[str, Any]) -> dict[str, Any]:
    invitations = _invitations(connection, t, dag_ids, person)
    steps = [
        *_decisions(connection, t, dag_ids, person),
        *_events(connection, t, dag_ids, {row["invitation_id"]: row for row in invitations}),
    ]
    return {
        "employee_id": person["employee_id"] or next((r["employee_id"] for r in invitations if r["employee_id"]), None),
        "email": person["email"],
        "org_id": person["org_id"],
        "invitations": [{**row, "message": cut(row["message"])} for row in invitations],
        "steps": sorted(steps, key=lambda step: step["at"]),
    }


def _of_person(table: Any, person: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    # Two questions, not one with OR: each then has an index of its own.
    found = []
    if person["email_key"]:
        found.append(table.c.email_key == person["email_key"])
    if person["employee_id"]:
        found.append(table.c.employee_id == person["employee_id"])
    return found


def _invitations(
    connection: Connection, t: Tables, dag_ids: Sequence[str], person: Mapping[str, Any]
) -> list[dict[str, Any]]:
    i = t.invitation
    scopes = [scope for scope in scopes_of(connection, t, dag_ids) if scope.org_id == person["org_id"]]
    ids: set[int] = set()
    for same in _of_person(i, person):
        ids.update(
            connection.execute(
                select(i.c.invitation_id)
                .where(i.c.org_id == person["org_id"], same, within_any(i, scopes))
                .order_by(i.c.invitation_id.desc())
                .limit(20)
            ).scalars()
        )
    return rows_of(connection, t, sorted(ids, reverse=True)[:20])


def _decisions(
    connection: Connection, t: Tables, dag_ids: Sequence[str], person: Mapping[str, Any]
) -> list[dict[str, Any]]:
    d, p = t.decision, t.plan.c
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for same in _of_person(d, person):
        rows = connection.execute(
            select(
                *(d.c.plan_id, d.c.row_no, d.c.decision, d.c.reason, d.c.detail, d.c.decided_at, d.c.start_date),
                *(p.dag_id, p.run_id, p.mode, p.sendable),
            )
            .join(t.plan, p.plan_id == d.c.plan_id)
            .where(d.c.org_id == person["org_id"], same, p.dag_id.in_(list(dag_ids)))
            .order_by(d.c.decided_at.desc())
            .limit(MOST)
        )
        found.update({(row.plan_id, row.row_no): as_dict(row) for row in rows})
    newest = sorted(found.values(), key=lambda row: row["decided_at"], reverse=True)[:MOST]
    return [
        {
            "at": row["decided_at"],
            "kind": "decision",
            "said": f"Decided: {reasons.decision(row['decision'], row['reason'])}."
            + ("" if row["sendable"] else " This run planned only."),
            "name": f"{row['decision']}:{row['reason']}",
            "detail": cut(row["detail"]),
            "dag_id": row["dag_id"],
            "run_id": row["run_id"],
            "task_id": "plan",
        }
        for row in newest
    ]


def _events(
    connection: Connection, t: Tables, dag_ids: Sequence[str], invitations: Mapping[int, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    e, p = t.event.c, t.plan.c
    rows = connection.execute(
        select(t.event, p.dag_id, p.run_id)
        .outerjoin(t.plan, p.plan_id == e.plan_id)
        .where(e.invitation_id.in_(list(invitations)))
        .order_by(e.event_id.desc())
        .limit(MOST)
    )
    steps = []
    for row in reversed(rows.all()):  # two of one instant keep their order
        known = row.dag_id in dag_ids
        steps.append(
            {
                "at": row.at,
                "kind": "event",
                "said": state_names.event(row.why),
                "state": row.to_state,
                "name": f"{row.from_state or '(new)'} → {row.to_state}: {row.why}",
                "detail": cut(row.message),
                "http_status": row.http_status,
                "decided_by": row.decided_by,
                "email": invitations[row.invitation_id]["email"],
                "dag_id": row.dag_id if known else None,
                "run_id": row.run_id if known else None,
                "task_id": None if row.decided_by else "send" if row.why in _SENT_BY else "snapshot",
            }
        )
    return steps
