"""Decisions of people about entries of the worklist: close one, put it off, write a note; each with its person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.manual_decisions import DecidedOtherwiseError
from m3ter_onboarding.ledger.worklist import ClosedWhy

#: What a decision writes before the note.
_LINE = re.compile(r"(?:Put off until \d{4}-\d\d-\d\d|Not put off any more|Opened again)\.(?: |$)")

Action = Literal["close", "reopen", "snooze", "note"]


@dataclass(frozen=True)
class WorklistDecision:
    """What a person decides about an entry.

    :param opened_at: as the person saw it: an entry that was answered and opened again since is another question.
    :param until: only with ``snooze``: UTC; None: not put off any more.
    :param who: the user's name in Airflow.
    :param note: in their words; it may name people and stays in the ledger. None: the note stays as it is.

    Putting off and opening again begin the note, so that the entry names who did it in any case.
    """

    item_id: int
    opened_at: datetime
    action: Action
    who: str = field(repr=False)
    until: datetime | None = None
    note: str | None = field(default=None, repr=False)

    @property
    def line(self) -> str | None:
        """What the note says of it; None: other columns, or the note itself, name the person."""
        until = f"Put off until {self.until:%Y-%m-%d}." if self.until else "Not put off any more."
        return {"snooze": until, "reopen": "Opened again."}.get(self.action)

    def note_beside(self, row: Row[Any]) -> dict[str, Any]:
        """Return the note of an entry, and who wrote it last, where this decision changes them.

        The newest line stands before what people wrote, which keeps the name of its author.
        """
        if self.note is not None:
            return {"note": self.note or None, "noted_by": self.who if self.note else None}
        if self.line is None:
            return {}
        written = row.note or ""
        line = _LINE.match(written)
        if line:
            written = written[line.end() :]
        elif written and row.noted_by:
            written = f"{row.noted_by}: {written}"
        return {"note": f"{self.line} {written}".rstrip(), "noted_by": self.who}


def decide_about_entry(db: LedgerDatabase, decision: WorklistDecision, now: datetime) -> None:
    """Write what a person decided about an entry: one compare-and-set.

    A closed entry leaves the worklist and no longer widens windows. The same question is asked again only when
    something about it changes.

    :param now: UTC.
    :raises DecidedOtherwiseError: when the entry was answered meanwhile, or is another question by now.
    """
    if not db.write(lambda c: _decide(c, db, decision, now), doing="writing what a person decided"):
        raise DecidedOtherwiseError(
            "This question has been answered since the page was loaded; nothing was written. Load the page again."
        )


def decide_about_entries(db: LedgerDatabase, decisions: Sequence[WorklistDecision], now: datetime) -> frozenset[int]:
    """Write what a person decided about several entries, each as it would be written alone, in one transaction.

    :param now: UTC.
    :returns: the numbers of those that were answered meanwhile, or are other questions by now; they stay as they are.
    """
    # Two people who decide at once lock the entries in the same order.
    in_order = sorted(decisions, key=lambda decision: decision.item_id)

    def work(connection: Connection) -> frozenset[int]:
        return frozenset(one.item_id for one in in_order if not _decide(connection, db, one, now))

    return db.write(work, doing="writing what a person decided")


def _decide(connection: Connection, db: LedgerDatabase, decision: WorklistDecision, now: datetime) -> bool:
    w = db.tables.worklist
    row = connection.execute(select(w).where(w.c.item_id == decision.item_id).with_for_update()).one_or_none()
    if row is None or row.opened_at != decision.opened_at:
        return False
    values: dict[str, Any] = {}
    if decision.action == "reopen":
        if row.closed_why not in (ClosedWhy.DECIDED.value, ClosedWhy.TOO_OLD.value):
            return row.closed_at is None  # already open: an earlier try whose COMMIT went through unheard
        values = dict.fromkeys(("closed_at", "closed_why", "closed_by", "closed_plan_id", "snoozed_until"))
    elif row.closed_at is not None:
        return bool(decision.action == "close" and row.closed_by == decision.who and row.closed_at == now)
    elif decision.action == "close":
        values = {"closed_at": now, "closed_why": ClosedWhy.DECIDED.value, "closed_by": decision.who}
    elif decision.action == "snooze":
        values = {"snoozed_until": decision.until}
    values |= decision.note_beside(row)
    if values:
        connection.execute(update(w).where(w.c.item_id == decision.item_id).values(**values))
    return True
