"""What m3ter has allowed this process: a later refusal of the same may be about the token, and not about rights."""

from __future__ import annotations

from m3ter_provider.api_calls import Call


class UsedRights:
    """The rights that one access key was seen to have in one organisation; shared by all hooks of a process."""

    def __init__(self) -> None:
        self._used: set[tuple[str, str, frozenset[str]]] = set()

    def note(self, call: Call) -> None:
        """Note that m3ter did what a call asked."""
        self._used.add(_right(call))

    def has(self, call: Call) -> bool:
        """Return whether m3ter has allowed the same before, for whomever."""
        return _right(call) in self._used


def _right(call: Call) -> tuple[str, str, frozenset[str]]:
    return call.method, call.right, call.policies
