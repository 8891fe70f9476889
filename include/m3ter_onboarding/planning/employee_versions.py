"""Several rows of one employee: versions of a table that is appended to, or that keeps its history.

Where all of them say when they were written (``updated_at``), the newest counts, also if it cannot be used. Where they
do not, nothing says which of several addresses is the right one, and an e-mail cannot be recalled: a person decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.source.new_hire import NewHire, ValidatedRow


class EmployeeVersions:
    """Which rows of a plan a newer one of their employee replaces, and which employees have several addresses.

    :param rows: of the plan.
    :param hires: those of them that can be invited; only their addresses compete.
    """

    def __init__(self, rows: Iterable[ValidatedRow], hires: Iterable[NewHire]) -> None:
        self._newer: dict[int, ValidatedRow] = {}
        self._contested = frozenset[str]()
        rows = list(rows)
        employees = [row.employee_id for row in rows if row.employee_id is not None]
        #: Whether no employee has a second row; then there is nothing to compare.
        self.are_single = len(set(employees)) == len(employees)
        if self.are_single:
            return
        by_employee: dict[str, list[ValidatedRow]] = defaultdict(list)
        for row in rows:
            if row.employee_id is not None:
                by_employee[row.employee_id].append(row)
        for versions in by_employee.values():
            times = [row.updated_at for row in versions if row.updated_at is not None]
            if len(times) == len(versions) > 1:
                newest = max(times)
                # Of several that are as new, one that can be used, for the sentence.
                counts = min(
                    (row for row in versions if row.updated_at == newest),
                    key=lambda row: (isinstance(row, Decision), row.row_no),
                )
                self._newer |= {row.row_no: counts for row in versions if row.updated_at != newest}
        addresses: dict[str, set[str]] = defaultdict(set)
        for hire in hires:
            if hire.row_no not in self._newer:
                addresses[hire.employee_id].add(hire.email_key)
        self._contested = frozenset(employee for employee, keys in addresses.items() if len(keys) > 1)

    def newer_than(self, hire: NewHire) -> ValidatedRow | None:
        """Return the row that counts instead of this one; None: this one does."""
        return self._newer.get(hire.row_no)

    def are_contested(self, employee_id: str) -> bool:
        """Return whether rows of an employee name several addresses, and nothing says which one counts."""
        return employee_id in self._contested
