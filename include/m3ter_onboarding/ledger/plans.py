"""Plans: begun, sealed once, asked about, approved or rejected, and whether one may be sent now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, insert, or_, select, true, update

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sealing import SealingKey
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.tables import Tables, once_more


@dataclass(frozen=True)
class PlannedPolicy:
    """A permission policy that a plan uses, as m3ter had it when the plan was made."""

    id: str
    name: str
    version: int | None
    administrator_like: bool
    statements_shown: bool = True

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> PlannedPolicy:
        """Read one from the plan's row; plans of version 1 leave out whether people may do everything."""
        return cls(
            kept["id"],
            kept["name"],
            kept["version"],
            bool(kept.get("administrator_like")),
            kept.get("statements_shown") is not False,
        )


@dataclass(frozen=True)
class PlanBeginning:
    """The head of a plan before the new hires are read."""

    org_id: str
    mode: str
    window_start: datetime
    window_end: datetime
    created_at: datetime


@dataclass(frozen=True)
class PlanSeal:
    """The result of planning, written once.

    :param fingerprint: the hash of all that the plan will POST.
    :param counts: rows by ``decision:reason``.
    :param policies: every permission policy of its requests.
    :param not_sendable_because: why it may not be sent; None where it may.
    :param approval_because: why a person must approve it; empty: nobody has to.
    :param no_approval_because: why nobody has to; None: somebody has to, or it invites nobody.
    :param sealed_at: by the worker's clock, for people; the plan's age is judged by the database's.
    :param valid_for: how long it may be sent.
    """

    fingerprint: str
    rows_read: int
    invitations: int
    counts: Mapping[str, int]
    policies: Sequence[PlannedPolicy]
    sendable: bool
    not_sendable_because: str | None
    approval_because: Sequence[str]
    no_approval_because: str | None
    sealed_at: datetime
    valid_for: timedelta


@dataclass(frozen=True)
class PlanRow:
    """The head of one plan as the ledger holds it; see ``m3ter_onboarding_plan``."""

    plan_id: str
    dag_id: str
    run_id: str
    seq: int
    state: str
    org_id: str
    mode: str
    sendable: bool
    not_sendable_because: str | None
    needs_approval: bool
    approval_because: Sequence[str]
    approved: bool
    approved_by: str | None
    approved_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    fingerprint: str | None
    rows_read: int
    invitations: int
    counts: Mapping[str, int]
    policies: Sequence[PlannedPolicy]
    newest: bool
    expired: bool
    seconds_left: float = field(compare=False)  # as of the moment when it was read
    window_start: datetime
    window_end: datetime
    sealed_until: int | None
    lasts_longer: bool
    seal: str | None = field(repr=False)
    approval_seal: str | None = field(repr=False)


@dataclass(frozen=True)
class ShownPlan:
    """The plan that people were shown when they were asked: no other may be sent because of their answer.

    :param seal: over the question; None: nothing proves that they were shown this one.
    """

    plan_id: str
    fingerprint: str
    seal: str | None = field(default=None, repr=False)


def begin_plan(db: LedgerDatabase, run: RunKey, plan_id: str, beginning: PlanBeginning) -> None:
    """Begin a planning attempt; from this moment no older plan of the run may be sent."""
    table = db.tables.plan

    def work(connection: Connection) -> None:
        if connection.execute(select(table.c.plan_id).where(table.c.plan_id == plan_id)).one_or_none():
            return  # an earlier try whose COMMIT went through unheard
        mine = and_(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id)
        newest = connection.execute(select(func.max(table.c.seq)).where(mine)).scalar() or 0
        connection.execute(
            insert(table).values(
                plan_id=plan_id,
                dag_id=run.dag_id,
                run_id=run.run_id,
                seq=newest + 1,
                state="open",
                sendable=False,
                needs_approval=False,
                counts={},
                policies=[],
                **asdict(beginning),
            )
        )

    db.write(work, doing="beginning a plan")


