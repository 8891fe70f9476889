"""Progress: what a sender counts, and when it logs."""

from __future__ import annotations

import pytest

from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.remaining import Remaining
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.sending.progress import PROGRESS_EVERY, Delivered, Progress

LEFT = Remaining(held=1, open=2, unsent=0, fallen_back=0, no_trace=0, failed=0, review=0)

#: What the sender says of an attempt that ended so.
WHY = {
    InvitationState.SENT: "answered",
    InvitationState.FAILED: "refused",
    InvitationState.UNKNOWN: "no_answer",
    InvitationState.UNSENT: "not_begun",
}


def outcomes(state: InvitationState, count: int) -> list[Outcome]:
    return [Outcome(number, state, WHY[state]) for number in range(count)]


@pytest.fixture
def seconds() -> list[float]:
    """Return the clock's time, to be put forward."""
    return [100.0]


@pytest.fixture
def progress(seconds: list[float]) -> Progress:
    """Return the progress of a sender that begins now."""
    return Progress(lambda: seconds[0])


def test_progress_counts_answers_and_lost_answers(progress: Progress) -> None:
    for state, count in ((InvitationState.SENT, 3), (InvitationState.UNKNOWN, 2), (InvitationState.FAILED, 4)):
        for outcome in outcomes(state, count):
            progress.count(outcome)
    assert (progress.done.sent, progress.done.unknown) == (3, 2)


def test_progress_is_logged_now_and_then(
    progress: Progress, seconds: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    progress.to_send = 60
    for outcome in outcomes(InvitationState.SENT, 20):
        progress.count(outcome)
    seconds[0] += PROGRESS_EVERY - 1
    progress.log_sending()
    assert caplog.messages == []
    seconds[0] += 1
    progress.log_sending()
    progress.log_sending()
    assert caplog.messages == ["Sent 20 (2.0/s), 40 left, 0 without answer, about 0:00:20 to go."]


def test_waiting_is_logged_at_once_and_then_as_often_as_progress(
    progress: Progress, seconds: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    seconds[0] += 1
    for _ in range(3):
        progress.log_waiting(LEFT, 7.0)
    assert caplog.messages == ["Waiting for 3 open invitation(s) of this plan: the next look in m3ter is due in 7 s."]
    seconds[0] += PROGRESS_EVERY
    progress.log_waiting(LEFT, 6.0)
    assert len(caplog.messages) == 2


def test_a_summary_names_every_count() -> None:
    assert Delivered(unknown=1, events={"sent": 2, "unsent": 5}).summary() == {
        "sent": 2,
        "adopted": 0,
        "accepted": 0,
        "failed": 0,
        "review": 0,
        "without_answer": 1,
    }
