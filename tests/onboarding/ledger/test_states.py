"""The state machine of an invitation: its sets, its transitions, and that nothing else is written."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import get_args

import pytest

from m3ter_onboarding.ledger import states
from m3ter_onboarding.ledger.events import Event
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.states import (
    CLAIMABLE_STATES,
    ENDED_STATES,
    LIVE_STATES,
    STATES,
    SUCCESS_STATES,
    TRANSITIONS,
    UNANSWERED_STATES,
    WHYS,
    InvitationState,
    leads_from,
    leads_to,
    state_values,
)
from m3ter_onboarding.page.routes import people_routes, review_routes
from tests.support.allowed_transitions import ALLOWED, BY_A_PERSON, is_allowed

APPLICATION = Path(states.__file__).parent.parent
#: Words that are names of states, and mean nothing else in a comparison with one.
NAMES = "|".join(state.value for state in InvitationState)

every = [
    (before.value if before else None, why, after.value)
    for transition in TRANSITIONS
    for before in sorted(transition.before, key=str)
    for why in transition.whys
    for after in sorted(transition.after)
]


@pytest.mark.parametrize(("before", "why", "after"), every)
def test_a_transition_is_one_that_the_tests_know(before: str | None, why: str, after: str) -> None:
    if why == "decided":
        assert before is not None
        assert after in BY_A_PERSON[before]
    else:
        assert is_allowed(before, after, why)


def test_every_arrow_that_the_tests_know_is_a_transition() -> None:
    arrows = {(before, after) for before, afters in ALLOWED.items() for after in afters}
    arrows |= {(before, after) for before, afters in BY_A_PERSON.items() for after in afters}
    assert arrows <= {(before, after) for before, _, after in every}


def test_every_state_and_every_event_has_words() -> None:
    assert list(STATES) == [state.value for state in InvitationState]
    assert set(WHYS) == {why for _, why, _ in every}


def test_live_claimable_and_ended_are_all_states() -> None:
    assert set(InvitationState) == LIVE_STATES | CLAIMABLE_STATES | ENDED_STATES
    assert len(LIVE_STATES) + len(CLAIMABLE_STATES) + len(ENDED_STATES) == len(InvitationState)
    assert LIVE_STATES == UNANSWERED_STATES | SUCCESS_STATES


def test_states_stand_in_statements_in_one_order() -> None:
    assert state_values(CLAIMABLE_STATES) == ("failed", "unsent")
    assert all(type(value) is str for value in state_values(InvitationState))


def test_what_leads_from_and_to_is_the_table() -> None:
    assert leads_from("claimed", InvitationState.SENDING) == {None, InvitationState.UNSENT, InvitationState.FAILED}
    assert leads_to("decided", InvitationState.REVIEW) == {
        InvitationState.SENT,
        InvitationState.UNSENT,
        InvitationState.SUPERSEDED,
    }
    assert leads_to("decided", InvitationState.EXPIRED) == frozenset()


@pytest.mark.parametrize(
    ("state", "why", "only_from"),
    [
        (InvitationState.SENT, "refused", None),
        (InvitationState.SENDING, "answered", None),
        (InvitationState.UNSENT, "nonsense", None),
        (InvitationState.FAILED, "refused", InvitationState.SENT),
        (InvitationState.SUPERSEDED, "other_address_sent", InvitationState.FAILED),
    ],
)
def test_an_outcome_that_is_no_transition_cannot_be_made(
    state: InvitationState, why: str, only_from: InvitationState | None
) -> None:
    with pytest.raises(ValueError, match="No invitation"):
        Outcome(1, state, why, only_from=only_from)


def test_an_event_that_is_no_transition_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"from \(none\) to sent by 'answered'"):
        Event(1, "org", None, InvitationState.SENT, "answered", datetime.now(timezone.utc))


def test_the_page_takes_the_states_that_there_are() -> None:
    assert {state.value for state in InvitationState} == set(STATES)
    states = people_routes.ListBody.model_fields["states"].annotation
    assert get_args(states) == (InvitationState,)
    decided = {after for _, why, after in every if why == "decided"}
    assert set(get_args(review_routes.DecisionBody.model_fields["to"].annotation)) == decided


def test_no_other_module_compares_a_state_with_a_word() -> None:
    compared = re.compile(
        rf"""(?:\bstate|\.state|to_state|from_state)\s*(?:==|!=|=)\s*["'](?:{NAMES})["']|\.in_\(\(?["'](?:{NAMES})["']"""
    )
    found = [
        f"{path.relative_to(APPLICATION)}: {line.strip()}"
        for path in APPLICATION.rglob("*.py")
        if path.name != "states.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if compared.search(line)
    ]
    assert found == []