def seal_plan(
    db: LedgerDatabase,
    plan_id: str,
    seal: PlanSeal,
    key: SealingKey,
    also: Callable[[Connection], object] | None = None,
) -> None:
    """Seal a plan: one compare-and-set, after which it may be sent and never changes.

    :param key: of the seal over the plan's head.
    :param also: further work of the same transaction, for a plan that is sealed by this call.
    :raises LedgerError: when the plan is not open, or the ledger does not hold one decision for each row read.
    """
    table, decision = db.tables.plan, db.tables.decision
    values = asdict(seal)
    values["approval_because"] = list(seal.approval_because)
    values["needs_approval"] = bool(seal.approval_because)
    valid_ms = int(values.pop("valid_for").total_seconds() * 1000)

    def work(connection: Connection) -> None:
        count = connection.execute(
            select(func.count()).select_from(decision).where(decision.c.plan_id == plan_id)
        ).scalar_one()
        if count != seal.rows_read:
            raise LedgerError(f"Plan {plan_id} has {count} decisions for {seal.rows_read} rows; it is not sealed.")
        valid_until = int(connection.execute(select(db_now_ms())).scalar_one()) + valid_ms
        sealed = connection.execute(
            update(table)
            .where(table.c.plan_id == plan_id, table.c.state == "open")
            .values(state="sealed", valid_until_ms=valid_until, sealed_until=valid_until, **values)
        ).rowcount
        if sealed:
            head = _read(connection, db.tables, plan_id, true())
            if head is None:
                raise LedgerError(f"Plan {plan_id} is gone from the ledger while it is sealed.")
            mine = update(table).where(table.c.plan_id == plan_id)
            connection.execute(mine.values(seal=key.of_plan(head_of(head))))
            if also is not None:
                also(connection)
        if not sealed:
            known = connection.execute(
                select(table.c.fingerprint).where(table.c.plan_id == plan_id, table.c.state == "sealed")
            ).scalar()
            if known != seal.fingerprint:
                raise LedgerError(f"Plan {plan_id} could not be sealed; it was sealed or removed by another task.")

    db.write(work, doing="sealing the plan")


def _newer_exists(t: Tables) -> ColumnElement[bool]:
    newer = once_more(t.plan, "newer")
    return exists().where(
        newer.c.dag_id == t.plan.c.dag_id, newer.c.run_id == t.plan.c.run_id, newer.c.seq > t.plan.c.seq
    )


