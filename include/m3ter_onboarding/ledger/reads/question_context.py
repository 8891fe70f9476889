"""What the ledger has beside questions of the worklist: invitations in the way, and runs that invite somebody again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Row, Select, and_, case, func, select, true
from sqlalchemy import union_all as all_of

from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.manual_decisions import is_listed, ways_out
from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.listed_values import listed_employees, listed_scopes
from m3ter_onboarding.ledger.reads.reader_sets import is_visible
from m3ter_onboarding.ledger.reads.scopes import VisibleRows
from m3ter_onboarding.ledger.states import LIVE_STATES, ON_ITS_WAY_STATES, OPEN_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables

#: Of these a run has sent, or may be sending, an invitation since the question was asked.
_INVITED_SINCE = state_values(ON_ITS_WAY_STATES | OPEN_STATES)
_LIVE = state_values(LIVE_STATES)

_Employee = tuple[str, str]


@dataclass(frozen=True)
class AgainRun:
    """The newest run that somebody started to invite one person again.

    :param outcome: ``running`` until it ends.
    """

    dag_id: str
    run_id: str
    outcome: str


def may_be_asked_for(question: Row[Any]) -> bool:
    """Return whether a run for this employee alone, which somebody asks for, may invite them."""
    return (
        question.reason in decision_names.INVITED_AGAIN
        and bool(question.employee_id)
        and question.gone_at is None
        and question.closed_at is None
    )


class QuestionContext:
    """What the ledger has beside some questions, as far as the reader sees it; read by at most three statements.

    :param questions: rows of the worklist.
    """

    def __init__(self, connection: Connection, t: Tables, questions: Sequence[Row[Any]], visible: VisibleRows) -> None:
        self._connection, self._t, self._visible = connection, t, visible
        self._scopes = listed_scopes(connection, visible.scopes)
        review = [one for one in questions if one.decision == "review"]
        changed = [one for one in review if one.reason == "email_changed"]
        asked_for = [one for one in questions if may_be_asked_for(one)]
        ids = {one.invitation_id for one in review if one.reason != "email_changed" and one.invitation_id is not None}
        self._invitations = {
            row.invitation_id: row for row in self._read_invitations(ids, _employees([*changed, *asked_for]))
        }
        self._of_employee: defaultdict[_Employee, list[Row[Any]]] = defaultdict(list)
        for row in sorted(self._invitations.values(), key=lambda row: row.invitation_id, reverse=True):
            self._of_employee[row.org_id, row.employee_id].append(row)
        unresolved = [one for one in changed if self._of_this_employee(one) is None]
        self._at_addresses = self._read_at_addresses(_employees(unresolved))
        self._again_runs = self._read_again_runs(asked_for)

    def in_the_way(self, question: Row[Any]) -> Row[Any] | None:
        """Return the invitation that a person would decide about; None: none that the reader sees.

        That of the row itself; where another address forbids it, the live one of that address.
        """
        if question.decision != "review":
            return None
        if question.reason != "email_changed":
            found = self._invitations.get(question.invitation_id)
            return found if found is not None and found.org_id == question.org_id else None
        return self._of_this_employee(question) or next(
            (
                row
                for row in self._at_addresses[question.org_id, question.employee_id]
                if row.email_key != (question.email_key or "")
            ),
            None,
        )

    def ways_out(self, invitation: Row[Any]) -> frozenset[str]:
        """Return the states that a person may give to an invitation in the way."""
        return ways_out(invitation.state, listed=invitation.listed)

    def invited_since(self, question: Row[Any]) -> InvitationState | None:
        """Return the state of an invitation that makes another one needless; None: there is none."""
        mine = self._of_employee[question.org_id, question.employee_id]
        return next((InvitationState(row.state) for row in mine if row.state in _INVITED_SINCE), None)

    def again_run(self, question: Row[Any]) -> AgainRun | None:
        """Return the newest run for this employee alone since the question was opened; None: there is none."""
        return next(
            (
                AgainRun(run.dag_id, run.run_id, run.outcome)
                for run in self._again_runs[question.dag_id, question.employee_id]
                if run.started_at >= question.opened_at
            ),
            None,
        )

    def _of_this_employee(self, question: Row[Any]) -> Row[Any] | None:
        mine = self._of_employee[question.org_id, question.employee_id]
        live = (row for row in mine if row.state in _LIVE and row.email_key != (question.email_key or ""))
        return next(live, None)

    def _read_invitations(self, ids: Iterable[int], employees: Sequence[_Employee]) -> Sequence[Row[Any]]:
        """Return invitations by number, and those of employees that are live or on their way."""
        i = self._t.invitation
        parts: list[Select[Any]] = []
        if ids:
            parts.append(self._shown().where(i.c.invitation_id.in_(sorted(ids))))
        if employees:
            wanted = listed_employees(self._connection, employees)
            # An expression, so that SQLite does not look through all invitations of these states.
            of_states = func.coalesce(i.c.state, "").in_(sorted({*_LIVE, *_INVITED_SINCE}))
            parts.append(self._shown().select_from(_joined(wanted, i)).where(of_states))
        if not parts:
            return []
        return self._connection.execute(all_of(*parts) if len(parts) > 1 else parts[0]).all()

    def _read_at_addresses(self, employees: Sequence[_Employee]) -> defaultdict[_Employee, list[Row[Any]]]:
        """Return live invitations that were found in m3ter at addresses that plans saw of employees, newest first.

        Such an invitation has an address only; an earlier plan saw whose it is.
        """
        found: defaultdict[_Employee, list[Row[Any]]] = defaultdict(list)
        if not employees:
            return found
        i, d, p = self._t.invitation, self._t.decision, self._t.plan
        wanted = listed_employees(self._connection, employees)
        seen = (
            select(d.c.org_id, d.c.employee_id, d.c.email_key)
            .distinct()
            .select_from(_joined(wanted, d).join(p, p.c.plan_id == d.c.plan_id))
            .where(d.c.decision == "skip", p.c.dag_id.in_(list(self._visible.dag_ids)))
            .cte("seen")
        )
        same = and_(i.c.org_id == seen.c.org_id, i.c.email_key == seen.c.email_key)
        rows: Sequence[Row[Any]] = self._connection.execute(
            self._shown(seen.c.employee_id.label("seen_of"))
            .select_from(seen.join(i, same))
            .where(i.c.employee_id.is_(None), func.coalesce(i.c.state, "").in_(_LIVE))
            .order_by(i.c.invitation_id.desc())
        ).all()
        for row in rows:
            found[row.org_id, row.seen_of].append(row)
        return found

    def _shown(self, *more: ColumnElement[Any]) -> Select[Any]:
        i = self._t.invitation
        accepted = i.c.state == InvitationState.ACCEPTED.value
        listed = case((accepted, is_listed(self._t)), else_=true()).label("listed")
        columns = (i.c.invitation_id, i.c.org_id, i.c.email, i.c.email_key, i.c.employee_id, i.c.state, i.c.dag_id)
        return select(*columns, listed, *more).where(is_visible(i, self._scopes))

    def _read_again_runs(self, asked_for: Sequence[Row[Any]]) -> Mapping[_Employee, list[Any]]:
        """Return runs for one employee alone by DAG and employee, the newest first."""
        found: defaultdict[_Employee, list[Any]] = defaultdict(list)
        if not asked_for:
            return found
        r = self._t.run.c
        newest = (
            select(r.dag_id, r.run_id, r.outcome, r.started_at, r.only_employee)
            .where(r.dag_id.in_(sorted({one.dag_id for one in asked_for})))
            .where(r.started_at >= min(one.opened_at for one in asked_for), r.mode == "retry_failed")
            .where(r.only_employee.in_(sorted({one.employee_id for one in asked_for})))
            .order_by(r.started_at.desc())
            .limit(COUNTED)
        )
        for run in self._connection.execute(newest).all():
            found[run.dag_id, run.only_employee].append(run)
        return found


def _employees(questions: Iterable[Row[Any]]) -> list[_Employee]:
    return sorted({(one.org_id, one.employee_id) for one in questions if one.employee_id})


def _joined(employees: CTE, table: Any) -> Any:
    same = and_(table.c.org_id == employees.c.org_id, table.c.employee_id == employees.c.employee_id)
    return employees.join(table, same)
