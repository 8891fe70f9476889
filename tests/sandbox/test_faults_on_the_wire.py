"""Faults that only a real connection can show: cut off, half an answer, no answer at all."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from m3ter_sandbox.testing import SandboxServer

INVITATION = {"email": "ada@example.com", "firstName": "Ada", "lastName": "Byron"}


@pytest.fixture
def client(m3ter_sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{m3ter_sandbox.url}/organizations/{m3ter_sandbox.org_id}", trust_env=False) as one:
        answer = httpx.post(
            f"{m3ter_sandbox.url}/oauth/token",
            auth=(m3ter_sandbox.access_key_id, m3ter_sandbox.api_secret),
            json={"grant_type": "client_credentials"},
            trust_env=False,
        )
        one.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield one


def invite(client: httpx.Client, timeout: float = 5) -> httpx.Response:
    return client.post("/invitations", json=INVITATION, timeout=timeout)


def until(condition: object, seconds: float = 3) -> bool:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize(("when", "emails"), [("before", {}), ("after", {"ada@example.com": 1})])
@pytest.mark.parametrize(("kind", "error"), [("drop", httpx.RemoteProtocolError), ("reset", httpx.ReadError)])
def test_a_connection_is_cut(
    m3ter_sandbox: SandboxServer,
    client: httpx.Client,
    kind: str,
    error: type[Exception],
    when: str,
    emails: dict[str, int],
) -> None:
    m3ter_sandbox.faults(kind=kind, when=when, method="POST", path="/invitations", count=1)
    with pytest.raises(error):
        invite(client)
    assert m3ter_sandbox.emails() == emails
    last = m3ter_sandbox.requests()[-1]
    assert (last["status"], last["outcome"]) == (None, {"drop": "dropped", "reset": "reset"}[kind])
    # The next one finds everything well.
    assert invite(client).status_code == 200


def test_a_reset_ends_the_tcp_connection(m3ter_sandbox: SandboxServer) -> None:
    m3ter_sandbox.faults(kind="reset")
    host, port = m3ter_sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /organizations/x/users HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(100)


def test_half_a_request_is_no_invitation(m3ter_sandbox: SandboxServer) -> None:
    host, port = m3ter_sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = f"POST /organizations/{m3ter_sandbox.org_id}/invitations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        connection.sendall(f"{head}Content-Length: 99\r\n\r\n{{".encode())
    assert until(lambda: m3ter_sandbox.requests()[-1:] and m3ter_sandbox.requests()[-1]["outcome"] == "client left")
    assert m3ter_sandbox.emails() == {}


def test_a_truncated_answer_commits_its_invitation(m3ter_sandbox: SandboxServer, client: httpx.Client) -> None:
    m3ter_sandbox.faults(kind="truncated", method="POST", count=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        invite(client)
    assert m3ter_sandbox.emails() == {"ada@example.com": 1}
    assert m3ter_sandbox.posts() == 1


@pytest.mark.parametrize(("when", "emails"), [("before", {}), ("after", {"ada@example.com": 1})])
def test_a_hang_lasts_until_the_client_leaves(
    m3ter_sandbox: SandboxServer, client: httpx.Client, when: str, emails: dict[str, int]
) -> None:
    m3ter_sandbox.faults(kind="hang", when=when, method="POST", count=1)
    with pytest.raises(httpx.ReadTimeout):
        invite(client, timeout=0.1)
    assert until(lambda: m3ter_sandbox.requests()[-1]["outcome"] == "client left")
    assert m3ter_sandbox.emails() == emails


def test_a_hang_with_an_end_is_an_answer(m3ter_sandbox: SandboxServer, client: httpx.Client) -> None:
    m3ter_sandbox.faults(kind="hang", seconds=0.05, method="POST", count=1)
    assert invite(client).status_code == 200
    assert m3ter_sandbox.emails() == {"ada@example.com": 1}


def test_a_client_that_leaves_a_hang_before_the_commit_gets_no_invitation(
    m3ter_sandbox: SandboxServer, client: httpx.Client
) -> None:
    m3ter_sandbox.faults(kind="hang", seconds=0.15, method="POST", count=1)
    with pytest.raises(httpx.ReadTimeout):
        invite(client, timeout=0.05)
    time.sleep(0.2)
    assert m3ter_sandbox.emails() == {}


@pytest.mark.parametrize(
    ("answer", "error"),
    [("nothing", httpx.ReadTimeout), ("drop", httpx.RemoteProtocolError), ("reset", httpx.ReadError)],
)
def test_a_late_commit_happens_although_the_client_left(
    m3ter_sandbox: SandboxServer, client: httpx.Client, answer: str, error: type[Exception]
) -> None:
    m3ter_sandbox.faults(kind="late_commit", seconds=1, answer=answer, method="POST", count=1)
    with pytest.raises(error):
        invite(client, timeout=0.05)
    assert m3ter_sandbox.emails() == {}
    assert until(lambda: m3ter_sandbox.emails() == {"ada@example.com": 1})


def test_a_reset_of_the_sandbox_ends_hanging_requests(m3ter_sandbox: SandboxServer, client: httpx.Client) -> None:
    m3ter_sandbox.faults(kind="hang", method="POST", count=1)
    with pytest.raises(httpx.ReadTimeout):
        invite(client, timeout=0.05)
    m3ter_sandbox.reset()
    assert m3ter_sandbox.counts()["total"] == 0


def test_a_shared_connection_survives_what_is_no_cut(m3ter_sandbox: SandboxServer, client: httpx.Client) -> None:
    m3ter_sandbox.faults(kind="status", status=504, when="after", count=2)
    m3ter_sandbox.faults(kind="garbled", count=1)
    for _ in range(5):
        invite(client)
    posts = [one for one in m3ter_sandbox.requests() if one["kind"].startswith("POST /organizations")]
    assert [one["fault"] for one in posts] == ["status after", "status after", "garbled", None, None]
    assert len({one["port"] for one in posts}) == 1


def test_fifty_a_second_holds_on_the_wire(m3ter_sandbox: SandboxServer, client: httpx.Client) -> None:
    statuses = [client.get("/users/me").status_code for _ in range(130)]
    assert 429 in statuses
    by_second: dict[int, int] = {}
    for one in m3ter_sandbox.requests():
        if one["status"] != 429:
            by_second[int(one["time"])] = by_second.get(int(one["time"]), 0) + 1
    assert max(by_second.values()) <= 50
    assert sum(by_second.values()) >= 50
