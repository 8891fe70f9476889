"""The official SDK drives every resource of the sandbox; every answer on the wire keeps to the document's schemas."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jsonschema
import m3ter
import pytest

from m3ter_sandbox.testing import SandboxServer
from tests.support import api_facts

# The SDK's types say upper case; the document's note says that this is an error.
LOWER_CASE: Any = {"action": ["config:create"], "effect": "allow", "resource": ["orgUserInvitation"]}


class Checker:
    """Validates every answer that passes."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __call__(self, answer: httpx.Response) -> None:
        answer.read()
        operation, schema = self._operation(answer.request)
        if not answer.is_success:
            jsonschema.validate(answer.json(), api_facts.ERROR)
        elif schema is None:
            assert answer.content == b""
        else:
            jsonschema.validate(answer.json(), schema)
        assert answer.headers["Date"]
        self.seen[f"{operation} {answer.status_code}"] += 1

    @staticmethod
    def _operation(request: httpx.Request) -> tuple[str, api_facts.Schema | None]:
        fits = []
        for name, (method, path, schema) in api_facts.OPERATIONS.items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", path)
            if method == request.method and re.fullmatch(pattern, request.url.path):
                fits.append((name, schema))
        assert fits, f"{request.method} {request.url.path} is not in the document"
        # `users/me` fits `users/{id}` as well.
        return next((one for one in fits if one[0] == "GetMe" and request.url.path.endswith("/me")), fits[0])


@pytest.fixture
def checker() -> Checker:
    return Checker()


@pytest.fixture
def make_client(
    m3ter_sandbox: SandboxServer, checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., m3ter.M3ter]]:
    monkeypatch.delenv("M3TER_API_TOKEN", raising=False)
    # The SDK asks for a new token before every request.
    m3ter_sandbox.switches(requests_per_second=0)
    made: list[m3ter.M3ter] = []

    def make(org_id: str | None = None, api_secret: str | None = None) -> m3ter.M3ter:
        client = m3ter.M3ter(
            base_url=m3ter_sandbox.url,
            org_id=org_id or m3ter_sandbox.org_id,
            api_key=m3ter_sandbox.access_key_id,
            api_secret=api_secret or m3ter_sandbox.api_secret,
            max_retries=0,
            http_client=m3ter.DefaultHttpxClient(event_hooks={"response": [checker]}, trust_env=False),
            _strict_response_validation=True,
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., m3ter.M3ter]) -> m3ter.M3ter:
    return make_client()


def test_the_sdk_reads_a_token(client: m3ter.M3ter, checker: Checker) -> None:
    basic = base64.b64encode(f"{client.api_key}:{client.api_secret}".encode()).decode()
    token = client.authentication.get_bearer_token(
        grant_type="client_credentials", extra_headers={"Authorization": f"Basic {basic}"}
    )
    assert token.expires_in == api_facts.TOKEN_LIFETIME_SECONDS
    assert checker.seen["GenerateToken 200"] >= 1


def test_the_sdk_reads_invitations(client: m3ter.M3ter, m3ter_sandbox: SandboxServer) -> None:
    policy = next(iter(client.permission_policies.list()))
    made = client.users.invitations.create(
        email="Ada@Example.com",
        first_name="Ada",
        last_name="Byron",
        contact_number="+44 20 1",
        permission_policy_ids=[policy.id],
        dt_end_access="2030-01-01T00:00:00Z",
    )
    assert (made.email, made.accepted, made.permission_policy_ids) == ("Ada@Example.com", False, [policy.id])
    assert made.dt_created
    assert made.dt_expiry
    assert (made.dt_expiry - made.dt_created).days == api_facts.INVITATION_LIFE_DAYS
    assert client.users.invitations.retrieve(made.id) == made
    for number in range(5):
        client.users.invitations.create(email=f"{number}@example.com", first_name="A", last_name="B")
    listed = list(client.users.invitations.list(page_size=2))
    assert [one.email for one in listed] == [
        *(f"{number}@example.com" for number in range(4, -1, -1)),
        "Ada@Example.com",
    ]
    assert m3ter_sandbox.emails()["ada@example.com"] == 1


