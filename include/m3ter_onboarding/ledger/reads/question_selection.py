"""Several questions of the worklist at once: which they are, before anything is decided about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func

from m3ter_onboarding.ledger.reads.open_questions import QuestionQuery, chosen_questions, visible_questions
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import VisibleRows

#: So many are decided about at once, and so many are named before.
AT_ONCE, NAMED = 500, 10


@dataclass(frozen=True)
class SeenQuestion:
    """A question as a person saw it.

    :param since: when it was opened.
    """

    item_id: int
    since: datetime


@dataclass(frozen=True, repr=False)
class QuestionSelection:
    """Questions that a person may decide about.

    :param total: how many there are.
    :param not_yours: how many more there are that this person may read and not decide.
    :param kinds: how many, by ``decision:reason``.
    :param names: of the first: their addresses, or else their employee_ids.
    :param questions: the oldest, as many as are decided about at once.
    """

    total: int
    not_yours: int
    kinds: dict[str, int]
    names: list[str]
    questions: list[SeenQuestion]


def question_selection(
    reader: LedgerReader, visible: VisibleRows, query: QuestionQuery, editable: Sequence[str]
) -> QuestionSelection:
    """Return the questions of a list that a person may decide about.

    :param editable: the DAGs that they may edit.
    """

    def work(connection: Connection) -> QuestionSelection:
        w = reader.t.worklist.c
        chosen = chosen_questions(reader.t, visible, query)
        mine = chosen.where(w.dag_id.in_(list(editable)))
        kinds = connection.execute(
            mine.with_only_columns(w.decision, w.reason, func.count().label("many"))
            .group_by(w.decision, w.reason)
            .order_by(w.decision, w.reason)
        ).all()
        everything = connection.execute(chosen.with_only_columns(func.count())).scalar_one()
        rows = connection.execute(mine.order_by(w.item_id).limit(AT_ONCE)).all()
        total = sum(row.many for row in kinds)
        return QuestionSelection(
            total=total,
            not_yours=everything - total,
            kinds={f"{row.decision}:{row.reason}": row.many for row in kinds},
            names=[_name(row) for row in rows[:NAMED]],
            questions=[SeenQuestion(row.item_id, row.opened_at) for row in rows],
        )

    return reader.read(work, doing="looking for questions")


@dataclass(frozen=True, repr=False)
class NamedQuestion:
    """A question that the reader sees.

    :param name: its address, or else its employee_id.
    """

    dag_id: str
    name: str


def named_questions(reader: LedgerReader, visible: VisibleRows, ids: Sequence[int]) -> dict[int, NamedQuestion]:
    """Return those questions that the reader sees, of any list, by number."""
    w = reader.t.worklist.c

    def work(connection: Connection) -> dict[int, NamedQuestion]:
        rows = connection.execute(visible_questions(reader.t, visible).where(w.item_id.in_(list(ids))))
        return {row.item_id: NamedQuestion(row.dag_id, _name(row)) for row in rows}

    return reader.read(work, doing="looking for questions")


def _name(row: Any) -> str:
    return row.email or row.employee_id or f"number {row.item_id}"
