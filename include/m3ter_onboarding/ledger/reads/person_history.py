"""One person: every decision and every change of an invitation, in the order in which they happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, select
from sqlalchemy import union_all as all_of

from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.decisions import name_in
from m3ter_onboarding.ledger.reads.invitation_list import InvitationRow, rows_of
from m3ter_onboarding.ledger.reads.listed_values import listed_scopes
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.reader_sets import is_visible
from m3ter_onboarding.ledger.reads.scopes import VisibleRows
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.ledger.states import InvitationState, event_sentence
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.email_identity import email_key, is_one_address

#: So many decisions and events at most, and so many invitations: the newest.
MOST, INVITATIONS_SHOWN = 80, 20
#: The task whose log says more, by the event.
_SENT_BY = ("claimed", "answered", "refused", "no_answer", "not_begun", "turned_away", "not_reached", "invalid_request")


@dataclass(frozen=True, repr=False)
class DecisionStep:
    """A plan decided about the person.

    :param said: what was decided, in words.
    :param name: ``decision:reason``.
    """

    at: datetime
    kind: Literal["decision"]
    said: str
    name: str
    detail: str | None
    dag_id: str
    run_id: str
    task_id: Literal["plan"]


@dataclass(frozen=True, repr=False)
class EventStep:
    """An invitation of the person changed.

    :param said: what changed it, in words.
    :param state: the new state.
    :param name: both states and the reason.
    :param decided_by: the person who decided it, where one did.
    :param run_id: with *dag_id*: the run that changed it, where the reader sees it.
    :param task_id: the task whose log says more.
    """

    at: datetime
    kind: Literal["event"]
    said: str
    state: InvitationState
    name: str
    detail: str | None
    http_status: int | None
    decided_by: str | None
    email: str
    dag_id: str | None
    run_id: str | None
    task_id: Literal["send", "snapshot"] | None


@dataclass(frozen=True, repr=False)
class FoundInM3ter:
    """An invitation or a user that m3ter, as last read, lists or once listed for an address of the person.

    :param since: when it was made; None: m3ter does not say.
    :param ends_at: of an invitation: when it expires; of a user: when their access ends; None: not known.
    :param gone: whether m3ter lists it no more.
    """

    kind: Literal["invitation", "user"]
    email: str
    m3ter_id: str
    accepted: bool
    since: datetime | None
    ends_at: datetime | None
    gone: bool


@dataclass(frozen=True, repr=False)
class PersonHistory:
    """The invitations of one person, and the steps that led to them.

    :param invitations: in the ledger, the newest first.
    :param in_m3ter: what m3ter, as last read, has of their addresses, whether or not the ledger has taken it up.
    :param steps: the earliest first.
    :param person_name: first and last name; None: no plan has it, or they are erased.
    :param start_date: the first day, as the newest plan that has one read it.
    :param extra: the warehouse's own columns, by name, as the newest plan read them.
    """

    employee_id: str | None
    email: str | None
    org_id: str
    invitations: list[InvitationRow]
    in_m3ter: list[FoundInM3ter]
    steps: list[DecisionStep | EventStep]
    person_name: str | None
    start_date: date | None
    extra: dict[str, str]


@dataclass(frozen=True, repr=False)
class _Person:
    """What a history is of.

    :param email: as the row has it, usable or not.
    :param row: the plan and the number of a row that names nobody: its history is its own decision.
    """

    org_id: str
    employee_id: str | None
    email_key: str | None
    email: str | None
    row: tuple[str, int] | None = None


def history_of_invitation(reader: LedgerReader, visible: VisibleRows, invitation_id: int) -> PersonHistory | None:
    """Return the history of an invitation's person; None: the reader may not see it."""

    def work(connection: Connection) -> PersonHistory | None:
        t = reader.t
        i = t.invitation.c
        row = connection.execute(
            select(i.org_id, i.employee_id, i.email_key, i.email).where(
                i.invitation_id == invitation_id, is_visible(t.invitation, listed_scopes(connection, visible.scopes))
            )
        ).one_or_none()
        return None if row is None else _history(connection, t, visible, _Person(*row))

    return reader.read(work, doing="reading a person's history")


