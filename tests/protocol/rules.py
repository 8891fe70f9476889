"""The rules of the protocol that the model knows, each a switch, and m3ter's habits that it assumes.

A rule that is switched off is left out of the model's steps. Then a doubled, a forgotten or a falsely recorded
invitation has to turn up, alone or together with the rule that also guards the place: a rule without either would not
be needed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One rule that can be switched off.

    :param name: the switch.
    :param source: the rule's number in the description of the protocol, for readers of both.
    :param says: what is done while it is on.
    """

    name: str
    source: str
    says: str


RULES = (
    Rule("lease_check", "11", "the sender checks its lease immediately before every POST"),
    Rule("whole_timeout", "11", "it POSTs only if the lease outlasts the whole time-out"),
    Rule("write_ahead", "10", "that an attempt begins is committed before its POST"),
    Rule("begin_compares", "10", "that commit names state, claim and a lease that lasts"),
    Rule("claim_compares_state", "10", "a claim takes only what is nobody's, unsent or never claimed"),
    Rule("answer_names_claim", "10", "an answer other than success changes only a row of its own claim"),
    Rule("settle_names_claim", "12", "a settler changes only the very attempt that it looked up"),
    Rule("live_key", "10", "one live row for each address, by a unique key"),
    Rule("claims_queue", "10", "claims of one organisation wait for one another"),
    Rule("newest_in_claim", "10", "a claim requires that its plan is its run's newest"),
    Rule("newest_in_begin", "10", "so does the commit that an attempt begins"),
    Rule("look_before_send", "9", "every start reads m3ter again before it claims"),
    Rule("mirror_in_claim", "9", "a claim leaves out people that m3ter, as last read, has already"),
    Rule("never_resend", "12", "a POST without an answer is looked up, never sent again at once"),
    Rule("lease_over_first", "12", "nothing is settled while its sender may still act"),
    Rule("first_wait", "12", "the first look-up waits for `settle_after`"),
    Rule("second_look", "12", "absence counts only when two look-ups find nothing"),
    Rule("second_wait", "12", "the second look-up waits for `settle_after` once more"),
    Rule("dated_at_end", "12", "and counts from the end of the first, however long that took"),
    Rule("users_read", "12", "users are read when settling"),
    Rule("users_last", "1", "users are read after invitations"),
    Rule("unexplained_entry", "12", "an entry that nobody can explain sends the row to a person"),
    Rule("seen_before", "12", "an entry that was mirrored before the attempt began cannot come of it"),
    Rule(
        "token_is_no_right",
        "13",
        "a refusal whose token has ended is no verdict: the call is made again with a new one",
    ),
    Rule("older_than_life", "12", "absence proves nothing for an attempt older than an invitation's life"),
    Rule("plan_limit", "12", "after two attempts that were proven absent a plan leaves the row to the next run"),
    Rule("absence_limit", "12", "after as many as may be in all a person is asked"),
    Rule("success_wins", "states", "a success is written however late, from any open state, `unsent` and `failed`"),
    Rule("count_left", "15", "a run is green only when a count finds nothing open and nothing unsent"),
)

#: What the protocol takes for granted of m3ter. Without it no rule can help: the model shows what then happens.
ASSUMPTIONS = (
    Rule("late_bound", "12", "m3ter carries out a POST at most so long after its sender gave up"),
    Rule("lag_bound", "12", "m3ter's lists show what was made within a bound, and `settle_after` exceeds both"),
)

NAMES = frozenset(rule.name for rule in (*RULES, *ASSUMPTIONS))


@dataclass(frozen=True)
class Scope:
    """How much of the world one exploration lets happen; lost answers, kills and frozen processes always do.

    :param senders: how many senders work at the same time.
    :param settlers: how many processes settle beside them.
    :param console: someone may invite the person by hand, at any moment.
    :param replan: the run may be planned again, or another run plan beside it.
    :param accept: the person may accept at any moment; the invitation then vanishes from the list at once.
    :param rewrite: m3ter may store the address in another spelling than in the request.
    :param refuse: m3ter may refuse with 400 or turn away with 429.
    :param stranger: somebody else may get an invitation, which nobody can explain.
    :param tokens: m3ter may turn a POST away since its token has ended.
    :param unheard: the answer of a COMMIT may be lost; it is then tried again.
    :param month: once, more than an invitation's life may pass.
    """

    name: str
    senders: int = 1
    settlers: int = 1
    console: bool = False
    replan: bool = False
    accept: bool = False
    rewrite: bool = False
    refuse: bool = False
    stranger: bool = False
    tokens: bool = False
    unheard: bool = False
    month: bool = False
