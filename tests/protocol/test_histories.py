"""docs/delivery.md as a whole: in any order of events, nobody is invited twice and nobody is forgotten.

``M3TER_CHAOS_EXAMPLES`` asks for so many random examples instead of a few fixed ones.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from m3ter_sandbox.testing import SandboxServer
from tests.support.interruptions import Frozen, Killed, Uninterrupted
from tests.support.machine_environment import MachineEnvironment, machine_environment_on
from tests.support.organisation_machine import OrganisationMachine
from tests.support.world import world_database_on_sqlite

EXAMPLES = int(os.environ.get("M3TER_CHAOS_EXAMPLES", "0"))


@pytest.fixture
def environment(tmp_path: Path, m3ter: SandboxServer) -> Iterator[MachineEnvironment]:
    """Set up an environment of its own: its clock moves."""
    with (
        world_database_on_sqlite(tmp_path / "warehouse.db") as database,
        machine_environment_on(database, m3ter) as made,
    ):
        yield made


@pytest.mark.timeout(0 if EXAMPLES else 600)
def test_nobody_is_invited_twice_or_forgotten_in_any_order_of_events(
    environment: MachineEnvironment, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    OrganisationMachine.tally.clear()

    class Machine(OrganisationMachine):
        def __init__(self) -> None:
            super().__init__(environment)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES or 8,
            stateful_step_count=30 if EXAMPLES else 15,
            derandomize=not EXAMPLES,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    if EXAMPLES:
        with capsys.disabled():
            sys.stdout.writelines(f"{count:8} {name}\n" for name, count in sorted(OrganisationMachine.tally.items()))
    assert OrganisationMachine.tally["sent"] > 0


# -- orders of events that the search must know how to judge, each written by hand -------------------------------------

QUESTIONS = (5, 8)


@pytest.fixture
def machine(environment: MachineEnvironment) -> OrganisationMachine:
    """Begin with three people, and m3ter's lists a minute late."""
    machine = OrganisationMachine(environment)
    machine.begin(
        hired=3,
        lag=True,
        keep=(True, True),
        pending="second_email",
        precision="milliseconds",
        when_dead=("invite", "invite"),
    )
    return machine


def judged(machine: OrganisationMachine) -> None:
    """Check what must hold now and in the end."""
    machine.nobody_has_two()
    machine.ledger_keeps_its_rules()
    machine.teardown()


def test_somebody_invited_by_hand_after_the_plan_is_not_invited_again(machine: OrganisationMachine) -> None:
    machine.plan(run="monday", kind="normal", approval=False, interruption=Uninterrupted())
    machine.invite_by_hand(person=1, which=1, look=False)
    machine.correct(person=2, change=("email", 2))
    machine.m3ter.seed(invitations=[{"email": "e1@example.com", "invitingPrincipalId": "console"}])
    machine.pass_time(seconds=60.0)
    machine.send(run="monday", which=-1, fault=None, interruption=Uninterrupted())
    judged(machine)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_sender_that_wakes_up_after_its_lease_sends_nothing_more(machine: OrganisationMachine, question: int) -> None:
    machine.plan(run="monday", kind="normal", approval=False, interruption=Uninterrupted())
    machine.send(
        run="monday", which=-1, fault=None, interruption=Frozen(question, ("an hour passes", "settle", "the same plan"))
    )
    judged(machine)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_dead_senders_invitations_are_found_where_the_list_lags(machine: OrganisationMachine, question: int) -> None:
    machine.plan(run="monday", kind="normal", approval=False, interruption=Uninterrupted())
    machine.send(run="monday", which=-1, fault=None, interruption=Killed(question))
    machine.pass_time(seconds=20.0)
    machine.settle(interruption=Uninterrupted())
    machine.day(newcomers=1, fault=None, interruption=Uninterrupted())
    judged(machine)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_success_that_was_hidden_for_too_long_still_wins(machine: OrganisationMachine, question: int) -> None:
    machine.plan(run="monday", kind="normal", approval=False, interruption=Uninterrupted())
    machine.send(run="monday", which=-1, fault=None, interruption=Killed(question))
    machine.hide_what_was_made()
    judged(machine)
