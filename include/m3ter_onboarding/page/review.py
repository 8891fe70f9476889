"""What waits for a person: invitations that nobody can tell of, and rows of the newest plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, select
from sqlalchemy import union_all as all_of

from m3ter_onboarding.ledger.decided_by_hand import ways_out
from m3ter_onboarding.ledger.tables import Tables, as_dict
from m3ter_onboarding.page import words
from m3ter_onboarding.page.dags import OnboardingDag
from m3ter_onboarding.page.invitations import PAGE, Wanted, page_of
from m3ter_onboarding.page.ledgers import LedgerReader
from m3ter_onboarding.page.runs import cut
from m3ter_onboarding.page.scopes import scopes_of


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
            **_rows(connection, reader.t, dags),
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
    reasons = {row.invitation_id: row for row in events}
    return [
        {
            **{key: row[key] for key in ("invitation_id", "org_id", "email", "employee_id", "dag_id", "state")},
            "since": reasons[row["invitation_id"]].at if row["invitation_id"] in reasons else row["updated_at"],
            "said": words.WHYS.get(reasons[row["invitation_id"]].why, "") if row["invitation_id"] in reasons else "",
            "detail": cut(row["message"]),
            "way": words.WAYS["unknown_outcome"],
            "to": sorted(ways_out(row["state"])),
        }
        for row in rows
    ]


def _rows(connection: Connection, t: Tables, dags: Sequence[OnboardingDag]) -> dict[str, Any]:
    """Return rows for review in the newest complete plan of each DAG; those that are on the list above are left out."""
    p, d, i = t.plan.c, t.decision.c, t.invitation
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
    plans = [one for one in connection.execute(all_of(*newest)).scalars() if one]
    found = connection.execute(
        select(t.decision, p.dag_id, p.run_id, i.c.state.label("invitation_state"))
        .join(t.plan, p.plan_id == d.plan_id)
        .outerjoin(i, and_(i.c.invitation_id == d.invitation_id, i.c.org_id == d.org_id))
        .where(d.plan_id.in_(plans), d.decision == "review", d.reason != "unknown_outcome")
        .order_by(d.plan_id, d.row_no)
        .limit(PAGE + 1)
    ).all()
    names = ("plan_id", "row_no", "org_id", "email", "employee_id", "reason", "dag_id", "run_id", "start_date")
    return {
        "rows": [
            {
                **{name: as_dict(row)[name] for name in names},
                "invitation_id": row.invitation_id,
                "invitation_state": row.invitation_state,
                "said": words.REASONS.get(row.reason, row.reason),
                "detail": cut(row.detail),
                "way": words.WAYS.get(row.reason, ""),
                "to": sorted(ways_out(row.invitation_state or "")),
            }
            for row in found[:PAGE]
        ],
        "more_rows": len(found) > PAGE,
    }
