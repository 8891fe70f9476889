"""The life of a token, on a clock that only the test moves."""

from __future__ import annotations

import os

import pytest

from m3ter_provider.auth import Token, TokenLife
from m3ter_provider.connection import connection_settings
from m3ter_provider.process_state import pacer, token_life
from tests.support.hook_clients import FakeClock, connection_to


@pytest.mark.parametrize(
    ("lifetime", "renewed_after"), [(18_000, 17_940), (100, 80), (2, 1.6), (1, 1), (0, 1), (-5, 1)]
)
def test_a_token_is_renewed_shortly_before_its_end(lifetime: float, renewed_after: float) -> None:
    clock = FakeClock()
    life = TokenLife(clock=clock)
    token = life.renewed("secret-value", issued_at=clock(), lifetime=lifetime)
    clock.now += renewed_after - 0.001
    assert life.current() is token
    clock.now += 0.002
    assert life.current() is None


def test_a_tokens_value_is_in_no_repr() -> None:
    assert "secret-value" not in repr(Token("secret-value", 0, 1))


def test_only_the_refused_token_is_dropped() -> None:
    clock = FakeClock()
    life = TokenLife(clock=clock)
    old = life.renewed("old-token", issued_at=clock(), lifetime=100)
    life.rejected(old)
    assert life.current() is None
    new = life.renewed("new-token", issued_at=clock(), lifetime=100)
    life.rejected(old)
    assert life.current() is new


def test_a_refused_call_is_worth_one_new_token() -> None:
    clock = FakeClock()
    life = TokenLife(clock=clock)
    token = life.renewed("token-1", issued_at=clock(), lifetime=100)
    assert life.renewal_may_help(token, renewals=0)
    life.rejected(token)
    second = life.renewed("token-2", issued_at=clock(), lifetime=100)
    assert life.renewal_may_help(token, renewals=0), "somebody else renewed it: repeat with that one"
    assert not life.renewal_may_help(second, renewals=1)
    assert not life.renewal_may_help(second, renewals=0), "the new one helped nobody: no storm"
    life.accepted(second)
    assert life.renewal_may_help(second, renewals=0)


def test_two_tokens_ended_in_a_row_do_not_lock_the_process_out() -> None:
    clock = FakeClock()
    life = TokenLife(clock=clock)
    life.rejected(life.renewed("token-1", issued_at=clock(), lifetime=18_000))
    second = life.renewed("token-2", issued_at=clock(), lifetime=18_000)
    assert not life.renewal_may_help(second, renewals=1)
    clock.now += 29
    assert not life.renewal_may_help(second, renewals=0), "the same batch"
    clock.now += 1
    assert life.renewal_may_help(second, renewals=0), "hours before the token ends by itself"


def test_a_token_that_ended_on_its_way_is_no_refusal() -> None:
    clock = FakeClock()
    life = TokenLife(clock=clock)
    token = life.renewed("token-1", issued_at=clock(), lifetime=2)
    clock.now += 3
    assert life.renewal_may_help(token, renewals=2)
    assert not life.renewal_may_help(token, renewals=3)


def test_all_hooks_of_a_process_share_one_token_and_one_pace() -> None:
    settings = connection_settings(connection_to("http://127.0.0.1:1"))
    other = connection_settings(connection_to("http://127.0.0.1:1", org_id="org-2"))
    clock = FakeClock()
    assert token_life(settings, clock) is token_life(other, clock)
    assert pacer(settings, clock) is not pacer(other, clock)


def test_a_token_does_not_cross_a_fork() -> None:
    settings = connection_settings(connection_to("http://127.0.0.1:1"))
    clock = FakeClock()
    token_life(settings, clock).renewed("token-1", issued_at=clock(), lifetime=100)
    child = os.fork()
    if child == 0:
        os._exit(0 if token_life(settings, clock).current() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert token_life(settings, clock).current() is not None
