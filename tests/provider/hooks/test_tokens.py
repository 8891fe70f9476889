"""Tokens against the sandbox: one request for many, renewed when they end, never a storm."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from m3ter_provider.errors import (
    NEEDS_A_PERSON,
    M3terAuthenticationError,
    M3terConnectionError,
    M3terError,
    M3terResponseError,
    M3terServerError,
)
from m3ter_provider.hooks.m3ter import M3terAsyncHook, M3terHook
from tests.support.hook_clients import Client, connection_to, person
from tests.support.scripted_server import Received, ScriptedServer, answer, token

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer

ClientOf = Callable[..., Client]
PEOPLE = [f"person-{number}@example.com" for number in range(30)]


def token_requests(sandbox: SandboxServer) -> int:
    return int(sandbox.counts()["token_requests"])


def test_many_calls_share_one_token(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    client = sandbox_client()
    client.invite_all(PEOPLE)
    client.invitations()
    assert token_requests(m3ter_sandbox) == 1
    assert m3ter_sandbox.emails() == dict.fromkeys(PEOPLE, 1)


@pytest.mark.parametrize("status", [401, 403])
def test_a_dead_token_is_renewed_once_for_all(
    sandbox_client: ClientOf, m3ter_sandbox: SandboxServer, status: int
) -> None:
    m3ter_sandbox.switches(token_error_status=status)
    client = sandbox_client()
    client.invitations()
    m3ter_sandbox.revoke_tokens()
    client.invite_all(PEOPLE)
    assert token_requests(m3ter_sandbox) == 2
    assert m3ter_sandbox.emails() == dict.fromkeys(PEOPLE, 1)


def test_a_token_nobody_has_used_yet_may_be_dead_too(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    """Another process's new token may have ended ours."""
    m3ter_sandbox.faults(kind="revoke_token", operation="CreateOrgUserInvitation", count=1)
    sandbox_client().invite()
    assert token_requests(m3ter_sandbox) == 2


def test_a_token_of_two_seconds_fails_nobody_and_makes_no_storm(m3ter_sandbox: SandboxServer, kind: str) -> None:
    """On a real clock: a second and a half of calls, so at least one renewal."""
    m3ter_sandbox.switches(token_lifetime_seconds=2, requests_per_second=0)
    document = m3ter_sandbox.airflow_connection(requests_per_second=30)
    from airflow.sdk import Connection

    connection = Connection.from_json(document, conn_id="m3ter_test")
    people = [f"person-{number}@example.com" for number in range(60)]

    async def at_once() -> None:
        async with M3terAsyncHook(connection=connection) as hook:
            await asyncio.gather(*(hook.create_invitation(person(email)) for email in people))

    if kind == "async":
        asyncio.run(at_once())
    else:
        hook = M3terHook()
        hook.__dict__["_read_connection"] = connection
        for email in people:
            hook.create_invitation(person(email))
    assert m3ter_sandbox.emails() == dict.fromkeys(people, 1)
    assert 2 <= token_requests(m3ter_sandbox) <= 3


