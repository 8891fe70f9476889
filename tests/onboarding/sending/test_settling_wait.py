"""The wait for settling: after which rounds there is another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.planning.sealed_plan import Planned
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_onboarding.sending.progress import Progress
from m3ter_onboarding.sending.recurring_checks import RecurringChecks
from m3ter_onboarding.sending.settling_wait import MOST_IN_VAIN, SettlingWait
from m3ter_onboarding.sending.stop_signals import Stop
from tests.support.world import World


class Unhurried(Stop):
    """Notes how long would be waited, and waits not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    async def wait(self, seconds: float) -> None:
        if seconds != float("inf"):
            self.waited.append(seconds)
            return
        await super().wait(seconds)


@dataclass
class Rounds:
    """A plan whose sender asks after each round whether there is another one."""

    world: World
    plan: Planned
    stop: Unhurried = field(default_factory=Unhurried)
    seconds: float = 0.0

    def play(self, act: Callable[[SimpleNamespace], Awaitable[None]]) -> None:
        gate = Gate(self.stop)

        async def work(org: MirroredOrganisation) -> None:
            def clock() -> float:
                return self.seconds

            progress = Progress(clock)
            checks = RecurringChecks(org, PauseSwitch("test", read=lambda: None), gate, clock)
            wait = SettlingWait(org, self.plan.plan_id, checks, progress, longest=100.0, clock=clock)
            await act(SimpleNamespace(wait=wait, progress=progress, gate=gate))

        self.world.with_m3ter(work)


@pytest.fixture
def rounds(sqlite_world: World) -> Rounds:
    """Plan two invitations."""
    sqlite_world.hire("e1", "e2")
    sqlite_world.snapshot()
    return Rounds(sqlite_world, sqlite_world.plan())


def test_nothing_left_needs_no_other_round(rounds: Rounds) -> None:
    rounds.world.send(rounds.plan)

    async def act(at: SimpleNamespace) -> None:
        assert not await at.wait.another_round()

    rounds.play(act)


def test_a_failure_needs_no_other_round(rounds: Rounds) -> None:
    async def act(at: SimpleNamespace) -> None:
        at.progress.claimed += 1
        at.gate.close(DeliveryError("it is a test"))
        assert not await at.wait.another_round()

    rounds.play(act)


def test_nothing_open_and_nothing_sent_ends_the_wait(rounds: Rounds) -> None:
    async def act(at: SimpleNamespace) -> None:
        assert not await at.wait.another_round()

    rounds.play(act)
    assert rounds.stop.waited == []


def test_claims_that_keep_being_released_end_the_wait(rounds: Rounds) -> None:
    async def act(at: SimpleNamespace) -> None:
        goes_on = []
        for _ in range(MOST_IN_VAIN):
            at.progress.claimed += 1
            goes_on.append(await at.wait.another_round())
        assert goes_on == [True] * (MOST_IN_VAIN - 1) + [False]

    rounds.play(act)


def test_an_e_mail_begins_the_count_of_rounds_in_vain_anew(rounds: Rounds) -> None:
    async def act(at: SimpleNamespace) -> None:
        for number in range(3 * MOST_IN_VAIN):
            at.progress.claimed += 1
            at.progress.done.sent += number % 2
            assert await at.wait.another_round()

    rounds.play(act)


def test_another_sender_is_waited_for_and_not_for_ever(rounds: Rounds) -> None:
    rounds.world.claim(rounds.plan, lease_ms=60_000)

    async def act(at: SimpleNamespace) -> None:
        assert await at.wait.another_round()
        rounds.seconds += 101
        assert not await at.wait.another_round()

    rounds.play(act)
    assert rounds.stop.waited == [1.0]


def test_what_is_settled_begins_another_round(rounds: Rounds) -> None:
    rounds.world.claim(rounds.plan, begin=False)
    rounds.world.pass_time(120)

    async def act(at: SimpleNamespace) -> None:
        assert await at.wait.another_round()

    rounds.play(act)
    assert set(rounds.world.states().values()) == {"unsent"}
    assert rounds.stop.waited == []
