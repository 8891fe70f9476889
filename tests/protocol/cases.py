"""What is explored: the scopes in which everything must hold, and the rules without which something must not."""

from __future__ import annotations

from dataclasses import dataclass

from tests.protocol.rules import Scope

#: With every rule on. All processes at once and all that people and m3ter may do at once are too many states for a
#: test; every two of them meet in one of these.
WHOLE = (
    Scope("two senders, one settler, hand-made invitations", 2, 1, console=True),
    Scope("two senders, one settler, refusals, unheard COMMITs", 2, 1, refuse=True, unheard=True),
    Scope("two senders, one settler, plans made again", 2, 1, replan=True),
    Scope("two senders, one settler, people who accept", 2, 1, accept=True),
    Scope("one sender, two settlers, people who accept, rewritten addresses", 1, 2, accept=True, rewrite=True),
    Scope("two senders, two settlers", 2, 2),
    Scope(
        "one sender, one settler, all but hand-made invitations, a month passing",
        accept=True,
        rewrite=True,
        refuse=True,
        unheard=True,
        month=True,
    ),
    Scope("one sender, one settler, hand-made invitations that are accepted", console=True, accept=True, refuse=True),
    Scope("two senders, hand-made invitations, plans made again", 2, 0, console=True, replan=True, unheard=True),
    Scope("two senders, one settler, others' invitations, tokens that end", 2, 1, stranger=True, tokens=True),
    Scope("one sender, two settlers, others' invitations, rewritten addresses", 1, 2, stranger=True, rewrite=True),
)

#: Small enough for every test run.
SMALL = (
    Scope("two senders, hand-made invitations", 2, 0, console=True),
    Scope("two senders, plans made again, unheard COMMITs", 2, 0, replan=True, unheard=True),
    Scope("one sender, one settler, people who accept, rewritten addresses", accept=True, rewrite=True),
    Scope("one sender, one settler, hand-made invitations, refusals", console=True, refuse=True),
    Scope("one sender, hand-made invitations that are accepted", 1, 0, console=True, accept=True),
    Scope("one sender, one settler, a month passing", month=True),
    Scope("one sender, one settler, others' invitations, rewritten addresses", stranger=True, rewrite=True),
    Scope("two senders, tokens that end", 2, 0, tokens=True),
)

_TWO_AND_ONE = Scope("two senders, one settler", 2, 1)
_TWO = Scope("two senders", 2, 0)
_ONE_AND_ONE = Scope("one sender, one settler")
_ACCEPT = Scope("one sender, one settler, people who accept", accept=True)
_REWRITE = Scope("one sender, one settler, rewritten addresses", rewrite=True)
_CONSOLE = Scope("two senders, hand-made invitations", 2, 0, console=True)
_REPLAN = Scope("two senders, plans made again", 2, 0, replan=True)
_REPLANNED = Scope("one sender, one settler, plans made again", replan=True)
_STRANGER = Scope("one sender, one settler, others' invitations", stranger=True)
_TOKENS = Scope("one sender, one settler, tokens that end", tokens=True)
_MONTH = Scope("one sender, one settler, a month passing", month=True)


@dataclass(frozen=True)
class Case:
    """Rules switched off together.

    :param redundant_since: why nothing is broken all the same; empty: something must be.
    """

    off: frozenset[str]
    scope: Scope
    redundant_since: str = ""

    @property
    def name(self) -> str:
        """The switches that are off."""
        return " + ".join(sorted(self.off))


def _without(names: str, scope: Scope, redundant_since: str = "") -> Case:
    return Case(frozenset(names.split()), scope, redundant_since)


CASES = (
    _without("lease_check", _TWO_AND_ONE),
    _without("whole_timeout", _ACCEPT),
    _without("write_ahead", _ONE_AND_ONE),
    _without("begin_compares", _CONSOLE),
    _without("claim_compares_state", _TWO),
    _without("answer_names_claim", _TWO_AND_ONE),
    _without("settle_names_claim", _ONE_AND_ONE),
    _without("live_key", _CONSOLE),
    _without("newest_in_begin", _REPLAN),
    _without("look_before_send", _CONSOLE),
    _without("never_resend", _ONE_AND_ONE),
    _without("lease_over_first", _ONE_AND_ONE),
    _without("first_wait", _ACCEPT),
    _without("second_look", _ACCEPT),
    _without("second_wait", _ACCEPT),
    _without("first_wait second_wait", _ONE_AND_ONE),
    _without("dated_at_end", _ACCEPT),
    _without("users_read", _ACCEPT),
    _without("unexplained_entry", _REWRITE),
    _without("seen_before", _STRANGER),
    _without("token_is_no_right", _TOKENS),
    _without("older_than_life", _MONTH),
    _without("plan_limit", _ONE_AND_ONE),
    _without("absence_limit", _REPLANNED),
    _without("success_wins", _REWRITE),
    _without("count_left", _TWO_AND_ONE),
    # Second lines of defence: alone not needed in the model, since another rule stands behind them.
    _without("claims_queue", _CONSOLE, "the unique key decides (the queue keeps the daily cap exact)"),
    _without("newest_in_claim", _REPLAN, "the commit that an attempt begins asks again"),
    _without("mirror_in_claim", _CONSOLE, "what a look finds is adopted, and then no claim takes the row"),
    _without("users_last", _ACCEPT, "the second look sees who joined during the first"),
    # ... and without both, it shows. (For `mirror_in_claim` and `users_last` no pair shows it: what breaks without them
    # and the rule behind them breaks without that rule alone. The model does not prove them needed.)
    _without("claims_queue live_key", _TWO),
    _without("newest_in_claim newest_in_begin", _REPLAN),
    # What is assumed of m3ter.
    _without("late_bound", _ONE_AND_ONE),
    _without("lag_bound", _ONE_AND_ONE),
)
