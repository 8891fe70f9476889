"""The access review on the page: findings by kind, page by page, as CSV, and only those of one's own organisations."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.reads.access_list import PAGE
from tests.onboarding.page.conftest import AT, Page
from tests.onboarding.page.test_access import KEY
from tests.support.page_ledger import HOSTILE, NOW, ORG_A, ORG_B, find

GUARD = {"x-m3ter-onboarding": "1", "origin": "http://airflow.test", "sec-fetch-site": "same-origin"}


def read(db: LedgerDatabase, org_id: str, outcome: str, why: str | None = None) -> None:
    with db.engine.begin() as connection:
        connection.execute(
            insert(db.tables.access_read).values(
                org_id=org_id,
                config_name="team",
                dag_id="m3ter_access_review__team",
                run_id="run-1",
                started_at=NOW,
                outcome=outcome,
                why=why,
                counts={},
            )
        )


@pytest.fixture
def filled(ledger: LedgerDatabase) -> LedgerDatabase:
    find(ledger, "left@example.com", *HOSTILE)
    find(ledger, "edit@example.com", finding="policies_differ", wanted="Viewer", in_m3ter="Editor")
    find(ledger, "once@example.com", ended_at=NOW)
    find(ledger, "other@example.com", org_id=ORG_B)
    read(ledger, ORG_A, "accepted")
    read(ledger, ORG_A, "refused", "The access review found 1 people.")
    read(ledger, ORG_B, "accepted")
    return ledger


def emails(answer: dict[str, Any]) -> set[str]:
    return {row["email"] for row in answer["rows"]}


def test_a_reader_sees_the_findings_of_their_own_organisations(
    page: Callable[[str], Page], filled: LedgerDatabase
) -> None:
    found = page("anna").post("api/access", {"ledger": KEY})
    assert emails(found) == {"left@example.com", "edit@example.com", *HOSTILE}
    assert [one["outcome"] for one in found["reads"]] == ["refused"]
    assert page("anna").get("api/overview")["ledgers"][0]["access"] == {
        "no_job": 1 + len(HOSTILE),
        "policies_differ": 1,
    }
    page("nobody").post("api/access", {"ledger": KEY}, 404)


def test_findings_are_filtered_by_kind_and_by_whether_they_have_ended(
    page: Callable[[str], Page], filled: LedgerDatabase
) -> None:
    anna = page("anna")
    (one,) = anna.post("api/access", {"ledger": KEY, "finding": "policies_differ"})["rows"]
    assert (one["email"], one["in_m3ter"], one["wanted"]) == ("edit@example.com", "Editor", "Viewer")
    assert "permission policies" in one["said"]
    assert emails(anna.post("api/access", {"ledger": KEY, "shown": "ended"})) == {"once@example.com"}
    anna.post("api/access", {"ledger": KEY, "finding": "no_such"}, 422)


def test_findings_come_page_by_page_and_all_of_them_as_csv_without_formulas(
    page: Callable[[str], Page], filled: LedgerDatabase
) -> None:
    find(filled, *(f"p{number}@example.com" for number in range(PAGE)))
    anna = page("anna")
    first = anna.post("api/access", {"ledger": KEY})
    second = anna.post("api/access", {"ledger": KEY, "after": first["after"]})
    everybody = emails(first) | emails(second)
    assert (len(first["rows"]), second["after"]) == (PAGE, None)
    assert len(everybody) == first["total"] == PAGE + 2 + len(HOSTILE)
    assert anna.post("api/access", {"ledger": KEY, "before": second["before"]}) == first

    answer = anna.client.post(f"{AT}/api/access/export", json={"ledger": KEY}, headers=GUARD)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith("\ufeff")  # so Excel reads it as UTF-8
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == len(everybody)
    assert not any(row["email"].startswith("=") for row in rows)
