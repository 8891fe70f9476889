"""Where the ledger holds people's data, and what takes their place when they are erased.

States, ids, counts and instants stay; so does every key that guards against a second e-mail, as a keyed hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, bindparam, select, update

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.erased_people import PREFIX, Pseudonyms
from m3ter_onboarding.ledger.tables import Tables
from m3ter_onboarding.ledger.worklist import ClosedWhy


@dataclass(frozen=True)
class People:
    """People who are erased; all that is known of each.

    :param employees: employee ids.
    :param addresses: address keys.
    """

    employees: frozenset[str] = field(default=frozenset(), repr=False)
    addresses: frozenset[str] = field(default=frozenset(), repr=False)

    def __bool__(self) -> bool:
        """Return whether there is anybody."""
        return bool(self.employees or self.addresses)


@dataclass(frozen=True)
class Blanking:
    """How rows lose their data.

    :param people: only their own data go, where a row has an address of theirs and another employee; None: all.
    :param now: UTC.
    :param by: who erases.
    """

    connection: Connection
    tables: Tables
    words: Pseudonyms
    people: People | None
    now: datetime
    by: str

    def decisions(self, rows: Sequence[Row[Any]]) -> int:
        """Blank decisions; one to invite is none any more: its plan may be sealed, and not sent yet."""
        blank = dict.fromkeys(("request", "seal", "detail", "start_date", "person_name", "wrong_value", "extra"))
        return self._apply(
            self.tables.decision,
            [
                {
                    **self._of_person(row),
                    **blank,
                    "request_hash": self.words.of_request(row.request_hash),
                    "decision": "skip" if row.decision == "invite" else row.decision,
                    "reason": "erased" if row.decision == "invite" else row.reason,
                }
                for row in rows
            ],
            rows,
        )

    def invitations(self, rows: Sequence[Row[Any]]) -> int:
        """Blank invitations; they guard as before, by the hashes."""
        blank = dict.fromkeys(("message", "answer"))
        return self._apply(
            self.tables.invitation,
            [
                {
                    **self._of_person(row),
                    **blank,
                    "request_hash": self.words.of_request(row.request_hash),
                    "updated_at": self.now,
                }
                for row in rows
            ],
            rows,
        )

    def worklist(self, rows: Sequence[Row[Any]]) -> int:
        """Blank entries of the worklist, and close those that are open: nothing is left to be decided."""
        blank = dict.fromkeys(("detail", "start_date", "person_name", "wrong_value", "note"))
        return self._apply(
            self.tables.worklist, [{**self._of_person(row), **blank, **self._closed(row)} for row in rows], rows
        )

    def access(self, rows: Sequence[Row[Any]]) -> int:
        """Blank findings of the access review, and end those that are open: they are about nobody any more."""
        blank = dict.fromkeys(("in_m3ter", "wanted"))
        changed = [{**self._of_person(row), **blank, "ended_at": row.ended_at or self.now} for row in rows]
        return self._apply(self.tables.access_review, changed, rows)

    def day_one(self, rows: Sequence[Row[Any]]) -> int:
        """Blank rows of people who start soon, and end those that are in the list."""
        return self._lasting(self.tables.day_one, rows)

    def chase(self, rows: Sequence[Row[Any]]) -> int:
        """Blank rows of invitations to chase, and end those that are in the list."""
        return self._lasting(self.tables.chase, rows)

    def mirror(self, addresses: Iterable[str]) -> int:
        """Blank what the mirror holds of addresses."""
        changed = 0
        for table in (self.tables.mirror_invitation, self.tables.mirror_user):
            for address in sorted(addresses):
                word = self.words.word("address", address)
                changed += self.connection.execute(
                    update(table)
                    .where(table.c.org_id == self.words.org_id, table.c.email_key == address)
                    .values(email_key=word, email=word, alias_key=None, entry=None)
                ).rowcount
        return changed

    def _lasting(self, table: Table, rows: Sequence[Row[Any]]) -> int:
        changed = []
        for row in rows:
            values = {**self._of_person(row), "start_date": None, "ended_at": row.ended_at or self.now}
            values["ended_why"] = row.ended_why or "excluded"
            if "person_key" in table.c:
                kind, _, value = row.person_key.partition(":")
                its_own = self._is_theirs(kind, value)
                values["person_key"] = f"{kind}:{self._word(kind, value)}" if its_own else row.person_key
            changed.append(values)
        return self._apply(table, changed, rows)

    def _closed(self, row: Row[Any]) -> Mapping[str, Any]:
        kind, _, value = row.person_key.partition(":")
        its_own = self._is_theirs(kind, value)
        key = f"{kind}:{self._word(kind, value)}" if its_own else row.person_key
        if not its_own or row.closed_at is not None:
            still = ("closed_at", "closed_why", "closed_by")
            return {"person_key": key, **{name: getattr(row, name) for name in still}}
        closed = {"closed_at": self.now, "closed_why": ClosedWhy.DECIDED.value, "closed_by": self.by}
        return {"person_key": key, **closed}

    def _of_person(self, row: Row[Any]) -> dict[str, Any]:
        employee, address = row.employee_id, row.email_key
        if employee is not None and self._is_theirs("employee", employee):
            employee = self._word("employee", employee)
        word = None if address is None else self._word("address", address)
        return {"employee_id": employee, "email_key": word, "email": word}

    def _is_theirs(self, kind: str, value: str) -> bool:
        if self.people is None:
            return True
        return value in (self.people.employees if kind == "employee" else self.people.addresses)

    def _word(self, kind: str, value: str) -> str:
        return self.words.word("employee" if kind == "employee" else "address", value)

    def _apply(self, table: Table, changed: Sequence[Mapping[str, Any]], rows: Sequence[Row[Any]]) -> int:
        """Write new values into rows, by their primary keys."""
        if not rows:
            return 0
        keys = list(table.primary_key)
        statement = (
            update(table)
            .where(and_(*(key == bindparam(f"key_{key.name}", type_=key.type) for key in keys)))
            .values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in changed[0]})
        )
        parameters = [
            {
                **{f"key_{key.name}": getattr(row, key.name) for key in keys},
                **{f"new_{name}": value for name, value in values.items()},
            }
            for row, values in zip(rows, changed, strict=True)
        ]
        for batch in batches(parameters):
            self.connection.execute(statement, list(batch))
        return len(rows)


def rows_of(connection: Connection, table: Table, org_id: str, people: People) -> list[Row[Any]]:
    """Return the rows of a table with an employee or an address of these people."""
    keys = list(table.primary_key)
    found: dict[tuple[Any, ...], Row[Any]] = {}
    for column, values in ((table.c.employee_id, people.employees), (table.c.email_key, people.addresses)):
        for batch in batches(sorted(values)):
            for row in connection.execute(select(table).where(table.c.org_id == org_id, column.in_(batch))):
                found[tuple(getattr(row, key.name) for key in keys)] = row
    return [found[key] for key in sorted(found)]


def not_erased(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a column names somebody, and not a hash."""
    return and_(column.is_not(None), ~column.startswith(PREFIX, autoescape=True))
