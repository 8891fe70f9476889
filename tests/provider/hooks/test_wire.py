"""The wire: no extra, no credentials for strangers, no redirect followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Connection

from m3ter_provider.errors import (
    M3terConfigurationError,
    M3terConnectionError,
    M3terError,
    M3terNotFoundError,
    M3terRequestRejectedError,
    M3terResponseError,
    M3terSendingNotAllowedError,
    M3terUnknownOutcomeError,
)
from m3ter_provider.hooks.m3ter import M3terHook
from tests.support.hook_clients import Client, connection_to, person
from tests.support.scripted_server import HangupError, Received, ScriptedServer, answer

ClientOf = Callable[..., Client]

STRAY_EXTRAS = {
    "X-Stray-Header": "stray-value",
    "client_secret": "stray-secret-value",
    "headers": {"X-Other": "stray-value"},
    "proxies": {"http": "http://127.0.0.1:9"},
    "verify": False,
    "timeout": 0.000001,
    "allow_redirects": True,
    "check_response": False,
    "srv_lookup": True,
    "number": 5,
}


def test_extras_do_not_reach_the_wire(client_of: ClientOf) -> None:
    with ScriptedServer() as server:
        client = client_of(server, **STRAY_EXTRAS)
        client.invite()
        client.invitations()
        assert len(server.received) == 3
        for request in server.received:
            text = f"{request.path} {request.headers} {request.body!r}".lower()
            assert "stray" not in text
            assert not {"number", "verify", "timeout"} & set(request.headers)
            assert set(request.headers) <= {
                "host",
                "authorization",
                "accept",
                "accept-encoding",
                "user-agent",
                "connection",
                "content-type",
                "content-length",
            }


def test_http_hooks_own_run_sends_no_extra_either() -> None:
    with ScriptedServer() as server:
        hook = hook_on(server, **STRAY_EXTRAS)
        response = hook.run("organizations/org-1/users", {"pageSize": 5}, headers={"X-Mine": "wanted"})
        assert response.json() == {"data": []}
        request = server.gets[0]
        assert request.path == "/organizations/org-1/users?pageSize=5"
        assert request.headers["x-mine"] == "wanted"
        assert "stray" not in str(request.headers)
        assert request.headers["authorization"] == "Bearer a-token-of-the-test"
        hook.run("organizations/org-1/users")
        assert "x-mine" not in server.gets[1].headers


def test_credentials_follow_no_redirect(client_of: ClientOf) -> None:
    with ScriptedServer() as elsewhere:
        away = answer(307, None, Location=f"{elsewhere.url}/organizations/org-1/invitations")
        for kinds in ({"token": lambda _: away}, {"get": lambda _: away}, {"post": lambda _: away}):
            with ScriptedServer(**kinds) as server:  # type: ignore[arg-type]
                with pytest.raises((M3terResponseError, M3terUnknownOutcomeError)):
                    client_of(server).invite() if "post" in kinds else client_of(server).invitations()
                with pytest.raises(M3terError) if "get" not in kinds else nullcontext():
                    hook_on(server, method="POST").run("organizations/org-1/invitations", json={"email": "a@b.cd"})
        assert not elsewhere.received


def test_a_netrc_file_and_cookies_are_not_used(
    client_of: ClientOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login stray password stray\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with ScriptedServer(get=lambda _: answer(200, {"data": []}, Set_Cookie="a=b; Path=/")) as server:
        client = client_of(server)
        client.invitations()
        client.invitations()
        assert len(server.gets) == 2
        for request in server.gets:
            assert request.headers["authorization"] == "Bearer a-token-of-the-test"
            assert "cookie" not in request.headers


class TestOwnRequests:
    """HttpHook's doors, ``run`` and ``get_conn``, keep all the rules."""

    def test_sending_must_be_allowed_there_too(self) -> None:
        with ScriptedServer() as server:
            hook = hook_on(server, method="POST", allow_invitations=False)
            for path in (
                "organizations/org-1/invitations",
                "/organizations/org-1/INVITATIONS/?a=b",
                "organizations/org-1/users/../invitations/.",
                "organizations/org-1//%69nvitations#x",
            ):
                with pytest.raises(M3terSendingNotAllowedError):
                    hook.run(path, json={"email": "a@example.com"})
            with pytest.raises(M3terSendingNotAllowedError):
                hook.get_conn().post(f"{server.url}/organizations/org-1/invitations", json={"email": "a@example.com"})
            allowed = hook_on(server, method="POST", allowed_domains=["example.org"])
            for body in (b'{"email": "a@example.com"}', b"", b"[]", b"\xff", b'{"email": 5}'):
                with pytest.raises(M3terSendingNotAllowedError):
                    allowed.run("organizations/org-1/invitations", body)
            assert not server.posts

    def test_the_token_goes_to_m3ter_only(self) -> None:
        with ScriptedServer() as server, ScriptedServer() as elsewhere:
            with pytest.raises(M3terConfigurationError):
                hook_on(server).get_conn().get(f"{elsewhere.url}/x")
            assert not elsewhere.received

    def test_errors_of_the_hook_are_ours(self) -> None:
        with ScriptedServer(get=lambda _: answer(404)) as server, pytest.raises(M3terNotFoundError):
            hook_on(server).run("organizations/org-1/users/u")
        with ScriptedServer(post=lambda _: answer(400)) as server, pytest.raises(M3terRequestRejectedError):
            hook_on(server, method="PUT").run("organizations/org-1/users/u", json={})

        def hang_up(request: Received) -> bytes:
            raise HangupError

        with ScriptedServer(get=hang_up, post=hang_up) as server:
            with pytest.raises(M3terConnectionError):
                hook_on(server).run("organizations/org-1/users/u")
            with pytest.raises(M3terUnknownOutcomeError):
                hook_on(server, method="PUT").run("organizations/org-1/users/u", json={})
            assert len(server.received) == 3

    def test_the_hook_is_an_http_hook_that_opens_one_session_and_reads_its_connection_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ScriptedServer() as server:
            monkeypatch.setenv(
                "AIRFLOW_CONN_M3TER_DEFAULT",
                json.dumps(
                    {
                        "conn_type": "m3ter",
                        "host": server.url,
                        "login": "x-access",
                        "password": "x-secret",
                        "extra": {"org_id": "org-1"},
                    }
                ),
            )
            hook = M3terHook()
            assert isinstance(hook, HttpHook)
            list(hook.iter_users())
            monkeypatch.delenv("AIRFLOW_CONN_M3TER_DEFAULT")
            list(hook.iter_invitations())
            assert hook.get_conn() is hook.get_conn()
            assert isinstance(hook.get_conn(), requests.Session)
            assert {request.connection for request in server.received} == {1}


def hook_on(server: ScriptedServer, method: str = "GET", **extra: object) -> M3terHook:
    hook = M3terHook(method=method)
    hook.__dict__["_read_connection"] = connection_to(server.url, **extra)
    return hook


def test_before_the_context_is_entered_there_is_a_clear_error(client_of: ClientOf) -> None:
    with ScriptedServer() as server, pytest.raises(M3terConfigurationError, match="async with"):
        _ = Client("async", connection_to(server.url)).async_hook().settings


def test_a_connection_that_cannot_be_used_is_an_error_before_any_request(client_of: ClientOf) -> None:
    with ScriptedServer() as server:
        client = client_of(server)
        client.connection = Connection(conn_id="x", conn_type="m3ter", host=server.url, login="a")
        with pytest.raises(M3terConfigurationError, match="password"):
            client.run(lambda hook: hook.create_invitation(person()), lambda hook: hook.create_invitation(person()))
        assert not server.received
