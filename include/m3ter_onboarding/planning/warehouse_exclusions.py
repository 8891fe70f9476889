"""Exclusions that the warehouse names: by the columns ``exclude`` and ``exclude_until``, or by ``exclude.query``."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.source.excluded_people import ExcludedPerson, excluded_people
from m3ter_onboarding.source.local_days import zone_of
from m3ter_onboarding.source.new_hire import NewHire, RowExclusion, ValidatedRow
from m3ter_onboarding.source.warehouse import read_exclusions

log = logging.getLogger(__name__)

_Key = tuple[str, str | None]


@dataclass(frozen=True)
class _Named:
    """An exclusion, and by what the warehouse names it."""

    exclusion: RowExclusion
    by: Literal["column exclude", "query of exclude"]


@dataclass(frozen=True)
class Excluded:
    """Why a row is excluded.

    :param detail: a sentence without personal data.
    :param extra: the reason that the warehouse gives, by its column.
    """

    detail: str
    extra: dict[str, str] | None = field(repr=False)


def read_excluded(config: OnboardingConfig) -> list[ExcludedPerson]:
    """Run the query of ``exclude``; nobody, where there is none.

    :raises SourceError: when it cannot be run.
    """
    if config.exclude.query is None:
        return []
    rows = read_exclusions(config.warehouse_conn_id, config.exclusions_text)
    log.info("The query of `exclude` returned %d rows.", len(rows))
    return excluded_people(rows, time_zone=config.time_zone)


class ListedPeople:
    """The rows of ``exclude.query``, by whom they name: of a long list each part of a plan needs a few.

    :param listed: all of them.
    """

    def __init__(self, listed: Sequence[ExcludedPerson]) -> None:
        self._listed = listed
        self._by_address: dict[str, list[int]] = defaultdict(list)
        self._by_employee: dict[str, list[int]] = defaultdict(list)
        for number, person in enumerate(listed):
            if person.email_key is not None:
                self._by_address[person.email_key].append(number)
            if person.employee_id is not None:
                self._by_employee[person.employee_id].append(number)

    @property
    def employees(self) -> frozenset[str]:
        """The employees that it names."""
        return frozenset(self._by_employee)

    def among(self, rows: Iterable[ValidatedRow]) -> list[ExcludedPerson]:
        """Return those, in their order, that name the address or the employee of one of these rows."""
        numbers = set[int]()
        if self._listed:
            for row in rows:
                numbers.update(self._by_address.get(row.email_key or "", ()))
                numbers.update(self._by_employee.get(row.employee_id or "", ()))
        return [self._listed[number] for number in sorted(numbers)]


class WarehouseExclusions:
    """The people that the warehouse excludes from a plan, by rows of the plan or by the list; by address or employee.

    :param rows: of the plan.
    :param listed: rows of ``exclude.query``.
    :param now: aware; an exclusion lasts to the end of its last day, where the hire is.
    """

    def __init__(self, rows: Sequence[ValidatedRow], listed: Iterable[ExcludedPerson], now: datetime) -> None:
        self._now = now
        self._by_person: dict[_Key, set[_Named]] = defaultdict(set)
        for row in rows:
            if isinstance(row, NewHire) and row.exclusion is not None and self._lasts(row.exclusion, row.time_zone):
                self._keep(row.email_key, row.employee_id, _Named(row.exclusion, "column exclude"))
        for person in listed:
            self._keep(person.email_key, person.employee_id, _Named(person.exclusion, "query of exclude"))
        if not self._by_person:
            return
        # Who is listed by one of the two is excluded by the other, too.
        for row in rows:
            if isinstance(row, NewHire):
                for named in self._named(row):
                    self._keep(row.email_key, row.employee_id, named)

    def _keep(self, address: str | None, employee: str | None, named: _Named) -> None:
        for key in (("email", address), ("employee", employee)):
            if key[1] is not None:
                self._by_person[key].add(named)

    def _lasts(self, exclusion: RowExclusion, time_zone: str) -> bool:
        until = exclusion.until
        return until is None or self._now.astimezone(zone_of(time_zone)).date() <= until

    def _named(self, hire: NewHire) -> list[_Named]:
        keys = (("email", hire.email_key), ("employee", hire.employee_id))
        return [named for key in keys for named in self._by_person.get(key, ())]

    def of(self, hire: NewHire) -> Excluded | None:
        """Return why a row is excluded: of several the exclusion that lasts longest; None: nothing says so."""
        if not self._by_person:
            return None
        found = [
            named
            for named in self._named(hire)
            if named.by == "column exclude" or self._lasts(named.exclusion, hire.time_zone)
        ]
        if not found:
            return None
        longest = max(found, key=_rank)
        until, reason = longest.exclusion.until, longest.exclusion.reason
        lasts = "" if until is None else f" until the end of {until.isoformat()}"
        return Excluded(
            f"The warehouse excludes this person{lasts} ({longest.by}).",
            None if reason is None else {"exclude": reason},
        )


def _rank(named: _Named) -> tuple[bool, int, str, str]:
    one = named.exclusion
    return one.until is None, one.until.toordinal() if one.until else 0, one.reason or "", named.by
