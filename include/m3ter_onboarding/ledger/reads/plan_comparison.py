"""The rows of a plan beside those of the plan before: what is new, what changed, what is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from m3ter_onboarding.databases.batches import batches
from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.decisions import name_in
from m3ter_onboarding.ledger.reads.invitation_list import PAGE
from m3ter_onboarding.ledger.reads.plan_heads import ComparablePlan, PreviousPlan, comparable, previous_plan
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.ledger.states import LIVE_STATES, NOT_YET_SENT_STATES, STATES
from m3ter_onboarding.ledger.tables import Tables

#: Of the plan before, so many rows are looked at for those that are not in the new one.
LOOKED_AT = 2000


@dataclass(frozen=True, repr=False)
class PlannedRow:
    """A row of a plan.

    :param said: decision and reason, in words.
    :param change: since the plan before; None: there is none to compare with.
    :param before: what that one decided, in words, where it decided otherwise.
    :param extra: the warehouse's own columns, by name.
    :param person_name: first and last name, of those who are invited and of questions, as far as the row has them.
    :param wrong_value: what the row has where it is wrong; None: that is not a value, or not recorded.
    :param policies: names of the permission policies of that invitation.
    :param state: of the invitation that this row led to; None: to none.
    :param why_not: why that was not sent, or none was, in words; None: it was, or nothing says why.
    :param expires_at: of that invitation.
    """

    plan_id: str
    row_no: int
    employee_id: str | None
    email: str | None
    decision: str
    reason: str
    start_date: date | None
    detail: str | None
    said: str
    change: Literal["new", "same", "changed"] | None
    before: str | None
    extra: dict[str, str]
    person_name: str | None
    wrong_value: str | None
    policies: list[str]
    state: str | None
    why_not: str | None
    expires_at: datetime | None


@dataclass(frozen=True, repr=False)
class ExportedRow:
    """A row of a plan as the file for those who mend the warehouse has it.

    :param person_name: first and last name, of those who are invited and of questions, as far as the row has them.
    :param wrong_value: what the row has where it is wrong; None: that is not a value, or not recorded.
    :param policies: of those who are invited, by name where it is known.
    :param state: of the invitation that this row led to; None: to none.
    """

    row_no: int
    employee_id: str | None
    email: str | None
    start_date: date | None
    decision: str
    reason: str
    detail: str | None
    person_name: str | None
    wrong_value: str | None
    policies: str
    state: str | None
    org_id: str
    dag_id: str
    run_id: str


@dataclass(frozen=True)
class _Outcome:
    """What became of a row that was to be invited."""

    state: str | None = None
    why_not: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class PlannedRows:
    """A page of a plan's rows; *after* is the number of the last one, None: there are no more."""

    rows: list[PlannedRow]
    after: int | None


@dataclass(frozen=True, repr=False)
class GoneRow:
    """A row of the plan before whose person is not in the new one."""

    plan_id: str
    row_no: int
    employee_id: str | None
    email: str | None
    said: str


@dataclass(frozen=True)
class GoneRows:
    """People of the plan before that are not in the new one, and whether these are all."""

    rows: list[GoneRow]
    complete: bool


def find_plan(reader: LedgerReader, dag_id: str, plan_id: str) -> ComparablePlan | None:
    """Return a plan of a DAG; None: it has no such plan."""
    p = reader.t.plan
    row = reader.read(
        lambda connection: connection.execute(select(p).where(p.c.plan_id == plan_id)).one_or_none(),
        doing="reading a plan",
    )
    return comparable(row) if row is not None and row.dag_id == dag_id else None


