"""Day one on the page: who starts soon, which invitations to chase, and what the overview says of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, null, update

from m3ter_onboarding.ledger.chase import ChaseDays
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.day_one import STANDINGS, Moment, Standing
from m3ter_onboarding.ledger.day_one_pass import DayOnePass, list_who_starts
from m3ter_onboarding.ledger.reads.invitation_list import PAGE
from m3ter_onboarding.ledger.schema import prepare_tables
from tests.onboarding.page.conftest import AT, Page
from tests.onboarding.page.test_access import GUARD, KEY
from tests.support.page_ledger import DAG_A, DAG_B, NOW, ORG_A, ORG_B, empty, fill
from tests.support.page_plans import scans_of_sqlite, statements_of
from tests.support.starting_people import StartingPeople, people

TODAY = NOW.date()


def starting(ledger: LedgerDatabase, org_id: str, dag_id: str, *rows: dict[str, Any], **invited: Any) -> None:
    """Let people of an organisation start soon, and make its lists.

    :param invited: the days until the invitation of an employee expires.
    """
    made = StartingPeople(ledger, org_id)
    made.plan(*rows, end=NOW, dag_id=dag_id)
    first = 500 if org_id == ORG_A else 600  # the ledger of these tests numbers its own
    for number, (employee, days) in enumerate(invited.items(), start=first):
        expires = NOW + timedelta(days=days)
        made.invite(employee, invitation_id=number, sent_at=NOW, dag_id=dag_id, expires_at=expires)
    list_them(ledger, org_id)


def list_them(ledger: LedgerDatabase, org_id: str) -> None:
    now = Moment(NOW, ZoneInfo("UTC"))
    list_who_starts(ledger, DayOnePass(org_id, "m3ter_day_one__a", "a", now, 14, ChaseDays(7, 5), 3))


@pytest.fixture
def lists(ledger: LedgerDatabase) -> LedgerDatabase:
    """Return a ledger in which people of both organisations start soon."""
    soon = TODAY + timedelta(days=6)
    starting(
        ledger,
        ORG_A,
        DAG_A,
        {"employee_id": "a1", "start_date": soon, "decision": "review", "reason": "rehire", "email": "=x@a.example"},
        {"employee_id": "a2", "start_date": soon - timedelta(days=2)},
        {"employee_id": "a3", "start_date": soon},
        a2=20,
        a3=4,
    )
    starting(ledger, ORG_B, DAG_B, {"employee_id": "b1", "start_date": soon}, b1=20)
    return ledger


def rows(page: Page, **wanted: Any) -> list[dict[str, Any]]:
    found = page.post("api/day-one", {"ledger": KEY, **wanted})["rows"]
    assert isinstance(found, list)
    return found


def test_readers_see_their_own_people_the_soonest_first(page: Callable[[str], Page], lists: LedgerDatabase) -> None:
    seen = rows(page("anna"))
    assert [(row["employee_id"], row["standing"], row["decision"]) for row in seen] == [
        ("a2", "pending", "invite:new"),
        ("a1", "not_invited", "review:rehire"),
        ("a3", "expires_before_start", "invite:new"),
    ]
    assert [row["employee_id"] for row in rows(page("anna"), standings=["not_invited", "expired"])] == ["a1"]
    assert [row["employee_id"] for row in rows(page("bert"), standings=[])] == ["b1"]
    # The address leads to the person.
    row = seen[1]
    assert page("anna").get(f"api/stories/decision/{KEY}/{row['plan_id']}/{row['row_no']}")


def test_figures_of_the_overview_are_the_rows_to_which_they_lead(
    page: Callable[[str], Page], lists: LedgerDatabase
) -> None:
    anna = page("anna")
    overview = anna.get("api/overview")
    starting = overview["ledgers"][0]["starting"]
    assert (starting["within_days"], starting["as_of"]) == (14, anna.post("api/day-one", {"ledger": KEY})["as_of"])
    for one in starting["days"]:
        assert len(rows(anna, standings=[one["standing"]], starts_from=one["day"], starts_until=one["day"])) == 1
    for standing, many in starting["standings"].items():
        assert [row["standing"] for row in rows(anna, standings=[standing])] == [standing] * many
    without = overview["words"]["without_access"]
    assert len(rows(anna, standings=without)) == sum(starting["standings"].get(one, 0) for one in without) == 3
    assert set(overview["words"]["standings"]) == {one.value for one in Standing}
    # The list has the days that its words name, today among them.
    days = {row["start_date"] for row in rows(anna)}
    assert days <= {f"{TODAY + timedelta(days=n)}" for n in range(starting["within_days"] + 1)}


def test_list_has_the_days_that_are_asked_for_and_counts_all_standings_in_them(
    page: Callable[[str], Page], lists: LedgerDatabase
) -> None:
    first, later = TODAY + timedelta(days=4), TODAY + timedelta(days=6)

    def found(**wanted: Any) -> tuple[list[str], int, dict[str, int]]:
        answer = page("anna").post("api/day-one", {"ledger": KEY, **wanted})
        many = {standing: some for standing, some in answer["standings"].items() if some}
        return [row["employee_id"] for row in answer["rows"]], answer["total"], many

    both = {"expires_before_start": 1, "not_invited": 1}
    assert found() == (["a2", "a1", "a3"], 3, {"pending": 1, **both})
    assert found(starts_from=f"{first + timedelta(days=1)}") == (["a1", "a3"], 2, both)
    assert found(starts_until=f"{later - timedelta(days=1)}") == (["a2"], 1, {"pending": 1})
    assert found(starts_from=f"{later}", standings=["not_invited"]) == (["a1"], 1, both)
    assert found(starts_from=f"{first}", starts_until=f"{later}")[1] == 3
    assert found(starts_until=f"{TODAY}") == ([], 0, {})
    assert found(name="chase")[2] == {}


def test_rows_say_what_was_sent_since_the_list_was_made(page: Callable[[str], Page], lists: LedgerDatabase) -> None:
    def seen(name: str = "day_one") -> dict[str, Any]:
        return {row["employee_id"]: row["state_now"] for row in rows(page("anna"), name=name)}

    assert seen() == {"a1": None, "a2": None, "a3": None}
    later = NOW + timedelta(hours=1)
    made = StartingPeople(lists, ORG_A)
    made.invite("a1", email="=x@a.example", invitation_id=700, m3ter_id="700", dag_id=DAG_A, updated_at=later)
    made.invite("b9", invitation_id=701, m3ter_id="701", dag_id=DAG_B, updated_at=later)
    invitation = lists.tables.invitation
    with lists.engine.begin() as connection:  # the second is written anew, and is what it was
        for number, values in ((501, {"state": "accepted"}), (500, {"state": "sent"})):
            changed = update(invitation).where(invitation.c.invitation_id == number)
            connection.execute(changed.values(**values, updated_at=later))
    assert seen() == {"a1": "sent", "a2": None, "a3": "accepted"}
    assert seen("chase") == {"a2": None, "a3": "accepted"}
    (row,) = rows(page("anna"), standings=["not_invited"])  # the list itself is as old as it says
    assert (row["standing"], row["changed_at"] > page("anna").post("api/day-one", {"ledger": KEY})["as_of"]) == (
        "not_invited",
        True,
    )


def test_readers_see_their_own_invitations_to_chase(page: Callable[[str], Page], lists: LedgerDatabase) -> None:
    chased = rows(page("anna"), name="chase")
    assert [(row["employee_id"], row["why"]) for row in chased] == [("a3", "both"), ("a2", "starts")]
    assert [row["employee_id"] for row in rows(page("anna"), name="chase", why="both")] == ["a3"]
    assert [row["employee_id"] for row in rows(page("bert"), name="chase")] == ["b1"]


def test_rows_name_people_as_decided_last_else_as_invited(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    soon = TODAY + timedelta(days=6)
    ann, bo = {"firstName": "Ann", "lastName": "One"}, {"firstName": "=Bo", "lastName": "Two"}
    starting(
        ledger,
        ORG_A,
        DAG_A,
        {"employee_id": "a1", "start_date": soon, "request": ann},
        {"employee_id": "a2", "start_date": soon, "decision": "review", "reason": "rehire", "person_name": "Al Three"},
        {"employee_id": "a3", "start_date": soon, "decision": "skip", "reason": "pending"},
        a3=4,
    )
    anna = page("anna")
    assert {row["employee_id"]: row["person_name"] for row in rows(anna)} == {
        "a1": "Ann One",
        "a2": "Al Three",
        "a3": None,
    }
    older = StartingPeople(ledger, "older").plan({"employee_id": "a3", "request": bo}, end=NOW, run=False)
    invitation = ledger.tables.invitation
    with ledger.engine.begin() as connection:
        mine = update(invitation).where(invitation.c.invitation_id == 500)
        connection.execute(mine.values(plan_id=older, row_no=1))
    for name in ("day_one", "chase"):
        assert {row["employee_id"]: row["person_name"] for row in rows(anna, name=name)}["a3"] == "=Bo Two"
        saved = anna.client.post(f"{AT}/api/day-one/export", json={"ledger": KEY, "name": name}, headers=GUARD)
        assert {line["person_name"] for line in csv.DictReader(io.StringIO(saved.content.decode("utf-8-sig")))} >= {
            "'=Bo Two"
        }
    decision = ledger.tables.decision
    with ledger.engine.begin() as connection:  # as an erasure leaves them
        connection.execute(update(decision).values(request=null(), person_name=None))
    for name in ("day_one", "chase"):
        assert {row["person_name"] for row in rows(anna, name=name)} == {None}


def test_people_without_rights_see_nothing(page: Callable[[str], Page], lists: LedgerDatabase) -> None:
    for path in ("api/day-one", "api/day-one/export"):
        page("olaf").post(path, {"ledger": KEY}, 404)
        page("anna").post(path, {"ledger": "another"}, 404)
        assert page("anna").client.post(f"{AT}/{path}", json={"ledger": KEY}).status_code == 403  # no guard


def test_an_empty_list_says_whether_it_was_ever_made(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    def answer() -> Any:
        found = page("anna").post("api/day-one", {"ledger": KEY})
        return found["rows"], found["as_of"] is not None

    assert answer() == ([], False)
    list_them(ledger, ORG_B)
    assert answer() == ([], False)  # of an organisation that the reader does not see
    list_them(ledger, ORG_A)
    assert answer() == ([], True)


def test_export_is_harmless_and_whole(page: Callable[[str], Page], lists: LedgerDatabase) -> None:
    anna = page("anna")
    for wanted, employees in (({}, {"a1", "a2", "a3"}), ({"name": "chase"}, {"a2", "a3"})):
        answer = anna.client.post(f"{AT}/api/day-one/export", json={"ledger": KEY, **wanted}, headers=GUARD)
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.text.startswith("\ufeff")  # so Excel reads it as UTF-8
        lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert {line["employee_id"] for line in lines} == employees
        assert not any(line["email"].startswith("=") for line in lines)
        words = {"": "", **{standing.value: said for standing, said in STANDINGS.items()}}
        assert all(line["standing_said"] == words[line["standing"]] for line in lines)


def test_list_is_read_page_by_page(page: Callable[[str], Page], ledger: LedgerDatabase) -> None:
    starting(ledger, ORG_A, DAG_A, *people(TODAY + timedelta(days=1), PAGE + 10))
    first = page("anna").post("api/day-one", {"ledger": KEY})
    second = page("anna").post("api/day-one", {"ledger": KEY, "after": first["after"]})
    assert (len(first["rows"]), len(second["rows"]), second["after"]) == (PAGE, 10, None)
    assert (first["total"], first["more"]) == (PAGE + 10, False)
    assert len({row["item_id"] for row in (*first["rows"], *second["rows"])}) == PAGE + 10


def test_overview_counts_both_lists_what_was_sent_and_days_without_success(
    page: Callable[[str], Page], lists: LedgerDatabase
) -> None:
    def figures(name: str) -> Any:
        return page(name).get("api/overview")["ledgers"][0]["starting"]

    seen = figures("anna")
    assert seen["standings"] == {"not_invited": 1, "pending": 1, "expires_before_start": 1}
    assert (seen["chase"], seen["without_success"]) == (2, {})
    first, later = f"{TODAY + timedelta(days=4)}", f"{TODAY + timedelta(days=6)}"
    assert [(one["day"], one["standing"], one["many"]) for one in seen["days"]] == [
        (first, "pending", 1),
        *((later, "expires_before_start", 1), (later, "not_invited", 1)),
    ]
    assert (figures("bert")["chase"], figures("bert")["standings"]) == (1, {"pending": 1})
    run, of_a = lists.tables.run, lists.tables.run.c.org_id == ORG_A
    with lists.engine.begin() as connection:
        connection.execute(update(run).where(of_a).values(finished_at=NOW - timedelta(days=4)))
    assert figures("anna")["without_success"] == {ORG_A: 4}
    with lists.engine.begin() as connection:
        connection.execute(update(run).where(of_a).values(outcome="failed", started_at=NOW - timedelta(days=6)))
    assert figures("anna")["without_success"] == {ORG_A: 6}


def test_lists_are_ranges_of_indexes(
    sqlite_ledger: tuple[LedgerDatabase, str], page: Callable[[str], Page], lists: LedgerDatabase
) -> None:
    anna = page("anna")
    with statements_of(Engine) as watched:
        rows(anna)
        rows(anna, name="chase")
    watched.ran = [one for one in watched.ran if any(name in one[0] for name in ("day_one", "chase", "UNION"))]
    assert len(watched.ran) == 8  # each list, what has changed since, its counts, and when it was made
    db, _ = sqlite_ledger
    prepare_tables(db, create_tables=True, now=NOW, package_version="0")
    empty(db)
    fill(db)
    if all("?" in statement for statement, _ in watched.ran):  # those that SQLite ran
        assert [one for one in scans_of_sqlite(db.engine, watched) if "m3ter_" in one] == []
