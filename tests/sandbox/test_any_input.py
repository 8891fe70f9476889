"""To any input the answer is the document's: no exception, no status that it does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m3ter_sandbox.answers import Answer
from m3ter_sandbox.api import OPERATIONS, Api, Request
from m3ter_sandbox.sandbox import DEFAULT_CREDENTIALS, Sandbox, Setup
from m3ter_sandbox.seed import SeedError
from m3ter_sandbox.tokens import Tokens

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NEARLY_GOOD = (
    JSON
    | st.sampled_from(["ada@example.com", "a@b", "2027-01-01T00:00:00Z", "id-1", "allow", 1, 2])
    | st.emails()
    | st.datetimes().map(lambda one: f"{one.isoformat()}Z")
)
FIELDS = [
    "email",
    "firstName",
    "lastName",
    "contactNumber",
    "permissionPolicyIds",
    "dtEndAccess",
    "dtExpiry",
    "m3terUser",
    "version",
    "name",
    "permissionPolicy",
    "principalId",
    "grant_type",
    "scope",
]
BODIES = (
    st.dictionaries(st.sampled_from(FIELDS), NEARLY_GOOD).map(lambda one: json.dumps(one).encode())
    | JSON.map(lambda one: json.dumps(one).encode())
    | st.binary(max_size=60)
)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["pageSize", "nextToken", "ids", "x"]), st.text(alphabet="0123456789-+.%aZ=&_", max_size=12)
    )
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
MEDIA = st.sampled_from(
    ["application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", ""]
)

quick = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    one = Sandbox(Setup(random_seed=1))
    one.seed({"users": [{"email": "ada@example.com", "id": "id-1"}], "policies": [{"name": "P", "id": "id-1"}]})
    yield one
    one.close()


@quick
@given(operation=st.sampled_from(OPERATIONS), body=BODIES, query=QUERIES, media=MEDIA)
def test_every_operation_survives_any_body_and_query(
    sandbox: Sandbox, operation: object, body: bytes, query: str, media: str
) -> None:
    tokens = Tokens(sandbox.store, sandbox.clock, DEFAULT_CREDENTIALS)
    api = Api(sandbox.organization, tokens, lambda: sandbox.switches)
    path = operation.path  # type: ignore[attr-defined]
    for name, value in (("orgId", DEFAULT_CREDENTIALS.org_id), ("id", "id-1"), ("permissionPolicyId", "id-1")):
        path = path.replace(f"{{{name}}}", value)
    headers = {"authorization": f"Bearer {tokens.issue(60, ends_old=True)}", "content-type": media}
    request = Request(operation.method, path, query, headers, body)  # type: ignore[attr-defined]
    sent = sum(sandbox.organization.mailbox.sent_to().values())
    answer = api.answer(request)
    assert isinstance(answer, Answer)
    assert answer.status in {200, 400, 401, 403, 404}
    if answer.status != 200:
        assert json.loads(answer.body).keys() == {"message"}
        assert sum(sandbox.organization.mailbox.sent_to().values()) == sent
    assert request.email is None or isinstance(request.email, str)


ENTRIES = st.dictionaries(st.sampled_from([*FIELDS, "id"]), NEARLY_GOOD, max_size=4)


@settings(quick, max_examples=60)
@given(content=st.dictionaries(st.sampled_from(["users", "invitations", "policies"]), st.lists(ENTRIES, max_size=2)))
def test_a_starting_state_is_put_in_or_refused(sandbox: Sandbox, content: dict[str, object]) -> None:
    before = sandbox.organization.totals()
    try:
        sandbox.seed(content)
    except SeedError:
        assert sandbox.organization.totals() == before
