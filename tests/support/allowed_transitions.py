"""The allowed transitions between the states of an invitation, as docs/delivery.md draws them.

Written by hand: what the tests expect does not come from the code under test.
"""

from __future__ import annotations

#: ``None``: the row begins, by a claim or by being found. What is settled of a row whose sender died passes through
#: ``unknown`` in the drawing, and in one step in the ledger.
ALLOWED: dict[str | None, frozenset[str]] = {
    None: frozenset({"sending", "adopted", "accepted"}),
    "sending": frozenset({"sent", "adopted", "accepted", "failed", "unknown", "unsent", "review", "superseded"}),
    "unknown": frozenset({"sent", "adopted", "accepted", "unsent", "review", "superseded"}),
    "review": frozenset({"sent", "adopted", "accepted", "superseded"}),
    "unsent": frozenset({"sending", "sent", "adopted", "accepted", "superseded"}),
    "failed": frozenset({"sending", "sent", "adopted", "accepted"}),
    "sent": frozenset({"accepted", "expired", "superseded"}),
    "adopted": frozenset({"accepted", "expired", "superseded"}),
    "accepted": frozenset({"superseded"}),
    "expired": frozenset(),
    "superseded": frozenset(),
}

#: What a person may decide about a row; of an accepted one only where m3ter lists nothing of it any more.
BY_A_PERSON: dict[str, frozenset[str]] = {
    "review": frozenset({"sent", "unsent", "superseded"}),
    "sent": frozenset({"superseded"}),
    "adopted": frozenset({"superseded"}),
    "accepted": frozenset({"superseded"}),
}


def is_allowed(before: str | None, after: str, why: str) -> bool:
    """Return whether a row may go from one state to another.

    :param why: of the event; a success that comes too late to be the one that counts ends a row in any open state.
    """
    return after in ALLOWED[before] or (before == "failed" and (after, why) == ("superseded", "late_success"))
