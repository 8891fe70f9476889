"""Exclusions that the warehouse itself names, in the columns ``exclude`` and ``exclude_until``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from m3ter_onboarding.source.new_hire import NewHire, RowExclusion, ValidatedRow, zone_of


@dataclass(frozen=True)
class Excluded:
    """Why a row is excluded.

    :param detail: a sentence without personal data.
    :param extra: the reason that the warehouse gives, by its column.
    """

    detail: str
    extra: dict[str, str] | None = field(repr=False)


class ExcludedByRows:
    """The rows of a plan that exclude, and those that share address or employee with one.

    :param now: aware; an exclusion lasts to the end of its last day, where the hire is.
    """

    def __init__(self, rows: Iterable[ValidatedRow], now: datetime) -> None:
        self._by_person: dict[tuple[str, str], RowExclusion] = {}
        for row in rows:
            if isinstance(row, NewHire) and row.exclusion is not None:
                until = row.exclusion.until
                if until is None or now.astimezone(zone_of(row.time_zone)).date() <= until:
                    for key in (("email", row.email_key), ("employee", row.employee_id)):
                        self._keep(key, row.exclusion)

    def _keep(self, key: tuple[str, str], one: RowExclusion) -> None:
        """Keep, of several exclusions of a person, the one that lasts longest, whatever the order of the rows."""
        known = self._by_person.get(key)
        if known is None or _rank(one) > _rank(known):
            self._by_person[key] = one

    def of(self, hire: NewHire) -> Excluded | None:
        """Return why a row is excluded; None: no row says so."""
        keys = (("email", hire.email_key), ("employee", hire.employee_id))
        found = [self._by_person[key] for key in keys if key in self._by_person]
        if not found:
            return None
        longest = max(found, key=_rank)
        lasts = "" if longest.until is None else f" until the end of {longest.until.isoformat()}"
        return Excluded(
            f"The warehouse excludes this person{lasts} (column exclude).",
            None if longest.reason is None else {"exclude": longest.reason},
        )


def _rank(one: RowExclusion) -> tuple[bool, int, str]:
    return one.until is None, one.until.toordinal() if one.until else 0, one.reason or ""
