"""Addresses and ids that may be another spelling of somebody's: pointed out to people, never merged.

``ann+m3ter@example.com`` and ``a.nn@example.com`` may be the mailbox of ``ann@example.com``, or somebody else's; and
employee ``00123`` may be ``123`` of before, with a new address.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from m3ter_onboarding.ledger import mirror, people
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.planning.employee_spellings import other_spellings, spelling_key
from m3ter_provider.email_identity import alias_key

log = logging.getLogger(__name__)

#: So many people of the ledger are kept in memory while their ids are compared.
_FEW = 50_000

_ByKey = dict[str, dict[str, int]]


class Aliases:
    """Says in the detail of each invitation where another address may be the same mailbox, or an id the same employee.

    It looks among the members and invitations that m3ter has, the employees of the ledger's, those that are excluded,
    and the rows of the same part of the plan; it changes no decision.

    :param now: UTC.
    :param excluded_employees: ids of people who are not invited.
    """

    def __init__(
        self, db: LedgerDatabase, org_id: str, now: datetime, *, excluded_employees: Iterable[str] = ()
    ) -> None:
        self._db = db
        self._org_id = org_id
        self._now = now
        self._excluded = _by_spelling(excluded_employees)
        self._pointed_out = 0

    def point_out(self, decisions: list[Decision]) -> list[Decision]:
        """Return the decisions of a part of the plan, in which all rows are that may be spellings of each other."""
        invited = [one for one in decisions if one.decision == "invite"]
        if not invited:
            return decisions
        sentences = defaultdict[int, list[str]](list)
        for found in (self._of_addresses(decisions, invited), self._of_employees(decisions, invited)):
            for row_no, said in found.items():
                sentences[row_no].append(said)
        self._pointed_out += len(sentences)
        if not sentences:
            return decisions
        return [
            one._replace(detail=" ".join([one.detail or "", *sentences[one.row_no]]))
            if one.row_no in sentences
            else one
            for one in decisions
        ]

    def log(self) -> None:
        """Log how many invitations it pointed out."""
        if self._pointed_out:
            log.warning(
                "%d of the people to invite may be known already, by another address (an alias such as ann+m3ter@ or"
                " a.nn@) or another spelling of their employee_id (00123 and 123): look at the details of their"
                " decisions.",
                self._pointed_out,
            )

    def _of_addresses(self, decisions: Sequence[Decision], invited: Sequence[Decision]) -> dict[int, str]:
        aliases = {one.row_no: alias_key(one.email_key) for one in decisions if one.email_key}
        in_plan = _rows_by_key(aliases, {one.row_no: one.email_key for one in decisions if one.email_key})
        in_m3ter = defaultdict[str, set[str]](set)
        wanted = [aliases[one.row_no] for one in invited if one.email_key]
        for alias, key in mirror.doubles_of(self._db, self._org_id, wanted, self._now):
            in_m3ter[alias].add(key)
        found: dict[int, str] = {}
        if not in_plan and not in_m3ter:
            return found
        for one in invited:
            if not one.email_key:
                continue
            alias = aliases[one.row_no]
            said = _another_row(in_plan.get(alias, {}), one.email_key)
            if alias in in_m3ter and in_m3ter[alias] - {one.email_key}:
                said.insert(0, "of one that m3ter has invited or made a member")
            if said:
                found[one.row_no] = f"The address may be an alias {' and '.join(said)}."
        return found

    def _of_employees(self, decisions: Sequence[Decision], invited: Sequence[Decision]) -> dict[int, str]:
        keys = {one.row_no: spelling_key(one.employee_id) for one in decisions if one.employee_id}
        in_plan = _rows_by_key(keys, {one.row_no: one.employee_id for one in decisions if one.employee_id})
        known = self._known_spellings([one.employee_id for one in invited if one.employee_id])
        found: dict[int, str] = {}
        if not in_plan and all(map(frozenset(keys.values()).isdisjoint, (known, self._excluded))):
            return found
        for one in invited:
            if not one.employee_id:
                continue
            key = keys[one.row_no]
            said = _another_row(in_plan.get(key, {}), one.employee_id)
            if key in self._excluded and self._excluded[key] - {one.employee_id}:
                said.insert(0, "of one that is excluded")
            if key in known and known[key] & other_spellings(one.employee_id):
                said.insert(0, "of one that was invited or is a member")
            if said:
                found[one.row_no] = f"The employee_id may be another spelling {' and '.join(said)}."
        return found

    def _known_spellings(self, employees: Sequence[str]) -> Mapping[str, set[str]]:
        """Return the ids, by what is left of each, of invited people and members that may be these employees."""
        if self._everybody is not None:
            return self._everybody
        spellings = frozenset[str]().union(*map(other_spellings, employees))
        return _by_spelling(people.among_invited(self._db, self._org_id, spellings))

    @cached_property
    def _everybody(self) -> Mapping[str, set[str]] | None:
        """All of the ledger's people, where they are few: each employee has many spellings to look for."""
        invited = people.invited_employees(self._db, self._org_id, _FEW + 1)
        return _by_spelling(invited) if len(invited) <= _FEW else None


def _by_spelling(employees: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for employee_id in employees:
        found.setdefault(spelling_key(employee_id), set()).add(employee_id)
    return found


def _rows_by_key(keys: Mapping[int, str], given: Mapping[int, str]) -> _ByKey:
    """Return, by what is left of an address or id, each spelling of it with the first row that has it.

    Nothing, where no two rows have the same left.

    :param keys: what is left, by row.
    :param given: the addresses or ids themselves, by row.
    """
    found: _ByKey = {}
    if len(set(keys.values())) < len(keys):  # almost always each stands there once
        for row_no, key in keys.items():
            found.setdefault(key, {}).setdefault(given[row_no], row_no)
    return found


def _another_row(spellings: Mapping[str, int], own: str) -> list[str]:
    """Return where in the plan another spelling stands first, as the end of a sentence; none: nowhere."""
    rows = [row_no for given, row_no in spellings.items() if given != own]
    return [f"of the one in row {min(rows)}"] if rows else []