#: What ends tokens before their time, and how many token requests thirty calls may cost then.
EARLY_ENDS = {
    "after each request": ({"token_good_for_requests": 1}, 60),
    "after three": ({"token_good_for_requests": 3}, 40),
    "after seven": ({"token_good_for_requests": 7}, 30),
    "after forty": ({"token_good_for_requests": 40}, 3),
    "after half a second": ({"token_ends_after_seconds": 0.5}, 30),
}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("switches", "most"), EARLY_ENDS.values(), ids=EARLY_ENDS)
def test_tokens_that_end_early_keep_nobody_from_an_invitation(
    m3ter_sandbox: SandboxServer,
    sandbox_client: ClientOf,
    switches: dict[str, Any],
    most: int,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    m3ter_sandbox.switches(token_error_status=status, **switches)
    client = sandbox_client()
    client.invitations()
    results = client.invite_all(PEOPLE)
    assert [str(result) for result in results if isinstance(result, M3terError)] == []
    assert m3ter_sandbox.emails() == dict.fromkeys(PEOPLE, 1)
    assert 1 <= token_requests(m3ter_sandbox) <= most
    warned = [record for record in caplog.records if "ended two access tokens" in record.getMessage()]
    assert len(warned) <= 1, "said once"
    if token_requests(m3ter_sandbox) > 3:
        assert len(warned) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_another_process_that_asks_for_tokens_keeps_nobody_from_an_invitation(
    m3ter_sandbox: SandboxServer, sandbox_client: ClientOf, status: int
) -> None:
    """Each token of theirs ends ours, whenever one of our requests is about to be answered."""
    m3ter_sandbox.switches(token_error_status=status, new_token_ends_old=True, requests_per_second=0)
    client = sandbox_client()
    client.invitations()
    done = threading.Event()
    other = Client("sync", client.connection)

    def ask_again_and_again() -> None:
        while not done.wait(0.03):
            other.test_connection()  # with a token of its own each time

    thread = threading.Thread(target=ask_again_and_again)
    thread.start()
    try:
        results = client.invite_all(PEOPLE)
    finally:
        done.set()
        thread.join()
    assert [str(result) for result in results if isinstance(result, M3terError)] == []
    assert m3ter_sandbox.emails() == dict.fromkeys(PEOPLE, 1)


def test_refused_credentials_are_tried_once(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    client = sandbox_client()
    client.connection.password = "not-the-secret"
    results = client.invite_all(PEOPLE)
    assert {type(result) for result in results} == {M3terAuthenticationError}
    assert len({str(result) for result in results}) == 1
    assert token_requests(m3ter_sandbox) == 1
    assert m3ter_sandbox.emails() == {}


def test_a_service_user_that_was_switched_off_costs_few_requests(client_of: ClientOf) -> None:
    with ScriptedServer(post=lambda _: answer(401), get=lambda _: answer(401)) as server:
        client = client_of(server)
        results = client.invite_all(PEOPLE)
        assert {type(result) for result in results} == {M3terAuthenticationError}
        assert len(server.tokens) == 2
        # Those that were under way already cannot be called back; one asks again with the second token.
        assert len(server.posts) <= (3 if client.kind == "sync" else len(PEOPLE) + 1)


def test_a_gateways_403_for_a_token_is_no_wrong_login(client_of: ClientOf) -> None:
    """It comes without m3ter's words, and passes: it is asked again, and is nothing that a person must mend."""
    page = answer(403, raw=b"<html>blocked</html>")
    with ScriptedServer(token=lambda _: page) as server:
        with pytest.raises(M3terServerError, match="a gateway or a firewall") as error:
            client_of(server).invite()
        assert not isinstance(error.value, NEEDS_A_PERSON)
        assert len(server.tokens) == 4
    answers = iter([page])
    with ScriptedServer(token=lambda request: next(answers, None) or token(request)) as server:
        client_of(server).invite()


@pytest.mark.parametrize(
    "content",
    [{"access_token": "", "expires_in": 5}, {"access_token": "abcde"}, [], {"access_token": "a\nb", "expires_in": 5}],
)
def test_a_token_answer_without_a_token_is_an_error(client_of: ClientOf, content: object) -> None:
    with ScriptedServer(token=lambda _: answer(200, content)) as server:
        with pytest.raises(M3terResponseError, match="token"):
            client_of(server).invite()
        assert not server.posts


def test_token_requests_are_repeated_after_failures(client_of: ClientOf) -> None:
    answers = iter([answer(503), answer(429), answer(200, raw=b"<")])

    def token(request: Received) -> bytes:
        return next(answers, None) or answer(200, {"access_token": "abcdefgh", "expires_in": 100})

    with ScriptedServer(token=token) as server:
        client_of(server).invite()
        assert len(server.tokens) == 4


def test_a_token_that_cannot_be_had_fails_all_who_wait_at_once(client_of: ClientOf) -> None:
    """Otherwise each of many would wait for the failures of those before."""
    with ScriptedServer(token=lambda _: answer(503)) as server:
        client = client_of(server)
        results = client.invite_all(PEOPLE)
        assert {type(result) for result in results} == {M3terServerError}
        assert len(server.tokens) == (4 * len(PEOPLE) if client.kind == "sync" else 4)
        assert not server.posts


def test_a_token_request_without_connection_is_not_repeated_twice_over(kind: str) -> None:
    client = Client(kind, connection_to("http://127.0.0.1:1"))
    with pytest.raises(M3terConnectionError):
        client.invite()
    assert len([seconds for seconds in client.clock.slept if seconds > 0.1]) <= 3


def test_threads_share_one_token() -> None:
    with ScriptedServer() as server:
        connection = connection_to(server.url)
        hooks = [M3terHook() for _ in range(4)]
        for hook in hooks:
            hook.__dict__["_read_connection"] = connection
        threads = [threading.Thread(target=lambda hook=hook: list(hook.iter_users())) for hook in hooks * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.gets) == 8
        assert len(server.tokens) == 1


def test_a_token_request_is_as_documented(client_of: ClientOf) -> None:
    with ScriptedServer() as server:
        client_of(server).invitations()
        (request,) = server.tokens
    assert request.headers["authorization"] == "Basic dGVzdC1hY2Nlc3MtaWQ6dGVzdC1hcGktc2VjcmV0"
    assert request.body == b"grant_type=client_credentials"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
