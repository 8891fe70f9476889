"""Recurring checks: when the pause switch is asked and m3ter is read, and what closes the gate."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_onboarding.sending.recurring_checks import ASK_PAUSE_EVERY, LOOK_EVERY, RecurringChecks
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_provider.errors import M3terError
from tests.support.world import World


@dataclass
class Watch:
    """Checks against a local m3ter, on a clock that is put forward."""

    world: World
    gate: Gate = field(default_factory=lambda: Gate(Stop()))
    seconds: float = 1000.0
    asked: int = 0
    says: str = "none"

    def play(self, act: Callable[[RecurringChecks], Awaitable[None]]) -> None:
        def read() -> str:
            self.asked += 1
            return self.says

        async def work(org: MirroredOrganisation) -> None:
            await act(RecurringChecks(org, PauseSwitch("test", read=read), self.gate, lambda: self.seconds))

        self.world.with_m3ter(work)

    def lists_read(self) -> int:
        return sum(one["method"] == "GET" and one["path"].endswith("/users") for one in self.world.m3ter.requests())


@pytest.fixture
def watch(sqlite_world: World) -> Watch:
    """Return checks that were never made."""
    sqlite_world.snapshot()
    return Watch(sqlite_world)


def test_pause_switch_is_asked_each_second_and_m3ter_read_each_minute(watch: Watch) -> None:
    async def act(checks: RecurringChecks) -> None:
        await checks.look_before_sending()
        read = watch.lists_read()
        await checks.check_what_is_due()
        await checks.check_what_is_due()
        assert (watch.asked, watch.lists_read() - read) == (1, 0)
        watch.seconds += ASK_PAUSE_EVERY
        await checks.check_what_is_due()
        assert (watch.asked, watch.lists_read() - read) == (2, 0)
        watch.seconds += LOOK_EVERY
        await checks.check_what_is_due()
        assert (watch.asked, watch.lists_read() - read) == (3, 1)

    watch.play(act)
    assert watch.gate.is_open


def test_a_pause_requests_a_stop_and_nothing_is_checked_any_more(watch: Watch) -> None:
    watch.says = "all"

    async def act(checks: RecurringChecks) -> None:
        read = watch.lists_read()
        await checks.check_what_is_due()
        watch.seconds += 2 * LOOK_EVERY
        await checks.check_what_is_due()
        assert (watch.asked, watch.lists_read() - read) == (1, 0)

    watch.play(act)
    assert "sending is paused" in str(watch.gate.stop.reason)


def test_a_look_that_fails_closes_the_gate_while_sending_and_raises_before(watch: Watch) -> None:
    watch.world.m3ter.faults(method="GET", path="/users$", kind="status", status=404)

    async def act(checks: RecurringChecks) -> None:
        with pytest.raises(M3terError):
            await checks.look_before_sending()
        assert watch.gate.is_open
        await checks.look()

    watch.play(act)
    assert "Looking again in m3ter failed" in str(watch.gate.failure)


def test_a_look_is_given_up_for_a_stop(watch: Watch) -> None:
    watch.world.m3ter.faults(method="GET", path="/users$", kind="latency", seconds=1.5)
    looked: list[bool] = []

    async def act(checks: RecurringChecks) -> None:
        checks.gate.stop.request("SIGTERM", grace=1.0)
        looked.append(await checks.look_unless_stopped())

    began = time.monotonic()
    watch.play(act)
    assert looked == [False]
    assert time.monotonic() - began < 1.4
