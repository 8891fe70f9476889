"""Names of the people in lists: first and last name, as the plan that decided about them has them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, ScalarSelect, func, select

from m3ter_onboarding.ledger.tables import Tables, once_more


def decided_name(t: Tables, row: FromClause) -> ScalarSelect[Any]:
    """Return the name in the decision that a row's plan and number lead to: one look by the key; NULL: it has none.

    :param row: what has ``plan_id`` and ``row_no``.
    """
    d, c = once_more(t.decision, "deciding"), row.c
    names = func.coalesce(
        d.c.request["firstName"].as_string() + " " + d.c.request["lastName"].as_string(), d.c.person_name
    )
    return select(names).where(d.c.plan_id == c.plan_id, d.c.row_no == c.row_no).correlate(row).scalar_subquery()


def invited_name(t: Tables, row: FromClause) -> ScalarSelect[Any]:
    """Return the name in the request of the invitation that a row leads to: a look by each key.

    :param row: what has ``invitation_id``.
    """
    i = once_more(t.invitation, "inviting")
    return select(decided_name(t, i)).where(i.c.invitation_id == row.c.invitation_id).correlate(row).scalar_subquery()


def person_name(t: Tables, row: FromClause) -> ColumnElement[Any]:
    """Return the name of a row's person: as decided about them last, else as they were invited.

    :param row: what has ``plan_id``, ``row_no`` and ``invitation_id``.
    """
    return func.coalesce(decided_name(t, row), invited_name(t, row))
