"""The button "Test" of Airflow's connections: each cause has its own sentence and way out, and nothing is ever sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiohttp
import pytest
import requests
from airflow.sdk import Connection

from m3ter_provider.api_calls import INVITATIONS, invitation_right_call
from m3ter_provider.connection import connection_settings
from m3ter_provider.errors import M3terSendingNotAllowedError
from m3ter_provider.hooks.m3ter import M3terHook
from m3ter_provider.network_failures import why_unreachable
from tests.support.hook_clients import Client, connection_to
from tests.support.scripted_server import HangupError, Received, ScriptedServer, answer, token

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer

ClientOf = Callable[..., Client]


def posts(sandbox: SandboxServer) -> int:
    return sum(one["method"] == "POST" and one["path"].endswith("/invitations") for one in sandbox.requests())


def worked(result: tuple[bool, str]) -> str:
    assert result[0], result[1]
    return result[1]


def failed(result: tuple[bool, str]) -> str:
    assert not result[0], result[1]
    return result[1]


class TestSending:
    def test_a_connection_that_may_not_send_says_so(
        self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer
    ) -> None:
        text = worked(sandbox_client(allow_invitations=False).test_connection())
        assert text == (
            "Connected to organisation Sandbox organization as Sandbox service user. "
            "It can read invitations, users and permission policies. It sends no invitations, because its extra "
            "allow_invitations is off: turn that on if real people may be e-mailed through it."
        )
        assert {one["method"] for one in m3ter_sandbox.requests()[1:]} == {"GET"}

    def test_a_connection_that_may_send_says_so_and_sends_none(
        self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer
    ) -> None:
        text = worked(sandbox_client().test_connection())
        assert text.endswith("It may send invitations to any domain; none was sent now.")
        assert posts(m3ter_sandbox) == 1
        assert m3ter_sandbox.totals()["emails"] == m3ter_sandbox.totals()["invitations"] == 0

    def test_a_connection_names_its_allowed_domains(self, sandbox_client: ClientOf) -> None:
        text = worked(sandbox_client(allowed_domains="example.com, example.org").test_connection())
        assert "invitations to example.com and example.org; none" in text

    def test_a_missing_right_to_invite_is_named(self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
        m3ter_sandbox.switches(may_invite=False)
        text = failed(sandbox_client().test_connection())
        assert text.startswith("m3ter does not let the service user create invitations (403)")
        assert text.endswith("It can read invitations, users and permission policies.")
        assert "config:create on orgUserInvitation" in text
        assert "allow_invitations off" in text
        m3ter_sandbox.reset()
        m3ter_sandbox.switches(may_invite=False)
        worked(sandbox_client(allow_invitations=False).test_connection())
        assert posts(m3ter_sandbox) == 0

    def test_a_token_that_ends_just_then_is_no_missing_right(
        self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer
    ) -> None:
        m3ter_sandbox.faults(kind="revoke_token", operation="CreateOrgUserInvitation", count=1)
        assert "It may send" in worked(sandbox_client().test_connection())
        assert posts(m3ter_sandbox) == 2
        assert m3ter_sandbox.emails() == {}

    @pytest.mark.parametrize("status", [200, 401, 404, 409, 429, 500, 503])
    def test_an_unclear_right_to_invite_hides_nothing_else(self, client_of: ClientOf, status: int) -> None:
        with ScriptedServer(post=lambda _: answer(status, {})) as server:
            text = worked(client_of(server).test_connection())
            assert "It can read invitations, users and permission policies." in text
            assert "is not known" in text
            assert f"m3ter answered {status}" in text
            assert {post.body for post in server.posts} == {b"{}"}
            assert len(server.posts) == (2 if status == 401 else 1)

    def test_a_request_without_an_answer_is_not_repeated(self, client_of: ClientOf) -> None:
        def hang_up(request: Received) -> bytes:
            raise HangupError

        with ScriptedServer(post=hang_up) as server:
            assert "is not known (m3ter gave no clear answer" in worked(client_of(server).test_connection())
            assert len(server.posts) == 1

    def test_the_check_of_the_right_is_no_way_to_send(self) -> None:
        call = invitation_right_call(connection_settings(connection_to("https://api.m3ter.com")))
        assert (call.method, call.body, dict(call.params)) == ("POST", {}, {})
        assert call.url.endswith(f"/{INVITATIONS.path}")
        with pytest.raises(M3terSendingNotAllowedError, match="allow_invitations"):
            invitation_right_call(connection_settings(connection_to("https://x.example", allow_invitations=False)))


class TestReading:
    @pytest.mark.parametrize(
        ("unreadable", "named", "resource"),
        [
            ("invitations", "may not read invitations (403)", "config:retrieve on orgUserInvitation."),
            ("users", "may not read users (403)", "config:retrieve on orgUser."),
            ("permissionpolicies", "may not read permission policies (403)", "config:retrieve on permissionPolicy."),
        ],
    )
    def test_the_list_that_may_not_be_read_is_named(
        self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer, unreadable: str, named: str, resource: str
    ) -> None:
        m3ter_sandbox.switches(unreadable=[unreadable])
        text = failed(sandbox_client().test_connection())
        assert text.startswith(f"The service user {named}")
        assert resource in text
        assert "It may send" in text

    def test_a_missing_right_to_read_anything_is_named(
        self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer
    ) -> None:
        m3ter_sandbox.switches(may_read=False)
        text = failed(sandbox_client(allow_invitations=False).test_connection())
        assert "may not read invitations, users and permission policies (403)" in text
        assert "config:retrieve on orgUserInvitation, orgUser and permissionPolicy." in text

    def test_a_wrong_organisation_is_named(self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
        text = failed(sandbox_client(org_id="another-organisation").test_connection())
        assert "service user of this connection into organisation another-organisation (403)" in text
        assert "org_id" in text
        assert posts(m3ter_sandbox) == 0

    def test_a_failure_of_m3ter_is_named_at_once(self, client_of: ClientOf) -> None:
        with ScriptedServer(get=lambda _: answer(503)) as server:
            assert "m3ter failed to answer the list of invitations (503). Try later." in failed(
                client_of(server).test_connection()
            )
            assert not server.posts
            # Nobody waits for repeats in front of a form.
            assert len(server.gets) == 1

    def test_the_service_user_is_named_if_m3ter_names_it(self, client_of: ClientOf) -> None:
        def get(request: Received) -> bytes:
            return answer(403) if request.path.endswith("/me") else answer(200, {"data": []})

        with ScriptedServer(get=get) as server:
            text = worked(client_of(server, allow_invitations=False).test_connection())
            assert "Connected to organisation org-1 as its service user." in text


class TestCredentials:
    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_a_wrong_key_or_secret_is_named(
        self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer, status: int
    ) -> None:
        m3ter_sandbox.switches(wrong_secret_status=status)
        client = sandbox_client()
        client.connection.password = "not-the-secret"
        text = failed(client.test_connection())
        assert f"m3ter refused the access key id or the API secret ({status}). Correct login and password" in text
        assert m3ter_sandbox.counts()["total"] == 1

    def test_a_service_user_that_was_switched_off(self, client_of: ClientOf) -> None:
        with ScriptedServer(get=lambda _: answer(401)) as server:
            text = failed(client_of(server).test_connection())
            assert "service user of the connection's access key is still active" in text

    def test_each_test_asks_for_a_token(self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
        """One that is still good would hide that its key was deleted."""

        async def concurrently(hook: object) -> None:
            await hook.get_me()  # type: ignore[attr-defined]
            assert (await hook.test_connection())[0]  # type: ignore[attr-defined]

        def one_by_one(hook: M3terHook) -> None:
            hook.get_me()
            assert hook.test_connection()[0]

        sandbox_client().run(one_by_one, concurrently)
        assert m3ter_sandbox.counts()["token_requests"] == 2


class TestUnreachable:
    def test_a_host_that_does_not_exist_is_named(self, kind: str) -> None:
        text = failed(Client(kind, connection_to("https://m3ter.invalid")).test_connection())
        assert "could not be reached at https://m3ter.invalid" in text
        assert "(DNS)" in text
        assert "misspelling" in text

    def test_a_port_where_nothing_listens_is_named(self, kind: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        text = failed(Client(kind, connection_to(f"http://127.0.0.1:{port}")).test_connection())
        assert "nothing listens there" in text

    def test_a_certificate_that_is_not_trusted(self, client_of: ClientOf, tls: ssl.SSLContext) -> None:
        with ScriptedServer(tls=tls) as server:
            text = failed(client_of(server).test_connection())
        assert "certificate is not trusted" in text
        assert "REQUESTS_CA_BUNDLE" in text

    def test_a_host_without_tls_is_named(self, kind: str, m3ter_sandbox: SandboxServer) -> None:
        url = m3ter_sandbox.url.replace("http:", "https:")
        assert "does not speak TLS" in failed(Client(kind, connection_to(url)).test_connection())

    def test_the_proxy_does_not_answer(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        text = failed(Client(kind, connection_to("https://api.example.com")).test_connection())
        assert "the proxy that the environment names" in text

    @pytest.mark.parametrize(
        "error",
        [requests.ConnectTimeout(), aiohttp.ConnectionTimeoutError(), asyncio.TimeoutError(), TimeoutError()],
    )
    def test_a_host_that_does_not_answer_points_to_a_firewall(self, error: Exception) -> None:
        assert "firewall" in why_unreachable(error)

    @pytest.mark.parametrize(
        "reply",
        [
            answer(404),
            answer(200, raw=b"<html>Welcome</html>"),
            answer(302, None, Location="https://login.example.com"),
            answer(200, {"hello": "world"}),
        ],
    )
    def test_a_host_that_is_something_else(self, client_of: ClientOf, reply: bytes) -> None:
        with ScriptedServer(token=lambda _: reply) as server:
            text = failed(client_of(server).test_connection())
            assert text.endswith(
                f"{server.url} may be no API of m3ter: correct the connection's host, or leave it empty."
            )
        with ScriptedServer(token=token, get=lambda _: reply) as server:
            assert "may be no API of m3ter" in failed(client_of(server).test_connection())


class TestItNeverRaises:
    def test_a_connection_that_does_not_exist(self) -> None:
        text = failed(M3terHook("there_is_none").test_connection())
        assert "AirflowNotFoundException" in text
        assert "Check that it exists" in text

    def test_a_connection_that_cannot_be_used(self) -> None:
        hook = M3terHook("of_airflows_own_making")
        hook.__dict__["_read_connection"] = Connection(
            conn_id="of_airflows_own_making", conn_type="m3ter", login="an-id", password="a-secret-of-the-test"
        )
        assert failed(hook.test_connection()) == (
            "This connection has no organisation. Add the extra org_id, the organisation's id in m3ter."
        )

    def test_a_text_that_is_not_ours_is_not_shown(self, client_of: ClientOf) -> None:
        """It may quote whatever it likes."""

        class TalkativeConnection(Connection):
            @property
            def extra_dejson(self) -> dict[str, object]:
                raise LookupError("a-secret-of-the-test")

        hook = M3terHook()
        hook.__dict__["_read_connection"] = TalkativeConnection(conn_id="x", conn_type="m3ter", extra="{}")
        text = failed(hook.test_connection())
        assert "LookupError" in text
        assert "a-secret" not in text

    def test_each_cause_has_its_own_sentence(self, sandbox_client: ClientOf, m3ter_sandbox: SandboxServer) -> None:
        wrong_secret = sandbox_client()
        wrong_secret.connection.password = "not-the-secret"
        unreachable = sandbox_client()
        unreachable.connection.host = "http://127.0.0.1:1"
        texts = [
            worked(sandbox_client().test_connection()),
            worked(sandbox_client(allow_invitations=False).test_connection()),
            failed(wrong_secret.test_connection()),
            failed(unreachable.test_connection()),
            failed(sandbox_client(org_id="another-organisation").test_connection()),
        ]
        m3ter_sandbox.switches(may_invite=False)
        texts.append(failed(sandbox_client().test_connection()))
        m3ter_sandbox.switches(may_read=False)
        texts.append(failed(sandbox_client().test_connection()))
        assert len(set(texts)) == 7
        assert "m3ter_test" not in "".join(texts)
        assert m3ter_sandbox.api_secret not in "".join(texts)
