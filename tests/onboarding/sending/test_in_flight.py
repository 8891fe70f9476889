"""Attempts in flight: each is recorded once, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.sending.attempt import Attempt
from m3ter_onboarding.sending.circuit_breaker import Breaker
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.in_flight import InFlight
from m3ter_onboarding.sending.lease import Lease
from m3ter_onboarding.sending.stop_signals import Stop
from tests.support.sealed_plans import BOUND, claimed_for
from tests.support.world import World

POST = "CreateOrgUserInvitation"


@dataclass
class Flight:
    """Attempts against a local m3ter, and what was recorded of them."""

    world: World
    gate: Gate = field(default_factory=lambda: Gate(Stop()))
    breaker: Breaker = field(default_factory=Breaker)
    recorded: list[tuple[int, str, str]] = field(default_factory=list)

    def attempt(self, number: int, *, lease: float = 60.0) -> Attempt:
        request = {"email": f"e{number}@example.com", "firstName": "Given", "lastName": "Family"}
        return Attempt(claimed_for(number, request), "token", Lease(lease, lambda: 0.0))

    def record(self, attempt: Attempt, outcome: Outcome) -> None:
        assert attempt.claimed.invitation_id == outcome.invitation_id
        self.recorded.append((outcome.invitation_id, outcome.state.value, outcome.why))

    def play(self, act: Callable[[InFlight], Awaitable[None]], **connection: Any) -> None:
        async def work(org: MirroredOrganisation) -> None:
            await act(InFlight(org.m3ter, BOUND, self.gate, self.breaker, self.record))

        self.world.with_m3ter(work, **connection)


@pytest.fixture
def flight(sqlite_world: World) -> Flight:
    """Return a flight in which nothing has begun."""
    return Flight(sqlite_world)


async def landed(in_flight: InFlight) -> None:
    while in_flight:
        await in_flight.movement(5.0)


def test_an_attempt_is_recorded_when_it_is_answered(flight: Flight) -> None:
    async def act(in_flight: InFlight) -> None:
        in_flight.begin(flight.attempt(1))
        assert (len(in_flight), in_flight.waiting_for_pace, in_flight.posted) == (1, 1, 0)
        await landed(in_flight)

    flight.play(act)
    assert flight.recorded == [(1, "sent", "answered")]
    assert flight.world.emails() == {"e1@example.com": 1}


def test_no_post_begins_through_a_closed_gate(flight: Flight) -> None:
    flight.gate.close(DeliveryError("it is a test"))

    async def act(in_flight: InFlight) -> None:
        in_flight.begin(flight.attempt(1))
        await landed(in_flight)

    flight.play(act)
    assert flight.recorded == [(1, "unsent", "not_begun")]
    assert flight.world.posts() == 0


def test_no_post_begins_when_the_lease_is_too_short(flight: Flight) -> None:
    async def act(in_flight: InFlight) -> None:
        in_flight.begin(flight.attempt(1, lease=0.5))  # shorter than the time-out of a POST
        await landed(in_flight)

    flight.play(act)
    assert flight.recorded == [(1, "unsent", "not_begun")]
    assert flight.world.posts() == 0


def test_what_is_called_off_is_recorded_and_what_was_posted_goes_on(flight: Flight) -> None:
    flight.world.m3ter.faults(operation=POST, kind="latency", seconds=0.2)

    async def act(in_flight: InFlight) -> None:
        in_flight.begin(flight.attempt(1))
        while not in_flight.posted:
            await in_flight.movement(5.0)
        in_flight.begin(flight.attempt(2))  # cancelled before its first step
        await in_flight.call_off()
        assert flight.recorded == [(2, "unsent", "not_begun")]
        assert (len(in_flight), in_flight.posted) == (1, 1)
        await in_flight.finish()
        assert not in_flight

    flight.play(act)
    assert flight.recorded[1:] == [(1, "sent", "answered")]
    assert flight.world.emails() == {"e1@example.com": 1}


def test_what_is_posted_and_not_answered_in_time_is_left_to_settling(flight: Flight) -> None:
    flight.world.m3ter.faults(operation=POST, kind="latency", seconds=1.0)

    async def act(in_flight: InFlight) -> None:
        in_flight.begin(flight.attempt(1))
        while not in_flight.posted:
            await in_flight.movement(5.0)
        flight.gate.stop.request("SIGTERM", grace=0.05)
        await in_flight.finish()
        assert not in_flight

    flight.play(act)
    assert flight.recorded == [], "the row stays `sending`"


def test_what_concerns_every_invitation_closes_the_gate(flight: Flight) -> None:
    flight.world.m3ter.faults(operation=POST, kind="status", status=404)

    async def act(in_flight: InFlight) -> None:
        in_flight.begin(flight.attempt(1))
        await landed(in_flight)

    flight.play(act)
    assert flight.recorded == [(1, "unsent", "turned_away")]
    assert flight.gate.failure is not None


def test_an_open_breaker_closes_the_gate(flight: Flight) -> None:
    flight.breaker = Breaker(failures=2, percent=None)
    flight.world.m3ter.faults(operation=POST, kind="status", status=400)

    async def act(in_flight: InFlight) -> None:
        for number in (1, 2):
            in_flight.begin(flight.attempt(number))
            await landed(in_flight)
            await asyncio.sleep(0)

    flight.play(act)
    assert [state for _, state, _ in flight.recorded] == ["failed", "failed"]
    assert "stop_after_failures" in str(flight.gate.failure)
