"""Decisions and their reasons in words for people, and what a person can do about a reason."""

from __future__ import annotations

from typing import Any

DECISIONS: dict[str, str] = {
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
    "erased": "their data were erased",
    "excluded": "excluded by the configuration or the row",
    "domain_not_allowed": "the m3ter connection does not send to this domain",
    "cooling_off": "the last invitation expired a short while ago",
    "too_early": "starts too far in the future",
    "too_old": "started too long ago",
    "refused_before": "m3ter refused exactly this before",
    "duplicate_in_batch": "another row has the same address or employee",
    "address_looks_alike": "another address differs only in letters such as ß and ss: perhaps another person's",
    "several_addresses": "rows of this employee name several addresses, and nothing says which one counts",
    "email_changed": "was invited, or is a member, with another address",
    "missing_in_m3ter": "was invited or a member, and m3ter lists neither any more",
    "differs_in_m3ter": "m3ter holds other values than were asked for",
    "unknown_outcome": "it is not known whether the last attempt sent an e-mail",
    "policy": "the permission policy is not in m3ter, or two have its name",
    "policy_not_allowed": "asks for a permission policy that may not be given",
    "employee_id": "employee_id is missing or wrong",
    "email": "the address is missing or wrong",
    "first_name": "first_name is missing or wrong",
    "last_name": "last_name is missing or wrong",
    "contact_number": "contact_number is wrong",
    "dates": "a date is wrong",
    "time_zone": "the time zone is unknown",
    "exclude": "exclude is no text",
    "organisation": "the organisation is missing, unknown, or spelled in another way",
}

_CORRECT = "Correct the row in the warehouse; the next run reads it again, also without a new load date."

#: The ways out of an open question, by its reason.
WAYS: dict[str, str] = {
    "policy": (
        "Make the policy in m3ter, or correct its name in the row or the configuration; where two have its name, write"
        " the id of one instead."
    ),
    **dict.fromkeys(
        ("employee_id", "email", "first_name", "last_name", "contact_number", "dates", "time_zone", "organisation"),
        _CORRECT,
    ),
    "duplicate_in_batch": "Decide which row counts, and correct the other in the warehouse.",
    "too_early": "Nothing: it is invited when it is time.",
    "excluded": "Lift the exclusion, or close this if it is meant for good.",
    "domain_not_allowed": "Allow the domain in the m3ter connection, or close this if it is meant for good.",
    "refused_before": "Read m3ter's message, and correct the row; or invite again here, which asks m3ter once more.",
    "cooling_off": "Nothing: the next may follow when the time is over. Or invite again here.",
    "address_looks_alike": (
        "See in m3ter's console and in the warehouse whether there are two people. If so: give one of them another"
        " address in the warehouse, or invite this one in m3ter's console; the next run that reads the row sees it. If"
        " it is one person: correct the address in the warehouse."
    ),
    "several_addresses": (
        "Leave one address of this employee in the warehouse, or let the query return `updated_at`: then the newest row"
        " counts."
    ),
    "email_changed": (
        "If the new address counts: see that the old one has no access in m3ter, press"
        ' "Stop counting it" here, and let the query return the new one alone; the next run invites it. If the old one'
        " counts: correct the warehouse."
    ),
    "rehire": "Renew access in m3ter, invite again here, or set `if_rehire: invite` in the configuration.",
    "expired": "Invite again here, or set `reinvite` in the configuration.",
    "missing_in_m3ter": (
        "Look in m3ter's console. If the invitation or the person was removed by mistake, press"
        ' "Stop counting it" here: the next run that reads the row invites again.'
    ),
    "policy_not_allowed": "Correct the row in the warehouse, or allow the policy in the configuration.",
    "differs_in_m3ter": (
        "Look in m3ter's console which values are right. If those that were asked for: change them there, and the next"
        " reading closes this. If m3ter's: close it here."
    ),
    "unknown_outcome": "Look in m3ter's console whether there is an invitation or a user, then decide here.",
}

_NEXT = "in the HR system; the next run picks it up."
_ASK_AGAIN = "If this person needs access, ask the data team to invite them again."

