"""Nobody sees anything without a login, nor rows of a DAG that they may not read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from m3ter_onboarding.page.strict_headers import HEADERS
from tests.onboarding.page.conftest import AT, LEDGER, Page, application
from tests.support.page_ledger import DAG_A, DAG_B, ORG_A, ORG_B, PLAN, PLAN_B, RUN

GUARD = {"x-m3ter-onboarding": "1"}


def routes() -> Iterator[tuple[str, str]]:
    """Name every route of the page, with something in place of its parameters."""
    for route in application().app.routes:
        for method in sorted(route.methods - {"HEAD"}):
            yield (
                method,
                re.sub(
                    r"\{(\w+)\}", lambda found: {"invitation_id": "1", "row_no": "1"}.get(found[1], "x"), route.path
                ),
            )


ROUTES = sorted(routes())


#: What the page's addresses call the ledger that is filled.
KEY = LedgerPlace(LEDGER, None).key


def test_all_routes_are_walked() -> None:
    assert len(ROUTES) >= 12
    assert {method for method, _ in ROUTES} == {"GET", "POST"}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer junk"}, 403), ({"cookie": "_token=junk"}, 403)],
    ids=["no login", "a wrong token", "a wrong cookie"],
)
def test_without_a_login_every_route_is_refused(
    login: object, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    client = TestClient(application(), base_url="http://airflow.test")
    found = client.request(method, path, headers={**headers, **GUARD}, json={} if method == "POST" else None)
    assert found.status_code == status
    assert set(found.json()) == {"detail"}
    for name, value in HEADERS.items():
        assert found.headers[name] == value


def test_a_person_without_a_login_gets_a_page_that_says_so(login: object) -> None:
    found = TestClient(application()).get("/", headers={"accept": "text/html"})
    assert found.status_code == 401
    assert "not logged in" in found.text


@pytest.mark.parametrize(("method", "path"), [one for one in ROUTES if one[0] == "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"x-m3ter-onboarding": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_requests_of_other_sites_are_refused(
    login: Callable[[str], dict[str, str]], method: str, path: str, headers: dict[str, str]
) -> None:
    client = TestClient(application(), base_url="http://airflow.test", headers=login("root"))
    all_headers = {"content-type": "application/json", "origin": "http://airflow.test", **GUARD, **headers}
    found = client.request(method, path, headers=all_headers, content=b"{}")
    assert found.status_code == 403
    assert "page itself" in found.text or "another site" in found.text


def everything(page: Page) -> str:
    """Return all that a user can get, as one text; what is refused counts as nothing."""
    client = page.client
    headers = {**GUARD, "origin": "http://airflow.test"}
    asked: list[Any] = [client.get(f"{AT}/api/{path}") for path in ("overview", "chart", f"review/{KEY}")]
    for dag_id in (DAG_A, DAG_B):
        asked.append(client.get(f"{AT}/api/runs", params={"dag_id": dag_id}))
        asked += [
            client.get(f"{AT}/api/run", params={"dag_id": dag_id, "run_id": run}) for run in (RUN, "scheduled__b")
        ]
        asked += [
            client.post(
                f"{AT}/api/run/rows",
                json={"dag_id": dag_id, "plan_id": plan, "decision": kind},
                headers=headers,
            )
            for plan in (PLAN, PLAN_B)
            for kind in ("invite", "review", "invalid", "skip", "gone")
        ]
    lists: list[dict[str, Any]] = [{"search": search} for search in ("", "zoe", "ann", "2001", "inv-1", "yan")]
    for wanted in (*lists, {"org_id": ORG_A}, {"org_id": ORG_B}):
        for path in ("invitations", "export"):
            asked.append(client.post(f"{AT}/api/{path}", json={"ledger": KEY, **wanted}, headers=headers))
    asked += [client.get(f"{AT}/api/stories/invitation/{KEY}/{one}") for one in (*range(1, 12), 90, 91)]
    asked += [client.get(f"{AT}/api/stories/decision/{KEY}/{plan}/1") for plan in (PLAN, PLAN_B)]
    return "\n".join(found.text for found in asked if found.status_code == 200)


def test_team_a_sees_nothing_of_team_b_and_the_other_way_round(page: Callable[[str], Page]) -> None:
    of_a, of_b = everything(page("vera")), everything(page("bert"))
    assert "ann@example.com" in of_a
    assert "eve@example.com" in of_a, "found in m3ter: of the organisation, so of its readers"
    assert "zoe@b.example" in of_b
    assert "yan@b.example" in of_b
    for foreign in (DAG_B, ORG_B, "b.example", "2001", PLAN_B):
        assert foreign not in of_a
    for foreign in (DAG_A, ORG_A, "ann@", "eve@", "1001", "inv-1", PLAN):
        assert foreign not in of_b.replace(PLAN_B, "")
    of_nobody = everything(page("olaf"))
    assert json.loads(of_nobody.splitlines()[0])["dags"] == []
    assert "@" not in of_nobody


def test_only_those_who_may_edit_the_dag_decide(page: Callable[[str], Page]) -> None:
    body = {"ledger": KEY, "seen": "review", "to": "unsent"}
    assert "right to edit" in page("vera").post("api/review/4", body, 403)["detail"]
    page("bert").post("api/review/4", body, 404)
    page("olaf").post("api/review/4", body, 404)
    # Found in m3ter, by no DAG: those who may edit one of the organisation's.
    found = {"ledger": KEY, "seen": "adopted", "to": "superseded"}
    page("vera").post("api/review/5", found, 403)
    page("anna").post("api/review/5", found)
    page("anna").post("api/review/4", body)


def test_the_overview_says_what_each_user_may_start(page: Callable[[str], Page]) -> None:
    may = {
        name: {dag["dag_id"]: (dag["may_trigger"], dag["may_edit"]) for dag in page(name).get("api/overview")["dags"]}
        for name in ("anna", "vera", "bert", "olaf")
    }
    assert may == {
        "anna": {DAG_A: (True, True)},
        "vera": {DAG_A: (False, False)},
        "bert": {DAG_B: (True, True)},
        "olaf": {},
    }
