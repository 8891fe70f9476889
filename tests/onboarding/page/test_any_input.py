"""Whatever somebody asks the page for: it answers, or refuses in its own words, and never fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from m3ter_onboarding.page.plugin import URL_PREFIX
from m3ter_onboarding.page.routes.access_routes import FindingsBody
from m3ter_onboarding.page.routes.day_one_routes import StartingBody
from m3ter_onboarding.page.routes.people_routes import ListBody
from m3ter_onboarding.page.routes.review_routes import DecisionBody, QuestionBody
from m3ter_onboarding.page.routes.run_routes import ExportBody, RowsBody
from m3ter_onboarding.page.routes.worklist_routes import QuestionsBody, QuestionsDecisionBody, SelectionBody
from tests.support.hostile_values import DATES, EXAMPLES, JSON, NUMBERS, TEXTS, hostile
from tests.support.page_ledger import DAG_A, NOW, PLAN

AT = f"/airflow{URL_PREFIX}"
GUARD = {"x-m3ter-onboarding": "1", "origin": "http://airflow.test", "sec-fetch-site": "same-origin"}
BODIES: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    "api/invitations": (ListBody, {}),
    "api/export": (ListBody, {}),
    "api/access": (FindingsBody, {}),
    "api/access/export": (FindingsBody, {}),
    "api/day-one": (StartingBody, {}),
    "api/day-one/export": (StartingBody, {}),
    "api/run/rows": (RowsBody, {"dag_id": DAG_A, "plan_id": PLAN, "decision": "invite"}),
    "api/run/export": (ExportBody, {"dag_id": DAG_A, "plan_id": PLAN}),
    "api/worklist": (QuestionsBody, {}),
    "api/worklist/export": (QuestionsBody, {}),
    "api/worklist/preview": (SelectionBody, {}),
    "api/worklist/decide": (
        QuestionsDecisionBody,
        {"action": "note", "questions": [{"item_id": 1, "since": NOW.isoformat()}]},
    ),
    "api/questions/1": (QuestionBody, {"since": NOW.isoformat(), "action": "note"}),
    "api/review/4": (DecisionBody, {"seen": "review", "to": "unsent"}),
}
TEXT = (TEXTS | DATES | NUMBERS.map(str)).map(lambda text: text[:2000])
#: Each example is a request to a real application: fewer than elsewhere.
asked = settings(hostile, max_examples=max(EXAMPLES // 4, 15))


@pytest.fixture
def ask(page: Callable[[str], Any]) -> Callable[..., int]:
    """Return how somebody with all rights for one team's DAG asks the page, and what status it answers."""
    client = page("anna").client
    ledger = page("anna").get("api/overview")["ledgers"][0]["key"]

    def request(method: str, path: str, **options: Any) -> int:
        answer = client.request(method, f"{AT}/{path}", headers=GUARD, **options)
        assert answer.status_code in (200, 400, 403, 404, 405, 409, 413, 422), (path, answer.text[:300])
        assert answer.status_code == 200 or "Traceback" not in answer.text
        return int(answer.status_code)

    request.ledger = ledger  # type: ignore[attr-defined]
    return request


@asked
@given(path=st.sampled_from(sorted(BODIES)), data=st.data())
def test_any_body_is_answered(ask: Any, path: str, data: st.DataObject) -> None:
    model, good = BODIES[path]
    fields = {"ledger": ask.ledger, **good} if "ledger" in model.model_fields else good
    known = data.draw(st.dictionaries(st.sampled_from(sorted(model.model_fields)), JSON | TEXT, max_size=3))
    more = data.draw(st.just({}) | st.dictionaries(TEXTS, JSON, max_size=1))
    body = json.dumps({**fields, **known, **more}).encode()
    ask("POST", path, content=body)


@asked
@given(
    path=st.sampled_from(sorted(BODIES)), body=st.binary(max_size=60) | JSON.map(lambda one: json.dumps(one).encode())
)
def test_what_is_no_body_is_answered(ask: Any, path: str, body: bytes) -> None:
    ask("POST", path, content=body)


@asked
@given(search=TEXT, after=TEXT | st.none(), sort=st.sampled_from(["changed", "address", "expires"]))
def test_any_search_and_any_place_in_a_list_are_answered(ask: Any, search: str, after: str | None, sort: str) -> None:
    body = {"ledger": ask.ledger, "search": search, "after": after, "sort": sort}
    ask("POST", "api/invitations", content=json.dumps(body).encode())


@asked
@given(
    query=st.dictionaries(st.sampled_from(["dag_id", "run_id", "before", "shown", "kind", "after"]), TEXT, max_size=4),
    path=st.sampled_from(["api/runs", "api/run", "api/chart", "api/overview", "api/review/"]),
)
def test_any_query_is_answered(ask: Any, query: dict[str, str], path: str) -> None:
    given_dag = {"dag_id": DAG_A, **query} if path in ("api/runs", "api/run") else query
    values = {name: text.encode("utf-8", "surrogatepass") for name, text in given_dag.items()}
    ask("GET", f"{path}{ask.ledger if path.endswith('/') else ''}?{urlencode(values)}")


@asked
@given(parts=st.lists(TEXT, min_size=1, max_size=3), kind=st.sampled_from(["invitation", "decision", "x"]))
def test_any_path_is_answered(ask: Any, parts: list[str], kind: str) -> None:
    quoted = [quote(part.encode("utf-8", "surrogatepass")[:200], safe="") for part in parts]
    for path in (
        f"api/stories/{kind}/{ask.ledger}/{'/'.join(quoted)}",
        f"api/stories/{kind}/{'/'.join(quoted)}",
        f"api/review/{quoted[0]}",
        f"static/{quoted[0]}",
    ):
        ask("GET", path)
