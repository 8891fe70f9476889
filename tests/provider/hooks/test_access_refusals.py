"""403 told apart: three messages, at most four requests, one error for the whole batch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from m3ter_provider.errors import (
    NEEDS_A_PERSON,
    M3terAccessLostError,
    M3terError,
    M3terPermissionError,
    M3terServerError,
)
from m3ter_provider.hooks.m3ter import M3terAsyncHook, M3terHook
from m3ter_provider.models import InvitationRequest
from tests.support.hook_clients import Client, person
from tests.support.scripted_server import Received, ScriptedServer, answer, created

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer

ClientOf = Callable[..., Client]
PEOPLE = [f"person-{number}@example.com" for number in range(30)]


def requests_after_the_token(sandbox: SandboxServer) -> int:
    return int(sandbox.counts()["total"]) - 1


def refused(call: Callable[[], Any]) -> M3terPermissionError:
    with pytest.raises(M3terPermissionError) as error:
        call()
    return error.value


def test_a_missing_right_to_invite_is_told_apart(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    m3ter_sandbox.switches(may_invite=False)
    error = refused(sandbox_client().invite)
    assert error.kind == "no_right_to_invite"
    assert "config:create on orgUserInvitation" in str(error)
    assert requests_after_the_token(m3ter_sandbox) <= 4


def test_a_wrong_organisation_is_told_apart(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    client = sandbox_client(org_id="another-organisation")
    error = refused(client.invite)
    assert error.kind == "wrong_organisation"
    assert "org_id" in str(error)
    assert requests_after_the_token(m3ter_sandbox) <= 4


def test_wrong_organisation_when_reading(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    client = sandbox_client(org_id="another-organisation")
    assert refused(client.invitations).kind == "wrong_organisation"
    assert requests_after_the_token(m3ter_sandbox) <= 4


def test_a_missing_right_to_read_is_told_apart(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    m3ter_sandbox.switches(may_read=False)
    error = refused(sandbox_client().invitations)
    assert error.kind == "no_right_to_read"
    assert "config:retrieve" in str(error)
    assert requests_after_the_token(m3ter_sandbox) <= 4


def test_the_three_refusals_have_different_messages(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    texts = {str(refused(sandbox_client(org_id="another-organisation").invite))}
    m3ter_sandbox.switches(may_invite=False)
    texts.add(str(refused(sandbox_client().invite)))
    m3ter_sandbox.switches(may_read=False)
    texts.add(str(refused(sandbox_client().invitations)))
    assert len(texts) == 3


def test_a_batch_gets_one_error_and_costs_little(
    sandbox_client: ClientOf, m3ter_sandbox: SandboxServer, kind: str
) -> None:
    m3ter_sandbox.switches(may_invite=False)
    results = sandbox_client().invite_all(PEOPLE)
    assert {type(result) for result in results} == {M3terPermissionError}
    assert len({str(result) for result in results}) == 1
    counts = m3ter_sandbox.counts()
    assert counts["token_requests"] <= 2
    gets = [one for one in m3ter_sandbox.requests() if one["method"] == "GET"]
    assert len(gets) == 1
    if kind == "sync":
        assert counts["total"] <= 5


def test_rights_that_come_back_are_used_by_the_next_hook(
    sandbox_client: ClientOf, m3ter_sandbox: SandboxServer
) -> None:
    m3ter_sandbox.switches(may_invite=False)
    client = sandbox_client()
    refused(client.invite)
    m3ter_sandbox.switches(may_invite=True)
    client.invite()
    assert sum(m3ter_sandbox.emails().values()) == 1


def test_a_right_that_is_taken_away_meanwhile_is_no_verdict_for_ever(
    sandbox_client: ClientOf, m3ter_sandbox: SandboxServer
) -> None:
    """This process has used it a moment before: what somebody changed may be changed back, and tokens may end."""
    client = sandbox_client()
    client.invitations()
    client.invite("before@example.com")
    m3ter_sandbox.switches(may_invite=False)
    before = requests_after_the_token(m3ter_sandbox)
    with pytest.raises(M3terAccessLostError, match=r"allowed as much before\. The access token is good") as error:
        client.invite("after@example.com")
    assert not isinstance(error.value, NEEDS_A_PERSON)
    assert requests_after_the_token(m3ter_sandbox) - before <= 4
    m3ter_sandbox.switches(may_invite=True)
    client.invite("after@example.com")
    assert m3ter_sandbox.emails() == {"before@example.com": 1, "after@example.com": 1}


def test_every_token_is_refused_though_the_process_was_allowed_before(
    sandbox_client: ClientOf, m3ter_sandbox: SandboxServer
) -> None:
    client = sandbox_client()
    client.invitations()
    m3ter_sandbox.faults(kind="revoke_token", method="GET")
    with pytest.raises(M3terAccessLostError, match="access tokens in a row were refused") as error:
        client.invitations()
    assert not isinstance(error.value, NEEDS_A_PERSON)
    assert m3ter_sandbox.counts()["token_requests"] <= 15
    m3ter_sandbox.clear_faults()
    assert client.invitations() == []


def test_an_error_of_the_probe_is_no_permission_error(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    m3ter_sandbox.switches(may_invite=False)
    m3ter_sandbox.faults(kind="status", status=503, method="GET")
    with pytest.raises(M3terError) as error:
        sandbox_client().invite()
    assert not isinstance(error.value, M3terPermissionError)


def test_a_policy_that_may_not_be_granted_stops_only_those_who_would_get_it(
    sandbox_client: ClientOf, m3ter_sandbox: SandboxServer
) -> None:
    m3ter_sandbox.seed(
        policies=[
            {"id": "policy-own", "name": "Own"},
            {"id": "policy-beyond", "name": "Beyond"},
        ]
    )
    m3ter_sandbox.switches(grant_beyond_own_rights="error_403", own_policies=["Own"])

    def request(email: str, policy: str) -> InvitationRequest:
        return person(email).model_copy(update={"permission_policy_ids": (policy,)})

    async def at_once(hook: M3terAsyncHook) -> list[M3terPermissionError]:
        first = await _error_of(hook.create_invitation(request("a@example.com", "policy-beyond")))
        await hook.create_invitation(request("b@example.com", "policy-own"))
        return [first, await _error_of(hook.create_invitation(request("c@example.com", "policy-beyond")))]

    def one_by_one(hook: M3terHook) -> list[M3terPermissionError]:
        first = refused(lambda: hook.create_invitation(request("a@example.com", "policy-beyond")))
        hook.create_invitation(request("b@example.com", "policy-own"))
        return [first, refused(lambda: hook.create_invitation(request("c@example.com", "policy-beyond")))]

    first, second = sandbox_client().run(one_by_one, at_once)
    assert first.kind == second.kind == "no_right_to_invite"
    assert "may also lack rights" in str(first)
    assert "not with these permission policies" in str(second)
    assert m3ter_sandbox.emails() == {"b@example.com": 1}


async def _error_of(call: Awaitable[object]) -> M3terPermissionError:
    with pytest.raises(M3terPermissionError) as error:
        await call
    return error.value


PAGE = answer(403, raw=b"<html>Request blocked. Ray 7f3</html>")


@pytest.mark.parametrize("allowed_before", [False, True])
def test_a_gateways_page_says_nothing_about_rights(client_of: ClientOf, allowed_before: bool) -> None:
    """A person would look for a right that is there, and the run would not try again."""
    blocked = not allowed_before

    def get(request: Received) -> bytes:
        return PAGE if blocked else answer(200, {"id": "me", "data": []})

    def post(request: Received) -> bytes:
        return PAGE if blocked else created(request)

    with ScriptedServer(get=get, post=post) as server:
        client = client_of(server)
        if allowed_before:
            client.invitations()
            client.invite()
            blocked = True
        for call in (client.invitations, client.invite):
            with pytest.raises(M3terServerError, match="not in m3ter's words: a gateway or a firewall") as error:
                call()
            assert not isinstance(error.value, NEEDS_A_PERSON)
        blocked = False
        client.invitations()
        client.invite()


def test_a_gateways_page_that_passes_is_repeated_for_what_may_be(client_of: ClientOf) -> None:
    answers = iter([PAGE] * 4)
    with ScriptedServer(get=lambda _: next(answers, None) or answer(200, {"id": "me", "data": []})) as server:
        client_of(server).invitations()


def test_a_gateways_page_costs_each_call_few_requests(client_of: ClientOf) -> None:
    with ScriptedServer(post=lambda _: PAGE, get=lambda _: answer(200, {"id": "me", "data": []})) as server:
        results = client_of(server).invite_all(PEOPLE)
        assert {type(result) for result in results} == {M3terServerError}
        assert len(server.posts) <= 4 * len(PEOPLE)
        assert len(server.tokens) <= 2 * len(PEOPLE)
        assert len(server.gets) <= 2 * len(PEOPLE)
