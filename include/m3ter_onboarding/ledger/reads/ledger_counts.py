"""The overview's counts of one ledger, by one statement; each count stops somewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Integer,
    Select,
    String,
    and_,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy import union_all as all_of

from m3ter_onboarding.ledger.access_findings import Finding
from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED
from m3ter_onboarding.ledger.reads.reader_sets import (
    ReaderSets,
    count_of,
    counted_rows,
    first_of_each,
    is_visible,
    rows_of_scopes,
    sets_of,
    within_each,
)
from m3ter_onboarding.ledger.states import CLAIMABLE_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables

#: Invitations that expire soonest are compared with the first day of work: so many of a scope, and of all together.
COMPARED, COMPARED_TOGETHER = 200, 2000

#: Days in which an invitation that nobody has accepted expires: the last of each part; later ones are a part too.
EXPIRY_PARTS = (1, 3, 7)


@dataclass(frozen=True)
class PendingPart:
    """Invitations that were sent and not accepted so far, by the days that are left.

    :param within_days: they expire within so many days, and not within those of the part before; None: later.
    :param many: counting stops.
    """

    within_days: int | None
    many: int


@dataclass(frozen=True)
class StartingDay:
    """People of one first day and one standing."""

    day: date
    standing: str
    many: int


@dataclass(frozen=True)
class LedgerCounts:
    """What the counts came to; see :class:`~m3ter_onboarding.ledger.reads.overview_figures.LedgerFigures`.

    :param left: by DAG and state.
    """

    states: dict[str, int]
    left: Mapping[str, Mapping[str, int]]
    access: dict[str, int]
    chase: int
    sent_today: int
    sent_in_24_hours: int
    expire_before_start: int
    pending: list[PendingPart]
    starting: list[StartingDay]


@dataclass(frozen=True)
class CountedDay:
    """Organisations that have the same day now, and the beginning and the end of that day."""

    org_ids: tuple[str, ...]
    begin: datetime
    end: datetime


def ledger_counts(
    connection: Connection, t: Tables, dag_ids: Sequence[str], days: Iterable[CountedDay], scopes: int, now: datetime
) -> LedgerCounts:
    """Count, by one statement.

    :param days: in which sent invitations are counted.
    :param scopes: how many there are.
    """
    sets = sets_of(connection, t, dag_ids)
    parts = [
        *(_part("state", state.value, count_of(rows_of_scopes(t, sets, state, COUNTED))) for state in InvitationState),
        *(_left(t, sets, state) for state in sorted(CLAIMABLE_STATES)),
        *(_part("access", finding.value, count_of(_findings(t, sets, finding))) for finding in Finding),
        _part("chase", "", count_of(_chase(t, sets))),
        *(_part("sent", "", count_of(_sent(t, sets, day))) for day in days),
        _part("sent_in_24_hours", "", count_of(_sent_since(t, sets, now - timedelta(days=1)))),
        _part("expire_before_start", "", count_of(_expire_before_start(t, sets, scopes, now))),
        *(_part("pending", str(number), many) for number, many in enumerate(_pending(t, sets, now))),
        _starting(t, sets),
    ]
    many: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    starting = []
    for row in connection.execute(all_of(*parts)):
        if row.name == "starting":
            starting.append(StartingDay(row.day, row.key, row.many))
        elif row.many:
            many[row.name][row.key] = min(many[row.name][row.key] + row.many, COUNTED + 1)
    claimable = sorted(state.value for state in CLAIMABLE_STATES)
    return LedgerCounts(
        states={state.value: many["state"][state.value] for state in InvitationState if state.value in many["state"]},
        left={
            dag_id: {state: some for state in claimable if (some := many[f"left:{state}"].get(dag_id, 0))}
            for dag_id in dag_ids
        },
        access=dict(many["access"]),
        chase=many["chase"][""],
        sent_today=many["sent"][""],
        sent_in_24_hours=many["sent_in_24_hours"][""],
        expire_before_start=many["expire_before_start"][""],
        pending=[PendingPart(days, many["pending"][str(n)]) for n, days in enumerate((*EXPIRY_PARTS, None))],
        starting=sorted(starting, key=lambda one: (one.day, one.standing)),
    )


def _part(name: str, key: Any, many: ColumnElement[int], day: Any = None) -> Select[Any]:
    key = literal(key, String()) if isinstance(key, str) else key
    day = cast(null(), Date()) if day is None else day
    return select(
        literal(name, String()).label("name"), key.label("key"), day.label("day"), cast(many, Integer).label("many")
    )


def _left(t: Tables, sets: ReaderSets, state: InvitationState) -> Select[Any]:
    """Count, for each DAG, its invitations in a state."""
    i, s = t.invitation, sets.scopes
    mine: Select[Any] = (
        select(literal_column("1").label("one"))
        .where(within_each(i, s), i.c.state == state.value)
        .order_by(i.c.updated_at, i.c.invitation_id)
        .limit(COUNTED + 1)
        .correlate(s)
    )
    many = select(func.count()).select_from(mine.subquery()).correlate(s).scalar_subquery()
    return _part(f"left:{state.value}", s.c.owner, many).select_from(s).where(s.c.owner != literal_column("''"))


def _findings(t: Tables, sets: ReaderSets, finding: Finding) -> Select[Any]:
    a = t.access_review.c
    mine = and_(a.org_id.in_(sets.org_ids), a.ended_at.is_(None), a.finding == finding.value)
    return select(literal_column("1").label("one")).where(mine).limit(COUNTED + 1)


def _in_list(table: Any, sets: ReaderSets) -> ColumnElement[bool]:
    """Return the condition that a row is in the list now, and the reader's; NULL: the invitation was found in m3ter."""
    c = table.c
    mine = or_(c.dag_id.in_(sets.dag_ids), c.dag_id.is_(None))
    return and_(c.org_id.in_(sets.org_ids), c.ended_at.is_(None), mine)


