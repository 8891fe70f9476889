"""What must hold in any ledger, and its history of an address for which it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from sqlalchemy import and_, func, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from tests.support.allowed_transitions import is_allowed
from tests.support.ledger_rows import states

#: States in which no row stays.
OPEN = ("sending", "unknown", "unsent")


class ViolationError(AssertionError):
    """The promise does not hold."""


def check_emails(db: LedgerDatabase, emails: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Check that each address has as many e-mails as it must have.

    :param emails: by address, as m3ter sent them.
    :param expected: by address; others must have none.
    :raises ViolationError: one has more, or less.
    """
    if doubled := {key: count for key, count in emails.items() if count > expected.get(key, 0)}:
        raise ViolationError(f"e-mailed too often: {doubled}{history_of(db, doubled)}")
    if lost := {key: emails.get(key, 0) for key, count in expected.items() if emails.get(key, 0) < count}:
        raise ViolationError(f"never e-mailed: {lost}{history_of(db, lost)}")


def left_open(db: LedgerDatabase, may_stay: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the addresses whose newest row is in a state in which none stays.

    :param may_stay: states that are right nevertheless, by address.
    """
    return {key: state for key, state in states(db).items() if state in OPEN and (may_stay or {}).get(key) != state}


def check_nothing_open(db: LedgerDatabase, may_stay: Mapping[str, str] | None = None) -> None:
    """Check that no row is in a state in which none stays.

    :raises ViolationError: one is.
    """
    if stuck := left_open(db, may_stay):
        raise ViolationError(f"left open: {stuck}{history_of(db, stuck)}")


def check_ledger(db: LedgerDatabase) -> None:
    """Check that every sealed plan has one decision a row, and that every row went from state to state as allowed.

    :raises ViolationError: it does not hold.
    """
    t = db.tables
    decisions = select(func.count()).where(t.decision.c.plan_id == t.plan.c.plan_id).scalar_subquery()
    with db.engine.connect() as connection:
        sealed = select(t.plan.c.plan_id).where(t.plan.c.state == "sealed", t.plan.c.rows_read != decisions)
        if wrong := connection.execute(sealed).all():
            raise ViolationError(f"{len(wrong)} sealed plan(s) have not one decision a row")
        for before, after, why in connection.execute(select(t.event.c.from_state, t.event.c.to_state, t.event.c.why)):
            if not is_allowed(before, after, why):
                raise ViolationError(f"a row went from {before} to {after} ({why}), which no rule allows")


def check_replaced_plans(db: LedgerDatabase) -> None:
    """Check that nothing was claimed for a plan that its run had replaced already, where all processes have one clock.

    :raises ViolationError: it does not hold.
    """
    t = db.tables
    newer = t.plan.alias()
    of_its_run = and_(newer.c.dag_id == t.plan.c.dag_id, newer.c.run_id == t.plan.c.run_id, newer.c.seq > t.plan.c.seq)
    claims = (
        select(t.event.c.at, newer.c.created_at)
        .join(t.plan, t.plan.c.plan_id == t.event.c.plan_id)
        .join(newer, of_its_run)
        .where(t.event.c.why == "claimed")
    )
    with db.engine.connect() as connection:
        # Both are read from the clock a point before they are committed.
        late = [at for at, replaced_at in connection.execute(claims) if at - replaced_at > timedelta(seconds=0.5)]
    if late:
        raise ViolationError(f"{len(late)} invitation(s) were claimed for a plan that was replaced before")


def history_of(db: LedgerDatabase, keys: Iterable[str]) -> str:
    """Return the history of addresses: what was decided, and how each row came to its state."""
    t = db.tables
    lines = []
    with db.engine.connect() as connection:
        for key in keys:
            lines.append(f"\n  {key}")
            decisions = connection.execute(
                select(t.plan.c.run_id, t.decision.c.decision, t.decision.c.reason)
                .join(t.plan, t.plan.c.plan_id == t.decision.c.plan_id)
                .where(t.decision.c.email_key == key)
                .order_by(t.plan.c.created_at)
            )
            lines += [f"\n    {run_id}: {decision}:{reason}" for run_id, decision, reason in decisions]
            events = connection.execute(
                select(t.event.c.at, t.invitation.c.generation, t.event.c.from_state, t.event.c.to_state, t.event.c.why)
                .join(t.invitation, t.invitation.c.invitation_id == t.event.c.invitation_id)
                .where(t.invitation.c.email_key == key)
                .order_by(t.event.c.event_id)
            )
            lines += [f"\n    {at:%H:%M:%S} generation {g}: {a} → {b} ({why})" for at, g, a, b, why in events]
    return "".join(lines)
