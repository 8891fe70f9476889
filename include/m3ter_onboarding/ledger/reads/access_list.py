"""The list of the access review's findings: who has access in m3ter that the warehouse does not agree with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from m3ter_onboarding.ledger.access_findings import FINDINGS, Finding
from m3ter_onboarding.ledger.reads.bounded_counts import count_up_to
from m3ter_onboarding.ledger.reads.numbered_pages import PagePlace, count_rows, numbered_page
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import Scope
from m3ter_onboarding.ledger.tables import Tables

#: Findings of a page.
PAGE = 100

ShownFindings = Literal["open", "ended"]


@dataclass(frozen=True)
class FindingQuery:
    """Which findings a list shows.

    :param finding: only of this kind; None: of any.
    :param after: the last item of the page before; 0: none.
    :param before: instead, the first item of the page after.
    """

    shown: ShownFindings = "open"
    finding: Finding | None = None
    after: int = 0
    before: int | None = None


@dataclass(frozen=True)
class FindingRow:
    """One finding.

    :param said: what it means, in words.
    :param last_seen_at: by the last accepted read that found it.
    """

    item_id: int
    org_id: str
    finding: Finding
    said: str
    email: str | None = field(repr=False)
    employee_id: str | None = field(repr=False)
    m3ter_id: str
    in_m3ter: str | None
    wanted: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class LastAccessRead:
    """The newest read of an organisation.

    :param outcome: ``running``, ``accepted``, ``refused`` or ``failed``; only an accepted one changes findings.
    :param why: it was not accepted.
    """

    org_id: str
    started_at: datetime
    outcome: str
    why: str | None


@dataclass(frozen=True)
class FindingPage:
    """A page of findings.

    :param after: where the next page begins; None: there is none.
    :param before: where the previous page ends; None: this is the first.
    :param total: how many the whole list has; with *more*, at least so many.
    :param reads: the newest of each organisation; none: its access was never reviewed.
    """

    rows: list[FindingRow]
    after: int | None
    before: int | None
    total: int
    more: bool
    reads: list[LastAccessRead]


def findings_page(reader: LedgerReader, scopes: Sequence[Scope], query: FindingQuery) -> FindingPage:
    """Return a page of findings about the organisations of these scopes."""

    def work(connection: Connection) -> FindingPage:
        a = reader.t.access_review
        wanted = select(a).where(*_chosen(reader.t, _organisations(scopes), query))
        place = PagePlace(query.after, query.before)
        page = numbered_page(connection, wanted, a.c.item_id, place, PAGE, _finding)
        total, more = count_rows(connection, wanted)
        return FindingPage(page.rows, page.after, page.before, total, more, _reads(connection, reader.t, scopes))

    return reader.read(work, doing="reading the access review")


def all_findings(
    reader: LedgerReader, scopes: Sequence[Scope], query: FindingQuery, at_once: int
) -> Iterator[list[FindingRow]]:
    """Yield all findings, so many at once; the first, perhaps empty, list in any case."""
    after = query.after
    while True:
        wanted = FindingQuery(query.shown, query.finding, after)
        work = partial(_rows, t=reader.t, scopes=scopes, query=wanted, many=at_once)
        rows = reader.read(work, doing="exporting the access review")
        yield rows[:at_once]
        if len(rows) <= at_once:
            return
        after = rows[at_once - 1].item_id


def count_open_findings(connection: Connection, t: Tables, scopes: Sequence[Scope]) -> dict[str, int]:
    """Count the findings that there are now, by kind; counting stops."""
    organisations = _organisations(scopes)
    if not organisations:
        return {}
    chosen: dict[str, list[Select[Any]]] = {
        finding.value: [
            select(literal_column("1")).where(*_chosen(t, [org_id], FindingQuery(finding=finding)))
            for org_id in organisations
        ]
        for finding in Finding
    }
    return {finding: many for finding, many in count_up_to(connection, chosen).items() if many}


def _organisations(scopes: Sequence[Scope]) -> list[str]:
    return sorted({scope.org_id for scope in scopes})


def _chosen(t: Tables, org_ids: Sequence[str], query: FindingQuery) -> list[ColumnElement[bool]]:
    a = t.access_review.c
    is_there = a.ended_at.is_(None)
    conditions: list[ColumnElement[bool]] = [a.org_id.in_(org_ids), is_there if query.shown == "open" else ~is_there]
    if query.finding is not None:
        conditions.append(a.finding == query.finding.value)
    return conditions


def _rows(
    connection: Connection, t: Tables, scopes: Sequence[Scope], query: FindingQuery, many: int
) -> list[FindingRow]:
    """Return the next findings, and one more where there are more."""
    a = t.access_review
    statement = (
        select(a)
        .where(*_chosen(t, _organisations(scopes), query), a.c.item_id > query.after)
        .order_by(a.c.item_id)
        .limit(many + 1)
    )
    return [_finding(row) for row in connection.execute(statement)]


def _finding(row: Any) -> FindingRow:
    return FindingRow(
        item_id=row.item_id,
        org_id=row.org_id,
        finding=Finding(row.finding),
        said=FINDINGS[row.finding],
        email=row.email,
        employee_id=row.employee_id,
        m3ter_id=row.m3ter_id,
        in_m3ter=row.in_m3ter,
        wanted=row.wanted,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        ended_at=row.ended_at,
    )


def _reads(connection: Connection, t: Tables, scopes: Sequence[Scope]) -> list[LastAccessRead]:
    r = t.access_read.c
    mine = r.org_id.in_(_organisations(scopes))
    newest = select(func.max(r.read_id)).where(mine).group_by(r.org_id)
    statement = select(r.org_id, r.started_at, r.outcome, r.why).where(r.read_id.in_(newest)).order_by(r.org_id)
    return [LastAccessRead(*row) for row in connection.execute(statement)]
