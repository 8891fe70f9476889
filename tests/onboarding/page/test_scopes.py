"""Every route for every role, asked for what is its own organisation's and what is another's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from tests.onboarding.page.conftest import AT, LEDGER, Page, application
from tests.support.page_ledger import (
    DAG_A,
    DAG_B,
    DAG_C,
    NOW,
    ORG_A,
    ORG_B,
    PLAN,
    PLAN_B,
    PLAN_BEFORE,
    RUN,
    RUN_BEFORE,
    failed_for,
)

KEY = LedgerPlace(LEDGER, None).key
GUARD = {"x-m3ter-onboarding": "1", "origin": "http://airflow.test", "sec-fetch-site": "same-origin"}

#: What only readers of an organisation may see: people, plans, ids.
OF_A = ("ann@example.com", "eve@example.com", "person-1001", "Team of 1001", "inv-1", "starter-a@", "access-a@")
OF_B = ("zoe@b.example", "yan@b.example", "person-2001", "Team of 2001", "starter-b@", "access-b@")

#: Who may read what, and may therefore see whose people.
ROLES = {"anna": (OF_A,), "vera": (OF_A,), "bert": (OF_B,), "carl": (), "olaf": (), "root": (OF_A, OF_B)}

_PEOPLE: list[dict[str, Any]] = [
    *({"search": search} for search in ("", "ann", "zoe", "eve", "yan", "1001", "2001", "inv-1", "@b.ex", "@exam")),
    *({"org_id": org} for org in (ORG_A, ORG_B)),
    *({"run": {"dag_id": dag, "run_id": run}} for dag in (DAG_A, DAG_B) for run in (RUN, "scheduled__b")),
    {"runs_since": (NOW - timedelta(days=30)).isoformat()},
]
_QUESTIONS: list[dict[str, Any]] = [
    *({"shown": shown} for shown in ("open", "closed", "snoozed", "gone")),
    *({"dag_id": dag} for dag in (DAG_A, DAG_B)),
    {"search": "person"},
]
_RUNS = [(dag, run) for dag in (DAG_A, DAG_B, DAG_C) for run in (RUN, RUN_BEFORE, "scheduled__b", f"named-{ORG_A}")]
_STARTING: list[dict[str, Any]] = [{"name": name} for name in ("day_one", "chase")]
_FINDINGS: list[dict[str, Any]] = [{"shown": shown} for shown in ("open", "ended")]
_ROWS = [
    {"dag_id": dag, "plan_id": plan, "decision": decision}
    for dag in (DAG_A, DAG_B, DAG_C)
    for plan in (PLAN, PLAN_BEFORE, PLAN_B)
    for decision in ("invite", "review", "invalid", "skip", "gone")
]

#: By method and path of each route: what fills its path, its query, its body.
ASKED: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]]] = {
    ("GET", "/"): [({}, {}, None)],
    ("GET", "/static/{name}"): [({"name": "page.js"}, {}, None)],
    ("GET", "/api/overview"): [({}, {}, None)],
    ("GET", "/api/chart"): [({}, {}, None)],
    ("POST", "/api/invitations"): [({}, {}, body) for body in _PEOPLE],
    ("POST", "/api/export"): [({}, {}, body) for body in _PEOPLE],
    ("GET", "/api/stories/invitation/{ledger}/{invitation_id}"): [
        ({"invitation_id": one}, {}, None) for one in (1, 4, 5, 90, 91)
    ],
    ("GET", "/api/stories/decision/{ledger}/{plan_id}/{row_no}"): [
        ({"plan_id": plan, "row_no": 1}, {}, None) for plan in (PLAN, PLAN_BEFORE, PLAN_B)
    ],
    ("GET", "/api/runs"): [({}, {"dag_id": dag}, None) for dag in (DAG_A, DAG_B, DAG_C)],
    ("GET", "/api/runs/sending"): [({}, {"since": (NOW - timedelta(days=30)).isoformat()}, None)],
    ("GET", "/api/run"): [({}, {"dag_id": dag, "run_id": run}, None) for dag, run in _RUNS],
    ("POST", "/api/run/rows"): [({}, {}, body) for body in _ROWS],
    ("GET", "/api/run/progress"): [({}, {"dag_id": dag, "run_id": run}, None) for dag, run in _RUNS],
    ("POST", "/api/run/export"): [({}, {}, body) for body in _ROWS if body["decision"] != "gone"],
    ("GET", "/api/review/{ledger}"): [({}, {}, None)],
    ("POST", "/api/worklist"): [({}, {}, body) for body in _QUESTIONS],
    ("POST", "/api/worklist/export"): [({}, {}, body) for body in _QUESTIONS],
    ("POST", "/api/worklist/preview"): [({}, {}, body) for body in [*_QUESTIONS, {"ids": [1, 2, 3, 4]}]],
    ("POST", "/api/worklist/decide"): [
        (
            {},
            {},
            {"action": action, "questions": [{"item_id": one, "since": NOW.isoformat()} for one in range(1, 5)]},
        )
        for action in ("note", "reopen")
    ],
    ("POST", "/api/questions/{item_id}"): [
        ({"item_id": one}, {}, {"since": NOW.isoformat(), "action": "note", "note": "x"}) for one in range(1, 5)
    ],
    ("POST", "/api/review/{invitation_id}"): [
        ({"invitation_id": 4}, {}, {"seen": "review", "to": "unsent"}),
        *(({"invitation_id": one}, {}, {"seen": "adopted", "to": "superseded"}) for one in (5, 91)),
    ],
    ("POST", "/api/access"): [({}, {}, body) for body in _FINDINGS],
    ("POST", "/api/access/export"): [({}, {}, body) for body in _FINDINGS],
    ("POST", "/api/day-one"): [({}, {}, body) for body in _STARTING],
    ("POST", "/api/day-one/export"): [({}, {}, body) for body in _STARTING],
}


@pytest.fixture
def scopes(ledger: LedgerDatabase) -> LedgerDatabase:
    """Let team C's runs have named both organisations without being let in; fill the lists of both organisations."""
    failed_for(ledger, DAG_C, [ORG_A, ORG_B])
    t = ledger.tables
    seen: dict[str, Any] = {"first_seen_at": NOW, "last_seen_at": NOW}
    with ledger.engine.begin() as connection:
        for org, name in ((ORG_A, "a"), (ORG_B, "b")):
            connection.execute(
                insert(t.access_review).values(
                    org_id=org, finding="no_job", m3ter_id=f"u-{name}", email=f"access-{name}@example.com", **seen
                )
            )
            # Whose invitation was found in m3ter: of no DAG, so of all that work for the organisation.
            connection.execute(
                insert(t.chase).values(
                    org_id=org,
                    invitation_id=5 if name == "a" else 91,
                    email=f"starter-{name}@example.com",
                    email_key=f"starter-{name}@example.com",
                    why="starts",
                    **seen,
                )
            )
    return ledger


