"""What the ledger's short words mean, as people are told."""

from __future__ import annotations

from typing import Any

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

VERDICTS: dict[str, str] = {
    "invite": "to be invited",
    "skip": "nothing to do",
    "invalid": "row cannot be used",
    "review": "needs a person",
}

REASONS: dict[str, str] = {
    "new": "nothing stands against it",
    "expired": "the last invitation expired",
    "rehire": "was a member, and access has ended",
    "requested": "somebody asked to try again",
    "already_invited": "has an invitation that can still be accepted, or one is on its way",
    "already_member": "is a member of the organisation",
    "excluded": "excluded by the configuration",
    "domain_not_allowed": "the m3ter connection does not send to this domain",
    "too_early": "starts too far in the future",
    "too_old": "started too long ago",
    "refused_before": "m3ter refused exactly this before",
    "duplicate_in_batch": "another row has the same address or employee",
    "email_changed": "was invited, or is a member, with another address",
    "missing_in_m3ter": "was invited or a member, and m3ter knows neither any more",
    "unknown_outcome": "nobody can tell whether the last attempt sent an e-mail",
    "policy": "the permission policy is not in m3ter, or two bear its name",
    "policy_not_allowed": "asks for a permission policy that may not be given",
    "employee_id": "employee_id is missing or wrong",
    "email": "the address is missing or wrong",
    "first_name": "first_name is missing or wrong",
    "last_name": "last_name is missing or wrong",
    "contact_number": "contact_number is wrong",
    "dates": "a date is wrong",
    "time_zone": "the time zone is unknown",
}

#: What a person can do about a row for review, by its reason.
WAYS: dict[str, str] = {
    "email_changed": (
        "If the new address counts: see in m3ter whether the old one still has access, then replace the old invitation"
        " here. The next run that reads the row invites the new address. If the old one counts: correct the warehouse."
    ),
    "rehire": "Renew access in m3ter, or set `if_rehire: invite` in the configuration.",
    "expired": "Invite again here, or set `if_expired: invite` in the configuration.",
    "missing_in_m3ter": (
        "Look in m3ter's console. If the invitation or the person was removed by mistake, replace the old invitation"
        " here: the next run that reads the row invites again."
    ),
    "policy_not_allowed": "Mend the row in the warehouse, or allow the policy in the configuration.",
    "unknown_outcome": "Look in m3ter's console whether there is an invitation or a user, then decide here.",
}

#: The same, where there is no invitation that this reader could replace.
NO_WAYS: dict[str, str] = {
    "email_changed": (
        "Nothing is left to be replaced here. If it was replaced since this plan, the next run that reads the row"
        " decides anew. Else the other address is a user of m3ter, or its invitation is on its way or not yours to"
        " decide. If the new address counts: end the access of the old one in m3ter's console; the next run that reads"
        " the row sees it. If the old one counts: correct the warehouse."
    ),
    "missing_in_m3ter": (
        "Nothing is left to be replaced here. If it was replaced since this plan, the next run that reads the row"
        " decides anew. Else m3ter, as last read, still lists something of this person, or the invitation is not yours"
        " to decide: look in m3ter's console and give access there; the next run that reads the row sees it."
    ),
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


def decision(verdict: str, reason: str) -> str:
    """Say a decision with its reason."""
    return f"{VERDICTS.get(verdict, verdict)} ({REASONS.get(reason, reason.replace('_', ' '))})"


def event(why: str) -> str:
    """Say what changed an invitation."""
    return WHYS.get(why, f"{why.replace('_', ' ').capitalize()}.")


def glossary() -> dict[str, Any]:
    """Return what the page's script needs to name states and decisions."""
    return {"states": STATES, "verdicts": VERDICTS, "reasons": REASONS, "ways": WAYS}
