"""Rows of a query that several configurations share: which are this configuration's own.

Compared here, after reading, and exactly: a wrong row would be an e-mail into another company's m3ter. The database's
own comparison knows no case in some warehouses, and pads with spaces in others.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.placeholders import folded_placeholders
from m3ter_onboarding.config.query_columns import ROUTING_COLUMN
from m3ter_onboarding.config.run_parameters import LONGEST_EMPLOYEE_ID
from m3ter_onboarding.config.shared_query import folded_organisation
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.driver_values import storable, to_instant, to_text

log = logging.getLogger(__name__)

_ALIKE = "The organisation differs from the one of this configuration only in case, spaces or marks that nobody sees."
_UNKNOWN = "The organisation is none of `organisations`."
_MISSING = "The organisation is missing."


class Routing:
    """Tells apart the rows of one query, a chunk after the other; without ``organisation`` all are of our own.

    ``unclear`` are rows about which nobody can say for certain whose they are, ``others`` those of other organisations.
    """

    def __init__(self, config: OnboardingConfig) -> None:
        self._organisation = config.organisation
        self.own = self.others = 0
        self._flaws: Counter[str | None] = Counter()
        if config.organisation is not None:
            self._reader = _Reader(config.organisation, config.organisations, config.placeholders)

    @property
    def unclear(self) -> int:
        """How many rows were decided ``invalid:organisation``."""
        return self._flaws.total()

    def route(self, rows: Sequence[SourceRow]) -> tuple[Sequence[SourceRow], Sequence[Decision]]:
        """Return those of some rows that are our own, and the decisions about those that are unclear.

        :param rows: of the query, whose columns were checked.
        """
        if self._organisation is None:
            self.own += len(rows)
            return rows, ()
        own, unclear = list[SourceRow](), list[Decision]()
        for row in rows:
            flaw = self._reader.flaw_of(row.values[ROUTING_COLUMN])
            if flaw is None:
                own.append(row)
            elif flaw:
                unclear.append(_unclear(row, flaw))
        self.own += len(own)
        self.others += len(rows) - len(own) - len(unclear)
        self._flaws.update(decision.detail for decision in unclear)
        return own, unclear

    def log(self) -> None:
        """Log how many rows are whose, once all were read."""
        if self._organisation is not None:
            _log(self._organisation, self.own, self._flaws, self.others)


class _Reader:
    """Reads values of the column for one organisation."""

    def __init__(self, own: str, known: Sequence[str], placeholders: Iterable[str]) -> None:
        self._own = own
        self._folded = folded_organisation(own)
        self._known = frozenset(map(folded_organisation, known))
        self._nothing = folded_placeholders(placeholders)

    def flaw_of(self, value: Any) -> str | None:
        """Return why nobody can say whose a row is; None: it is our own; empty: it is another organisation's."""
        try:
            name = to_text(value)
        except ValueError as reason:
            return f"The organisation {reason}."
        if name == self._own:
            return None
        if name is None:
            return _MISSING
        folded = folded_organisation(name)
        if folded == self._folded:
            return _ALIKE
        if folded in self._known:
            return ""
        if not folded or name.casefold() in self._nothing:
            return _MISSING
        return _UNKNOWN if self._known else ""


def _unclear(row: SourceRow, flaw: str) -> Decision:
    """Decide about a row that may be another organisation's person: of them the employee's id is recorded alone."""
    return Decision(
        row_no=row.row_no,
        decision="invalid",
        reason="organisation",
        detail=flaw,
        employee_id=storable(row.values.get("employee_id"), LONGEST_EMPLOYEE_ID),
        email=None,
        email_key=None,
        updated_at=to_instant(row.values.get("updated_at")),
    )


def _log(organisation: str, own: int, flaws: Counter[str | None], others: int) -> None:
    log.info("%d row(s) are of organisation %r, and %d of others, which are not read here.", own, organisation, others)
    if others and not own:
        log.warning(
            "No row of the query is of organisation %r, and %d are of others: look whether `organisation` is spelled as"
            " the column has it.",
            organisation,
            others,
        )
    if alike := flaws[_ALIKE]:
        log.warning(
            "%d row(s) have an organisation that differs from %r only in case, spaces or marks that nobody sees; they"
            " are invalid:organisation, and nobody of them is invited.",
            alike,
            organisation,
        )
    if unknown := flaws.total() - alike:
        log.warning(
            "%d row(s) have no organisation, or none that is known; they are invalid:organisation, and nobody of them"
            " is invited.",
            unknown,
        )
