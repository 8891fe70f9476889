"""Lists: page by page, stopped early, never without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from m3ter_provider.errors import M3terNotFoundError, M3terResponseError
from tests.support.hook_clients import Client
from tests.support.scripted_server import Received, ScriptedServer, answer

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer

ClientOf = Callable[..., Client]


def seeded(sandbox: SandboxServer, count: int) -> None:
    sandbox.seed(
        invitations=[
            {"email": f"p{number}@example.com", "firstName": "A", "lastName": "B", "dtCreated": f"-{count - number}s"}
            for number in range(count)
        ]
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_every_entry_once_in_as_few_pages_as_can_be(
    sandbox_client: ClientOf, m3ter_sandbox: SandboxServer, sparse: bool
) -> None:
    seeded(m3ter_sandbox, 450)
    m3ter_sandbox.switches(sparse_pages=sparse, end_of_list="empty", unknown_fields=True)
    found = sandbox_client().invitations()
    assert [item.email for item in found] == [f"p{number}@example.com" for number in reversed(range(450))]
    if not sparse:
        assert m3ter_sandbox.counts()["total"] == 1 + 3


def test_a_reader_that_stops_asks_for_no_further_page(client_of: ClientOf) -> None:
    numbers = iter(range(1000))

    def page(request: Received) -> bytes:
        number = next(numbers)
        return answer(200, {"data": [{"id": f"i{number}", "email": "a@example.com"}], "nextToken": f"t{number}"})

    with ScriptedServer(get=page) as server:
        client = client_of(server)
        if client.kind == "sync":
            assert next(client.sync_hook().iter_invitations()).id == "i0"
        else:

            async def first() -> str:
                async with client.async_hook() as hook:
                    async for item in hook.iter_invitations():
                        return item.id
                return ""

            assert asyncio.run(first()) == "i0"
        assert len(server.gets) == 1


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
def test_a_list_that_never_ends_is_left(client_of: ClientOf, tokens: list[str]) -> None:
    given = iter(tokens)
    with ScriptedServer(get=lambda _: answer(200, {"data": [], "nextToken": next(given)})) as server:
        with pytest.raises(M3terResponseError, match="second time"):
            client_of(server).invitations()
        assert len(server.gets) == len(tokens)


@pytest.mark.parametrize(
    "content", [[], {}, {"data": None}, {"data": [1]}, {"data": [{"id": "x"}]}, {"data": [], "nextToken": 5}]
)
def test_a_page_that_is_none(client_of: ClientOf, content: object) -> None:
    with ScriptedServer(get=lambda _: answer(200, content)) as server, pytest.raises(M3terResponseError):
        client_of(server).invitations()


def test_pages_carry_m3ters_own_time_and_the_right_sizes(client_of: ClientOf) -> None:
    def page(request: Received) -> bytes:
        return answer(200, {"data": []}, Date="Tue, 24 Nov 2026 10:00:00 GMT")

    with ScriptedServer(get=page) as server:
        client = client_of(server)
        if client.kind == "sync":
            hook = client.sync_hook()
            times = {next(iter(hook.iter_invitation_pages())).server_time, next(hook.iter_user_pages()).server_time}
            next(hook.iter_permission_policy_pages())
        else:

            async def read() -> set[datetime | None]:
                async with client.async_hook() as hook:
                    pages = [page async for page in hook.iter_invitation_pages()]
                    pages_of_users = [page async for page in hook.iter_user_pages()]
                    assert [policy async for policy in hook.iter_permission_policies()] == []
                    assert [user async for user in hook.iter_users()] == []
                    return {pages[0].server_time, pages_of_users[0].server_time}

            times = asyncio.run(read())
        assert times == {datetime(2026, 11, 24, 10, tzinfo=timezone.utc)}
        sizes = {request.path for request in server.gets}
    assert sizes == {
        "/organizations/org-1/invitations?pageSize=200",
        "/organizations/org-1/users?pageSize=200",
        "/organizations/org-1/permissionpolicies?pageSize=100",
    }


def test_next_tokens_and_ids_are_escaped(client_of: ClientOf) -> None:
    token = "a b&pageSize=1/+?#"
    tokens = iter([token, None])
    with ScriptedServer(get=lambda _: answer(200, {"data": [], "nextToken": next(tokens, None)})) as server:
        client_of(server).invitations()
        assert parse_qs(urlsplit(server.gets[1].path).query) == {"pageSize": ["200"], "nextToken": [token]}
    with ScriptedServer(get=lambda _: answer(200, {"id": "x", "email": "a@example.com"})) as server:
        client = client_of(server)
        client.run(lambda hook: hook.get_invitation("../users/me"), lambda hook: hook.get_invitation("../users/me"))
        assert server.gets[0].path == "/organizations/org-1/invitations/..%2Fusers%2Fme"


def test_the_policies_of_a_user_are_read_by_both_hooks(sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
    m3ter_sandbox.seed(
        policies=[{"id": "p-1", "name": "Viewer"}], users=[{"id": "u-1", "email": "a@b.cd", "policyIds": ["p-1"]}]
    )

    def names(user_id: str) -> list[str]:
        found = sandbox_client().run(
            lambda hook: hook.get_user_permission_policies(user_id),
            lambda hook: hook.get_user_permission_policies(user_id),
        )
        return [policy.name for policy in found]

    assert names("u-1") == ["Viewer"]
    for nobody in ("u-2", " ", "../users"):
        with pytest.raises(M3terNotFoundError):
            names(nobody)
