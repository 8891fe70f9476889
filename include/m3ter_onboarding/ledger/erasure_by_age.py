"""Erasure of everything older than a date, in batches: each is a transaction, and it may be broken off and repeated.

First go people who had an invitation that ended, or never left, and of whom nothing newer is known: their hashes stay.
Then the data in old decisions, closed entries of the worklist, ended findings of the access review, events and runs of
everybody else; no hash stays of them, and none is needed: nobody of them was e-mailed, or the invitation itself still
names them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, or_, select, true, update

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.erased_people import PREFIX
from m3ter_onboarding.ledger.erasure import (
    Erased,
    Erasing,
    ErasureRequest,
    added,
    begin_erasure,
    erase_people,
    listed_in_m3ter,
    with_addresses,
)
from m3ter_onboarding.ledger.personal_columns import People, not_erased
from m3ter_onboarding.ledger.states import LIVE_STATES
from m3ter_onboarding.ledger.tables import Tables, once_more, state_in

_Counts = Mapping[str, int]
#: Erases a batch after a cursor, and returns what it removed and the next cursor; None: it was the last batch.
_Step = Callable[[Erasing, Any], tuple[_Counts, Any]]


def erase_before(
    db: LedgerDatabase,
    request: ErasureRequest,
    before: datetime,
    *,
    on_people: Callable[[People], None] = lambda people: None,
) -> Erased:
    """Erase what is older than an instant; again erases what has become as old since.

    :param before: UTC. Nobody may be waiting that long for an invitation: the caller checks ``max_age_days``.
    :param on_people: gets the people of each batch before the ledger forgets them; called again if it is repeated.
    :raises LedgerUnusableError: when the secret is missing, or another one than before.
    """
    erasure_id = str(uuid.uuid4())
    what = f"before {before:%Y-%m-%d %H:%M}"
    people = _PeopleBefore(before)
    steps: tuple[_Step, ...] = (
        people.employees,
        people.addresses,
        _old_decisions(before),
        _old_worklist(before),
        _old_access(before),
        _old_rows("day_one", before),
        _old_rows("chase", before),
        _the_rest(before),
    )

    def once(connection: Connection, step: _Step, cursor: Any) -> tuple[_Counts, Any]:
        erasing = begin_erasure(connection, db, request, erasure_id, what)
        found, following = step(erasing, cursor)
        if any(found.values()):
            erasing.record(found)
        return found, following

    def all_at_once(connection: Connection) -> dict[str, int]:
        # In one transaction: what one step has erased is not counted by a later one.
        return _in_turn(steps, partial(once, connection))

    def in_batches(step: _Step, cursor: Any) -> tuple[_Counts, Any]:
        work = partial(once, step=step, cursor=cursor)
        # Another database may take long, and no transaction of the ledger waits for it.
        db.rehearse(work, doing="looking for what is old")
        people.hand_over(on_people)
        done = db.write(work, doing="erasing what is old")
        people.hand_over(on_people)
        return done

    def count() -> dict[str, int]:
        return db.rehearse(all_at_once, doing="counting what is old")

    counts = count() if request.rehearse else _in_turn(steps, in_batches)
    return Erased(erasure_id if any(counts.values()) else None, counts)


def _in_turn(steps: Sequence[_Step], do: Callable[[_Step, Any], tuple[_Counts, Any]]) -> dict[str, int]:
    """Do every step batch by batch, and return all that was removed."""
    counts = dict[str, int]()
    for step in steps:
        found, cursor = do(step, None)
        counts = added(counts, found)
        while cursor is not None:
            found, cursor = do(step, cursor)
            counts = added(counts, found)
    return counts


class _PeopleBefore:
    """People who had an invitation, and of whom nothing is live, or newer than an instant."""

    def __init__(self, before: datetime) -> None:
        self._before = before
        self._found = People()

    def hand_over(self, on_people: Callable[[People], None]) -> None:
        """Give away the people of the last step, once."""
        found, self._found = self._found, People()
        if found:
            on_people(found)

    def employees(self, erasing: Erasing, after: str | None) -> tuple[_Counts, str | None]:
        """Erase the next employees."""
        found = self._next(erasing, "employee_id", after)
        known = with_addresses(erasing.connection, erasing.tables, erasing.org_id, found)
        # An address that another employee, or m3ter, still has keeps all its people.
        kept = self._kept_addresses(erasing, known.addresses)
        kept |= listed_in_m3ter(erasing, known.addresses)
        keeping = _employees_of(erasing, kept)
        leaving = with_addresses(erasing.connection, erasing.tables, erasing.org_id, set(found) - keeping)
        return self._erase(erasing, leaving), found[-1] if len(found) == erasing.request.batch else None

    def addresses(self, erasing: Erasing, after: str | None) -> tuple[_Counts, str | None]:
        """Erase the next addresses that are of no known employee."""
        found = self._next(erasing, "email_key", after)
        leaving = frozenset(found) - listed_in_m3ter(erasing, frozenset(found))
        return self._erase(erasing, People(addresses=leaving)), found[-1] if len(
            found
        ) == erasing.request.batch else None

    def _erase(self, erasing: Erasing, people: People) -> _Counts:
        self._found = people
        return erase_people(erasing, people) if people else {}

    def _next(self, erasing: Erasing, name: str, after: str | None) -> list[str]:
        """Return the next people by their column in the invitations: employees, or addresses without one."""
        i = erasing.tables.invitation
        column = i.c[name]
        nobody = i.c.employee_id.is_(None) if name == "email_key" else column.is_not(None)
        statement = (
            select(column)
            .where(
                i.c.org_id == erasing.org_id,
                nobody,
                ~column.startswith(PREFIX, autoescape=True),
                column > (after or ""),
                ~_held(erasing.tables, erasing.org_id, name, column, self._before),
            )
            .distinct()
            .order_by(column)
            .limit(erasing.request.batch)
        )
        return [str(value) for value in erasing.connection.execute(statement).scalars()]

    def _kept_addresses(self, erasing: Erasing, addresses: frozenset[str]) -> set[str]:
        i, kept = erasing.tables.invitation, set[str]()
        for batch in batches(sorted(addresses)):
            held = _held(erasing.tables, erasing.org_id, "email_key", i.c.email_key, self._before)
            statement = select(i.c.email_key).where(i.c.org_id == erasing.org_id, i.c.email_key.in_(batch), held)
            kept.update(erasing.connection.execute(statement).scalars())
        return kept


def _held(t: Tables, org_id: str, name: str, value: ColumnElement[Any], before: datetime) -> ColumnElement[bool]:
    """Return the condition that something of somebody is live, open or new."""
    d, w, i = once_more(t.decision, "newer"), once_more(t.worklist, "asked"), once_more(t.invitation, "held")
    live = or_(state_in(i, LIVE_STATES), i.c.updated_at >= before)
    return or_(
        exists().where(i.c.org_id == org_id, i.c[name] == value, live),
        exists().where(d.c.org_id == org_id, d.c[name] == value, d.c.decided_at >= before),
        exists().where(w.c.org_id == org_id, w.c[name] == value, w.c.closed_at.is_(None)),
    )


def _employees_of(erasing: Erasing, addresses: set[str]) -> set[str]:
    found: set[str] = set()
    for table in (erasing.tables.decision, erasing.tables.invitation, erasing.tables.worklist):
        for batch in batches(sorted(addresses)):
            mine = table.c.org_id == erasing.org_id, table.c.email_key.in_(batch), table.c.employee_id.is_not(None)
            found.update(erasing.connection.execute(select(table.c.employee_id).where(*mine).distinct()).scalars())
    return found


def _old_decisions(before: datetime) -> _Step:
    """Return the step that blanks old decisions, except those that alone know whose an invitation is."""

    def step(erasing: Erasing, cursor: Any) -> tuple[_Counts, Any]:
        d, i = erasing.tables.decision, erasing.tables.invitation
        needed = and_(
            d.c.decision == "skip",
            exists().where(
                i.c.org_id == erasing.org_id,
                i.c.email_key == d.c.email_key,
                i.c.employee_id.is_(None),
                state_in(i, LIVE_STATES),
            ),
        )
        named = (d.c.employee_id, d.c.email_key, d.c.email)
        after: ColumnElement[bool] = true()
        if cursor is not None:
            plan_id, row_no = cursor
            after = or_(d.c.plan_id > plan_id, and_(d.c.plan_id == plan_id, d.c.row_no > row_no))
        rows = _some(
            erasing,
            d,
            after,
            d.c.decided_at < before,
            or_(*map(not_erased, named), d.c.request.is_not(None)),
            ~needed,
        )
        last = (rows[-1].plan_id, rows[-1].row_no) if len(rows) == erasing.request.batch else None
        return {"decisions": erasing.blanking(None).decisions(rows)}, last

    return step


def _old_worklist(before: datetime) -> _Step:
    """Return the step that blanks entries that were closed long ago."""

    def step(erasing: Erasing, cursor: Any) -> tuple[_Counts, Any]:
        w = erasing.tables.worklist
        named = or_(*map(not_erased, (w.c.employee_id, w.c.email_key, w.c.email)))
        rows = _some(erasing, w, w.c.item_id > (cursor or 0), w.c.closed_at < before, named)
        last = rows[-1].item_id if len(rows) == erasing.request.batch else None
        return {"worklist": erasing.blanking(None).worklist(rows)}, last

    return step


def _old_access(before: datetime) -> _Step:
    """Return the step that blanks findings of the access review that ended long ago."""

    def step(erasing: Erasing, cursor: Any) -> tuple[_Counts, Any]:
        a = erasing.tables.access_review
        named = or_(*map(not_erased, (a.c.employee_id, a.c.email_key, a.c.email)))
        rows = _some(erasing, a, a.c.item_id > (cursor or 0), a.c.ended_at < before, named)
        last = rows[-1].item_id if len(rows) == erasing.request.batch else None
        return {"access_review": erasing.blanking(None).access(rows)}, last

    return step


def _old_rows(name: Literal["day_one", "chase"], before: datetime) -> _Step:
    """Return the step that blanks rows of a list that were ended long ago."""

    def step(erasing: Erasing, cursor: Any) -> tuple[_Counts, Any]:
        table = erasing.tables.day_one if name == "day_one" else erasing.tables.chase
        c, blanking = table.c, erasing.blanking(None)
        named = or_(*map(not_erased, (c.employee_id, c.email_key, c.email)))
        rows = _some(erasing, table, c.item_id > (cursor or 0), c.ended_at < before, named)
        last = rows[-1].item_id if len(rows) == erasing.request.batch else None
        return {name: (blanking.day_one if name == "day_one" else blanking.chase)(rows)}, last

    return step


def _the_rest(before: datetime) -> _Step:
    """Return the step for messages of events, the employee of runs, and what m3ter no longer lists."""

    def step(erasing: Erasing, _cursor: Any) -> tuple[_Counts, Any]:
        connection, t, org_id = erasing.connection, erasing.tables, erasing.org_id
        e, r = t.event.c, t.run.c
        old_messages = update(t.event).where(e.org_id == org_id, e.at < before, e.message.is_not(None))
        of_runs = r.org_id == org_id, r.started_at < before, not_erased(r.only_employee)
        employees = connection.execute(select(r.only_employee).where(*of_runs).distinct()).scalars().all()
        for employee in employees:
            word = erasing.words.word("employee", employee)
            connection.execute(update(t.run).where(*of_runs, r.only_employee == employee).values(only_employee=word))
        gone = 0
        for table in (t.mirror_invitation, t.mirror_user):
            long_ago = table.c.gone, table.c.last_seen_ms < int(before.timestamp() * 1000)
            gone += connection.execute(delete(table).where(table.c.org_id == org_id, *long_ago)).rowcount
        events = connection.execute(old_messages.values(message=None)).rowcount
        return {"events": events, "runs": len(employees), "mirror": gone}, None

    return step


def _some(erasing: Erasing, table: Table, *conditions: ColumnElement[bool]) -> list[Any]:
    keys = list(table.primary_key)
    statement = (
        select(table).where(table.c.org_id == erasing.org_id, *conditions).order_by(*keys).limit(erasing.request.batch)
    )
    return list(erasing.connection.execute(statement))