#: The same for those who keep the HR system, and have neither the warehouse nor m3ter: for files that they are given.
WAYS_FOR_HR: dict[str, str] = {
    "employee_id": f"Correct the employee id {_NEXT}",
    "email": f"Correct the address {_NEXT}",
    "first_name": f"Correct the first name {_NEXT}",
    "last_name": f"Correct the last name {_NEXT}",
    "contact_number": f"Correct the telephone number {_NEXT}",
    "dates": f"Correct the dates of the job {_NEXT}",
    "time_zone": f"Correct the time zone {_NEXT}",
    "exclude": f"Correct the mark that excludes this person {_NEXT}",
    "organisation": f"Correct the organisation of this person {_NEXT}",
    "policy": (
        f"Correct the permission policy {_NEXT} If it is right, ask the data team to make it in m3ter; where two have"
        " its name, ask them for the id of one, and write that instead."
    ),
    "policy_not_allowed": f"Correct the permission policy {_NEXT} If it is right, ask the data team to allow it.",
    "duplicate_in_batch": f"Two rows have the same address or employee id. Correct or remove the wrong one {_NEXT}",
    "several_addresses": f"Leave one address of this employee {_NEXT}",
    "address_looks_alike": (
        "Another address looks nearly the same. If it is the same person, correct the address"
        f" {_NEXT} If there are two people, tell the data team."
    ),
    "email_changed": (
        f"If the old address still counts, correct it {_NEXT} If the new one counts, tell the data team, who end the"
        " old invitation."
    ),
    "domain_not_allowed": f"Correct the address {_NEXT} If it is right, ask the data team to allow its domain.",
    "refused_before": f"m3ter refused these data. Correct them {_NEXT} The data team know what m3ter answered.",
    "excluded": "Nothing, if this person is not to be invited. Otherwise ask the data team to lift the exclusion.",
    "rehire": f"Their access has ended. {_ASK_AGAIN}",
    "expired": f"They did not accept in time. {_ASK_AGAIN}",
    "cooling_off": f"Nothing: they are invited again after a while. {_ASK_AGAIN}",
    "missing_in_m3ter": "Nothing in the HR system: tell the data team whether this person is to have access.",
    "differs_in_m3ter": "Tell the data team which values are right: those of the HR system, or those in m3ter.",
    "unknown_outcome": "Nothing in the HR system: the data team look whether an e-mail was sent.",
    "too_early": "Nothing: they are invited when their first day is near.",
}

#: Of these the address is what is wrong, or in question.
_ABOUT_THE_ADDRESS = frozenset(
    {"email", "email_changed", "domain_not_allowed", "address_looks_alike", "several_addresses"}
)

#: Asked for by a person, for one employee alone, a run with mode `retry_failed` may invite these all the same.
INVITED_AGAIN = frozenset({"expired", "rehire", "cooling_off", "refused_before"})

#: The same, where there is no invitation that this reader could supersede.
NO_WAYS: dict[str, str] = {
    "email_changed": (
        "Nothing of the old address can be superseded here: it is a user of m3ter, its invitation is on its way or not"
        " yours to decide, or it was superseded since this plan. If the new address counts: end the access of the old"
        " one in m3ter's console; the next run that reads the row sees it. If the old one counts: correct the"
        " warehouse."
    ),
    "missing_in_m3ter": (
        "Nothing is left to be superseded here. If it was superseded since this plan, the next run that reads"
        " the row decides anew. Else m3ter, as last read, still lists something of this person, or the invitation is"
        " not yours to decide: look in m3ter's console and give access there; the next run that reads the row sees it."
    ),
}


def wrong_value(row: Any) -> str | None:
    """Return what a row of the warehouse has where it is wrong, as far as the ledger recorded it.

    :param row: of the worklist, or a decision.
    """
    kept = {"employee_id": row.employee_id, **dict.fromkeys(_ABOUT_THE_ADDRESS, row.email)}
    value: str | None = row.wrong_value or kept.get(row.reason)
    return value


def decision(name: str, reason: str) -> str:
    """Return a decision with its reason, in words."""
    return f"{DECISIONS.get(name, name)} ({REASONS.get(reason, reason.replace('_', ' '))})"
