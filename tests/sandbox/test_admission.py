"""Which requests a sandbox answers: its own names only, and nothing that a page of another site asks for."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from m3ter_sandbox.admission import Admission
from m3ter_sandbox.testing import SandboxServer
from tests.support.local_m3ter import LocalM3ter

Local = Callable[..., LocalM3ter]

STEERING = [
    ("POST", "/_sandbox/seed"),
    ("POST", "/_sandbox/accept"),
    ("POST", "/_sandbox/reset"),
    ("POST", "/_sandbox/faults"),
    ("DELETE", "/_sandbox/faults"),
    ("DELETE", "/_sandbox/requests"),
    ("PATCH", "/_sandbox/switches"),
    ("POST", "/mailbox/accept"),
]


@pytest.mark.parametrize(("method", "path"), STEERING)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://sandbox:8080"},
        {"Origin": "https://sandbox"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://sandbox", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_steers_nothing(local: Local, method: str, path: str, headers: dict[str, str]) -> None:
    m3ter = local()
    made = m3ter.invite().json()
    answer = m3ter.raw(method, path, json={"invitationId": made["id"], "kind": "drop"}, headers=headers)
    assert answer.status_code == 403
    assert m3ter.control("GET", "health")["invitations"] == 1
    assert m3ter.listed("users") == []


@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_a_form_can_send_is_refused(local: Local, media: str | None) -> None:
    m3ter = local()
    m3ter.invite()
    headers = {} if media is None else {"Content-Type": media}
    answer = m3ter.raw("POST", "/_sandbox/accept", content=b'{"email": "ada@example.com"}', headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["message"]
    assert m3ter.listed("users") == []


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.localhost", "localhost.evil.example", "sandbox.evil.example", ""]
)
@pytest.mark.parametrize("path", ["/_sandbox/emails", "/mailbox", "/", "/oauth/token", "/organizations/x/users"])
def test_another_host_is_refused_whatever_it_asks_for(local: Local, host: str, path: str) -> None:
    answer = local().raw("GET", path, headers={"Host": host})
    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["message"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8321", "127.0.0.1:1", "127.8.8.8", "[::1]:8321", "sandbox", "sandbox:8321"]
)
def test_loopback_names_and_its_own_names_are_answered(local: Local, host: str) -> None:
    assert local().raw("GET", "/mailbox", headers={"Host": host}).status_code == 200


def test_a_listening_address_for_every_interface_is_no_name() -> None:
    scope: dict[str, Any] = {"headers": [(b"host", b"0.0.0.0:8321")], "method": "GET", "scheme": "http"}
    assert Admission(["0.0.0.0"]).refusal(scope, steers=False) is not None
    assert Admission(["192.0.2.7"]).refusal({**scope, "headers": [(b"host", b"192.0.2.7:1")]}, steers=False) is None


def test_the_served_page_works_in_a_browser_and_the_server_checks_too(m3ter_sandbox: SandboxServer) -> None:
    place = urlsplit(m3ter_sandbox.url)
    own = {"Origin": m3ter_sandbox.url, "Sec-Fetch-Site": "same-origin"}

    def status(method: str, path: str, headers: dict[str, str], body: str | None = None) -> int:
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert status("GET", "/mailbox", {"Sec-Fetch-Site": "cross-site"}) == 200  # a link that leads here
    assert status("POST", "/mailbox/accept", {**own, **form}, "id=nobody") == 404  # admitted; there is no such one
    assert status("POST", "/mailbox/accept", {"Origin": "http://127.0.0.1:1", **form}, "id=nobody") == 403
    assert status("GET", "/_sandbox/emails", {"Host": "evil.example"}) == 421
