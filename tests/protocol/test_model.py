"""The model of the protocol: it holds, it fails without its rules, and it speaks of the real code."""

from __future__ import annotations

import pytest

from m3ter_onboarding.ledger.states import (
    CLAIMABLE_STATES,
    LIVE_STATES,
    NOT_YET_SENT_STATES,
    OPEN_STATES,
    SUCCESS_STATES,
    TRANSITIONS,
    InvitationState,
    state_values,
)
from tests.protocol import model
from tests.protocol.cases import CASES, SMALL, Case
from tests.protocol.explore import explore
from tests.protocol.rules import ASSUMPTIONS, RULES, Scope

#: What happens only where there is another address or another e-mail, where access ends, or where a person decides.
NOT_OF_ONE_ADDRESS = {"late_success", "other_address_sent", "access_ended", "decided"}

#: Transitions of the code that no exploration of one address takes, and why.
NOT_MODELLED = {
    ("failed", "sending"): "only when the request changed, or a person asks",
    ("failed", "accepted"): "the model adopts first, and then sees the acceptance",
    ("failed", "sent"): "m3ter never lists what it refused, nor what two looks proved absent",
    ("review", "adopted"): "an entry by hand beside a rewritten address is in no small scope",
    ("review", "accepted"): "nor is that entry's acceptance",
    ("unsent", "sent"): "two looks never miss what was made, while m3ter keeps its bounds",
    ("adopted", "expired"): "expiry of what others made is of no consequence to us",
}


def transitions_of_the_code() -> set[tuple[str, str]]:
    """Return the changes of state that the ledger's code allows, of one address and without a person's decision."""
    return {
        (before.value if before else "", after.value)
        for transition in TRANSITIONS
        if not NOT_OF_ONE_ADDRESS.issuperset(transition.whys)
        for before in transition.before
        for after in transition.after
    }


@pytest.fixture(scope="module")
def taken() -> set[tuple[str, str]]:
    changes: set[tuple[str, str]] = set()
    for scope in SMALL:
        seen = explore(scope)
        assert seen.broken is None, "\n".join([f"{scope.name}: {seen.broken}", *seen.trace])
        assert seen.quiet > 10
        changes |= seen.state_changes
    return changes


def test_every_rule_on_nothing_is_broken_and_only_the_codes_transitions_are_taken(taken: set[tuple[str, str]]) -> None:
    assert taken <= transitions_of_the_code()


def test_every_transition_of_the_code_is_taken_but_those_with_a_reason(taken: set[tuple[str, str]]) -> None:
    assert transitions_of_the_code() - taken == set(NOT_MODELLED)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_without_a_rule_something_breaks_or_another_stands_behind_it(case: Case) -> None:
    seen = explore(case.scope, case.off, symmetric=False)
    assert (seen.broken is None) == bool(case.redundant_since), (seen.broken, seen.trace)
    assert (seen.broken is None) == (not seen.trace)


#: The model does not prove these needed, not even in a pair.
NEVER_CAUGHT = {"mirror_in_claim", "users_last"}


def test_every_rule_and_assumption_is_switched_off_alone_and_then_caught_or_caught_in_a_pair() -> None:
    alone = {name for case in CASES if len(case.off) == 1 for name in case.off}
    caught = {name for case in CASES if not case.redundant_since for name in case.off}
    names = {rule.name for rule in (*RULES, *ASSUMPTIONS)}
    assert alone == names
    assert caught == names - NEVER_CAUGHT


def test_the_models_states_are_the_ledgers() -> None:
    modelled = {model.SENDING, model.UNKNOWN, model.REVIEW, model.SENT, model.ADOPTED, model.ACCEPTED}
    assert {state.value for state in LIVE_STATES} == modelled == model.LIVE
    assert {state.value for state in OPEN_STATES} == model.OPEN
    assert modelled | {model.UNSENT, model.FAILED, model.EXPIRED, "superseded"} == {s.value for s in InvitationState}


def test_the_models_successes_are_the_ledgers() -> None:
    assert set(state_values(NOT_YET_SENT_STATES)) == model.NOT_YET_SENT
    assert set(state_values(SUCCESS_STATES)) == model.SUCCESS
    # `failed` needs a changed request, which the model leaves out.
    assert model.CLAIMABLE - {model.NOBODY} == set(state_values(CLAIMABLE_STATES)) - {model.FAILED}


def test_settle_after_exceeds_late_commits_and_lag() -> None:
    assert model.SETTLE_AFTER > model.LATE + model.LAG


def test_shortest_trace_reads_from_start_to_break() -> None:
    seen = explore(Scope("one sender"), frozenset({"never_resend"}), symmetric=False)
    assert seen.trace[0] == "sender A starts with plan 1 and looks in m3ter"
    assert seen.broken == "a second e-mail"
    assert len([step for step in seen.trace if step.endswith("POSTs")]) == 2


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="No such rules"):
        explore(Scope("one sender"), frozenset({"no_such_rule"}))
