"""Which m3ter an organisation's id belongs to, and which DAGs' connections that m3ter has let in.

An id alone is no identity: a sandbox answers to any. So the ledger keeps the host at which an organisation was first
read, and another one is refused until a person says that it is the same m3ter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, exists, select, update

from m3ter_onboarding.errors import LedgerUnusableError
from m3ter_onboarding.ledger.database import LedgerDatabase


@dataclass(frozen=True)
class Place:
    """An organisation as a connection names it.

    :param base_url: of m3ter's API: scheme, host, port unless it is the scheme's own, path.
    """

    org_id: str
    base_url: str


def known_host(db: LedgerDatabase, org_id: str) -> str | None:
    """Return the base URL of the m3ter that an organisation was read from; None: it never was."""
    table = db.tables.organisation
    statement = select(table.c.base_url).where(table.c.org_id == org_id)
    return db.read(lambda c: c.execute(statement).scalar(), doing="reading which m3ter this is")


def check_host(db: LedgerDatabase, place: Place) -> None:
    """Check that a connection leads to the m3ter that the ledger knows, if it knows one.

    :raises LedgerUnusableError: naming both.
    """
    known = known_host(db, place.org_id)
    if known is not None and known != place.base_url:
        raise LedgerUnusableError(_of_another_host(place, known))


def _of_another_host(place: Place, known: str) -> str:
    return (
        f"The ledger knows the organisation {place.org_id} at {known}, and the m3ter connection now leads to"
        f" {place.base_url}: nothing is read, planned or sent. If this is the same m3ter under another address, let"
        " somebody who may say so run `m3ter-onboarding same-m3ter` with the configuration. If it is another m3ter,"
        " correct the connection's host, or set `ledger_schema` or `ledger_conn_id` to a ledger of its own: what it"
        " sends would count as sent here."
    )


def fix_host(db: LedgerDatabase, place: Place, now: datetime) -> None:
    """Record where an organisation's first answer came from, before anything of it is mirrored.

    A reading that breaks off, and one that only follows invitations, must leave nothing of another m3ter behind.

    :raises LedgerUnusableError: when the ledger knows the organisation at another host.
    """
    _refuse_another(
        place, db.write(lambda c: _known_or_first(db, c, place, now), doing="recording which m3ter is read")
    )


def record_reading(db: LedgerDatabase, place: Place, dag_id: str, now: datetime) -> None:
    """Record that m3ter let a DAG's connection read an organisation to the end.

    :raises LedgerUnusableError: when another run has read the organisation from another host meanwhile.
    """
    admission = db.tables.admission

    def work(connection: Connection) -> str:
        known = _known_or_first(db, connection, place, now)
        if known == place.base_url:
            row = {"dag_id": dag_id, "org_id": place.org_id, "first_at": now, "last_at": now}
            db.upsert(connection, admission, [row], keep=("first_at",))
        return known

    _refuse_another(place, db.write(work, doing="recording which m3ter was read"))


def _known_or_first(db: LedgerDatabase, connection: Connection, place: Place, now: datetime) -> str:
    organisation = db.tables.organisation
    first = {"org_id": place.org_id, "base_url": place.base_url, "first_seen_at": now}
    connection.execute(db.insert_new(organisation).values(first))
    known = select(organisation.c.base_url).where(organisation.c.org_id == place.org_id)
    return str(connection.execute(known).scalar_one())


def _refuse_another(place: Place, known: str) -> None:
    if known != place.base_url:
        raise LedgerUnusableError(_of_another_host(place, known))


def is_admitted(db: LedgerDatabase, dag_id: str, org_id: str) -> bool:
    """Return whether m3ter has let a DAG's connection read an organisation to the end."""
    a = db.tables.admission.c
    statement = select(exists().where(a.dag_id == dag_id, a.org_id == org_id))
    return bool(db.read(lambda c: c.execute(statement).scalar_one(), doing="looking for who was let in"))


def check_admitted(db: LedgerDatabase, dag_id: str, org_id: str) -> None:
    """Check that a task may use what the ledger holds of an organisation.

    :raises LedgerUnusableError: when m3ter never let this DAG's connection in.
    """
    if not is_admitted(db, dag_id, org_id):
        raise LedgerUnusableError(
            f"No snapshot of {dag_id} has read the organisation {org_id} to the end yet, so what the ledger holds of"
            " it is not used. Run that task: m3ter must let its connection in."
        )


@dataclass(frozen=True)
class Confirmation:
    """A person's word that a host is the same m3ter.

    :param known: the host that the ledger had when they were asked.
    :param by: who said so.
    """

    place: Place
    known: str
    by: str
    now: datetime


def confirm_host(db: LedgerDatabase, confirmed: Confirmation) -> bool:
    """Record that the m3ter at another host is the one that the ledger knows.

    m3ter is then read anew, to the end, and no plan that was made before is sent.

    :returns: False when the ledger does not have that host any more.
    """
    t, place = db.tables, confirmed.place

    def work(connection: Connection) -> bool:
        o = t.organisation
        mine = and_(o.c.org_id == place.org_id, o.c.base_url.in_([confirmed.known, place.base_url]))
        values = {"base_url": place.base_url, "confirmed_by": confirmed.by[:250], "confirmed_at": confirmed.now}
        if connection.execute(update(o).where(mine).values(values)).rowcount == 0:
            return False
        unread: Mapping[str, None] = dict.fromkeys(
            ("invitations_through", "invitations_full_at", "users_full_at", "policies_full_at", "complete_ms")
        )
        connection.execute(update(t.mirror_org).where(t.mirror_org.c.org_id == place.org_id).values(unread))
        p = t.plan.c
        connection.execute(
            update(t.plan).where(p.org_id == place.org_id, p.valid_until_ms.is_not(None)).values(valid_until_ms=0)
        )
        return True

    return db.write(work, doing="recording that it is the same m3ter")
