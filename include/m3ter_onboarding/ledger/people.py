"""The people of a plan in the ledger: their invitations, and the addresses of earlier decisions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, case, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.key_sets import one_of, one_of_ids, sets_of
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import LIVE_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables, state_in
from m3ter_onboarding.privacy import repr_of

_STATES = {state.value: state for state in InvitationState}


class LedgerInvitation(NamedTuple):
    """The ledger's current row of one invitation (see ``ledger/tables.py``)."""

    invitation_id: int
    email_key: str
    generation: int
    employee_id: str | None
    state: InvitationState
    request_hash: str | None
    m3ter_id: str | None
    expires_at: datetime | None
    sent_at: datetime | None
    accepted_at: datetime | None = None
    email: str | None = None  #: as it was spelled; None: not known

    def __repr__(self) -> str:
        """Name nobody."""
        return repr_of(self, "invitation_id", "generation", "state", "m3ter_id", "expires_at", "sent_at", "accepted_at")

    @property
    def live(self) -> bool:
        """Whether this row forbids another invitation to the same address or employee."""
        return self.state in LIVE_STATES


def read_ledger(
    db: LedgerDatabase, org_id: str, email_keys: Iterable[str], employee_ids: Iterable[str], *, planning: RunKey
) -> list[LedgerInvitation]:
    """Return every row of the ledger for these addresses or employees, any state and generation.

    :param planning: the run whose new plan has begun. An invitation that an older plan of the same run claimed and did
        not begin counts as unsent: the newer plan keeps it from ever beginning.
    """
    table = db.tables.invitation
    given = {"org_id": org_id, "dag_id": planning.dag_id, "run_id": planning.run_id}

    def work(connection: Connection) -> list[LedgerInvitation]:
        found: dict[int, LedgerInvitation] = {}

        def read(condition: ColumnElement[bool]) -> None:
            statement = _ledger_rows(db.tables).where(condition)
            for number, key, generation, employee, state, *rest in connection.execute(statement, given).all():
                found[number] = LedgerInvitation(number, key, generation, employee, _STATES[state], *rest)

        for batch in sets_of(email_keys):
            read(one_of(connection, table.c.email_key, batch))
        for batch in sets_of(employee_ids):
            # Almost all were found by their address: of those only the number is read again.
            theirs = select(table.c.invitation_id).where(
                table.c.org_id == org_id, one_of(connection, table.c.employee_id, batch)
            )
            if others := [number for number in connection.execute(theirs).scalars() if number not in found]:
                read(one_of_ids(connection, table.c.invitation_id, others))
        return [found[key] for key in sorted(found)]

    return db.read(work, doing="reading invitations")


@built_once
def _ledger_rows(t: Tables) -> Select[Any]:
    """Return what reads rows of an organisation, with the columns in the order of :class:`LedgerInvitation`."""
    i = t.invitation.c
    kept_from_beginning = and_(
        i.state == InvitationState.SENDING.value,
        i.attempt_started_ms.is_(None),
        i.dag_id == bindparam("dag_id"),
        i.run_id == bindparam("run_id"),
    )
    return select(
        *(i.invitation_id, i.email_key, i.generation, i.employee_id),
        case((kept_from_beginning, InvitationState.UNSENT.value), else_=i.state).label("state"),
        *(i.request_hash, i.m3ter_id, i.expires_at, i.sent_at, i.accepted_at, i.email),
    ).where(i.org_id == bindparam("org_id"))


def among_invited(db: LedgerDatabase, org_id: str, employee_ids: Iterable[str]) -> frozenset[str]:
    """Return those of some employees that have a live invitation or joined."""
    wanted, i = frozenset(employee_ids), db.tables.invitation.c
    live = frozenset(state_values(LIVE_STATES))

    def work(connection: Connection) -> frozenset[str]:
        found = set[str]()
        for batch in sets_of(wanted):
            # Without a condition on the state: SQLite would read every row in such a state.
            rows = select(i.employee_id, i.state).where(i.org_id == org_id, one_of(connection, i.employee_id, batch))
            found.update(row.employee_id for row in connection.execute(rows) if row.state in live)
        return frozenset(found)

    return db.read(work, doing="reading invitations")


def invited_employees(db: LedgerDatabase, org_id: str, most: int) -> frozenset[str]:
    """Return employees that have a live invitation or joined, no more than *most*."""
    chosen = _invited(db, org_id).limit(most)
    return db.read(lambda connection: frozenset(connection.execute(chosen).scalars()), doing="reading invitations")


def _invited(db: LedgerDatabase, org_id: str) -> Select[Any]:
    table = db.tables.invitation.c
    return select(table.employee_id).where(
        table.org_id == org_id, table.employee_id.is_not(None), table.state.in_(state_values(LIVE_STATES))
    )


def previous_addresses(db: LedgerDatabase, org_id: str, employee_ids: Iterable[str]) -> dict[str, str]:
    """Return, by employee, the address of an earlier decision that has a live invitation without an employee.

    A row found in m3ter knows an address only. Which employee it belongs to was seen when a plan matched it.
    """
    d, i = db.tables.decision.c, db.tables.invitation.c
    wanted = frozenset(employee_ids)

    def work(connection: Connection) -> dict[str, str]:
        nobodys = select(i.email_key).where(
            i.org_id == org_id, state_in(db.tables.invitation, LIVE_STATES), i.employee_id.is_(None)
        )
        # Two questions, not one with a join: SQLite would look at every such invitation for each decision of all time.
        few = connection.execute(nobodys.limit(len(wanted) + 1)).scalars().all() if wanted else ()
        by_address = len(few) <= len(wanted)
        latest: dict[tuple[str, str], tuple[datetime, str, int]] = {}
        for batch in sets_of(few if by_address else wanted):
            seen = select(d.employee_id, d.email_key, d.decided_at, d.plan_id, d.row_no).where(
                d.org_id == org_id,
                one_of(connection, d.email_key if by_address else d.employee_id, batch),
                d.decision == "skip",
            )
            for employee_id, email_key, *decision in connection.execute(seen):
                if employee_id in wanted and email_key is not None:
                    known = latest.get((employee_id, email_key), tuple(decision))
                    latest[employee_id, email_key] = max(tuple(decision), known)
        keys = {key for _, key in latest}
        if not by_address:
            keys = {
                key
                for batch in sets_of(keys)
                for key in connection.execute(nobodys.where(one_of(connection, i.email_key, batch))).scalars()
            }
        found: dict[str, tuple[tuple[datetime, str, int], str]] = {}
        for (employee_id, email_key), seen_at in latest.items():
            if email_key in keys:
                found[employee_id] = max((seen_at, email_key), found.get(employee_id, (seen_at, email_key)))
        return {employee_id: email_key for employee_id, (_, email_key) in found.items()}

    return db.read(work, doing="reading earlier decisions")
