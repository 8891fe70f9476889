"""Addresses that may be aliases of another one: pointed out to people, never merged.

``ann+m3ter@example.com`` and ``a.nn@example.com`` may be the mailbox of ``ann@example.com``, or somebody else's.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from m3ter_onboarding.ledger import mirror
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_provider.email_identity import alias_key

log = logging.getLogger(__name__)


def point_out_aliases(db: LedgerDatabase, org_id: str, decisions: Sequence[Decision], now: datetime) -> list[Decision]:
    """Say in the detail of each invitation where another address may be the same mailbox.

    It looks among the members and invitations that m3ter has, and among the rows of the plan; it changes no decision.

    :param decisions: of a plan.
    :param now: UTC.
    """
    in_plan = defaultdict[str, dict[str, int]](dict)
    for decision in decisions:
        if decision.email_key:
            in_plan[alias_key(decision.email_key)].setdefault(decision.email_key, decision.row_no)
    wanted = {alias_key(one.email_key) for one in decisions if one.decision == "invite" and one.email_key}
    in_m3ter = defaultdict[str, set[str]](set)
    for alias, key in mirror.doubles_of(db, org_id, wanted, now):
        in_m3ter[alias].add(key)
    pointed_out = [_with_aliases(decision, in_plan, in_m3ter) for decision in decisions]
    if many := sum(before is not after for before, after in zip(decisions, pointed_out, strict=True)):
        log.warning(
            "%d of the people to invite may have another address already (an alias such as ann+m3ter@ or a.nn@): look"
            " at the details of their decisions.",
            many,
        )
    return pointed_out


def _with_aliases(
    decision: Decision, in_plan: defaultdict[str, dict[str, int]], in_m3ter: defaultdict[str, set[str]]
) -> Decision:
    if decision.decision != "invite" or not decision.email_key:
        return decision
    alias = alias_key(decision.email_key)
    rows = sorted(row_no for key, row_no in in_plan[alias].items() if key != decision.email_key)
    said = []
    if in_m3ter[alias] - {decision.email_key}:
        said.append("of one that m3ter has invited or made a member")
    if rows:
        said.append(f"of the one in row {rows[0]}")
    if not said:
        return decision
    return replace(decision, detail=f"{decision.detail} The address may be an alias {' and '.join(said)}.")
