"""The worklist as the page lists it: open questions of the reader's DAGs, and what a person can do about each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal_column, or_, select

from m3ter_onboarding.ledger import decision_names
from m3ter_onboarding.ledger.reads.address_search import spellings
from m3ter_onboarding.ledger.reads.invitation_list import PAGE
from m3ter_onboarding.ledger.reads.numbered_pages import PagePlace, count_rows, numbered_page
from m3ter_onboarding.ledger.reads.question_context import AgainRun, QuestionContext, may_be_asked_for
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import VisibleRows
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.tables import Tables
from m3ter_provider.email_identity import email_key
from m3ter_provider.pasted_text import trim

#: To be answered; answered by time alone; put off; open, and their row is gone; closed by a person or by age.
Shown = Literal["open", "waiting", "snoozed", "gone", "closed"]

#: Questions of one file, the oldest: a list is counted so far, so that its button says how many the file will have.
EXPORTED = 20_000

#: Nobody has to do anything about these.
_ANSWERED_BY_TIME = ("too_early", "cooling_off")


@dataclass(frozen=True)
class QuestionQuery:
    """Which questions a list shows, oldest first.

    :param kind: of this ``decision:reason``, or of this decision with its colon; empty: of any.
    :param at: UTC, now: what is put off until then is open again.
    :param dag_id: of this DAG; None: of each that the reader sees.
    :param older_than_days: opened so long ago; 0: at any time.
    :param search: a part of an address or of a name, or a whole employee_id; empty: everybody.
    :param ids: only these; None: all.
    """

    at: datetime
    shown: Shown = "open"
    kind: str = ""
    dag_id: str | None = None
    older_than_days: int = 0
    search: str = field(default="", repr=False)
    ids: Sequence[int] | None = None


@dataclass(frozen=True, repr=False)
class OpenQuestion:
    """An entry of the worklist.

    :param plan_id: with *row_no*: the newest plan that asked it.
    :param person_name: first and last name, as far as the row has them.
    :param wrong_value: what the row has where it is wrong; None: that is not a value, or not recorded.
    :param since: when it was opened.
    :param gone_since: since when a complete read has not had the row.
    :param closed_why: ``decided`` by *closed_by*, or ``too_old``.
    :param invitation_id: the invitation that a person would decide about; None: none that the reader sees.
    :param said: why, in words.
    :param way: what a person can do.
    :param to: the states that a person may give to that invitation.
    :param invited_again: whether a run for this employee alone, which somebody asks for, may invite them.
    :param again_run: such a run, begun since the question was opened; None: none.
    :param again_state: of the invitation that the person has meanwhile; None: none.
    """

    item_id: int
    plan_id: str
    row_no: int
    org_id: str
    dag_id: str
    email: str | None
    employee_id: str | None
    decision: str
    reason: str
    detail: str | None
    start_date: date | None
    person_name: str | None
    wrong_value: str | None
    since: datetime
    last_seen: datetime
    gone_since: datetime | None
    snoozed_until: datetime | None
    closed_at: datetime | None
    closed_why: str | None
    closed_by: str | None
    note: str | None
    noted_by: str | None
    invitation_id: int | None
    invitation_state: InvitationState | None
    invitation_email: str | None
    invitation_dag_id: str | None
    said: str
    way: str
    to: list[InvitationState]
    invited_again: bool
    again_run: AgainRun | None
    again_state: InvitationState | None


@dataclass(frozen=True)
class QuestionPage:
    """A page of questions, oldest first.

    :param after: where the next page begins; None: there is none.
    :param before: where the previous page ends; None: this is the first.
    :param total: how many the whole list has; with *more*, at least so many.
    """

    rows: list[OpenQuestion]
    after: int | None
    before: int | None
    total: int
    more: bool


def question_page(
    reader: LedgerReader, visible: VisibleRows, query: QuestionQuery, place: PagePlace, *, most: int = EXPORTED
) -> QuestionPage:
    """Return a page of questions.

    :param most: so many are counted.
    """

    def work(connection: Connection) -> QuestionPage:
        t = reader.t
        chosen = chosen_questions(t, visible, query)
        page = numbered_page(connection, chosen, t.worklist.c.item_id, place, PAGE, lambda row: row)
        total, more = count_rows(connection, chosen, most)
        questions = _questions(connection, t, page.rows, visible)
        return QuestionPage(questions, page.after, page.before, total, more)

    return reader.read(work, doing="reading the worklist")


def all_questions(
    reader: LedgerReader, visible: VisibleRows, query: QuestionQuery, size: int, *, most: int = EXPORTED
) -> Iterator[list[OpenQuestion]]:
    """Yield the questions of a list, the oldest first, so many at once; the first, perhaps empty, list in any case.

    :param most: so many, and no more.
    """
    after, left = 0, most

    def work(connection: Connection) -> list[OpenQuestion]:
        number = reader.t.worklist.c.item_id
        chosen = (
            chosen_questions(reader.t, visible, query).where(number > after).order_by(number).limit(min(size, left))
        )
        rows = connection.execute(chosen).all()
        return _questions(connection, reader.t, rows, visible)

    while True:
        rows = reader.read(work, doing="exporting the worklist")
        yield rows
        left -= len(rows)
        if len(rows) < size or not left:
            return
        after = rows[-1].item_id


def chosen_questions(t: Tables, visible: VisibleRows, query: QuestionQuery) -> Select[Any]:
    """Return the entries of a list, in no order."""
    w = t.worklist.c
    decision, _, reason = query.kind.partition(":")
    conditions = [_shown(t, query)]
    if query.kind:
        conditions += [w.decision == decision, *([w.reason == reason] if reason else ())]
    if query.dag_id is not None:
        conditions.append(w.dag_id == query.dag_id)
    if query.older_than_days:
        conditions.append(w.opened_at <= query.at - timedelta(days=query.older_than_days))
    if term := trim(query.search):
        inside = w.email_key.contains(email_key(term), autoescape=True)
        named = (w.person_name.icontains(one, autoescape=True) for one in spellings(term))
        found = (func.coalesce(one, literal_column("false")) for one in (inside, *named))
        conditions.append(or_(w.employee_id == term, *found))
    if query.ids is not None:
        conditions.append(w.item_id.in_(list(query.ids)))
    return visible_questions(t, visible).where(*conditions)


def visible_questions(t: Tables, visible: VisibleRows) -> Select[Any]:
    """Return the entries that the reader sees, of all lists."""
    return select(t.worklist).where(_visible(t, visible))


def count_questions(connection: Connection, t: Tables, visible: VisibleRows, at: datetime) -> dict[str, int]:
    """Count the questions that are open and not put off, by decision and reason."""
    w = t.worklist.c
    rows = connection.execute(
        select(w.decision, w.reason, func.count().label("many"))
        .where(_visible(t, visible), _shown(t, QuestionQuery(at)))
        .group_by(w.decision, w.reason)
        .order_by(w.decision, w.reason)
    )
    return {f"{row.decision}:{row.reason}": row.many for row in rows}


def dag_of_question(connection: Connection, t: Tables, visible: VisibleRows, item_id: int) -> str | None:
    """Return the DAG that a person must be allowed to edit, to decide about a question; None: the reader sees none."""
    w = t.worklist
    found: str | None = connection.execute(
        select(w.c.dag_id).where(_visible(t, visible), w.c.item_id == item_id)
    ).scalar()
    return found


def _visible(t: Tables, visible: VisibleRows) -> ColumnElement[bool]:
    """Return the condition that a question is one of the reader's DAGs; unclear invitations have their own list."""
    w = t.worklist.c
    orgs = sorted({scope.org_id for scope in visible.scopes})
    return and_(w.org_id.in_(orgs), w.dag_id.in_(sorted(visible.dag_ids)), w.reason != "unknown_outcome")


