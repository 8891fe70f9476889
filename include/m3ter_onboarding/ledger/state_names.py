"""What states and events of an invitation are called, in words for people."""

from __future__ import annotations

STATES: dict[str, str] = {
    "sending": "being sent",
    "unknown": "no answer yet",
    "review": "needs a person",
    "sent": "invited",
    "adopted": "invited by somebody else",
    "accepted": "accepted",
    "expired": "expired",
    "unsent": "not sent",
    "failed": "refused",
    "superseded": "replaced",
}

WHYS: dict[str, str] = {
    "claimed": "A run took it up, to send it.",
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
    "absent_again": "Two attempts got no answer, and m3ter lists neither: it is not tried a third time.",
    "older_than_life": "The attempt is too old for a look in m3ter to prove anything.",
    "unexplained_entry": "m3ter holds something of that time that the ledger cannot explain: perhaps this one.",
    "found": "It was found in m3ter.",
    "found_late": "It was found in m3ter later: the e-mail had been sent after all.",
    "found_expired": "It was found in m3ter, expired.",
    "found_as_user": "The person is a user in m3ter: it was accepted.",
    "m3ter_says": "m3ter says how it went on.",
    "access_ended": "The person's access to m3ter has ended.",
    "late_success": "m3ter holds it, beside another one of the same address.",
    "other_address_sent": "Another address of this employee was invited.",
    "decided": "A person decided.",
}


def event(why: str) -> str:
    """Say what changed an invitation."""
    return WHYS.get(why, f"{why.replace('_', ' ').capitalize()}.")
