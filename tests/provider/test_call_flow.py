"""The way of a call, step by step, without a request: both hooks do exactly this."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from m3ter_provider.access_refusals import AccessRefusals
from m3ter_provider.api_answers import Answer
from m3ter_provider.api_calls import invitation_call
from m3ter_provider.auth import TokenLife
from m3ter_provider.call_flow import CallFlow
from m3ter_provider.call_steps import Acquire, Mask, Send, Sleep, Step, run
from m3ter_provider.connection import connection_settings
from m3ter_provider.errors import (
    M3terConnectionError,
    M3terPermissionError,
    M3terRateLimitError,
    M3terServerError,
    M3terUnknownOutcomeError,
)
from m3ter_provider.pacing import Pacer
from m3ter_provider.used_rights import UsedRights
from tests.support.hook_clients import FakeClock, connection_to, person

SETTINGS = connection_settings(connection_to("https://api.m3ter.com", timeout_seconds=30))
INVITED = Answer(200, {}, b'{"id": "inv-1", "email": "ann.example@example.com"}')
TOKEN = Answer(200, {}, b'{"access_token": "abcdefgh", "expires_in": 100}')
EMPTY_LIST = Answer(200, {}, b'{"data": []}')


class Way:
    """One invitation's way through a flow, on a fake clock.

    :param posts: what each POST of the invitation ends in: an answer, or the error that the driver raises.
    :param gets: what a GET is answered with.
    :param tokens: what each token request ends in; from the last on a token.
    """

    def __init__(
        self,
        posts: Sequence[Answer | Exception] = (INVITED,),
        gets: Answer = EMPTY_LIST,
        tokens: Sequence[Answer | Exception] = (),
    ) -> None:
        self.clock = FakeClock()
        self.taken: list[str] = []
        self._posts, self._gets, self._tokens = iter(posts), gets, iter(tokens)
        gate, probing = threading.Lock(), threading.Lock()
        self.flow = CallFlow(
            settings=SETTINGS,
            clock=self.clock,
            tokens=TokenLife(clock=self.clock),
            pacer=Pacer(500, clock=self.clock),
            used=UsedRights(),
            refusals=AccessRefusals(SETTINGS),
            gate=gate,
            probing=probing,
        )
        self.locks = (gate, probing, self.flow.tokens.renewing)

    def invite(self, before_post: Callable[[], None] | None = None) -> str:
        call = invitation_call(SETTINGS, person())
        try:
            return run(self.flow.post_invitation(call, before_post or self.before_post), self._take).id
        finally:
            assert not [lock for lock in self.locks if lock.locked()]

    def before_post(self) -> None:
        self.taken.append("before_post")

    def _take(self, step: Step) -> object:
        match step:
            case Sleep():
                self.clock.sleep(step.seconds)
            case Acquire():
                step.lock.acquire()
            case Mask():
                assert step.secret == "abcdefgh"
            case Send():
                return self._answer(step)
        return None

    def _answer(self, step: Send) -> Any:
        if step.call.form is not None:
            kind, result = "token", next(self._tokens, TOKEN)
            assert step.authorization == SETTINGS.basic_authorization
        else:
            assert step.authorization == "Bearer abcdefgh"
            kind, result = (step.call.method, self._gets) if step.call.repeatable else ("POST", next(self._posts))
        self.taken.append(kind)
        if isinstance(result, Exception):
            raise result
        return result


def test_a_call_gets_a_token_first_and_the_next_one_uses_it() -> None:
    way = Way([INVITED, INVITED])
    assert [way.invite(), way.invite()] == ["inv-1", "inv-1"]
    assert way.taken == ["token", "before_post", "POST", "before_post", "POST"]


@pytest.mark.parametrize("refusal", [401, 403])
def test_a_refused_token_is_renewed_and_the_call_repeated(refusal: int) -> None:
    way = Way([Answer(refusal, {}, b""), INVITED])
    way.invite()
    assert way.taken == ["token", "before_post", "POST", "token", "before_post", "POST"]


@pytest.mark.parametrize("repeated", [Answer(429, {}, b""), M3terConnectionError("no connection")])
def test_a_post_is_repeated_where_it_did_nothing_and_checked_before_each(repeated: Answer | Exception) -> None:
    way = Way([repeated, INVITED])
    way.invite()
    assert way.taken == ["token", "before_post", "POST", "before_post", "POST"]
    assert sum(way.clock.slept) > 0


@pytest.mark.parametrize("lost", [Answer(504, {}, b""), Answer(200, {}, b"<"), M3terUnknownOutcomeError("lost")])
def test_a_post_with_an_unknown_outcome_is_never_repeated(lost: Answer | Exception) -> None:
    way = Way([lost, INVITED])
    with pytest.raises(M3terUnknownOutcomeError):
        way.invite()
    assert way.taken == ["token", "before_post", "POST"]


def test_a_callback_that_raises_makes_no_post() -> None:
    way = Way()
    with pytest.raises(ZeroDivisionError):
        way.invite(lambda: 1 / 0)  # type: ignore[arg-type]
    assert way.taken == ["token"]


def test_429_is_given_up_after_ten_posts() -> None:
    way = Way([Answer(429, {}, b"")] * 10)
    with pytest.raises(M3terRateLimitError):
        way.invite()
    assert way.taken.count("POST") == 10


def test_a_refused_call_is_probed_once_and_the_next_is_not_made() -> None:
    way = Way([Answer(403, {}, b"")] * 2)
    for _ in range(2):
        with pytest.raises(M3terPermissionError):
            way.invite()
    assert way.taken == ["token", "before_post", "POST", "token", "before_post", "POST", "GET"]


def test_a_token_that_cannot_be_had_posts_nothing() -> None:
    way = Way(tokens=[Answer(503, {}, b"")] * 4)
    with pytest.raises(M3terServerError):
        way.invite()
    assert way.taken == ["token"] * 4


def test_another_renewal_is_waited_for_only_so_long() -> None:
    """A coroutine of the same thread may hold the lock: waiting for ever would be a deadlock."""
    way = Way()
    way.flow.tokens.renewing.acquire()

    def released() -> None:
        way.flow.tokens.renewing.release()

    way.invite(released)
    assert way.taken == ["token", "POST"]
    assert sum(way.clock.slept) == pytest.approx(30, abs=0.1)


def test_a_token_that_another_renewal_got_is_used() -> None:
    way = Way()
    renewing = way.flow.tokens.renewing
    renewing.acquire()
    sleep = way.clock.sleep

    def renewed_meanwhile(seconds: float) -> None:
        sleep(seconds)
        if renewing.locked() and way.flow.tokens.current() is None:
            way.flow.tokens.renewed("abcdefgh", issued_at=way.clock(), lifetime=100)
            renewing.release()

    way.clock.sleep = renewed_meanwhile  # type: ignore[method-assign]
    way.invite()
    assert way.taken == ["before_post", "POST"]
