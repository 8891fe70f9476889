"""A reader of many organisations: an answer takes the same few statements, and is the same list in the same order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.reads.invitation_list import InvitationQuery, all_pages, page_of
from m3ter_onboarding.ledger.reads.numbered_pages import PagePlace
from m3ter_onboarding.ledger.reads.open_questions import QuestionQuery, all_questions, question_page
from m3ter_onboarding.ledger.reads.person_history import history_of_decision, history_of_invitation
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import VisibleRows, rows_visible_to
from m3ter_onboarding.ledger.states import InvitationState
from tests.support.page_ledger import NOW, PLAN, invite, more_configurations
from tests.support.page_plans import statements_of

Ask = Callable[[LedgerReader, VisibleRows], Any]


def invitations(**query: Any) -> Ask:
    return lambda reader, visible: page_of(reader, visible.scopes, InvitationQuery(**query))


def questions(**query: Any) -> Ask:
    return lambda reader, visible: question_page(reader, visible, QuestionQuery(NOW, **query), PagePlace())


ANSWERS: dict[str, Ask] = {
    "invitations": invitations(),
    "oldest first": invitations(descending=False),
    "by address": invitations(sort="address"),
    "expiring soonest": invitations(sort="expires", descending=False),
    "one state": invitations(states=[InvitationState.FAILED]),
    "an employee": invitations(search="1001"),
    "the beginning of an address": invitations(search="ann@"),
    "a part of an address": invitations(search="@example"),
    "nobody": invitations(search="nobody-has-this"),
    "the worklist": questions(),
    "questions of an address": questions(search="example"),
    "an invitation's person": lambda reader, visible: history_of_invitation(reader, visible, 1001),
    "a row's person": lambda reader, visible: history_of_decision(reader, visible, f"{PLAN}-0", 1),
}


@pytest.fixture
def forty(ledger: LedgerDatabase) -> list[str]:
    """Add forty organisations, each with questions of every kind that look at invitations and runs."""
    dag_ids = more_configurations(ledger, 40)
    t = ledger.tables
    with ledger.engine.begin() as connection:
        for number, dag_id in enumerate(dag_ids):
            of_it = {"org_id": f"org-{number}", "dag_id": dag_id}
            live = 90_000 + number
            invite(connection, t, live, state="sent", email=f"old{number}@example.com", employee_id="1005", **of_it)
            mine = t.worklist.c.org_id == f"org-{number}"
            question = connection.execute(select(t.worklist).where(mine, t.worklist.c.reason == "email_changed")).one()
            for place, (reason, invitation_id, employee_id) in enumerate(
                (("missing_in_m3ter", 1000 * (number + 1) + 2, "1002"), ("rehire", None, "1006"))
            ):
                another = {
                    **question._mapping,
                    "item_id": question.item_id + 500 + place,  # organisations are a thousand apart
                    "person_key": f"employee:{employee_id}",
                    "employee_id": employee_id,
                    "reason": reason,
                    "invitation_id": invitation_id,
                }
                connection.execute(insert(t.worklist), another)
            run = connection.execute(select(t.run).where(t.run.c.dag_id == dag_id).limit(1)).one()
            again = {
                "run_id": "again",
                "mode": "retry_failed",
                "only_employee": "1006",
                "started_at": NOW + timedelta(hours=1),
                "outcome": "running",
            }
            connection.execute(insert(t.run), {**run._mapping, **again})
    return dag_ids


def test_an_answer_takes_the_same_few_statements_for_any_number_of_organisations(
    ledger: LedgerDatabase, forty: list[str]
) -> None:
    reader = LedgerReader(ledger)
    reader.check()
    for name, ask in ANSWERS.items():
        ran = []
        for dag_ids in (forty[:3], forty):
            with statements_of(Engine) as watched:
                ask(reader, rows_visible_to(reader, dag_ids))
            ran.append(len(watched.ran))
        assert ran[0] == ran[1] <= 8, name


def test_questions_of_many_organisations_have_beside_them_what_is_theirs(
    ledger: LedgerDatabase, forty: list[str]
) -> None:
    t = ledger.tables
    with ledger.engine.begin() as connection:  # of one, m3ter has an invitation at an address that a plan saw of them
        superseded = update(t.invitation).where(t.invitation.c.invitation_id == 90_007).values(state="superseded")
        connection.execute(superseded)
        seen = {"employee_id": "1005", "email_key": "seen@example.com", "decision": "skip", "row_no": 99}
        decision = connection.execute(select(t.decision).where(t.decision.c.org_id == "org-7").limit(1)).one()
        connection.execute(insert(t.decision), {**decision._mapping, **seen})
        found = {"org_id": "org-7", "dag_id": None, "origin": "found"}
        invite(connection, t, 99_007, state="adopted", email="seen@example.com", **found)
    reader = LedgerReader(ledger)
    [page] = all_questions(reader, rows_visible_to(reader, forty), QuestionQuery(NOW), 500)
    assert len(page) == 40 * 4
    rows = {(row.org_id, row.reason): row for row in page}
    for number in range(40):
        org_id, dag_id = f"org-{number}", forty[number]
        changed, missing, rehire = (rows[org_id, one] for one in ("email_changed", "missing_in_m3ter", "rehire"))
        assert changed.invitation_id == (99_007 if number == 7 else 90_000 + number)
        assert (missing.invitation_id, missing.invitation_state) == (1000 * (number + 1) + 2, "accepted")
        assert (rehire.again_run and rehire.again_run.dag_id, rehire.invited_again) == (dag_id, True)


def test_pages_of_many_organisations_are_one_list_in_order(ledger: LedgerDatabase, forty: list[str]) -> None:
    reader, i = LedgerReader(ledger), ledger.tables.invitation.c
    scopes = rows_visible_to(reader, forty).scopes
    with ledger.engine.connect() as connection:
        of_them = [dict(row._mapping) for row in connection.execute(select(i.invitation_id, i.email_key, i.dag_id))]
    mine = [row for row in of_them if row["dag_id"] in forty]
    listed = [
        row.invitation_id
        for page in all_pages(reader, scopes, InvitationQuery(sort="address", descending=False), 7)
        for row in page.rows
    ]
    by_address = sorted(mine, key=lambda row: (row["email_key"].encode(), row["invitation_id"]))
    assert listed == [row["invitation_id"] for row in by_address]
    assert len(listed) == 40 * 10