def test_every_route_of_the_page_is_asked() -> None:
    routes = {(method, route.path) for route in application().app.routes for method in route.methods - {"HEAD"}}
    assert set(ASKED) == routes


def answers(page: Page, method: str, path: str) -> list[str]:
    """Return all that a route answers to one user, whatever the status."""
    said = []
    for fills, query, body in ASKED[method, path]:
        where = f"{AT}{path.format(ledger=KEY, **fills)}"
        content = None if body is None else {"ledger": KEY, **body}
        if path in ("/api/run/rows", "/api/run/export") and content:
            del content["ledger"]
        said.append(page.client.request(method, where, params=query, json=content, headers=GUARD).text)
    return said


@pytest.mark.parametrize("name", sorted(ROLES))
def test_no_route_shows_another_organisations_people(
    name: str, scopes: LedgerDatabase, page: Callable[[str], Page]
) -> None:
    user, own = page(name), ROLES[name]
    foreign = [text for people in (OF_A, OF_B) if people not in own for text in people]
    seen = ""
    for method, path in ASKED:
        for text in answers(user, method, path):
            assert [one for one in foreign if one in text] == [], f"{method} {path}"
            seen += text
    assert [one for people in own for one in people if one not in seen] == [], "what is theirs, they see"


def test_a_run_that_named_an_organisation_and_failed_decides_nothing_either(
    scopes: LedgerDatabase, page: Callable[[str], Page]
) -> None:
    page("carl").post("api/review/5", {"ledger": KEY, "seen": "adopted", "to": "superseded"}, 404)
    page("carl").post("api/review/91", {"ledger": KEY, "seen": "adopted", "to": "superseded"}, 404)