def planned_rows(
    reader: LedgerReader,
    plan: ComparablePlan,
    decision: str,
    after: int | None,
    size: int = PAGE,
    *,
    reason: str | None = None,
) -> PlannedRows:
    """Return a page of a plan's rows with one decision, each with what the plan before decided about this person.

    :param after: the number of the row behind which the page begins.
    :param reason: only those decided for this reason; None: for any.
    """

    def work(connection: Connection) -> PlannedRows:
        t = reader.t
        d = t.decision.c
        chosen = select(t.decision).where(d.plan_id == plan.plan_id, d.decision == decision)
        if reason is not None:
            chosen = chosen.where(d.reason == reason)
        if after is not None:
            chosen = chosen.where(d.row_no > after)
        rows = connection.execute(chosen.order_by(d.row_no).limit(size + 1)).all()
        before = previous_plan(connection, t, plan)
        earlier = (
            _decided_before(connection, t, plan.org_id, before, [row.employee_id for row in rows]) if before else None
        )
        outcomes = _outcomes(connection, t, plan, rows[:size]) if decision == "invite" else {}
        named = _policy_names(connection, t, plan) if decision == "invite" else {}
        shown = [_planned_row(row, earlier, named, outcomes.get(row.row_no, _Outcome())) for row in rows[:size]]
        return PlannedRows(shown, rows[size - 1].row_no if len(rows) > size else None)

    return reader.read(work, doing="reading a plan")


def _outcomes(connection: Connection, t: Tables, plan: ComparablePlan, rows: Sequence[Row[Any]]) -> dict[int, _Outcome]:
    """Return what became of rows of a plan that were to be invited, by the number of the row."""
    i, w = t.invitation.c, t.withheld.c
    if not rows:
        return {}
    held = connection.execute(
        select(w.row_no, w.reason).where(w.plan_id == plan.plan_id, w.row_no.in_([row.row_no for row in rows]))
    )
    found = {row.row_no: _Outcome(why_not=decision_names.REASONS.get(row.reason, row.reason)) for row in held}
    invitations: Iterable[Any] = connection.execute(
        select(i.email_key, i.plan_id, i.row_no, i.state, i.expires_at, i.http_status, i.message)
        .where(i.org_id == plan.org_id, i.email_key.in_([row.email_key for row in rows]))
        .order_by(i.generation)
    ).all()
    of_address = {row.email_key: row.row_no for row in rows}
    for one in invitations:
        row_no = of_address[one.email_key]
        if (one.plan_id, one.row_no) == (plan.plan_id, row_no):
            found[row_no] = _Outcome(one.state, _why_not(one), one.expires_at)
        elif row_no not in found and one.state in LIVE_STATES:
            found[row_no] = _Outcome(why_not=f"not by this run; another invitation of theirs is: {STATES[one.state]}")
    return found


def _why_not(invitation: Row[Any]) -> str | None:
    """Return m3ter's answer where it sent nothing, or none is known."""
    if invitation.state not in NOT_YET_SENT_STATES or not invitation.message:
        return None
    status = f"{invitation.http_status}: " if invitation.http_status else ""
    return shortened(f"{status}{invitation.message}")


def _policy_names(connection: Connection, t: Tables, plan: ComparablePlan) -> dict[str, str]:
    """Return the names of a plan's permission policies by their ids."""
    policies = connection.execute(select(t.plan.c.policies).where(t.plan.c.plan_id == plan.plan_id)).scalar() or ()
    return {str(policy.get("id")): str(policy.get("name")) for policy in policies}


def exported_rows(
    reader: LedgerReader, plan: ComparablePlan, decision: str | None, size: int, *, reason: str | None = None
) -> Iterator[list[ExportedRow]]:
    """Return all rows of a plan, a page at a time.

    :param decision: only those with this decision; None: all.
    :param reason: only those decided for this reason; None: for any.
    """
    after = 0

    def page(connection: Connection) -> list[ExportedRow]:
        d = reader.t.decision.c
        chosen = select(reader.t.decision).where(d.plan_id == plan.plan_id, d.row_no > after)
        if decision is not None:
            chosen = chosen.where(d.decision == decision)
        if reason is not None:
            chosen = chosen.where(d.reason == reason)
        named = _policy_names(connection, reader.t, plan)
        rows = connection.execute(chosen.order_by(d.row_no).limit(size)).all()
        outcomes = _outcomes(connection, reader.t, plan, [row for row in rows if row.decision == "invite"])
        return [_exported_row(row, plan, named, outcomes.get(row.row_no, _Outcome())) for row in rows]

    while True:
        rows = reader.read(page, doing="reading a plan")
        yield rows
        if len(rows) < size:
            return
        after = rows[-1].row_no


