"""The worklist: what a person or a setting can still change, kept by organisation and person until it is answered.

An entry is opened by a decision of a plan that may be sent. It is closed by a later decision about the same person that
answers it, by a person, or by age; never by another plan, a dry run, or time alone. Where a complete read no longer has
the row, the entry says since when. While an entry is open, the window of every run of the organisation reaches back to
its row (docs/delivery.md, rule 4), whichever DAG or configuration made the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, exists, func, or_, select, update

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision, Verdict
from m3ter_onboarding.ledger.key_sets import one_of, sets_of
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import LIVE_STATES, state_values
from m3ter_onboarding.ledger.tables import Tables

#: Skipped for now: the start date, a setting or the row may change.
_CHANGEABLE_SKIPS = frozenset({"too_early", "excluded", "domain_not_allowed", "refused_before", "cooling_off"})
#: Of these, nothing is left to be changed for somebody who has an invitation or access already.
_ONLY_WITHOUT_INVITATION = frozenset({"excluded", "domain_not_allowed"})
_LIVE = frozenset(state_values(LIVE_STATES))


#: Asked by what m3ter holds and not by a plan: see ``differences``.
DIFFERS = "differs_in_m3ter"


class ClosedWhy(str, Enum):
    """Why an entry is closed."""

    #: A later decision about the same person.
    ANSWERED = "answered"
    #: A person, who is named in the entry.
    DECIDED = "decided"
    #: Neither for longer than ``max_age_days``.
    TOO_OLD = "too_old"


#: Closed like this, the same question is not asked again until something about it changes.
STAYS_CLOSED = frozenset({ClosedWhy.DECIDED.value, ClosedWhy.TOO_OLD.value})


@dataclass(frozen=True)
class PlanRead:
    """The plan whose decisions change the worklist.

    :param everybody: whether it was made of all rows of its window, and not of one employee's.
    :param window_start: with *window_end*: what its query read, UTC.
    """

    plan_id: str
    dag_id: str
    org_id: str
    config_name: str
    everybody: bool
    window_start: datetime
    window_end: datetime

    def has_read(self, row: Row[Any]) -> bool:
        """Return whether the plan read, with the same query, all the days in which the row of an entry can be."""
        covers = self.window_start <= row.window_start and row.window_end <= self.window_end
        return self.everybody and self.dag_id == row.dag_id and covers


def is_open_question(decision: Decision) -> bool:
    """Return whether a person or a setting can still change what was decided about a row."""
    return is_asked(decision.decision, decision.reason)


def is_asked(verdict: Verdict, reason: str) -> bool:
    """Return whether a person or a setting can still change such a decision."""
    if verdict == "skip":
        return reason in _CHANGEABLE_SKIPS
    return verdict in ("invalid", "review")


@dataclass
class Questions:
    """The questions of a plan by person, collected from its decisions part by part.

    All rows of one person are in the same part. A duplicate of somebody whose other row counts is no question.

    :param addresses: of rows that name an address alone.
    """

    by_person: dict[str, dict[tuple[str, str], Decision]] = field(default_factory=dict, repr=False)
    addresses: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> Questions:
        """Return the questions of these decisions."""
        questions = cls()
        questions.add(decisions)
        return questions

    def add(self, decisions: Sequence[Decision]) -> None:
        """Collect the questions of further persons."""
        asking = {key for one in decisions if is_open_question(one) and (key := person_key(one)) is not None}
        of_person: dict[str, list[Decision]] = {key: [] for key in asking}
        for decision in decisions:
            if asking and (key := person_key(decision)) in asking:
                of_person[str(key)].append(decision)
            if not decision.employee_id and decision.email_key:
                self.addresses.add(decision.email_key)
        for key, rows in of_person.items():
            main = [d for d in rows if d.reason != "duplicate_in_batch"] or rows
            self.by_person[key] = {(d.decision, d.reason): d for d in main if is_open_question(d)}

    def still_asked(self, connection: Connection, t: Tables, org_id: str) -> dict[str, dict[tuple[str, str], Decision]]:
        """Return them without those that an invitation has answered."""
        covered = _covered_addresses(
            connection,
            t,
            org_id,
            (
                d.email_key
                for questions in self.by_person.values()
                for d in questions.values()
                if d.reason in _ONLY_WITHOUT_INVITATION and d.email_key
            ),
        )
        return {
            person: {
                name: d
                for name, d in questions.items()
                if not (d.reason in _ONLY_WITHOUT_INVITATION and d.email_key in covered)
            }
            for person, questions in self.by_person.items()
        }

    def persons_of(self, connection: Connection, t: Tables, plan: PlanRead, entries: Sequence[Row[Any]]) -> set[str]:
        """Return those persons of some entries that a row of the plan names, whatever was decided about it."""
        d = t.decision.c
        employees = {row.employee_id for row in entries if row.employee_id}
        found = {f"address:{address}" for address in self.addresses}
        for batch in sets_of(employees):
            mine = d.org_id == plan.org_id, one_of(connection, d.employee_id, batch), d.plan_id == plan.plan_id
            there = connection.execute(select(d.employee_id).where(*mine)).scalars()
            found.update(f"employee:{employee}" for employee in there)
        return found


def update_worklist(
    connection: Connection,
    db: LedgerDatabase,
    plan: PlanRead,
    questions: Questions,
    *,
    now: datetime,
    max_age: timedelta,
) -> None:
    """Open, keep and close entries by the decisions of a plan, which are written, in the transaction that seals it.

    A run about one employee opens nothing: the window of its plan would become that of every later run.

    :param now: UTC, the worker's clock.
    :param max_age: after which an entry is closed, counted from when it was opened or from the start date, if later.
    """
    w = db.tables.worklist
    asked = questions.still_asked(connection, db.tables, plan.org_id)
    changed: list[dict[str, Any]] = []
    open_entries = connection.execute(
        select(w).where(w.c.org_id == plan.org_id, w.c.closed_at.is_(None), w.c.reason != DIFFERS).order_by(w.c.item_id)
    ).all()
    present = questions.persons_of(connection, db.tables, plan, open_entries)
    for row in open_entries:
        question = asked.get(row.person_key, {}).pop((row.decision, row.reason), None)
        if _is_too_old(row.opened_at, row.start_date, now, max_age):
            changed.append(_closed(row, ClosedWhy.TOO_OLD, plan, now))
        elif question is not None:
            changed.append(_seen_again(row, plan, question, now))
        elif row.person_key in present:
            changed.append(_closed(row, ClosedWhy.ANSWERED, plan, now))
        elif row.gone_at is None and plan.has_read(row):
            changed.append({**_unchanged(row), "new_gone_at": now})
    if plan.everybody:
        asked = {key: questions for key, questions in asked.items() if questions}
        _open(connection, db, plan, asked, changed, now)
    _apply(connection, w, changed)


def open_questions(
    connection: Connection, db: LedgerDatabase, plan: PlanRead, decisions: Sequence[Decision], now: datetime
) -> None:
    """Open entries for questions that arose after a plan was sealed; nothing is closed.

    A run about one employee opens nothing, as when its plan is sealed.
    """
    if not plan.everybody or not decisions:
        return
    asked = Questions.of(decisions).still_asked(connection, db.tables, plan.org_id)
    there = connection.execute(
        select(db.tables.worklist).where(
            db.tables.worklist.c.org_id == plan.org_id, db.tables.worklist.c.closed_at.is_(None)
        )
    )
    for row in there:
        asked.get(row.person_key, {}).pop((row.decision, row.reason), None)
    changed: list[dict[str, Any]] = []
    _open(connection, db, plan, {key: questions for key, questions in asked.items() if questions}, changed, now)
    _apply(connection, db.tables.worklist, changed)


def person_key(decision: Decision) -> str | None:
    """Return who a question is about: an employee, else an address; None: the row names nobody."""
    if decision.employee_id:
        return f"employee:{decision.employee_id}"
    return f"address:{decision.email_key}" if decision.email_key else None


def open_since(db: LedgerDatabase, org_id: str) -> datetime | None:
    """Return the start of the earliest window that read a row of an open entry; None: there is none.

    The whole past, which a run of mode ``full`` reads, is one person's request: its entries count once the run has
    begun to send.
    """

    def work(connection: Connection) -> datetime | None:
        found: datetime | None = connection.execute(_open_since(db.tables), {"org_id": org_id}).scalar()
        return found

    return db.read(work, doing="looking for open questions")


@built_once
def _open_since(t: Tables) -> Select[Any]:
    w, plan, invitation, run = t.worklist, t.plan, t.invitation, t.run
    whole_past = exists().where(plan.c.plan_id == w.c.opened_plan_id, plan.c.mode == "full")
    begun = exists().where(
        plan.c.plan_id == w.c.opened_plan_id,
        or_(
            exists().where(invitation.c.dag_id == plan.c.dag_id, invitation.c.run_id == plan.c.run_id),
            exists().where(
                run.c.dag_id == plan.c.dag_id, run.c.run_id == plan.c.run_id, run.c.delivered_at.is_not(None)
            ),
        ),
    )
    mine = w.c.org_id == bindparam("org_id"), w.c.closed_at.is_(None), w.c.reason != DIFFERS
    return select(func.min(w.c.window_start)).where(*mine, or_(~whole_past, begun))


def _covered_addresses(connection: Connection, t: Tables, org_id: str, keys: Iterable[str]) -> set[str]:
    """Return those addresses that have a live invitation, or are accepted."""
    i, found = t.invitation.c, set[str]()
    for batch in sets_of(keys):
        # With the generation: SQLite would read a whole organisation from an index that has all columns but this one.
        statement = select(i.email_key, i.state, i.generation).where(
            i.org_id == org_id, one_of(connection, i.email_key, batch)
        )
        found.update(row.email_key for row in connection.execute(statement) if row.state in _LIVE)
    return found


def _open(
    connection: Connection,
    db: LedgerDatabase,
    plan: PlanRead,
    asked: Mapping[str, Mapping[tuple[str, str], Decision]],
    changed: list[dict[str, Any]],
    now: datetime,
) -> None:
    """Open entries for the questions that have none.

    :param changed: gets the closed entries that are opened again.
    """
    w = db.tables.worklist
    closed: dict[tuple[str, str, str], Row[Any]] = {}
    for batch in batches(sorted(asked)):
        of_these = w.c.org_id == plan.org_id, w.c.person_key.in_(batch), w.c.closed_at.is_not(None)
        for row in connection.execute(select(w).where(*of_these).order_by(w.c.item_id)):
            closed[row.person_key, row.decision, row.reason] = row
    fresh = []
    for key, questions in asked.items():
        for (decision, reason), question in questions.items():
            before = closed.get((key, decision, reason))
            if before is None:
                fresh.append(_opened(plan, key, question, now))
            elif before.closed_why not in STAYS_CLOSED or _is_another_question(before, question):
                changed.append(_opened_again(before, plan, question, now))
    # Two DAGs of one organisation may ask the same at once.
    statement = db.insert_new(w)
    for rows in batches(fresh):
        connection.execute(statement, list(rows))


def _is_another_question(before: Row[Any], question: Decision) -> bool:
    return (before.email_key, before.detail, before.start_date) != (
        question.email_key,
        question.detail,
        question.start_date,
    )


def _is_too_old(opened_at: datetime, start: date | None, now: datetime, max_age: timedelta) -> bool:
    if start is None:
        return now - opened_at > max_age
    # Plans count days where the hire is: until the last of them has ended there, the person may still be invited.
    # Reckoned back from now: nothing lies behind the last of all days, which a ledger may hold.
    return now - max_age > opened_at and now - max_age - timedelta(days=2) > datetime.combine(
        start, time(), timezone.utc
    )


#: What changes in an entry; one statement serves every change.
_CHANGED = (
    *("email", "email_key", "detail", "start_date", "person_name", "wrong_value", "invitation_id"),
    *("plan_id", "row_no", "dag_id", "config_name"),
    *("window_start", "window_end", "opened_plan_id", "opened_at", "last_seen_at", "gone_at"),
    *("closed_at", "closed_why", "closed_by", "closed_plan_id", "snoozed_until"),
)


def _unchanged(row: Row[Any]) -> dict[str, Any]:
    return {"b_id": row.item_id, **{f"new_{name}": getattr(row, name) for name in _CHANGED}}


def _with(row: Row[Any], **values: Any) -> dict[str, Any]:
    return {**_unchanged(row), **{f"new_{name}": value for name, value in values.items()}}


def _closed(row: Row[Any], why: ClosedWhy, plan: PlanRead, now: datetime) -> dict[str, Any]:
    return _with(row, closed_at=now, closed_why=why.value, closed_plan_id=plan.plan_id)


def _seen_again(row: Row[Any], plan: PlanRead, question: Decision, now: datetime) -> dict[str, Any]:
    # Both windows read the row: it lies in both. Where they do not meet, its load date has moved.
    start, end = max(row.window_start, plan.window_start), min(row.window_end, plan.window_end)
    if start >= end:
        start, end = plan.window_start, plan.window_end
    values = {**_of_plan(plan, question), "window_start": start, "window_end": end}
    return _with(row, **values, last_seen_at=now, gone_at=None)


def _opened_again(row: Row[Any], plan: PlanRead, question: Decision, now: datetime) -> dict[str, Any]:
    reset = dict.fromkeys(("gone_at", "closed_at", "closed_why", "closed_by", "closed_plan_id", "snoozed_until"))
    return _with(row, **_as_opened(plan, question, now), **reset)


def _opened(plan: PlanRead, key: str, question: Decision, now: datetime) -> dict[str, Any]:
    return {
        "org_id": plan.org_id,
        "person_key": key,
        "employee_id": question.employee_id,
        "decision": question.decision,
        "reason": question.reason,
        "first_seen_at": now,
        **_as_opened(plan, question, now),
    }


def _as_opened(plan: PlanRead, question: Decision, now: datetime) -> dict[str, Any]:
    return {
        **_of_plan(plan, question),
        "opened_plan_id": plan.plan_id,
        "window_start": plan.window_start,
        "window_end": plan.window_end,
        "opened_at": now,
        "last_seen_at": now,
    }


def _of_plan(plan: PlanRead, question: Decision) -> dict[str, Any]:
    return {
        "email": question.email,
        "email_key": question.email_key,
        "detail": question.detail,
        "start_date": question.start_date,
        "person_name": question.person_name,
        "wrong_value": question.wrong_value,
        "invitation_id": question.invitation_id,
        "plan_id": plan.plan_id,
        "row_no": question.row_no,
        "dag_id": plan.dag_id,
        "config_name": plan.config_name,
    }


def _apply(connection: Connection, w: Table, changed: Sequence[Mapping[str, Any]]) -> None:
    statement = (
        update(w)
        .where(w.c.item_id == bindparam("b_id"))
        .values({name: bindparam(f"new_{name}", type_=w.c[name].type) for name in _CHANGED})
    )
    for batch in batches(changed):
        connection.execute(statement, [dict(one) for one in batch])
