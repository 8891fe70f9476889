"""People who start soon, by the newest decision about each of them, with their newest invitation.

A person is found as the view ``m3ter_onboarding_person`` finds them: an employee, with the addresses that are theirs by
the newest decision that knows; or an address that nobody has an ``employee_id`` for. Work grows with the decisions
about those who start soon, and not with the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.states import LIVE_STATES, state_values
from m3ter_onboarding.ledger.tables import Tables

_LIVE = frozenset(state_values(LIVE_STATES))


@dataclass(frozen=True, repr=False)
class PersonStanding:
    """The newest decision about a person, and their newest invitation.

    :param key: ``employee:`` and the ``employee_id``, else ``address:`` and the address.
    :param decided: the row of the decision, with the DAG of its plan.
    :param invitation: a live one before those that are over; None: there is none.
    :param gone: whether a later, complete read of the days in which the row lies has not had it.
    """

    key: str
    employee_id: str | None
    decided: Row[Any]
    invitation: Row[Any] | None
    gone: bool


@dataclass(repr=False)
class _Decisions:
    """Decisions of sealed plans about some people, and whose each is."""

    rows: dict[tuple[str, int], Row[Any]] = field(default_factory=dict)

    def add(self, rows: Iterable[Row[Any]]) -> None:
        self.rows.update(((row.plan_id, row.row_no), row) for row in rows)

    def employees(self) -> set[str]:
        return {row.employee_id for row in self.rows.values() if row.employee_id is not None}

    def addresses(self) -> set[str]:
        return {row.email_key for row in self.rows.values() if row.email_key is not None}

    def owners(self) -> dict[str, str]:
        """Return whose an address is, by the newest decision that knows."""
        newest: dict[str, Row[Any]] = {}
        for row in self.rows.values():
            if row.employee_id is not None and row.email_key is not None:
                before = newest.get(row.email_key)
                if before is None or _place(row) > _place(before):
                    newest[row.email_key] = row
        return {address: row.employee_id for address, row in newest.items()}

    def by_person(self) -> dict[str, list[Row[Any]]]:
        """Return the decisions about each person, the newest first."""
        owners, people = self.owners(), defaultdict[str, list[Row[Any]]](list)
        for row in self.rows.values():
            key = _key(row, owners)
            if key is not None:
                people[key].append(row)
        return {key: sorted(rows, key=_place, reverse=True) for key, rows in people.items()}


def people_who_start(
    connection: Connection, t: Tables, org_id: str, first: date, last: date
) -> dict[str, PersonStanding]:
    """Return the people of whom any decision says that they start between two days; the newest may say otherwise.

    :param first: the earliest start date.
    :param last: the latest.
    """
    d, p = t.decision.c, t.plan.c
    seeds = connection.execute(
        select(d.employee_id, d.email_key)
        .join(t.plan, p.plan_id == d.plan_id)
        .where(d.org_id == org_id, d.start_date >= first, d.start_date <= last, p.state == "sealed")
        .distinct()
    ).all()
    return _standings(
        connection,
        t,
        org_id,
        {row.employee_id for row in seeds if row.employee_id is not None},
        {row.email_key for row in seeds if row.employee_id is None and row.email_key is not None},
    )


def people_of(
    connection: Connection, t: Tables, org_id: str, invitations: Sequence[Row[Any]]
) -> dict[int, PersonStanding]:
    """Return whose invitations are, by their ids; an invitation that no decision is about is nobody's.

    :param invitations: with ``employee_id`` and ``email_key``.
    """
    decisions = _decisions(
        connection,
        t,
        org_id,
        {row.employee_id for row in invitations if row.employee_id is not None},
        {row.email_key for row in invitations if row.employee_id is None},
    )
    owners, people = decisions.owners(), decisions.by_person()
    found: dict[int, PersonStanding] = {}
    for row in invitations:
        key = _key(row, owners)
        if key is not None and key in people:
            newest = people[key][0]
            found[row.invitation_id] = PersonStanding(key, _employee(row, owners), newest, row, gone=False)
    return found


def _standings(
    connection: Connection, t: Tables, org_id: str, employees: set[str], addresses: set[str]
) -> dict[str, PersonStanding]:
    decisions = _decisions(connection, t, org_id, employees, addresses)
    owners = decisions.owners()
    wanted = {f"employee:{one}" for one in employees} | {
        f"employee:{owners[one]}" if one in owners else f"address:{one}" for one in addresses
    }
    people = {key: rows for key, rows in decisions.by_person().items() if key in wanted}
    invitations = _newest_invitations(connection, t, org_id, decisions)
    reads = _complete_reads(connection, t, [rows[0] for rows in people.values()])
    return {
        key: PersonStanding(
            key=key,
            employee_id=_employee(rows[0], owners),
            decided=rows[0],
            invitation=invitations.get(key),
            gone=_is_gone(rows, reads.get(rows[0].dag_id, ())),
        )
        for key, rows in people.items()
    }


def _decisions(connection: Connection, t: Tables, org_id: str, employees: set[str], addresses: set[str]) -> _Decisions:
    """Return all decisions about employees and addresses, those about the employees' own addresses included."""
    found, read_employees, read_addresses = _Decisions(), set[str](), set[str]()
    for _ in range(3):  # employees, their addresses, and the employees whose these are now
        new = employees - read_employees
        found.add(_sealed(connection, t, org_id, t.decision.c.employee_id, new))
        read_employees |= new
        new = (addresses | found.addresses()) - read_addresses
        found.add(_sealed(connection, t, org_id, t.decision.c.email_key, new))
        read_addresses |= new
        owners = found.owners()
        employees = employees | {owners[one] for one in addresses if one in owners}
    return found