def _invited_with(row: Row[Any], named: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return the name and the policies, by name, of the invitation that a row asks for."""
    request = (row.request or {}) if row.decision == "invite" else {}
    policies = [named.get(policy, policy) for policy in request.get("permissionPolicyIds") or ()]
    return name_in(request) or row.person_name, policies


def _exported_row(row: Row[Any], plan: ComparablePlan, named: Mapping[str, str], outcome: _Outcome) -> ExportedRow:
    name, policies = _invited_with(row, named)
    return ExportedRow(
        row_no=row.row_no,
        employee_id=row.employee_id,
        email=row.email,
        start_date=row.start_date,
        decision=row.decision,
        reason=row.reason,
        detail=row.detail,
        person_name=name,
        wrong_value=decision_names.wrong_value(row),
        policies=", ".join(policies),
        state=outcome.state,
        org_id=plan.org_id,
        dag_id=plan.dag_id,
        run_id=plan.run_id,
    )


def _decided_before(
    connection: Connection, t: Tables, org_id: str, before: PreviousPlan, employees: Sequence[str | None]
) -> dict[str, tuple[str, str]]:
    d = t.decision.c
    wanted = sorted({employee for employee in employees if employee})
    rows = connection.execute(
        select(d.employee_id, d.decision, d.reason).where(
            d.org_id == org_id, d.employee_id.in_(wanted), d.plan_id == before.plan_id
        )
    )
    return {row.employee_id: (row.decision, row.reason) for row in rows}


def _planned_row(
    row: Row[Any],
    earlier: Mapping[str, tuple[str, str]] | None,
    named: Mapping[str, str],
    outcome: _Outcome,
) -> PlannedRow:
    name, policies = _invited_with(row, named)
    change: Literal["new", "same", "changed"] | None = None
    before = None
    if earlier is not None:
        decided = earlier.get(row.employee_id or "")
        change = "new" if decided is None else "same" if decided == (row.decision, row.reason) else "changed"
        before = decision_names.decision(*decided) if decided and change == "changed" else None
    return PlannedRow(
        plan_id=row.plan_id,
        row_no=row.row_no,
        employee_id=row.employee_id,
        email=row.email,
        decision=row.decision,
        reason=row.reason,
        start_date=row.start_date,
        detail=shortened(row.detail),
        said=decision_names.decision(row.decision, row.reason),
        change=change,
        before=before,
        extra=row.extra or {},
        person_name=name,
        wrong_value=decision_names.wrong_value(row),
        policies=policies,
        state=outcome.state,
        why_not=outcome.why_not,
        expires_at=outcome.expires_at,
    )


def rows_gone(reader: LedgerReader, plan: ComparablePlan) -> GoneRows:
    """Return people of the plan before that are not in this one, of as many rows as are looked at."""

    def work(connection: Connection) -> GoneRows:
        t = reader.t
        before = previous_plan(connection, t, plan)
        if before is None:
            return GoneRows([], complete=True)
        d = t.decision.c
        first = connection.execute(
            select(d.row_no, d.employee_id)
            .where(d.plan_id == before.plan_id, d.employee_id.is_not(None))
            .order_by(d.row_no)
            .limit(LOOKED_AT)
        ).all()
        still = _still_there(connection, t, plan, [row.employee_id for row in first])
        gone = [row.row_no for row in first if row.employee_id not in still]
        rows = connection.execute(
            select(d.row_no, d.employee_id, d.email, d.decision, d.reason)
            .where(d.plan_id == before.plan_id, d.row_no.in_(gone[:PAGE]))
            .order_by(d.row_no)
        )
        shown = [
            GoneRow(
                plan_id=before.plan_id,
                row_no=row.row_no,
                employee_id=row.employee_id,
                email=row.email,
                said=decision_names.decision(row.decision, row.reason),
            )
            for row in rows
        ]
        return GoneRows(shown, complete=len(gone) <= PAGE and (before.rows_read or 0) <= LOOKED_AT)

    return reader.read(work, doing="comparing two plans")


def _still_there(connection: Connection, t: Tables, plan: ComparablePlan, employees: Sequence[str]) -> set[str]:
    d = t.decision.c
    found: set[str] = set()
    for wanted in batches(employees):
        mine = d.org_id == plan.org_id, d.employee_id.in_(wanted), d.plan_id == plan.plan_id
        found.update(connection.execute(select(d.employee_id).where(*mine)).scalars())
    return found
