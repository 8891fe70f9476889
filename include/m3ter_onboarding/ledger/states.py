"""The state machine of an invitation: its states, every named set of them, and which change leads from one to another.

All SQL, the page and the drawing in docs/delivery.md take states, sets and changes from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class InvitationState(str, Enum):
    """Where one invitation stands; the ledger's ``state`` column holds the value."""

    SENDING = "sending"  #: claimed by a sender; its POST may or may not have begun
    UNKNOWN = "unknown"  #: the POST got no usable answer; to be looked up in m3ter
    REVIEW = "review"  #: looking it up decides nothing; a person decides
    SENT = "sent"  #: m3ter made the invitation and e-mailed it
    ADOPTED = "adopted"  #: found in m3ter, not made by this ledger
    ACCEPTED = "accepted"  #: the person joined, or is a user of the organisation
    EXPIRED = "expired"  #: no longer valid, never accepted
    UNSENT = "unsent"  #: certainly not sent; may be claimed again
    FAILED = "failed"  #: refused by m3ter; claimed again only when the request changed or someone asks
    SUPERSEDED = "superseded"  #: another invitation counts instead


_SENDING, _UNKNOWN, _REVIEW = InvitationState.SENDING, InvitationState.UNKNOWN, InvitationState.REVIEW
_SENT, _ADOPTED, _ACCEPTED = InvitationState.SENT, InvitationState.ADOPTED, InvitationState.ACCEPTED
_UNSENT, _FAILED = InvitationState.UNSENT, InvitationState.FAILED
_EXPIRED, _SUPERSEDED = InvitationState.EXPIRED, InvitationState.SUPERSEDED

States = frozenset[InvitationState]

#: The outcome is not known yet: a run is not finished while one of its people is here.
OPEN_STATES: States = frozenset({_SENDING, _UNKNOWN})
#: Whether an e-mail was sent is not known, or not yet.
UNANSWERED_STATES: States = OPEN_STATES | {_REVIEW}
#: Certainly not sent: a claim may begin here again.
CLAIMABLE_STATES: States = frozenset({_UNSENT, _FAILED})
#: From here a success is still news.
NOT_YET_SENT_STATES: States = UNANSWERED_STATES | CLAIMABLE_STATES
#: What m3ter lists is news for these, even under an id that the row holds already: expired, and not by m3ter, was
#: revived, perhaps by a POST of ours; not sent was written by hand.
FOUND_AGAIN_STATES: States = NOT_YET_SENT_STATES | {_EXPIRED}
#: Sent, and m3ter will say how it went on.
ON_ITS_WAY_STATES: States = frozenset({_SENT, _ADOPTED})
#: A success: m3ter holds it.
SUCCESS_STATES: States = ON_ITS_WAY_STATES | {_ACCEPTED}
#: At most one of these for an address and for an employee: the guard against a second e-mail.
LIVE_STATES: States = UNANSWERED_STATES | SUCCESS_STATES
#: Over. A new invitation of the address is a new generation.
ENDED_STATES: States = frozenset({_EXPIRED, _SUPERSEDED})
#: The employee has our e-mail, or joined: what was never sent to another address of theirs is superseded.
INVITED_STATES: States = frozenset({_SENT, _ACCEPTED})
#: Of those that this ledger set out to send: was sent, whatever became of it later.
ONCE_SENT_STATES: States = INVITED_STATES | ENDED_STATES


def state_values(states: Iterable[InvitationState]) -> tuple[str, ...]:
    """Return states as the ledger's column holds them, in one order, so that a statement has one text."""
    return tuple(sorted(state.value for state in states))


@dataclass(frozen=True)
class Transition:
    """A change of state that may happen: one line of the drawing in docs/delivery.md.

    :param whys: what may have happened, each the ``why`` of an event.
    :param before: from any of these; None: the row begins.
    :param after: to any of these.
    """

    whys: tuple[str, ...]
    before: frozenset[InvitationState | None]
    after: States


def _may(before: Iterable[InvitationState | None], after: Iterable[InvitationState], *whys: str) -> Transition:
    return Transition(whys, frozenset(before), frozenset(after))