def _sealed(
    connection: Connection, t: Tables, org_id: str, column: ColumnElement[Any], values: Iterable[str]
) -> Iterable[Row[Any]]:
    d, p = t.decision.c, t.plan.c
    columns = (
        *(d.plan_id, d.row_no, d.employee_id, d.email, d.email_key, d.decision, d.reason, d.start_date, d.decided_at),
        *(p.dag_id, p.window_start, p.window_end, p.created_at),
    )
    for batch in batches(sorted(values)):
        chosen: Select[Any] = select(*columns).join(t.plan, p.plan_id == d.plan_id)
        yield from connection.execute(chosen.where(d.org_id == org_id, column.in_(batch), p.state == "sealed"))


def _newest_invitations(connection: Connection, t: Tables, org_id: str, decisions: _Decisions) -> dict[str, Row[Any]]:
    """Return the newest invitation of each person; a live one comes before those that are over."""
    i, owners = t.invitation.c, decisions.owners()
    columns = (
        *(i.invitation_id, i.employee_id, i.email, i.email_key, i.state, i.dag_id, i.m3ter_id, i.sent_at),
        *(i.accepted_at, i.expires_at),
    )
    rows: dict[int, Row[Any]] = {}
    for column, values in ((i.employee_id, decisions.employees()), (i.email_key, decisions.addresses())):
        for batch in batches(sorted(values)):
            chosen: Select[Any] = select(*columns).where(i.org_id == org_id, column.in_(batch))
            rows.update((row.invitation_id, row) for row in connection.execute(chosen))
    newest: dict[str, Row[Any]] = {}
    for number in sorted(rows):
        row = rows[number]
        key = _key(row, owners)
        before = newest.get(key) if key is not None else None
        if key is not None and (before is None or row.state in _LIVE or before.state not in _LIVE):
            newest[key] = row
    return newest


def _complete_reads(connection: Connection, t: Tables, newest: Sequence[Row[Any]]) -> Mapping[str, Sequence[Row[Any]]]:
    """Return the sealed plans, by DAG, that were made of all rows of their windows after the oldest of some."""
    since: dict[str, Any] = {}
    for row in newest:
        since[row.dag_id] = min(since.get(row.dag_id, row.created_at), row.created_at)
    p, r = t.plan.c, t.run.c
    chosen: Select[Any] = (
        select(p.plan_id, p.window_start, p.window_end, p.created_at)
        .outerjoin(t.run, and_(r.dag_id == p.dag_id, r.run_id == p.run_id))
        .where(p.state == "sealed", r.only_employee.is_(None))
    )
    return {
        dag_id: connection.execute(chosen.where(p.dag_id == dag_id, p.created_at > at)).all()
        for dag_id, at in sorted(since.items())
    }


def _is_gone(rows: Sequence[Row[Any]], reads: Sequence[Row[Any]]) -> bool:
    """Return whether a later plan of the same DAG has read all the days in which a person's row can be.

    :param rows: the decisions about them, the newest first.
    """
    newest = rows[0]
    mine = [row for row in rows if row.dag_id == newest.dag_id]
    # Every window that had the row has its day; where they do not meet, its load date has moved.
    start, end = max(row.window_start for row in mine), min(row.window_end for row in mine)
    if start >= end:
        start, end = newest.window_start, newest.window_end
    return any(
        read.created_at > newest.created_at and read.window_start <= start and end <= read.window_end for read in reads
    )


def _place(row: Row[Any]) -> tuple[Any, bool, int]:
    return row.decided_at, row.reason != "duplicate_in_batch", row.row_no


def _employee(row: Row[Any], owners: Mapping[str, str]) -> str | None:
    if row.employee_id is not None:
        return str(row.employee_id)
    return owners.get(row.email_key) if row.email_key is not None else None


def _key(row: Row[Any], owners: Mapping[str, str]) -> str | None:
    employee = _employee(row, owners)
    if employee is not None:
        return f"employee:{employee}"
    return f"address:{row.email_key}" if row.email_key is not None else None
