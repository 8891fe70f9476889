"""What waits for a person, and what they decide: once, by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from m3ter_onboarding.known import InvitationState
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decided_by_hand import DecidedOtherwiseError, decide_by_hand, ways_out
from tests.page.conftest import Page
from tests.page.ledger import NOW
from tests.page.test_access import KEY


def test_the_list(page: Callable[[str], Page]) -> None:
    anna = page("anna")
    found = anna.get(f"api/review/{KEY}")
    [unclear] = found["invitations"]
    assert (unclear["email"], unclear["to"]) == ("dan@example.com", ["sent", "superseded", "unsent"])
    assert "cannot explain" in unclear["said"]
    [row] = found["rows"]
    assert (row["reason"], row["invitation_id"], row["to"]) == ("email_changed", 5, ["superseded"])
    assert "new address" in row["way"]
    assert found["may_decide"]


@pytest.mark.parametrize("to", ["sent", "unsent", "superseded"])
def test_a_decision_is_written_once_and_by_name(page: Callable[[str], Page], ledger: LedgerDatabase, to: str) -> None:
    anna = page("anna")
    body = {"ledger": KEY, "seen": "review", "to": to, "why": "Looked in m3ter's console."}
    assert anna.post("api/review/4", body) == {"state": to}
    assert "changed since" in anna.post("api/review/4", body, 409)["detail"]
    t = ledger.tables
    with ledger.engine.connect() as connection:
        row = connection.execute(select(t.invitation).where(t.invitation.c.invitation_id == 4)).one()
        events = connection.execute(
            select(t.event).where(t.event.c.invitation_id == 4, t.event.c.why == "decided")
        ).all()
    assert row.state == to
    assert (row.sent_at is not None) == (to == "sent")
    [event] = events
    assert (event.from_state, event.to_state, event.decided_by) == ("review", to, "anna")
    assert event.message == "Looked in m3ter's console."
    story = anna.get(f"api/stories/invitation/{KEY}/4")
    assert story["steps"][-1]["decided_by"] == "anna"


@pytest.mark.parametrize("state", [state.value for state in InvitationState])
def test_nothing_else_can_be_decided(page: Callable[[str], Page], state: str) -> None:
    anna = page("anna")
    for to in {"sent", "unsent", "superseded"} - ways_out(state):
        answer = anna.post("api/review/4", {"ledger": KEY, "seen": state, "to": to}, 409)
        assert "by hand" in answer["detail"]
    assert ways_out(state) == {
        "review": {"sent", "unsent", "superseded"},
        "sent": {"superseded"},
        "adopted": {"superseded"},
    }.get(state, set())


def test_a_commit_that_went_through_unheard_is_told_from_another_person(ledger: LedgerDatabase) -> None:
    def decide(who: str) -> None:
        decide_by_hand(ledger, 4, seen="review", to="unsent", who=who, why=None, now=NOW)

    decide("anna")
    decide("anna")  # as if the first try's COMMIT had been lost
    with pytest.raises(DecidedOtherwiseError, match="changed since"):
        decide("bert")
