"""What waits for a person, and what they decide: once, by name."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decision_names import REASONS, WAYS, WAYS_FOR_HR
from m3ter_onboarding.ledger.manual_decisions import DecidedOtherwiseError, ManualDecision, decide_by_hand, ways_out
from m3ter_onboarding.ledger.reads.numbered_pages import PagePlace
from m3ter_onboarding.ledger.reads.open_questions import OpenQuestion, QuestionQuery, all_questions, question_page
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import Scope, VisibleRows
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.page.csv_export import QUESTION_COLUMNS
from tests.onboarding.page.conftest import AT, Page
from tests.onboarding.page.test_access import GUARD, KEY
from tests.support.page_ledger import DAG_A, DAG_B, NOW, ORG_A, PLAN, PLAN_B, PLAN_BEFORE, ask, invite


def matched(db: LedgerDatabase, email: str, dag_id: str = DAG_A) -> None:
    """Let an earlier plan have seen that an address, found in m3ter, is that of the employee whose address changed."""
    with db.engine.begin() as connection:
        connection.execute(
            insert(db.tables.decision).values(
                plan_id=PLAN_BEFORE if dag_id == DAG_A else PLAN_B,
                row_no=50,
                org_id=ORG_A,
                employee_id="1005",
                email=email,
                email_key=email,
                decision="skip",
                reason="already_invited",
                decided_at=NOW - timedelta(hours=29),
            )
        )


def asked(page: Page, **query: Any) -> list[dict[str, Any]]:
    """Return the questions of the first page of a list."""
    rows: list[dict[str, Any]] = page.post("api/worklist", {"ledger": KEY, **query})["rows"]
    return rows


def the_row(page: Page) -> dict[str, Any]:
    [row] = [one for one in asked(page) if one["decision"] == "review"]
    return dict(row)


def missing(db: LedgerDatabase, invitation_id: int) -> None:
    """Let the row for review be about an invitation of which m3ter lists nothing, it was found."""
    w = db.tables.worklist
    with db.engine.begin() as connection:
        connection.execute(
            update(w)
            .where(w.c.reason == "email_changed")
            .values(reason="missing_in_m3ter", invitation_id=invitation_id)
        )


def read_to_the_end(db: LedgerDatabase) -> None:
    with db.engine.begin() as connection:
        connection.execute(insert(db.tables.mirror_org).values(org_id=ORG_A, complete_ms=1))


def test_a_changed_address_leads_to_the_old_invitation(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    anna = page("anna")
    row = the_row(anna)
    assert (row["invitation_id"], row["to"]) == (None, [])
    assert "Nothing of the old address can be superseded here" in row["way"]
    with ledger.engine.begin() as connection:
        invite(connection, ledger.tables, 60, state="superseded", email="older@example.com", employee_id="1005")
        invite(connection, ledger.tables, 61, state="sent", email="old@example.com", employee_id="1005")
    row = the_row(anna)
    assert (row["invitation_id"], row["invitation_state"], row["to"]) == (61, "sent", ["superseded"])
    anna.post("api/review/61", {"ledger": KEY, "seen": "sent", "to": "superseded"})
    row = the_row(anna)
    assert (row["invitation_id"], row["to"]) == (None, [])
    assert "it was superseded since this plan" in row["way"]


def test_nobody_sees_an_invitation_of_others_of_the_same_organisation(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    of_b = {"org_id": ORG_A, "dag_id": DAG_B, "email": "secret@b.example"}
    with ledger.engine.begin() as connection:
        invite(connection, ledger.tables, 70, state="sent", employee_id="1005", **of_b)
        invite(connection, ledger.tables, 71, state="adopted", email="other@b.example", origin="found", dag_id=None)
    matched(ledger, "other@b.example", DAG_B)
    anna = page("anna")
    row = the_row(anna)
    assert (row["invitation_id"], row["invitation_state"], row["to"]) == (None, None, [])
    missing(ledger, 70)
    row = the_row(anna)
    assert (row["invitation_id"], row["invitation_state"], row["to"]) == (None, None, [])
    assert "b.example" not in str(asked(anna)).replace("other@b.example", "")
    assert "b.example" not in anna.client.get(f"{AT}/api/review/{KEY}").text


def test_an_accepted_invitation_is_superseded_only_where_m3ter_lists_nothing_of_it(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    t = ledger.tables
    with ledger.engine.begin() as connection:
        connection.execute(
            update(t.invitation).where(t.invitation.c.invitation_id == 2).values(m3ter_id="i2", m3ter_user_id="u2")
        )
    missing(ledger, 2)
    anna = page("anna")
    body = {"ledger": KEY, "seen": "accepted", "to": "superseded"}

    def offered() -> bool:
        row = the_row(anna)
        assert row["invitation_id"] == 2
        assert ('"Stop counting it" here' in row["way"]) == bool(row["to"])
        return bool(row["to"] == ["superseded"])

    def refused() -> bool:
        return "still lists" in anna.post("api/review/2", body, 409)["detail"]

    assert not offered(), "m3ter was never read to the end"
    assert refused()
    read_to_the_end(ledger)
    seen = {"org_id": ORG_A, "email": "x", "first_seen_ms": 1, "last_seen_ms": 1, "gone": False}
    for table, values in (
        (t.mirror_invitation, {"m3ter_id": "i2", "email_key": "new@example.com", "accepted": True}),
        (t.mirror_invitation, {"m3ter_id": "i3", "email_key": "ben@example.com", "accepted": False}),
        (t.mirror_user, {"m3ter_id": "u2", "email_key": "new@example.com"}),
        (t.mirror_user, {"m3ter_id": "u3", "email_key": "ben@example.com"}),
    ):
        with ledger.engine.begin() as connection:
            connection.execute(insert(table).values(**seen, **values))
        assert not offered()
        assert refused()
        with ledger.engine.begin() as connection:
            connection.execute(update(table).values(gone=True))
    assert offered()
    assert anna.post("api/review/2", body) == {"state": "superseded"}
    row = the_row(anna)
    assert row["to"] == []
    assert "decides anew" in row["way"]


def test_the_review_list_has_invitations_and_open_questions(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    matched(ledger, "eve@example.com")
    anna = page("anna")
    found = anna.get(f"api/review/{KEY}")
    [unclear] = found["invitations"]
    assert (unclear["email"], unclear["to"]) == ("dan@example.com", ["sent", "superseded", "unsent"])
    assert "cannot explain" in unclear["said"]
    row, unusable = asked(anna)
    assert (unusable["decision"], unusable["reason"], unusable["to"]) == ("invalid", "email", [])
    assert found["counts"] == {"invalid:email": 1, "review:email_changed": 1}
    assert (row["reason"], row["invitation_id"], row["to"]) == ("email_changed", 5, ["superseded"])
    assert (row["email"], row["invitation_email"]) == ("person-1005@example.com", "eve@example.com")
    assert '"Stop counting it" here' in row["way"]
    assert found["may_decide"]


@pytest.mark.parametrize("to", ["sent", "unsent", "superseded"])
def test_a_decision_is_written_once_and_by_name(page: Callable[[str], Page], ledger: LedgerDatabase, to: str) -> None:
    anna = page("anna")
    body = {"ledger": KEY, "seen": "review", "to": to, "why": "Looked in m3ter's console."}
    assert anna.post("api/review/4", body) == {"state": to}
    assert "changed since" in anna.post("api/review/4", body, 409)["detail"]
    t = ledger.tables
    with ledger.engine.connect() as connection:
        row = connection.execute(select(t.invitation).where(t.invitation.c.invitation_id == 4)).one()
        events = connection.execute(
            select(t.event).where(t.event.c.invitation_id == 4, t.event.c.why == "decided")
        ).all()
    assert row.state == to
    assert (row.sent_at is not None) == (to == "sent")
    [event] = events
    assert (event.from_state, event.to_state, event.decided_by) == ("review", to, "anna")
    assert event.message == "Looked in m3ter's console."
    story = anna.get(f"api/stories/invitation/{KEY}/4")
    assert story["steps"][-1]["decided_by"] == "anna"


@pytest.mark.parametrize("state", [state.value for state in InvitationState])
def test_a_state_allows_its_own_decisions_only(page: Callable[[str], Page], state: str) -> None:
    anna = page("anna")
    for to in {"sent", "unsent", "superseded"} - ways_out(state, listed=False):
        answer = anna.post("api/review/4", {"ledger": KEY, "seen": state, "to": to}, 409)
        assert "by hand" in answer["detail"]
    assert ways_out(state) == {
        "review": {"sent", "unsent", "superseded"},
        "sent": {"superseded"},
        "adopted": {"superseded"},
    }.get(state, set())
    assert ways_out(state, listed=False) - ways_out(state) == ({"superseded"} if state == "accepted" else set())


def test_a_commit_whose_answer_was_lost_is_not_taken_for_another_persons(ledger: LedgerDatabase) -> None:
    def decide(who: str) -> None:
        decide_by_hand(ledger, ManualDecision(4, seen="review", to="unsent", who=who), NOW)

    decide("anna")
    decide("anna")  # as if the first try's COMMIT had been lost
    with pytest.raises(DecidedOtherwiseError, match="changed since"):
        decide("bert")


def question(page: Page, **query: Any) -> list[dict[str, Any]]:
    """Return the questions of a list about the row that cannot be used."""
    return [one for one in asked(page, **query) if one["reason"] == "email"]


def act(page: Page, one: dict[str, Any], action: str, status: int = 200, **more: Any) -> dict[str, Any]:
    body = {"ledger": KEY, "since": one["since"], "action": action, **more}
    answer: dict[str, Any] = page.post(f"api/questions/{one['item_id']}", body, status)
    return answer


def test_a_question_is_closed_by_name_and_can_be_opened_again(page: Callable[[str], Page]) -> None:
    anna = page("anna")
    [one] = question(anna)
    assert one["way"].startswith("Correct the row in the warehouse")
    act(anna, one, "close", note="A test account.")
    assert question(anna) == []
    [closed] = question(anna, shown="closed")
    assert (closed["closed_why"], closed["closed_by"], closed["note"]) == ("decided", "anna", "A test account.")
    assert "answered since" in act(anna, one, "snooze", 409, until=(NOW + timedelta(days=1)).isoformat())["detail"]
    act(anna, closed, "reopen")
    [again] = question(anna)
    note = "Opened again. anna: A test account."
    assert (again["closed_at"], again["note"], again["noted_by"]) == (None, note, "anna")


def test_a_question_is_put_off_until_a_day(page: Callable[[str], Page]) -> None:
    anna = page("anna")
    [one] = question(anna)
    act(anna, one, "snooze", until="2099-01-01T00:00:00Z")
    assert question(anna) == []
    assert anna.get(f"api/review/{KEY}")["counts"] == {"review:email_changed": 1}
    [put_off] = question(anna, shown="snoozed")
    assert put_off["snoozed_until"] == "2099-01-01T00:00:00Z"
    assert (put_off["note"], put_off["noted_by"]) == ("Put off until 2099-01-01.", "anna")
    act(anna, put_off, "snooze", until="2001-01-01T00:00:00Z")
    note = "Put off until 2001-01-01."
    assert question(anna) == [{**put_off, "snoozed_until": "2001-01-01T00:00:00Z", "note": note}]


def test_a_note_keeps_its_author_beside_later_decisions(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    anna = page("anna")
    w = ledger.tables.worklist
    with ledger.engine.begin() as connection:
        connection.execute(update(w).values(note="Asked HR.", noted_by="bert"))
    for day in ("2099-01-01", "2099-01-02"):
        [one] = question(anna, shown="open" if day.endswith("1") else "snoozed")
        act(anna, one, "snooze", until=f"{day}T00:00:00Z")
    [one] = question(anna, shown="snoozed")
    assert (one["note"], one["noted_by"]) == ("Put off until 2099-01-02. bert: Asked HR.", "anna")


def test_a_question_that_was_opened_again_since_is_another(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    anna = page("anna")
    [one] = question(anna)
    with ledger.engine.begin() as connection:
        connection.execute(update(ledger.tables.worklist).values(opened_at=NOW))
    assert "answered since" in act(anna, one, "close", 409)["detail"]


def test_questions_are_decided_by_who_may_edit_their_dag_only(page: Callable[[str], Page]) -> None:
    [one] = question(page("anna"))
    assert "right to edit" in act(page("vera"), one, "close", 403)["detail"]
    act(page("bert"), one, "close", 404)
    act(page("olaf"), one, "close", 404)
    assert question(page("anna")) == [one]


def test_questions_of_a_decision_are_those_that_the_overview_counts(page: Callable[[str], Page]) -> None:
    anna = page("anna")
    counted = anna.get("api/overview")["ledgers"][0]["questions"]
    for decision in ("invalid", "review", "skip"):
        found = asked(anna, kind=f"{decision}:")
        assert {one["decision"] for one in found} <= {decision}
        assert len(found) == sum(many for name, many in counted.items() if name.startswith(f"{decision}:"))


def test_questions_are_listed_by_kind_and_page(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        for number in range(70):
            ask(connection, ledger.tables, PLAN, number, f"q{number}", "skip", "excluded")
    anna, found, after = page("anna"), list[str](), 0
    while after is not None:
        answer = anna.post("api/worklist", {"ledger": KEY, "kind": "skip:excluded", "after": after})
        found += [one["employee_id"] for one in answer["rows"]]
        assert (answer["total"], answer["more"]) == (70, False)
        after = answer["after"]
    assert found == [f"q{number}" for number in range(70)]
    back = anna.post("api/worklist", {"ledger": KEY, "kind": "skip:excluded", "before": answer["before"]})
    assert [one["employee_id"] for one in back["rows"]] == found[:50]
    assert (back["before"], back["after"] is None) == (None, False)
    assert anna.get(f"api/review/{KEY}")["counts"] == {
        "invalid:email": 1,
        "review:email_changed": 1,
        "skip:excluded": 70,
    }


def test_a_page_whose_questions_are_answered_is_the_last_page(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    with ledger.engine.begin() as connection:
        for number in range(120):
            ask(connection, ledger.tables, PLAN, number, f"q{number}", "skip", "excluded")
    anna = page("anna")
    body = {"ledger": KEY, "kind": "skip:excluded"}
    second = anna.post("api/worklist", body | {"after": anna.post("api/worklist", body)["after"]})
    last = anna.post("api/worklist", body | {"after": second["after"]})
    assert (len(last["rows"]), last["after"]) == (20, None)
    decide(anna, selected(anna, kind="skip:excluded", ids=[one["item_id"] for one in last["rows"]]), "close")
    again = anna.post("api/worklist", body | {"after": second["after"]})
    assert again == {**second, "after": None, "total": 100}


def test_who_waits_for_a_day_is_no_open_question(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        ask(connection, ledger.tables, PLAN, 90, "1090", "skip", "too_early")
        ask(connection, ledger.tables, PLAN, 91, "1091", "skip", "excluded", gone_at=NOW)
    anna = page("anna")
    assert [one["employee_id"] for one in asked(anna)] == ["1005", "1006"]
    assert [one["employee_id"] for one in asked(anna, shown="waiting")] == ["1090"]
    assert [one["employee_id"] for one in asked(anna, shown="gone")] == ["1091"]


def test_questions_are_found_by_dag_age_and_person(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        ask(connection, ledger.tables, PLAN, 90, "1090", "skip", "excluded", opened_at=NOW - timedelta(days=40))
    anna = page("anna")

    def found(**query: Any) -> list[str]:
        return [one["employee_id"] for one in asked(anna, **query)]

    assert found() == ["1005", "1006", "1090"]
    assert found(older_than_days=30) == ["1090"]
    assert found(dag_id=DAG_A) == ["1005", "1006", "1090"]
    assert found(dag_id=DAG_B) == []
    assert found(kind="review:email_changed") == ["1005"]
    assert found(search=" 1006 ") == ["1006"]
    assert found(search="N-1090@EXAMPLE") == ["1090"]
    assert found(search="%") == []
    assert found(search="100") == ["1005", "1006"], "inside the address"


def selected(page: Page, **query: Any) -> dict[str, Any]:
    answer: dict[str, Any] = page.post("api/worklist/preview", {"ledger": KEY, **query})
    return answer


def decide(page: Page, chosen: dict[str, Any], action: str, **more: Any) -> dict[str, Any]:
    body = {"ledger": KEY, "action": action, "questions": chosen["questions"], **more}
    answer: dict[str, Any] = page.post("api/worklist/decide", body)
    return answer


def test_all_that_match_are_decided_five_hundred_at_a_time(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        for number in range(620):
            ask(connection, ledger.tables, PLAN, number, f"q{number}", "skip", "excluded")
    anna = page("anna")
    chosen = selected(anna, kind="skip:excluded")
    assert (chosen["total"], chosen["kinds"], len(chosen["questions"])) == (620, {"skip:excluded": 620}, 500)
    assert chosen["names"][:2] == ["person-q0@example.com", "person-q1@example.com"]
    answer = decide(anna, chosen, "close", note="Meant for good.")
    assert (answer["done"], answer["changed"], answer["not_yours"]) == (500, 0, 0)
    chosen = selected(anna, kind="skip:excluded")
    assert (chosen["total"], len(chosen["questions"])) == (120, 120)
    assert decide(anna, chosen, "close")["done"] == 120
    closed = selected(anna, kind="skip:excluded", shown="closed")
    assert closed["total"] == 620
    assert {one["closed_by"] for one in asked(anna, shown="closed")} == {"anna"}
    assert decide(anna, closed, "reopen")["done"] == 500
    anna.post("api/worklist/decide", {"ledger": KEY, "action": "close", "questions": []}, 422)
    too_many = [{"item_id": one, "since": NOW.isoformat()} for one in range(501)]
    anna.post("api/worklist/decide", {"ledger": KEY, "action": "close", "questions": too_many}, 422)


def test_ticked_questions_are_put_off_by_name(page: Callable[[str], Page]) -> None:
    anna = page("anna")
    ids = [one["item_id"] for one in asked(anna)]
    chosen = selected(anna, ids=ids)
    assert chosen["kinds"] == {"invalid:email": 1, "review:email_changed": 1}
    assert decide(anna, chosen, "snooze", until="2099-01-01T00:00:00Z")["done"] == 2
    put_off = asked(anna, shown="snoozed")
    assert [one["item_id"] for one in put_off] == ids
    assert {(one["note"], one["noted_by"]) for one in put_off} == {("Put off until 2099-01-01.", "anna")}
    assert decide(anna, selected(anna, shown="snoozed"), "note", note="Asked HR.")["done"] == 2
    assert {one["note"] for one in asked(anna, shown="snoozed")} == {"Asked HR."}


def test_questions_that_changed_meanwhile_are_counted_and_named(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    anna = page("anna")
    chosen = selected(anna)
    with ledger.engine.begin() as connection:
        w = ledger.tables.worklist
        connection.execute(update(w).where(w.c.employee_id == "1005").values(opened_at=NOW))
    answer = decide(anna, chosen, "close")
    assert (answer["done"], answer["changed"], answer["changed_names"]) == (1, 1, ["person-1005@example.com"])
    assert [one["employee_id"] for one in asked(anna)] == ["1005"]


def test_several_questions_are_decided_by_who_may_edit_their_dag_only(page: Callable[[str], Page]) -> None:
    chosen = selected(page("anna"))
    vera = selected(page("vera"))
    assert (vera["total"], vera["not_yours"], vera["questions"], vera["names"]) == (0, 2, [], [])
    for name in ("vera", "bert"):
        assert decide(page(name), chosen, "close")["not_yours"] == 2
    page("olaf").post("api/worklist/decide", {"ledger": KEY, "action": "close", **chosen}, 422)
    body = {"ledger": KEY, "action": "close", "questions": chosen["questions"]}
    page("olaf").post("api/worklist/decide", body, 404)
    assert len(asked(page("anna"))) == 2


def test_the_worklist_says_who_may_be_invited_again(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        for number, reason in enumerate(("expired", "rehire", "missing_in_m3ter")):
            ask(connection, ledger.tables, PLAN, 90 + number, f"r{number}", "review", reason)
        ask(connection, ledger.tables, PLAN, 95, "r5", "review", "expired", gone_at=NOW)
        ask(connection, ledger.tables, PLAN, 96, "r6", "review", "expired", employee_id=None)
    anna = page("anna")
    rows = {one["email"]: one["invited_again"] for one in [*asked(anna), *asked(anna, shown="gone")]}
    assert {email for email, again in rows.items() if again} == {"person-r0@example.com", "person-r1@example.com"}


def test_who_was_invited_again_meanwhile_is_not_to_be_invited_once_more(
    page: Callable[[str], Page], ledger: LedgerDatabase
) -> None:
    with ledger.engine.begin() as connection:
        for number, employee in enumerate(("r0", "r1", "r2")):
            ask(connection, ledger.tables, PLAN, 90 + number, employee, "review", "expired")
        invite(connection, ledger.tables, 300, email="person-r0@example.com", state="sent", employee_id="r0")
        r = ledger.tables.run
        known = connection.execute(select(r).where(r.c.dag_id == DAG_A).limit(1)).mappings().one()
        for run_id, employee, mode, begun in (
            ("again", "r1", "retry_failed", NOW),
            ("earlier", "r1", "retry_failed", NOW - timedelta(hours=1)),
            ("before the question", "r2", "retry_failed", NOW - timedelta(days=1)),
            ("a dry run", "r2", "dry_run", NOW),
        ):
            values = {"run_id": run_id, "only_employee": employee, "mode": mode, "started_at": begun}
            connection.execute(insert(r).values({**known, **values, "outcome": "running"}))
    rows = {one["employee_id"]: one for one in asked(page("anna"))}
    found = {name: (rows[name]["invited_again"], rows[name]["again_state"]) for name in ("r0", "r1", "r2")}
    assert found == {"r0": (False, "sent"), "r1": (True, None), "r2": (True, None)}
    assert rows["r1"]["again_run"] == {"dag_id": DAG_A, "run_id": "again", "outcome": "running"}
    assert rows["r2"]["again_run"] is None


def test_the_worklist_is_a_file_of_what_is_shown(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        for number in range(450):
            ask(connection, ledger.tables, PLAN, 100 + number, f"q{number}", "skip", "excluded")
        w = ledger.tables.worklist
        values = {"start_date": NOW.date(), "email": "=1@x.example", "person_name": "=Ann O'Hara"}
        connection.execute(update(w).where(w.c.employee_id == "q7").values(values))

    def rows(name: str, status: int = 200, **query: Any) -> list[dict[str, str]]:
        anna = page(name)
        answer = anna.client.post(f"{AT}/api/worklist/export", json={"ledger": KEY, **query}, headers=GUARD)
        assert answer.status_code == status, answer.text
        assert answer.text.startswith("\ufeff") == (status == 200)  # so Excel reads it as UTF-8
        if status == 200:
            stem = "-".join(["m3ter-worklist", *query["kind"].split(":"), "team_a"])
            assert f'"{stem}-{utc_now():%Y-%m-%d}.csv"' in answer.headers["content-disposition"]
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))

    found = rows("anna", kind="skip:excluded")
    assert len({row["Employee id"] for row in found}) == len(found) == 450
    [one] = [row for row in found if row["Employee id"] == "q7"]
    assert (one["E-mail address"], one["First day"], one["DAG"]) == ("'=1@x.example", f"{NOW:%Y-%m-%d}", DAG_A)
    assert (one["Name"], one["In the row now"]) == ("'=Ann O'Hara", "")
    [unusable] = rows("anna", kind="invalid:email")
    assert unusable["What to do"] == "Correct the address in the HR system; the next run picks it up."
    assert (unusable["Reason"], unusable["Details"]) == ("The address is missing or wrong", "A sentence about 1006.")
    assert (unusable["In the row now"], unusable["Code"]) == ("person-1006@example.com", "invalid:email")
    assert unusable["Waits since (UTC)"] == f"{NOW - timedelta(hours=5):%Y-%m-%d %H:%M}"
    rows("olaf", 404)


def test_the_worklist_counts_as_far_as_its_file_goes(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        for number in range(1100):
            ask(connection, ledger.tables, PLAN, 100 + number, f"q{number}", "skip", "excluded")
    first = page("anna").post("api/worklist", {"ledger": KEY, "kind": "skip:excluded"})
    assert (first["total"], first["more"]) == (1100, False)
    reader, query = LedgerReader(ledger), QuestionQuery(NOW, kind="skip:excluded")
    visible = VisibleRows([DAG_A], [Scope(ORG_A, DAG_A)])
    few = question_page(reader, visible, query, PagePlace(), most=300)
    assert (few.total, few.more) == (300, True)
    pages = all_questions(reader, visible, query, 200, most=300)
    assert [one.employee_id for rows in pages for one in rows] == [f"q{number}" for number in range(300)]


def test_the_worklist_is_searched_by_name(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    anna, w = page("anna"), ledger.tables.worklist
    with ledger.engine.begin() as connection:
        connection.execute(update(w).where(w.c.employee_id == "1006").values(person_name="Östen O'Hara_Lee"))
    for search in ("o'hara", "ÖSTEN", "östen o", "a_l"):
        assert [row["person_name"] for row in asked(anna, search=search)] == ["Östen O'Hara_Lee"], search
    assert asked(anna, search="ÖstenX") == asked(anna, search="a%l") == []


def test_hr_has_words_for_whatever_a_question_asks() -> None:
    assert set(WAYS) <= set(WAYS_FOR_HR)
    jargon = re.compile(r"warehouse|`|query|configuration|\bconnection\b", re.IGNORECASE)
    assert not [way for way in WAYS_FOR_HR.values() if jargon.search(way)]
    reason = QUESTION_COLUMNS["Reason"]
    empty: dict[str, Any] = dict.fromkeys(field.name for field in fields(OpenQuestion))
    written = [str(reason(OpenQuestion(**{**empty, "reason": name}))) for name in (*REASONS, "another_one")]
    assert not [text for text in written if "_" in text]
    assert {"Employee id is missing or wrong", "Contact number is wrong", "Another one"} <= set(written)


@pytest.mark.parametrize("ways", [WAYS, WAYS_FOR_HR])
def test_advice_about_a_policy_covers_two_of_one_name(ways: dict[str, str]) -> None:
    assert re.search(r"two have its name\b.*\bid\b", ways["policy"])