def _shown(t: Tables, query: QuestionQuery) -> ColumnElement[bool]:
    w = t.worklist.c
    if query.shown == "closed":
        return and_(w.closed_at.is_not(None), w.closed_why != "answered")
    if query.shown == "gone":
        return and_(w.closed_at.is_(None), w.gone_at.is_not(None))
    put_off = and_(w.snoozed_until.is_not(None), w.snoozed_until > query.at)
    by_time = w.reason.in_(_ANSWERED_BY_TIME)
    shown = {"open": and_(~by_time, ~put_off), "waiting": and_(by_time, ~put_off), "snoozed": put_off}
    return and_(w.closed_at.is_(None), w.gone_at.is_(None), shown[query.shown])


def _questions(connection: Connection, t: Tables, rows: Sequence[Row[Any]], visible: VisibleRows) -> list[OpenQuestion]:
    """Return entries as they are shown, by a few statements about all of them."""
    context = QuestionContext(connection, t, rows, visible)
    return [_question(row, context) for row in rows]


def _question(row: Row[Any], context: QuestionContext) -> OpenQuestion:
    invitation = context.in_the_way(row)
    to = frozenset[str]() if invitation is None else context.ways_out(invitation)
    no_way = not to and row.reason in decision_names.NO_WAYS
    asked_for = may_be_asked_for(row)
    again_state = context.invited_since(row) if asked_for else None
    return OpenQuestion(
        item_id=row.item_id,
        plan_id=row.plan_id,
        row_no=row.row_no,
        org_id=row.org_id,
        dag_id=row.dag_id,
        email=row.email,
        employee_id=row.employee_id,
        decision=row.decision,
        reason=row.reason,
        detail=shortened(row.detail),
        start_date=row.start_date,
        person_name=row.person_name,
        wrong_value=decision_names.wrong_value(row),
        since=row.opened_at,
        last_seen=row.last_seen_at,
        gone_since=row.gone_at,
        snoozed_until=row.snoozed_until,
        closed_at=row.closed_at,
        closed_why=row.closed_why,
        closed_by=row.closed_by,
        note=shortened(row.note),
        noted_by=row.noted_by,
        invitation_id=invitation.invitation_id if invitation else None,
        invitation_state=InvitationState(invitation.state) if invitation else None,
        invitation_email=invitation.email if invitation else None,
        invitation_dag_id=invitation.dag_id if invitation else None,
        said=decision_names.REASONS.get(row.reason, row.reason),
        way=(decision_names.NO_WAYS if no_way else decision_names.WAYS).get(row.reason, ""),
        to=sorted_states(to),
        invited_again=asked_for and again_state is None,
        again_run=context.again_run(row) if asked_for else None,
        again_state=again_state,
    )


def sorted_states(states: frozenset[str]) -> list[InvitationState]:
    """Return states in their order by name."""
    return [InvitationState(state) for state in sorted(states)]