def test_the_sdk_reads_users(client: m3ter.M3ter, m3ter_sandbox: SandboxServer) -> None:
    policies = {one.name: one.id for one in client.permission_policies.list()}
    client.users.invitations.create(
        email="ada@example.com", first_name="Ada", last_name="Byron", permission_policy_ids=[policies["Read Only"]]
    )
    user_id = m3ter_sandbox.accept("ADA@example.com")["id"]
    m3ter_sandbox.seed(users=[{"email": f"{number}@example.com", "groups": ["Sales"]} for number in range(3)])
    listed = list(client.users.list(page_size=2))
    assert len(listed) == 4
    assert [one.id for one in client.users.list(ids=[user_id])] == [user_id]
    user = client.users.retrieve(user_id)
    assert user.email == "ada@example.com"
    assert user.version
    changed = client.users.update(
        user_id,
        version=user.version,
        dt_end_access="2030-01-01T00:00:00Z",
        permission_policy=[LOWER_CASE],
    )
    assert changed.version == user.version + 1
    assert changed.permission_policy
    assert changed.permission_policy[0].action == ["CONFIG_CREATE"]
    with pytest.raises(m3ter.BadRequestError):
        client.users.update(user_id, version=user.version)
    statements = client.users.get_permissions(user_id).permission_policy
    assert statements
    assert {action for one in statements for action in one.action} == {"CONFIG_CREATE", "CONFIG_RETRIEVE"}
    assert client.users.get_user_groups(next(one.id for one in listed if one.id != user_id)).name == "Sales"
    assert client.users.get_user_groups(user_id).id
    client.users.resend_password(user_id)
    assert m3ter_sandbox.emails("temporary_password") == {"ada@example.com": 1}
    me = client.users.me()
    assert me.service_user
    assert me.organization
    assert me.organization.id == m3ter_sandbox.org_id


def test_the_sdk_reads_permission_policies(client: m3ter.M3ter, m3ter_sandbox: SandboxServer) -> None:
    [user_id] = m3ter_sandbox.seed(users=[{"email": "ada@example.com"}])["users"]
    made = client.permission_policies.create(name="Inviter", permission_policy=[LOWER_CASE])
    assert (made.version, made.managed_policy) == (1, False)
    assert client.permission_policies.retrieve(made.id) == made
    changed = client.permission_policies.update(
        made.id,
        version=1,
        name="Inviters",
        permission_policy=[LOWER_CASE],
    )
    assert (changed.version, changed.name) == (2, "Inviters")
    given = client.permission_policies.add_to_user(made.id, principal_id=user_id)
    assert (given.permission_policy_id, given.principal_id, given.principal_type) == (made.id, user_id, "USER")
    taken = client.permission_policies.remove_from_user(made.id, principal_id=user_id)
    assert taken.id == given.id
    with pytest.raises(m3ter.NotFoundError):
        client.permission_policies.remove_from_user(made.id, principal_id=user_id)
    assert client.permission_policies.delete(made.id).id == made.id
    with pytest.raises(m3ter.NotFoundError):
        client.permission_policies.retrieve(made.id)
    m3ter_sandbox.seed(policies=[{"name": f"Policy {number}"} for number in range(7)])
    assert len(list(client.permission_policies.list(page_size=3))) == 9


def test_errors_are_the_documents(
    make_client: Callable[..., m3ter.M3ter], m3ter_sandbox: SandboxServer, checker: Checker
) -> None:
    client = make_client()
    with pytest.raises(m3ter.BadRequestError):
        client.users.invitations.create(email="nobody", first_name="", last_name="B")
    with pytest.raises(m3ter.NotFoundError):
        client.users.invitations.retrieve("5a9d0b0c-0000-4000-8000-000000000000")
    with pytest.raises(m3ter.PermissionDeniedError):
        make_client(org_id="another").users.me()
    with pytest.raises(m3ter.AuthenticationError):
        make_client(api_secret="wrong").users.me()
    m3ter_sandbox.seed(users=[{"email": f"{number}@example.com"} for number in range(5)])
    m3ter_sandbox.switches(requests_per_second=1, count_token_requests=False)
    with pytest.raises(m3ter.RateLimitError):
        list(client.users.list(page_size=1))
    expected = {"CreateOrgUserInvitation 400", "GetOrgUserInvitation 404", "GetMe 403", "GenerateToken 401"}
    assert expected <= set(checker.seen)


def test_every_operation_of_the_document_was_driven(
    client: m3ter.M3ter, m3ter_sandbox: SandboxServer, checker: Checker
) -> None:
    test_the_sdk_reads_a_token(client, checker)
    test_the_sdk_reads_invitations(client, m3ter_sandbox)
    test_the_sdk_reads_users(client, m3ter_sandbox)
    test_the_sdk_reads_permission_policies(client, m3ter_sandbox)
    assert {name for name in api_facts.OPERATIONS if not checker.seen[f"{name} 200"]} == set()
    assert len(api_facts.OPERATIONS) == 18
