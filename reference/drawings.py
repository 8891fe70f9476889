"""The drawing of the states of an invitation, made from the table of transitions."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from m3ter_onboarding.ledger.states import TRANSITIONS, InvitationState


def drawing(name: str) -> str:
    """Return a drawing as a fenced block.

    :raises LookupError: when there is none of that name.
    """
    if name != "states":
        raise LookupError(f"there is no drawing {name!r}, only 'states'")
    return f"```text\n{states()}\n```\n"


def states() -> str:
    """Draw every transition: from which states, by which events, to which states."""
    width = max(len(", ".join(transition.whys)) for transition in TRANSITIONS)
    lines = []
    for before, transitions in groupby(TRANSITIONS, key=lambda transition: transition.before):
        lines.append(_named(before))
        for transition in transitions:
            whys = ", ".join(transition.whys)
            lines.append(f"    ─ {whys} {'─' * (width - len(whys))}─→ {_named(transition.after)}")
    return "\n".join(lines)


def _named(some: Iterable[InvitationState | None]) -> str:
    """Name states in the order in which they are declared."""
    chosen = set(some)
    names = [state.value for state in InvitationState if state in chosen]
    return ", ".join(["(none)", *names] if None in chosen else names)