def may_be_sent(t: Tables, plan_id: str | ColumnElement[str], org_id: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Return the SQL condition under which a plan may be sent *now*: the claiming statement itself requires it.

    Sealed, its run's newest, not older than ``plan_valid_for`` by the database's clock, sendable, and approved
    for exactly this fingerprint where it needs approval.
    """
    return exists().where(
        t.plan.c.plan_id == plan_id,
        t.plan.c.org_id == org_id,
        t.plan.c.state == "sealed",
        t.plan.c.sendable,
        t.plan.c.valid_until_ms > db_now_ms(),
        or_(
            ~t.plan.c.needs_approval,
            and_(t.plan.c.approved_at.is_not(None), t.plan.c.approved_fingerprint == t.plan.c.fingerprint),
        ),
        t.plan.c.rejected_at.is_(None),
        ~_newer_exists(t),
    )


def record_question(db: LedgerDatabase, run: RunKey, plan: PlanRow, key: SealingKey, at: datetime) -> None:
    """Record that people are asked whether a plan of a run may be sent.

    :param key: of the seal over the question.
    """
    p = db.tables.plan
    seal = key.of_question(plan.plan_id, str(plan.fingerprint))

    def work(connection: Connection) -> None:
        mine = and_(p.c.plan_id == plan.plan_id, p.c.dag_id == run.dag_id, p.c.run_id == run.run_id)
        asked = {"asked_at": func.coalesce(p.c.asked_at, at), "approval_seal": seal}
        connection.execute(update(p).where(mine, p.c.approved_at.is_(None)).values(asked))

    db.write(work, doing="recording the question")


def plan_in_question(db: LedgerDatabase, run: RunKey) -> ShownPlan | None:
    """Return the last plan of a run about which people were asked."""
    p = db.tables.plan

    def work(connection: Connection) -> ShownPlan | None:
        row = connection.execute(
            select(p.c.plan_id, p.c.fingerprint, p.c.approval_seal)
            .where(p.c.dag_id == run.dag_id, p.c.run_id == run.run_id, p.c.asked_at.is_not(None))
            .order_by(p.c.seq.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else ShownPlan(*row)

    return db.read(work, doing="looking for the plan in question")


def record_approval(
    db: LedgerDatabase, run: RunKey, shown: ShownPlan, key: SealingKey, *, by: str, at: datetime
) -> bool:
    """Record that a person approved a plan: one compare-and-set.

    :param shown: the plan that the person was shown.
    :param key: of the seals over question and approval.
    :returns: whether the approval counts. It does not where the run has a newer plan, this one was rejected or is too
        old, or nothing proves that it is the one that was shown.
    """
    t = db.tables
    p = t.plan.c
    this = and_(p.plan_id == shown.plan_id, p.fingerprint == shown.fingerprint)
    newest = and_(p.dag_id == run.dag_id, p.run_id == run.run_id, p.state == "sealed", this, ~_newer_exists(t))
    mine = and_(newest, p.valid_until_ms > db_now_ms())
    seal = key.of_approval(shown.plan_id, shown.fingerprint, by, at)
    proved = key.holds(shown.seal, key.of_question(shown.plan_id, shown.fingerprint))

    def work(connection: Connection) -> bool:
        connection.execute(
            update(t.plan)
            .where(mine, p.approved_at.is_(None), p.rejected_at.is_(None), true() if proved else false())
            .values(approved_by=by, approved_at=at, approved_fingerprint=shown.fingerprint, approval_seal=seal)
        )
        counts = select(p.plan_id).where(mine, p.rejected_at.is_(None), p.approved_fingerprint == shown.fingerprint)
        return connection.execute(counts).one_or_none() is not None

    return db.write(work, doing="recording the approval")


def record_rejection(db: LedgerDatabase, run: RunKey, plan_id: str, *, by: str | None, at: datetime) -> None:
    """Record that a plan of a run was rejected, which ends it for good.

    :param by: the person who rejected it; None: nobody answered in time.
    """
    p = db.tables.plan

    def work(connection: Connection) -> None:
        connection.execute(
            update(p)
            .where(
                p.c.plan_id == plan_id, p.c.dag_id == run.dag_id, p.c.run_id == run.run_id, p.c.rejected_at.is_(None)
            )
            .values(rejected_by=by, rejected_at=at)
        )

    db.write(work, doing="recording the rejection")


def read_plan(db: LedgerDatabase, plan_id: str, run: RunKey | None = None) -> PlanRow | None:
    """Return the head of a plan, judged by the database's clock.

    :param run: the run that it must be a plan of; None: any.
    """
    t = db.tables
    mine = true() if run is None else and_(t.plan.c.dag_id == run.dag_id, t.plan.c.run_id == run.run_id)

    return db.read(lambda connection: _read(connection, t, plan_id, mine), doing="reading the plan")


def _read(connection: Connection, t: Tables, plan_id: str, mine: ColumnElement[bool]) -> PlanRow | None:
    row = connection.execute(
        select(
            t.plan,
            _newer_exists(t).label("outdated"),
            (t.plan.c.valid_until_ms <= db_now_ms()).label("too_old"),
            (t.plan.c.valid_until_ms - db_now_ms()).label("left_ms"),
        ).where(t.plan.c.plan_id == plan_id, mine)
    ).one_or_none()
    if row is None:
        return None
    return PlanRow(
        plan_id=row.plan_id,
        dag_id=row.dag_id,
        run_id=row.run_id,
        seq=row.seq,
        state=row.state,
        org_id=row.org_id,
        mode=row.mode,
        sendable=bool(row.sendable),
        not_sendable_because=row.not_sendable_because,
        needs_approval=bool(row.needs_approval),
        approval_because=tuple(row.approval_because or ()),
        approved=row.approved_at is not None and row.approved_fingerprint == row.fingerprint,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        rejected_by=row.rejected_by,
        rejected_at=row.rejected_at,
        fingerprint=row.fingerprint,
        rows_read=row.rows_read or 0,
        invitations=row.invitations or 0,
        counts=row.counts,
        policies=tuple(PlannedPolicy.from_json(kept) for kept in row.policies),
        newest=not row.outdated,
        expired=bool(row.too_old),
        seconds_left=max(0.0, (row.left_ms or 0) / 1000),
        window_start=row.window_start,
        window_end=row.window_end,
        sealed_until=row.sealed_until,
        lasts_longer=(row.valid_until_ms or 0) > (row.sealed_until or 0),
        seal=row.seal,
        approval_seal=row.approval_seal,
    )


def head_of(plan: PlanRow) -> dict[str, Any]:
    """Return what the seal of a plan covers: everything that decides whether and what may be sent."""
    return {
        "plan_id": plan.plan_id,
        "dag_id": plan.dag_id,
        "run_id": plan.run_id,
        "org_id": plan.org_id,
        "mode": plan.mode,
        "sendable": plan.sendable,
        "needs_approval": plan.needs_approval,
        "approval_because": list(plan.approval_because),
        "fingerprint": plan.fingerprint,
        "rows_read": plan.rows_read,
        "invitations": plan.invitations,
        "policies": [asdict(policy) for policy in plan.policies],
        "valid_until": plan.sealed_until,
    }


def newest_plan_id(db: LedgerDatabase, run: RunKey) -> str | None:
    """Return the id of a run's newest planning attempt, sealed or not."""
    table = db.tables.plan

    def work(connection: Connection) -> str | None:
        return connection.execute(
            select(table.c.plan_id)
            .where(table.c.dag_id == run.dag_id, table.c.run_id == run.run_id)
            .order_by(table.c.seq.desc())
            .limit(1)
        ).scalar()

    return db.read(work, doing="looking for the plan")