def history_of_decision(reader: LedgerReader, visible: VisibleRows, plan_id: str, row_no: int) -> PersonHistory | None:
    """Return the history of a decision's person; None: the reader may not see it."""

    def work(connection: Connection) -> PersonHistory | None:
        t = reader.t
        d, p = t.decision.c, t.plan.c
        row = connection.execute(
            select(d.org_id, d.employee_id, d.email_key, d.email, d.decision, d.reason)
            .join(t.plan, p.plan_id == d.plan_id)
            .where(d.plan_id == plan_id, d.row_no == row_no, p.dag_id.in_(list(visible.dag_ids)))
        ).one_or_none()
        if row is None:
            return None
        history = _history(connection, t, visible, _named_by(row, (plan_id, row_no)))
        return replace(history, employee_id=history.employee_id or row.employee_id)

    return reader.read(work, doing="reading a person's history")


def _named_by(row: Any, number: tuple[str, int]) -> _Person:
    """Return the person that a row names: others may have the same unusable address or employee id."""
    employee_id, key = row.employee_id, row.email_key
    if row.decision == "invalid":
        employee_id = None if row.reason == "employee_id" else employee_id
        key = key if row.reason != "email" and is_one_address(key or "") else None
    return _Person(row.org_id, employee_id, key, row.email, None if employee_id or key else number)


def _history(connection: Connection, t: Tables, visible: VisibleRows, person: _Person) -> PersonHistory:
    invitations = _invitations(connection, t, visible, person)
    decisions = _decisions(connection, t, visible, person)
    steps: list[DecisionStep | EventStep] = [
        *map(_decision_step, reversed(decisions)),  # two of one instant keep their order
        *_events(connection, t, visible, {row.invitation_id: row for row in invitations}),
    ]
    return PersonHistory(
        employee_id=person.employee_id or next((row.employee_id for row in invitations if row.employee_id), None),
        email=person.email,
        org_id=person.org_id,
        invitations=[replace(row, message=shortened(row.message)) for row in invitations],
        in_m3ter=_found_in_m3ter(
            connection,
            t,
            [scope.org_id for scope in visible.scopes if scope.org_id == person.org_id],
            {person.email_key, *(row.email_key for row in decisions), *(email_key(row.email) for row in invitations)},
        ),
        steps=sorted(steps, key=lambda step: step.at),
        person_name=next((name for name in _names(decisions, invitations) if name), None),
        start_date=next((row.start_date for row in decisions if row.start_date), None),
        extra=next((row.extra for row in decisions if row.extra), {}),
    )


def _names(decisions: Iterable[Row[Any]], invitations: Iterable[InvitationRow]) -> Iterator[str | None]:
    """Yield the names that decisions and invitations have of a person, the newest first."""
    for row in decisions:
        yield name_in(row.request) or row.person_name
    for invitation in invitations:
        yield invitation.person_name


def _of_person(table: Any, person: _Person) -> list[ColumnElement[bool]]:
    # Two questions, not one with OR: each then has an index of its own.
    found = []
    if person.email_key:
        found.append(table.c.email_key == person.email_key)
    if person.employee_id:
        found.append(table.c.employee_id == person.employee_id)
    return found


def _decided_about(t: Tables, person: _Person) -> list[ColumnElement[bool]]:
    if person.row is None:
        return _of_person(t.decision, person)
    plan_id, row_no = person.row
    return [and_(t.decision.c.plan_id == plan_id, t.decision.c.row_no == row_no)]


def _invitations(connection: Connection, t: Tables, visible: VisibleRows, person: _Person) -> list[InvitationRow]:
    i = t.invitation
    scopes = listed_scopes(connection, visible.scopes)
    found = [
        select(
            select(i.c.invitation_id)
            .where(i.c.org_id == person.org_id, same, is_visible(i, scopes))
            .order_by(i.c.invitation_id.desc())
            .limit(INVITATIONS_SHOWN)
            .subquery()
        )
        for same in _of_person(i, person)
    ]
    ids = set(connection.execute(all_of(*found)).scalars()) if found else set()
    return rows_of(connection, t, sorted(ids, reverse=True)[:INVITATIONS_SHOWN])


