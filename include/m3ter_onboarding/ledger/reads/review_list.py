"""What waits for a person: invitations that nobody can tell of, and rows of the newest plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy import union_all as all_of

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger import state_names
from m3ter_onboarding.ledger.manual_decisions import is_listed, ways_out
from m3ter_onboarding.ledger.reads.invitation_list import PAGE, Wanted, page_of
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.run_history import cut
from m3ter_onboarding.ledger.reads.scopes import Scope, scopes_of, within_any
from m3ter_onboarding.ledger.states import LIVE_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables, as_dict
from m3ter_onboarding.page.onboarding_dags import OnboardingDag
from m3ter_onboarding.planning import reasons

#: So many questions are asked together; SQLite takes no more than 500.
_TOGETHER = 200


def review_list(reader: LedgerReader, dags: Sequence[OnboardingDag]) -> dict[str, Any]:
    """Return both lists, each up to a page, and whether there is more."""
    scopes = reader.read(
        lambda connection: scopes_of(connection, reader.t, [dag.dag_id for dag in dags]),
        doing="reading the review list",
    )
    unclear = page_of(reader, scopes, Wanted(states=("review",), descending=False))
    return reader.read(
        lambda connection: {
            "invitations": _with_reasons(connection, reader.t, unclear.rows),
            "more_invitations": unclear.after is not None,
            **_rows(connection, reader.t, dags, scopes),
        },
        doing="reading the review list",
    )


def _with_reasons(connection: Connection, t: Tables, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    e = t.event.c
    ids = [row["invitation_id"] for row in rows]
    events = connection.execute(
        select(e.invitation_id, e.why, e.message, e.at)
        .where(e.invitation_id.in_(ids), e.to_state == "review")
        .order_by(e.event_id)
    )
    causes = {row.invitation_id: row for row in events}
    return [
        {
            **{key: row[key] for key in ("invitation_id", "org_id", "email", "employee_id", "dag_id", "state")},
            "since": causes[row["invitation_id"]].at if row["invitation_id"] in causes else row["updated_at"],
            "said": state_names.WHYS.get(causes[row["invitation_id"]].why, "")
            if row["invitation_id"] in causes
            else "",
            "detail": cut(row["message"]),
            "way": reasons.WAYS["unknown_outcome"],
            "to": sorted(ways_out(row["state"])),
        }
        for row in rows
    ]


def _rows(connection: Connection, t: Tables, dags: Sequence[OnboardingDag], scopes: Sequence[Scope]) -> dict[str, Any]:
    """Return rows for review in the newest complete plan of each DAG; those that are on the list above are left out."""
    p, d = t.plan.c, t.decision.c
    newest = [
        select(
            select(p.plan_id)
            .where(p.dag_id == dag.dag_id, p.state == "sealed")
            .order_by(p.created_at.desc())
            .limit(1)
            .scalar_subquery()
            .label("plan_id")
        )
        for dag in dags
    ]
    if not newest:
        return {"rows": [], "more_rows": False}
    plans = [one for some in batches(newest, _TOGETHER) for one in connection.execute(all_of(*some)).scalars() if one]
    found = connection.execute(
        select(t.decision, p.dag_id, p.run_id)
        .join(t.plan, p.plan_id == d.plan_id)
        .where(d.plan_id.in_(plans), d.decision == "review", d.reason != "unknown_outcome")
        .order_by(d.plan_id, d.row_no)
        .limit(PAGE + 1)
    ).all()
    names = ("plan_id", "row_no", "org_id", "email", "employee_id", "reason", "dag_id", "run_id", "start_date")
    dag_ids = [dag.dag_id for dag in dags]
    rows = []
    for row in found[:PAGE]:
        invitation = _in_the_way(connection, t, as_dict(row), dag_ids, scopes)
        to = frozenset[str]()
        if invitation is not None:
            accepted = invitation.state == InvitationState.ACCEPTED.value
            to = ways_out(invitation.state, listed=accepted and is_listed(connection, t, invitation))
        ways = reasons.NO_WAYS if not to and row.reason in reasons.NO_WAYS else reasons.WAYS
        rows.append(
            {
                **{name: as_dict(row)[name] for name in names},
                "invitation_id": invitation and invitation.invitation_id,
                "invitation_state": invitation and invitation.state,
                "invitation_email": invitation and invitation.email,
                "invitation_dag_id": invitation and invitation.dag_id,
                "said": reasons.REASONS.get(row.reason, row.reason),
                "detail": cut(row.detail),
                "way": ways.get(row.reason, ""),
                "to": sorted(to),
            }
        )
    return {"rows": rows, "more_rows": len(found) > PAGE}


def _in_the_way(
    connection: Connection, t: Tables, row: dict[str, Any], dag_ids: Sequence[str], scopes: Sequence[Scope]
) -> Any:
    """Return the invitation that a person would decide about for a plan's row; None: none that the reader sees.

    That of the row itself; where another address stands against it, the live one of that address.
    """
    i, d, p = t.invitation, t.decision, t.plan
    mine = select(i).where(i.c.org_id == row["org_id"], within_any(i, scopes))
    if row["reason"] != "email_changed":
        return connection.execute(mine.where(i.c.invitation_id == row["invitation_id"])).one_or_none()
    elsewhere = mine.where(
        i.c.state.in_([state.value for state in LIVE_STATES]), i.c.email_key != (row["email_key"] or "")
    ).order_by(i.c.invitation_id.desc())
    known = connection.execute(elsewhere.where(i.c.employee_id == row["employee_id"]).limit(1)).one_or_none()
    if known is not None:
        return known
    # What was found in m3ter knows an address only; an earlier plan saw whose it is.
    seen = (
        select(d.c.email_key)
        .join(p, p.c.plan_id == d.c.plan_id)
        .where(
            d.c.org_id == row["org_id"],
            d.c.employee_id == row["employee_id"],
            d.c.decision == "skip",
            p.c.dag_id.in_(list(dag_ids)),
        )
        .order_by(d.c.decided_at.desc())
        .limit(PAGE)
    )
    addresses = list(dict.fromkeys(connection.execute(seen).scalars()))
    return connection.execute(
        elsewhere.where(i.c.employee_id.is_(None), i.c.email_key.in_(addresses)).limit(1)
    ).one_or_none()