#: Everything that may happen to an invitation; nothing else is ever written.
TRANSITIONS: tuple[Transition, ...] = (
    _may({None, _UNSENT, _FAILED}, {_SENDING}, "claimed"),
    _may({None}, {_ADOPTED, _ACCEPTED}, "found"),
    # An attempt ended, as its own sender saw it.
    _may({_SENDING}, {_FAILED}, "refused", "invalid_request"),
    _may({_SENDING}, {_UNSENT}, "turned_away", "not_reached", "lease_too_short", "unexpected"),
    _may({_SENDING}, {_UNKNOWN}, "no_answer", "refused_not_looked", "unexpected"),
    # Its sender can no longer act, and it was looked up in m3ter. A sender itself records `not_begun`, too.
    _may({_SENDING}, {_UNKNOWN}, "absent_once"),
    _may(OPEN_STATES, {_UNSENT}, "not_begun", "absent_twice"),
    _may(OPEN_STATES, {_REVIEW}, "absent_again", "older_than_life", "unexplained_entry"),
    # A success, however late and whoever saw it.
    _may(NOT_YET_SENT_STATES, {_SENT}, "answered", "found", "found_late", "found_expired"),
    _may(NOT_YET_SENT_STATES, {_ADOPTED}, "found"),
    _may(NOT_YET_SENT_STATES, {_ACCEPTED}, "found", "found_as_user"),
    _may(NOT_YET_SENT_STATES, {_SUPERSEDED}, "late_success"),
    _may({_UNSENT}, {_SUPERSEDED}, "other_address_sent"),
    _may(ON_ITS_WAY_STATES, {_ACCEPTED}, "found", "found_as_user"),
    _may(ON_ITS_WAY_STATES, {_ACCEPTED, _EXPIRED}, "m3ter_says"),
    _may({_ACCEPTED}, {_SUPERSEDED}, "access_ended"),
    _may({_REVIEW}, {_SENT, _UNSENT, _SUPERSEDED}, "decided"),
    # An accepted one only while m3ter lists neither an invitation nor a user of it.
    _may(SUCCESS_STATES, {_SUPERSEDED}, "decided"),
)


def leads_from(why: str, after: InvitationState) -> frozenset[InvitationState | None]:
    """Return from which states something that happened leads to a state; None: the row begins.

    :raises ValueError: when there is no such transition: a programming error.
    """
    found = [transition.before for transition in TRANSITIONS if why in transition.whys and after in transition.after]
    if not found:
        raise ValueError(f"No invitation becomes {after.value!r} by {why!r}.")
    return frozenset().union(*found)


def leads_to(why: str, before: InvitationState | None) -> States:
    """Return to which states something that happens may lead from a state; empty: it does not happen there."""
    none: States = frozenset()
    return none.union(*(one.after for one in TRANSITIONS if why in one.whys and before in one.before))


#: What states are called, in words for people.
STATES: dict[str, str] = {
    _SENDING.value: "being sent",
    _UNKNOWN.value: "no answer yet",
    _REVIEW.value: "needs a person",
    _SENT.value: "invited",
    _ADOPTED.value: "invited by somebody else",
    _ACCEPTED.value: "accepted",
    _EXPIRED.value: "expired",
    _UNSENT.value: "not sent",
    _FAILED.value: "refused",
    _SUPERSEDED.value: "superseded",
}

#: What each event says, in words for people.
WHYS: dict[str, str] = {
    "claimed": "A run claimed it, to send it.",
    "answered": "m3ter made the invitation and sent the e-mail.",
    "refused": "m3ter refused it.",
    "refused_not_looked": "m3ter refused it, and whether it is there all the same could not be looked up.",
    "invalid_request": "It was not sent: m3ter would not take such a request.",
    "turned_away": "m3ter turned the attempt away before it did anything.",
    "not_reached": "m3ter could not be reached, so nothing was sent.",
    "no_answer": "m3ter gave no usable answer: whether an e-mail was sent has to be looked up.",
    "not_begun": "The attempt was never begun, so nothing was sent.",
    "lease_too_short": "There was not enough time left to send it safely, so nothing was sent.",
    "unexpected": "Something unexpected happened in the attempt.",
    "absent_once": "m3ter does not list it; a second look follows.",
    "absent_twice": "m3ter does not list it in two looks: nothing was sent.",
    "absent_again": "The attempts of several runs got no answer, and m3ter lists none: a person decides.",
    "older_than_life": "The attempt is too old for a look in m3ter to prove anything.",
    "unexplained_entry": "m3ter holds something of that time that the ledger cannot explain: perhaps this one.",
    "found": "It was found in m3ter.",
    "found_late": "It was found in m3ter later: the e-mail had been sent after all.",
    "found_expired": "It was found in m3ter, expired.",
    "found_as_user": "The person is a user in m3ter: it was accepted.",
    "m3ter_says": "m3ter's lists show what became of it.",
    "access_ended": "The person's access to m3ter has ended.",
    "late_success": "m3ter holds it, beside another one of the same address.",
    "other_address_sent": "Another address of this employee was invited.",
    "decided": "A person decided.",
}


def event_sentence(why: str) -> str:
    """Return what changed an invitation, as a sentence."""
    return WHYS.get(why, f"{why.replace('_', ' ').capitalize()}.")