def _chase(t: Tables, sets: ReaderSets) -> Select[Any]:
    return select(literal_column("1").label("one")).where(_in_list(t.chase, sets)).limit(COUNTED + 1)


def _starting(t: Tables, sets: ReaderSets) -> Select[Any]:
    """Count who starts soon, by first day and standing."""
    d = t.day_one.c
    part = _part("starting", d.standing, func.count(), d.start_date)
    return part.where(_in_list(t.day_one, sets), d.start_date.is_not(None)).group_by(d.start_date, d.standing)


def _sent(t: Tables, sets: ReaderSets, day: CountedDay) -> Select[Any]:
    i = t.invitation
    on_the_day = and_(i.c.org_id.in_(day.org_ids), i.c.sent_at >= day.begin, i.c.sent_at < day.end)
    return select(literal_column("1").label("one")).where(on_the_day, is_visible(i, sets.scopes)).limit(COUNTED + 1)


def _sent_since(t: Tables, sets: ReaderSets, since: datetime) -> Select[Any]:
    """Return what was sent since then: of each organisation a range of the index of sent invitations."""
    i = t.invitation
    organisations = sets.org_ids.distinct().cte("organisations")
    mine = [i.c.org_id == organisations.c.org_id, i.c.sent_at >= since, is_visible(i, sets.scopes)]
    return counted_rows(i, organisations, mine, (i.c.sent_at,), COUNTED, laterally=sets.laterally)


def _expire_before_start(t: Tables, sets: ReaderSets, scopes: int, now: datetime) -> Select[Any]:
    """Return, of those invitations that expire soonest, those that do so before the person's first day."""
    i, d = t.invitation, t.decision
    each = max(1, min(COMPARED, COMPARED_TOGETHER // max(scopes, 1)))
    soonest = first_of_each(
        t, sets, [InvitationState.SENT], (i.c.expires_at, i.c.invitation_id), each, i.c.expires_at >= now
    ).subquery()
    begins = func.timezone("UTC", cast(d.c.start_date, DateTime())) if sets.laterally else d.c.start_date
    return (
        select(literal_column("1").label("one"))
        .select_from(soonest)
        .join(d, and_(d.c.plan_id == soonest.c.plan_id, d.c.row_no == soonest.c.row_no))
        .where(soonest.c.expires_at < begins)
    )


def _pending(t: Tables, sets: ReaderSets, now: datetime) -> list[ColumnElement[int]]:
    e, ends = t.invitation.c.expires_at, [now + timedelta(days=days) for days in EXPIRY_PARTS]
    ranges = [
        *(and_(e >= begin, e < end) for begin, end in zip([now, *ends[:-1]], ends, strict=True)),
        e >= ends[-1],
    ]
    return [count_of(rows_of_scopes(t, sets, InvitationState.SENT, COUNTED, one)) for one in ranges]
