"""Lists: searched, filtered, sorted, paged; whatever people are called."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.reads.invitation_list import InvitationPage, InvitationRow
from m3ter_onboarding.page.csv_export import COLUMNS, as_csv, cell
from tests.onboarding.page.conftest import AT, Page
from tests.onboarding.page.test_access import GUARD, KEY
from tests.support.page_ledger import DAG_A, DAG_B, HOSTILE, NOW, ORG_A, ORG_B, PLAN, RUN, crowd, invite, worked_for
from tests.support.page_plans import scans_of_sqlite, statements_of


@pytest.fixture
def anna(page: Callable[[str], Page]) -> Page:
    return page("anna")


def listed(page: Page, **wanted: Any) -> list[str]:
    """Return the addresses of a whole list, read page by page."""
    found: list[str] = []
    after = None
    while True:
        answer = page.post("api/invitations", {"ledger": KEY, **wanted, "after": after})
        found += [row["email"] for row in answer["rows"]]
        after = answer["after"]
        if after is None:
            return found


EVERYBODY = [*(f"{name}@example.com" for name in ("ann", "ben", "cem", "dan", "eve", "fay")), *HOSTILE]


def test_the_list_has_everybody_newest_change_first(anna: Page) -> None:
    assert listed(anna) == EVERYBODY
    assert listed(anna, descending=False) == EVERYBODY[::-1]


def test_the_list_is_sorted_by_address_byte_by_byte(anna: Page) -> None:
    in_order = sorted(EVERYBODY, key=lambda text: text.lower().encode())
    assert listed(anna, sort="address", descending=False) == in_order
    assert listed(anna, sort="address") == in_order[::-1]


def test_the_list_is_filtered_by_state_and_organisation(anna: Page) -> None:
    assert listed(anna, states=["failed", "accepted"]) == ["ben@example.com", "cem@example.com"]
    assert listed(anna, org_id=ORG_A) == EVERYBODY
    assert listed(anna, org_id="another") == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ann", ["ann@example.com"]),
        (" ANN@Example.COM ", ["ann@example.com"]),
        ("1001", ["ann@example.com"]),
        ("inv-1", ["ann@example.com"]),
        ("nn@", ["ann@example.com"]),
        ("n@", []),
        ("AN@exam", ["dan@example.com"]),
        ("an@", ["dan@example.com"]),
        ("%", []),
        ("a%m", []),
        ("___", []),
        ("_nn", []),
        ("<script>", [HOSTILE[0]]),
        ("=HYPERLINK", [HOSTILE[1]]),
        ("'; DROP", [HOSTILE[2]]),
        ("x\u202eg", [HOSTILE[3]]),
    ],
)
def test_a_search_finds_by_address_employee_and_id(anna: Page, search: str, found: list[str]) -> None:
    assert listed(anna, search=search) == found


def test_a_search_lists_ids_then_beginnings_then_the_rest(anna: Page, ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        invite(connection, ledger.tables, 50, state="sent", email="x@example.com", employee_id="ann")
        invite(connection, ledger.tables, 51, state="sent", email="joann@example.com")
        invite(connection, ledger.tables, 52, state="expired", email="hann@example.com")
        invite(connection, ledger.tables, 53, state="sent", email="secret.ann@b.example", org_id=ORG_B, dag_id=DAG_B)
    found = ["x@example.com", "ann@example.com", "hann@example.com", "joann@example.com"]
    assert listed(anna, search="ann") == found
    assert listed(anna, search="ann", states=["expired"]) == ["hann@example.com"]
    page = anna.post("api/invitations", {"ledger": KEY, "search": "ann"})
    assert (page["total"], page["more"]) == (4, False)
    reach = {"newest": 50_000, "complete": True, "names": 2_000, "names_complete": True, "more": False}
    assert page["reach"] == reach
    assert anna.post("api/invitations", {"ledger": KEY, "search": "an"})["reach"] is None


def test_a_search_finds_names_of_those_who_were_to_be_invited(anna: Page, ledger: LedgerDatabase) -> None:
    t, names = ledger.tables, {51: ("Östen", "O'Hara_Lee"), 52: ("Ann", "O'Hara"), 53: ("Bea", "O'Hara")}
    with ledger.engine.begin() as connection:
        for number, (first, last) in names.items():
            row_no, request = 100 + number, {"firstName": first, "lastName": last}
            mine = {"plan_id": PLAN, "row_no": row_no, "org_id": ORG_A, "email_key": f"n{number}@example.com"}
            kept = {"decision": "invite", "reason": "new", "request": request, "decided_at": NOW}
            connection.execute(insert(t.decision).values(**mine, **kept))
            whose = {"org_id": ORG_B, "dag_id": DAG_B} if number == 53 else {}
            invite(connection, t, number, state="sent", email=mine["email_key"], row_no=row_no, **whose)
    assert listed(anna, search="o'hara") == ["n51@example.com", "n52@example.com"]
    assert listed(anna, search="ÖSTEN O") == listed(anna, search="a_l") == ["n51@example.com"]
    assert listed(anna, search="o'hara", states=["expired"]) == listed(anna, search="a%l") == []
    [found] = anna.post("api/invitations", {"ledger": KEY, "search": "ann o"})["rows"]
    assert found["person_name"] == "Ann O'Hara"
    shown = {row["person_name"] for row in anna.post("api/invitations", {"ledger": KEY})["rows"]}
    assert shown == {"Östen O'Hara_Lee", "Ann O'Hara", None}


def walked(page: Page, **wanted: Any) -> tuple[list[list[str]], list[list[str]]]:
    """Return the pages of a list, read to its end, and again back to its beginning."""
    body = {"ledger": KEY, **wanted}
    answer = page.post("api/invitations", body)
    assert answer["before"] is None
    there = [[row["email"] for row in answer["rows"]]]
    while answer["after"]:
        assert "@" not in base64.urlsafe_b64decode(answer["after"]).decode()
        answer = page.post("api/invitations", {**body, "after": answer["after"]})
        there.append([row["email"] for row in answer["rows"]])
    back = [there[-1]]
    while answer["before"]:
        assert "@" not in base64.urlsafe_b64decode(answer["before"]).decode()
        answer = page.post("api/invitations", {**body, "before": answer["before"]})
        back.append([row["email"] for row in answer["rows"]])
    return there, back[::-1]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"descending": False},
        {"sort": "address"},
        {"sort": "expires", "descending": False},
        {"search": "p01"},
        {"search": "@example"},
    ],
)
def test_previous_pages_are_the_pages_that_were_read(
    anna: Page, ledger: LedgerDatabase, wanted: dict[str, Any]
) -> None:
    crowd(ledger, 180)
    with ledger.engine.begin() as connection:
        connection.execute(update(ledger.tables.invitation).values(expires_at=NOW + timedelta(days=1)))
    there, back = walked(anna, **wanted)
    assert len(there) >= 2
    assert back == there
    everybody = [email for page in there for email in page]
    assert len(everybody) == len(set(everybody)) == anna.post("api/invitations", {"ledger": KEY, **wanted})["total"]


def test_a_list_counts_up_to_a_thousand(anna: Page, ledger: LedgerDatabase) -> None:
    assert anna.post("api/invitations", {"ledger": KEY})["total"] == len(EVERYBODY)
    crowd(ledger, 1100)
    for wanted in ({}, {"search": "p"}, {"search": "@example"}):
        page = anna.post("api/invitations", {"ledger": KEY, **wanted})
        assert page["total"] >= 1000
        assert page["more"]


def test_a_page_before_one_that_has_become_the_first_is_a_whole_page(anna: Page, ledger: LedgerDatabase) -> None:
    crowd(ledger, 60)
    first = anna.post("api/invitations", {"ledger": KEY, "sort": "address", "descending": False})
    second = anna.post(
        "api/invitations", {"ledger": KEY, "sort": "address", "descending": False, "after": first["after"]}
    )
    with ledger.engine.begin() as connection:
        i = ledger.tables.invitation
        connection.execute(update(i).where(i.c.email == "ben@example.com").values(state="failed", org_id="gone"))
    again = anna.post(
        "api/invitations", {"ledger": KEY, "sort": "address", "descending": False, "before": second["before"]}
    )
    assert len(again["rows"]) == len(first["rows"]) == 50
    assert (again["before"], again["after"] is None) == (None, False)
    with ledger.engine.begin() as connection:
        connection.execute(update(i).values(org_id="gone"))
    answer = anna.post("api/invitations", {"ledger": KEY, "sort": "address", "after": first["after"]}, 400)
    assert "no place" in answer["detail"] or "is gone" in answer["detail"]


def test_a_page_whose_rows_have_left_the_list_is_the_first(anna: Page, ledger: LedgerDatabase) -> None:
    crowd(ledger, 60)
    body = {"ledger": KEY, "states": ["sent"], "descending": False}
    first = anna.post("api/invitations", body)
    with ledger.engine.begin() as connection:
        i = ledger.tables.invitation
        connection.execute(update(i).where(i.c.email.like("p00%")).values(state="accepted"))
    few = anna.post("api/invitations", body | {"after": first["after"]})
    assert (few["before"], few["after"], len(few["rows"])) == (None, None, few["total"])
    assert len(exported(anna, states=["sent"])) == 1 + few["total"]


def test_pages_hold_everybody_once(anna: Page, ledger: LedgerDatabase) -> None:
    """Also where many rows changed at the same instant."""
    crowd(ledger, 180, ("sent", "accepted", "expired"))
    many = {f"p{number:04}@example.com" for number in range(180)}
    for wanted in ({}, {"sort": "address"}, {"search": "p0"}, {"descending": False}):
        found = [email for email in listed(anna, **wanted) if email.startswith("p0")]
        assert len(found) == 180
        assert set(found) == many
    assert len(exported(anna)) == 1 + 190


@pytest.mark.parametrize(("sort", "descending"), [("changed", True), ("address", False)])
def test_the_list_covers_many_organisations(anna: Page, ledger: LedgerDatabase, sort: str, descending: bool) -> None:
    """SQLite merges 500 ranges at most."""
    orgs = [f"org-{number:03}" for number in range(30)]
    worked_for(ledger, orgs)
    with ledger.engine.begin() as connection:
        for number in range(55):
            email = f"q{number * 37 % 55:03}ü@example.com"
            invite(connection, ledger.tables, 1000 + number, state="sent", email=email, org_id=orgs[number % 30])
    found = listed(anna, sort=sort, descending=descending)
    everybody = [*EVERYBODY, *(f"q{number:03}ü@example.com" for number in range(55))]
    assert sorted(found) == sorted(everybody)
    if sort == "address":
        assert found == sorted(everybody, key=str.encode, reverse=descending)
    assert len(exported(anna)) == 1 + len(everybody)
    assert [row["email"] for row in anna.post("api/invitations", {"ledger": KEY, "search": "q005"})["rows"]] == [
        "q005ü@example.com"
    ]
    assert len(anna.get(f"api/review/{KEY}")["invitations"]) == 1
    assert anna.get(f"api/stories/invitation/{KEY}/1000")["email"] == "q000ü@example.com"


def test_a_place_that_is_none_is_refused(anna: Page) -> None:
    for name, after in [(name, one) for name in ("after", "before") for one in ("x", "W10=", "bnVsbA==", "WzEsMl0=")]:
        answer = anna.post("api/invitations", {"ledger": KEY, name: after}, 400)
        assert "no place in this list" in answer["detail"]


def place(*what: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(what).encode()).decode()


NOWHERE = [
    ("changed", base64.urlsafe_b64encode(b"[" * 2900).decode()),
    ("changed", place("list", "0001-01-01T00:00:00+14:00", 1)),
    ("changed", place("list", "2030-01-01T00:00:00+00:00", 10**25)),
    ("changed", place("list", "2030-01-01T00:00:00+00:00", -1)),
    ("changed", place("inside", "2030-01-01T00:00:00+00:00", 1)),
    ("changed", place(["list"], "2030-01-01T00:00:00+00:00", 1)),
    ("address", place("list", "a", "a")),
    ("address", place("begins", None, 1)),
]


@pytest.mark.parametrize(("sort", "after"), NOWHERE)
def test_a_place_that_no_ledger_has_is_refused(anna: Page, sort: str, after: str) -> None:
    for path in ("api/invitations", "api/export"):
        answer = anna.post(path, {"ledger": KEY, "sort": sort, "after": after}, 400)
        assert "no place in this list" in answer["detail"]


REFUSED: list[tuple[str, str, dict[str, Any] | None, str]] = [
    ("POST", "api/invitations", {"ledger": KEY, "search": "a\0b"}, "search"),
    ("POST", "api/invitations", {"ledger": KEY, "search": "\ud800"}, "search"),
    ("POST", "api/export", {"ledger": KEY, "search": "a\0b"}, "search"),
    ("POST", "api/invitations", {"ledger": KEY, "org_id": "\0"}, "org_id"),
    ("GET", f"api/stories/invitation/{KEY}/{10**25}", None, "invitation_id"),
    ("GET", f"api/stories/decision/{KEY}/{PLAN}/{10**25}", None, "row_no"),
    ("GET", f"api/stories/decision/{KEY}/{PLAN}/{2**31}", None, "row_no"),
    ("GET", f"api/stories/decision/{KEY}/%00/1", None, "plan_id"),
    ("GET", f"api/runs?dag_id={DAG_A}&before=0001-01-01T00:00:00%2B14:00", None, "before"),
    ("GET", f"api/runs?dag_id={DAG_A}&before=9999-12-31T23:59:59-14:00", None, "before"),
    ("GET", f"api/run?dag_id={DAG_A}&run_id=%00", None, "run_id"),
    ("POST", "api/run/rows", {"dag_id": DAG_A, "plan_id": PLAN, "decision": "invite", "after": 10**25}, "after"),
    ("POST", "api/run/rows", {"dag_id": DAG_A, "plan_id": "\0", "decision": "invite"}, "plan_id"),
    ("POST", f"api/review/{10**25}", {"ledger": KEY, "seen": "review", "to": "sent"}, "invitation_id"),
    ("POST", "api/review/4", {"ledger": KEY, "seen": "review", "to": "sent", "why": "a\0"}, "why"),
]


@pytest.mark.parametrize(("method", "path", "body", "what"), REFUSED)
def test_impossible_questions_are_refused(
    anna: Page, method: str, path: str, body: dict[str, Any] | None, what: str
) -> None:
    headers = {**GUARD, "origin": "http://airflow.test", "content-type": "application/json"}
    answer = anna.client.request(method, f"{AT}/{path}", content=body and json.dumps(body), headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (422, f"This was not understood: {what}.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"states": ["nobody@example.com"]},
        {"sort": "nobody@example.com"},
        {"nobody@example.com": 1},
        {"search": "x" * 401},
    ],
)
def test_a_refusal_does_not_quote_the_request(anna: Page, wrong: dict[str, Any]) -> None:
    answer = anna.post("api/invitations", {"ledger": KEY, **wrong}, 422)
    assert "nobody@example.com" not in answer["detail"] or "nobody@example.com" in wrong


def exported(page: Page, **wanted: Any) -> list[list[str]]:
    headers = {**GUARD, "origin": "http://airflow.test"}
    found = page.client.post(f"{AT}/api/export", json={"ledger": KEY, **wanted}, headers=headers)
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/csv")
    assert found.text.startswith("\ufeff")  # so Excel reads it as UTF-8
    assert "attachment" in found.headers["content-disposition"]
    return list(csv.reader(io.StringIO(found.content.decode("utf-8-sig"))))


def test_an_export_has_no_formulas(anna: Page) -> None:
    heads, *rows = exported(anna)
    cells = [dict(zip(heads, row, strict=True)) for row in rows]
    # Changed where a cell begins, or would with a semicolon for the separator, and nowhere else.
    assert [one["email"].replace("'", "") for one in cells] == [text.replace("'", "") for text in EVERYBODY]
    assert f"'{HOSTILE[1]}" in [one["email"] for one in cells]
    assert "'=no" in [one["message"] for one in cells]
    assert not [text for row in rows for text in row if text.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r"])
def test_a_formula_becomes_text(beginning: str) -> None:
    assert cell(f"{beginning}1+1") == f"'{beginning}1+1"


def test_a_separator_in_a_cell_makes_no_formula() -> None:
    """A spreadsheet may take a semicolon or a tabulator for what divides cells."""
    values = [
        "a;=1+1",
        'a; "=1+1',
        "a\t+1",
        "a\r\n@x",
        "a|-1",
        " =1",
        "\u00a0=1",
        "\ufeff=1",
        "\u200b=1",
        "＝1",
        "\0=1",
    ]
    empty: dict[str, Any] = dict.fromkeys(field.name for field in fields(InvitationRow))
    rows = [InvitationRow(**{**empty, "employee_id": "x", "email": value}) for value in values]
    text = "".join(as_csv([InvitationPage(rows, None)]))
    assert [line for line in text.splitlines() if line.startswith('"x"')]
    for line in csv.reader(io.StringIO(text[1:])):
        assert all(one == "" or one[0] == "'" or one in COLUMNS or one[0] in "ax" for one in line)
    assert text.startswith('\ufeff"employee_id","email"')
    for separator in (";", "\t", "|"):
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            assert not [
                one for one in line if one.strip(' "\u00a0\ufeff\u200b\0').startswith(("=", "+", "-", "@", "＝"))
            ]
    for harmless in ("a-b@example.com", "1;2", "O'Neil; x", "2030-01-01"):
        assert cell(harmless) == harmless


def test_what_cannot_expire_any_more_is_not_among_those_that_expire_soonest(anna: Page, ledger: LedgerDatabase) -> None:
    i = ledger.tables.invitation
    with ledger.engine.begin() as connection:
        for state, days in (("accepted", -365), ("expired", -30), ("sent", 3), ("adopted", 2)):
            values = {"expires_at": NOW + timedelta(days=days)}
            connection.execute(update(i).where(i.c.state == state, i.c.org_id == ORG_A).values(values))
    wanted = {"ledger": KEY, "sort": "expires", "descending": False}
    rows = anna.post("api/invitations", wanted)["rows"]
    assert [row["state"] for row in rows][:2] == ["adopted", "sent"]
    assert {row["state"] for row in rows} == {"adopted", "sent"}
    assert anna.post("api/invitations", {**wanted, "states": ["accepted"]})["rows"] == []


def test_the_story_of_a_person(anna: Page) -> None:
    story = anna.get(f"api/stories/invitation/{KEY}/1")
    assert (story["email"], story["employee_id"]) == ("ann@example.com", "1001")
    assert [step["name"] for step in story["steps"]] == [
        *("skip:too_early", "invite:new"),
        *("(new) → sending: claimed", "sending → sent: answered"),
    ]
    assert story["extra"] == {"department": "Team of 1001"}
    assert (story["person_name"], story["start_date"]) == (None, "2030-01-01")
    assert story["steps"][-1]["said"] == "m3ter made the invitation and sent the e-mail."
    assert (story["steps"][-1]["run_id"], story["steps"][-1]["task_id"]) == (RUN, "send")
    for number, text in enumerate(HOSTILE, start=7):
        assert anna.get(f"api/stories/invitation/{KEY}/{number}")["email"] == text


def test_a_story_has_the_persons_name(anna: Page, ledger: LedgerDatabase) -> None:
    d = ledger.tables.decision
    for values, name in (
        ({"request": {"firstName": "Ann", "lastName": "O'Hara"}}, "Ann O'Hara"),
        ({"request": None, "person_name": "Ann Lee"}, "Ann Lee"),
    ):
        with ledger.engine.begin() as connection:
            connection.execute(update(d).where(d.c.employee_id == "1001").values(values))
        assert anna.get(f"api/stories/invitation/{KEY}/1")["person_name"] == name


def test_a_story_shows_what_plans_saw_in_m3ter_alone(anna: Page, ledger: LedgerDatabase) -> None:
    """Else "the last invitation expired" stands below "never invited"."""
    t = ledger.tables
    seen = {"email": "Person-1005@example.com", "first_seen_ms": 1, "last_seen_ms": 1}
    theirs = {**seen, "email_key": "person-1005@example.com"}
    with ledger.engine.begin() as connection:
        connection.execute(
            insert(t.mirror_invitation),
            [
                {**theirs, "org_id": ORG_A, "m3ter_id": "m1", "accepted": False, "expires_at": NOW, "gone": False},
                {**theirs, "org_id": ORG_B, "m3ter_id": "m2", "accepted": False, "expires_at": NOW, "gone": False},
            ],
        )
        connection.execute(insert(t.mirror_user).values(**theirs, org_id=ORG_A, m3ter_id="u1", gone=True))
    story = anna.get(f"api/stories/decision/{KEY}/{PLAN}/4")
    assert story["invitations"] == []
    found = [(one["kind"], one["m3ter_id"], one["accepted"], one["gone"]) for one in story["in_m3ter"]]
    assert found == [("user", "u1", True, True), ("invitation", "m1", False, False)]


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
def test_a_list_reads_no_whole_table_on_sqlite(anna: Page, ledger: LedgerDatabase) -> None:
    """On PostgreSQL: see test_million.py."""
    with statements_of(Engine) as watched:
        for wanted in (
            *({}, {"sort": "address"}, {"sort": "expires"}, {"states": ["failed"]}),
            *({"search": "ann"}, {"search": "1001"}, {"search": "inv-1"}, {"org_id": ORG_A}),
        ):
            anna.post("api/invitations", {"ledger": KEY, **wanted})
        anna.get("api/overview")
        anna.get(f"api/review/{KEY}")
        anna.get(f"api/stories/invitation/{KEY}/1")
    assert len(watched.ran) > 20
    scans = scans_of_sqlite(ledger.engine, watched)
    assert [scan for scan in scans if "m3ter_invitation" in scan or "decision" in scan] == []
