"""A POST ends done, certainly not done, or unknown; an unknown one is never repeated."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from m3ter_provider.errors import (
    M3terConnectionError,
    M3terNotFoundError,
    M3terRateLimitError,
    M3terRequestRejectedError,
    M3terSendingNotAllowedError,
    M3terServerError,
    M3terStatusError,
    M3terUnknownOutcomeError,
)
from tests.support.hook_clients import Client, connection_to
from tests.support.scripted_server import HangupError, Received, ResetError, ScriptedServer, answer, created, token

ClientOf = Callable[..., Client]


def hang(request: Received) -> bytes:
    time.sleep(1)
    raise HangupError


def hang_up(request: Received) -> bytes:
    raise HangupError


def reset(request: Received) -> bytes:
    raise ResetError


def cut_off(request: Received) -> bytes:
    return created(request)[:-10]


def test_a_success_is_one_post_with_its_body(client_of: ClientOf) -> None:
    with ScriptedServer() as server:
        assert client_of(server).invite("Ann@Example.com").email == "Ann@Example.com"
        (post,) = server.posts
        assert post.path == "/organizations/org-1/invitations"
        assert post.json() == {"email": "Ann@Example.com", "firstName": "Annabella", "lastName": "Marker-Surname"}
        assert post.headers["authorization"] == "Bearer a-token-of-the-test"


@pytest.mark.parametrize("behaviour", [hang, hang_up, reset, cut_off])
def test_a_lost_answer_is_unknown_and_never_repeated(
    client_of: ClientOf, behaviour: Callable[[Received], bytes]
) -> None:
    with ScriptedServer(post=behaviour) as server:
        with pytest.raises(M3terUnknownOutcomeError, match=r"a\*\*\*@example.com"):
            client_of(server, timeout_seconds=0.4).invite()
        assert len(server.posts) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 408, 500, 502, 503, 504])
def test_these_statuses_say_nothing_about_the_invitation(client_of: ClientOf, status: int) -> None:
    with ScriptedServer(post=lambda _: answer(status, {"message": "x"}, Location="/elsewhere")) as server:
        with pytest.raises(M3terUnknownOutcomeError) as error:
            client_of(server).invite()
        assert error.value.status_code == status
        assert len(server.posts) == 1
        assert not server.gets


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"[]", b'{"email": "ann.example@example.com"}', b'{"id": 5', b"\xff\xfe", b"[" * 99_999]
)
def test_a_success_that_cannot_be_read_is_unknown(client_of: ClientOf, raw: bytes) -> None:
    with ScriptedServer(post=lambda _: answer(200, raw=raw)) as server:
        with pytest.raises(M3terUnknownOutcomeError) as error:
            client_of(server).invite()
        assert error.value.status_code == 200
        assert len(server.posts) == 1


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_refusal_is_final_and_keeps_m3ters_words_to_itself(client_of: ClientOf, status: int) -> None:
    words = "The address ann.example@example.com is not good"
    with ScriptedServer(post=lambda _: answer(status, {"message": words})) as server:
        with pytest.raises(M3terRequestRejectedError) as error:
            client_of(server).invite()
        assert error.value.m3ter_message == words
        assert "ann.example" not in f"{error.value} {error.value!r}"
        assert len(server.posts) == 1


def test_other_errors_of_the_client_did_nothing(client_of: ClientOf) -> None:
    # The path of a POST is always there: a 404 is a gateway's, and may pass.
    for status, kind, posts in ((404, M3terNotFoundError, 4), (418, M3terStatusError, 1)):
        with ScriptedServer(post=lambda _, status=status: answer(status)) as server:  # type: ignore[misc]
            with pytest.raises(kind):
                client_of(server).invite()
            assert len(server.posts) == posts


def test_429_is_waited_out_and_repeated(client_of: ClientOf) -> None:
    answers = iter([answer(429), answer(429, None, Retry_After="3")])
    with ScriptedServer(post=lambda request: next(answers, None) or created(request)) as server:
        client = client_of(server)
        client.invite()
        assert len(server.posts) == 3
        assert sum(client.clock.slept) >= 4


def test_429_for_ever_is_given_up(client_of: ClientOf) -> None:
    with ScriptedServer(post=lambda _: answer(429, {"message": "slow"})) as server:
        with pytest.raises(M3terRateLimitError):
            client_of(server).invite()
        assert len(server.posts) == 10


def test_a_connection_that_is_not_made_did_nothing(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = Client(kind, connection_to(f"http://127.0.0.1:{port}"))
    with pytest.raises(M3terConnectionError, match="nothing happened"):
        client.invite()


def test_a_post_that_found_no_connection_is_repeated(kind: str) -> None:
    """The token is there, then nobody listens for a moment: certainly nothing was posted."""

    def token_and_goodbye(request: Received) -> bytes:
        return token(request).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)

    with ScriptedServer(token=token_and_goodbye) as first:
        port = int(first.url.rpartition(":")[2])
        client = Client(kind, connection_to(first.url, timeout_seconds=2))
        begun: list[float] = []

        def before_post() -> None:
            begun.append(client.clock())
            if len(begun) == 1:
                first.stop_listening()
            elif len(begun) == 2:
                servers.append(ScriptedServer(port=port))

        servers: list[ScriptedServer] = []
        try:
            assert client.invite(before_post=before_post).id == "inv-1"
        finally:
            for server in servers:
                server.__exit__(None, None, None)
    assert len(begun) == (2 if kind == "sync" else 3)
    assert len(first.posts) + len(servers[0].posts) == 1


def test_the_callback_runs_right_before_every_post_and_can_stop_it(client_of: ClientOf) -> None:
    answers = iter([answer(429), answer(401)])
    with ScriptedServer(post=lambda request: next(answers, None) or created(request)) as server:
        seen: list[tuple[int, int]] = []
        client_of(server).invite(before_post=lambda: seen.append((len(server.posts), len(server.tokens))))
        assert list(dict.fromkeys(seen)) == [(0, 1), (1, 1), (2, 2)]
        assert len(server.posts) == 3

    class LeaseEndedError(Exception):
        pass

    with ScriptedServer(post=lambda _: answer(429)) as server:

        def stop() -> None:
            if server.posts:
                raise LeaseEndedError("stop")

        with pytest.raises(LeaseEndedError):
            client_of(server).invite(before_post=stop)
        assert len(server.posts) == 1


def test_the_callback_runs_once_more_before_the_first_byte_is_written() -> None:
    """Connecting took long, or the process stood still: what held before may hold no more."""

    class LeaseEndedError(Exception):
        pass

    calls = 0

    def stop_the_second_time() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise LeaseEndedError("stop")

    with ScriptedServer(post=created) as server:
        client = Client("async", connection_to(server.url))
        with pytest.raises(LeaseEndedError):
            client.invite(before_post=stop_the_second_time)
        assert not server.posts
        assert client.invite().id == "inv-1"
        assert len(server.posts) == 1


def test_a_connection_the_server_is_just_closing_makes_no_second_post(client_of: ClientOf) -> None:
    """The request is written, the server closes the kept-alive connection: no library may send it again by itself."""

    def close_on_reuse(request: Received) -> bytes:
        if request.on_connection > 1:
            raise HangupError
        return created(request)

    with ScriptedServer(post=close_on_reuse) as server:
        client = client_of(server)
        results = client.invite_all(["a@example.com", "b@example.com"])
        unknown = [result for result in results if isinstance(result, M3terUnknownOutcomeError)]
        assert unknown
        assert len(server.posts) == 2


def test_a_connection_that_was_idle_is_not_used_again() -> None:
    with ScriptedServer() as server:
        client = Client("sync", connection_to(server.url))
        hook = client.sync_hook()
        list(hook.iter_invitations())
        client.clock.now += 4
        list(hook.iter_invitations())
        assert {request.connection for request in server.gets} == {1, 2}


def test_a_get_is_repeated_whatever_happens(client_of: ClientOf) -> None:
    script: list[Callable[[Received], bytes]] = [hang_up, lambda _: answer(503), lambda _: answer(200, raw=b"<ht")]
    behaviours = iter(script)
    with ScriptedServer(get=lambda request: next(behaviours, lambda _: answer(200, {"data": []}))(request)) as server:
        assert client_of(server).invitations() == []
        assert len(server.gets) >= 4


def test_a_get_that_always_fails_says_so(client_of: ClientOf) -> None:
    with ScriptedServer(get=lambda _: answer(503)) as server:
        with pytest.raises(M3terServerError, match="503"):
            client_of(server).invitations()
        assert len(server.gets) == 4


def test_a_connection_that_forbids_it_sends_nothing(client_of: ClientOf) -> None:
    with ScriptedServer() as server:
        with pytest.raises(M3terSendingNotAllowedError):
            client_of(server, allow_invitations=False).invite()
        with pytest.raises(M3terSendingNotAllowedError):
            client_of(server, allowed_domains="example.org").invite()
        assert not server.received


def test_the_total_time_of_a_post_is_bounded() -> None:
    """The bytes of the answer trickle in, each sooner than any time-out between bytes."""
    stop = threading.Event()

    def drip(request: Received) -> bytes:
        return answer(200, raw=b" " * 50)

    with ScriptedServer(post=drip, drip_seconds=0.05, stop=stop) as server:
        client = Client("async", connection_to(server.url, timeout_seconds=0.5))
        began = time.monotonic()
        with pytest.raises(M3terUnknownOutcomeError):
            client.invite()
        assert time.monotonic() - began < 1.5
        stop.set()
