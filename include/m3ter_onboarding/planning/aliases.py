"""Addresses and ids that may be another spelling of somebody's: pointed out to people, never merged.

``ann+m3ter@example.com`` and ``a.nn@example.com`` may be the mailbox of ``ann@example.com``, or somebody else's; and
employee ``00123`` may be ``123`` of before, with a new address.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from m3ter_onboarding.ledger import mirror, people
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.planning.employee_spellings import other_spellings, spelling_key
from m3ter_provider.email_identity import alias_key

log = logging.getLogger(__name__)

_ByKey = defaultdict[str, dict[str, int]]


def point_out_aliases(
    db: LedgerDatabase,
    org_id: str,
    decisions: Sequence[Decision],
    now: datetime,
    *,
    excluded_employees: Iterable[str] = (),
) -> list[Decision]:
    """Say in the detail of each invitation where another address may be the same mailbox, or an id the same employee.

    It looks among the members and invitations that m3ter has, the employees of the ledger's, those that are excluded,
    and the rows of the plan; it changes no decision.

    :param decisions: of a plan.
    :param now: UTC.
    :param excluded_employees: ids of people who are not invited.
    """
    invited = [one for one in decisions if one.decision == "invite"]
    sentences = defaultdict[int, list[str]](list)
    for found in (
        _of_addresses(db, org_id, decisions, invited, now),
        _of_employees(db, org_id, decisions, invited, frozenset(excluded_employees)),
    ):
        for row_no, said in found.items():
            sentences[row_no].append(said)
    if sentences:
        log.warning(
            "%d of the people to invite may be known already, by another address (an alias such as ann+m3ter@ or a.nn@)"
            " or another spelling of their employee_id (00123 and 123): look at the details of their decisions.",
            len(sentences),
        )
    return [
        replace(one, detail=" ".join([one.detail or "", *sentences[one.row_no]])) if one.row_no in sentences else one
        for one in decisions
    ]


def _of_addresses(
    db: LedgerDatabase, org_id: str, decisions: Sequence[Decision], invited: Sequence[Decision], now: datetime
) -> dict[int, str]:
    in_plan = _rows_by_key(((one.row_no, one.email_key) for one in decisions), alias_key)
    in_m3ter = defaultdict[str, set[str]](set)
    wanted = {alias_key(one.email_key) for one in invited if one.email_key}
    for alias, key in mirror.doubles_of(db, org_id, wanted, now):
        in_m3ter[alias].add(key)
    found: dict[int, str] = {}
    for one in invited:
        if not one.email_key:
            continue
        alias = alias_key(one.email_key)
        said = _another_row(in_plan[alias], one.email_key)
        if in_m3ter[alias] - {one.email_key}:
            said.insert(0, "of one that m3ter has invited or made a member")
        if said:
            found[one.row_no] = f"The address may be an alias {' and '.join(said)}."
    return found


def _of_employees(
    db: LedgerDatabase,
    org_id: str,
    decisions: Sequence[Decision],
    invited: Sequence[Decision],
    excluded: frozenset[str],
) -> dict[int, str]:
    in_plan = _rows_by_key(((one.row_no, one.employee_id) for one in decisions), spelling_key)
    excluded_keys = defaultdict[str, set[str]](set)
    for employee_id in excluded:
        excluded_keys[spelling_key(employee_id)].add(employee_id)
    spellings = {one.row_no: other_spellings(one.employee_id) for one in invited if one.employee_id}
    known = people.among_invited(db, org_id, frozenset().union(*spellings.values()))
    found: dict[int, str] = {}
    for one in invited:
        if not one.employee_id:
            continue
        key = spelling_key(one.employee_id)
        said = _another_row(in_plan[key], one.employee_id)
        if excluded_keys[key] - {one.employee_id}:
            said.insert(0, "of one that is excluded")
        if spellings[one.row_no] & known:
            said.insert(0, "of one that was invited or is a member")
        if said:
            found[one.row_no] = f"The employee_id may be another spelling {' and '.join(said)}."
    return found


def _rows_by_key(rows: Iterable[tuple[int, str | None]], key: Callable[[str], str]) -> _ByKey:
    """Return, by what is left of an address or id, each spelling of it with the first row that has it."""
    found: _ByKey = defaultdict(dict)
    for row_no, given in rows:
        if given:
            found[key(given)].setdefault(given, row_no)
    return found


def _another_row(spellings: Mapping[str, int], own: str) -> list[str]:
    """Return where in the plan another spelling stands first, as the end of a sentence; none: nowhere."""
    rows = [row_no for given, row_no in spellings.items() if given != own]
    return [f"of the one in row {min(rows)}"] if rows else []