def _found_in_m3ter(
    connection: Connection, t: Tables, org_ids: Sequence[str], addresses: Iterable[str | None]
) -> list[FoundInM3ter]:
    """Return what plans looked at besides the ledger: without it, a decision seems to come from nowhere.

    :param org_ids: the person's organisation; empty: the reader may not see it.
    :param addresses: the person's, of now and before.
    """
    keys = sorted(key for key in addresses if key)
    i, u = t.mirror_invitation.c, t.mirror_user.c
    invitations = connection.execute(
        select(i.email, i.m3ter_id, i.accepted, i.created_at, i.expires_at, i.gone)
        .where(i.org_id.in_(org_ids), i.email_key.in_(keys))
        .order_by(i.created_at.desc(), i.m3ter_id)
        .limit(INVITATIONS_SHOWN)
    )
    users = connection.execute(
        select(u.email, u.m3ter_id, u.created_at, u.access_ends_at, u.gone)
        .where(u.org_id.in_(org_ids), u.email_key.in_(keys))
        .order_by(u.m3ter_id)
        .limit(INVITATIONS_SHOWN)
    )
    return [
        *(
            FoundInM3ter("user", row.email, row.m3ter_id, True, row.created_at, row.access_ends_at, row.gone)
            for row in users
        ),
        *(
            FoundInM3ter("invitation", row.email, row.m3ter_id, row.accepted, row.created_at, row.expires_at, row.gone)
            for row in invitations
        ),
    ]


def _decisions(connection: Connection, t: Tables, visible: VisibleRows, person: _Person) -> list[Row[Any]]:
    """Return the newest decisions about a person, the newest first."""
    d, p = t.decision, t.plan.c
    found = [
        select(
            select(
                *(d.c.plan_id, d.c.row_no, d.c.decision, d.c.reason, d.c.detail, d.c.extra, d.c.decided_at),
                *(d.c.email_key, d.c.request, d.c.person_name, d.c.start_date),
                *(p.dag_id, p.run_id, p.sendable),
            )
            .join(t.plan, p.plan_id == d.c.plan_id)
            .where(d.c.org_id == person.org_id, same, p.dag_id.in_(list(visible.dag_ids)))
            .order_by(d.c.decided_at.desc())
            .limit(MOST)
            .subquery()
        )
        for same in _decided_about(t, person)
    ]
    rows: dict[tuple[str, int], Row[Any]] = {}
    for row in connection.execute(all_of(*found)):
        rows[row.plan_id, row.row_no] = row
    return sorted(rows.values(), key=lambda row: (row.decided_at, row.plan_id, row.row_no), reverse=True)[:MOST]


def _decision_step(row: Row[Any]) -> DecisionStep:
    return DecisionStep(
        at=row.decided_at,
        kind="decision",
        said=f"Decided: {decision_names.decision(row.decision, row.reason)}."
        + ("" if row.sendable else " This run planned only."),
        name=f"{row.decision}:{row.reason}",
        detail=shortened(row.detail),
        dag_id=row.dag_id,
        run_id=row.run_id,
        task_id="plan",
    )


def _events(
    connection: Connection, t: Tables, visible: VisibleRows, invitations: Mapping[int, InvitationRow]
) -> list[EventStep]:
    e, p = t.event.c, t.plan.c
    rows = connection.execute(
        select(t.event, p.dag_id, p.run_id)
        .outerjoin(t.plan, p.plan_id == e.plan_id)
        .where(e.invitation_id.in_(list(invitations)))
        .order_by(e.event_id.desc())
        .limit(MOST)
    )
    steps = []
    for row in reversed(rows.all()):  # two of one instant keep their order
        run_visible = row.dag_id in visible.dag_ids
        steps.append(
            EventStep(
                at=row.at,
                kind="event",
                said=event_sentence(row.why),
                state=InvitationState(row.to_state),
                name=f"{row.from_state or '(new)'} → {row.to_state}: {row.why}",
                detail=shortened(row.message),
                http_status=row.http_status,
                decided_by=row.decided_by,
                email=invitations[row.invitation_id].email,
                dag_id=row.dag_id if run_visible else None,
                run_id=row.run_id if run_visible else None,
                task_id=None if row.decided_by else "send" if row.why in _SENT_BY else "snapshot",
            )
        )
    return steps
