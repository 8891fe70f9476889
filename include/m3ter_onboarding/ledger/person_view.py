"""The view ``m3ter_onboarding_person``: one row a person, with where they stand.

It reads the ledger's own tables, or their published copies in a warehouse of another kind. So it is built of nothing
but joins, unions and row numbers, and SQLAlchemy writes it for each dialect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    MetaData,
    Table,
    and_,
    case,
    event,
    func,
    literal,
    or_,
    select,
    union,
)

from m3ter_onboarding.databases.kinds import LEDGERS
from m3ter_onboarding.ledger.sql_types import exactly
from m3ter_onboarding.ledger.states import LIVE_STATES, state_values

NAME = "m3ter_onboarding_person"

_BEGINNINGS = {"sqlite": "CREATE VIEW IF NOT EXISTS", "mssql": "CREATE OR ALTER VIEW"}


@dataclass(frozen=True)
class PersonTables:
    """The tables that the view reads."""

    plan: Table
    decision: Table
    invitation: Table
    event: Table
    worklist: Table


def make_with_tables(metadata: MetaData, tables: PersonTables) -> None:
    """Make the view whenever all tables of a ledger are made, and drop it before them."""

    def made(_target: Any, connection: Connection, **_arguments: Any) -> None:
        make_view(connection, tables)

    def dropped(_target: Any, connection: Connection, **_arguments: Any) -> None:
        if connection.dialect.name in LEDGERS:
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {_full_name(connection.dialect, tables)}")

    event.listen(metadata, "after_create", made)
    event.listen(metadata, "before_drop", dropped)


def make_view(connection: Connection, tables: PersonTables) -> None:
    """Make the view in a ledger's database."""
    if connection.dialect.name in LEDGERS:
        connection.exec_driver_sql(view_ddl(connection.dialect, tables).replace("%", "%%"))


def view_ddl(dialect: Dialect, tables: PersonTables) -> str:
    """Return the statement that makes the view, and may be run again."""
    text = str(_people(tables).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    begin = _BEGINNINGS.get(dialect.name, "CREATE OR REPLACE VIEW")
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"{begin} {_full_name(dialect, tables)} AS\n{lines}"


def _full_name(dialect: Dialect, tables: PersonTables) -> str:
    schema = tables.decision.schema
    return NAME if schema is None else f"{dialect.identifier_preparer.quote(schema)}.{NAME}"


def _people(t: PersonTables) -> Any:
    decided = _decided(t)
    owners = _owners(decided)
    newest = _newest_decisions(decided, owners)
    invitations = _newest_invitations(t, owners)
    changes = _newest_events(t)
    questions = _open_questions(t, owners)
    n, i, e, q = newest.c, invitations.c, changes.c, questions.c
    people = union(select(n.org_id, n.person_key), select(i.org_id, i.person_key), select(q.org_id, q.person_key)).cte(
        "people"
    )
    invited = i.invitation_id.is_not(None)
    return (
        select(
            people.c.org_id,
            func.coalesce(n.employee_id, i.employee_id, q.employee_id).label("employee_id"),
            func.coalesce(i.email, n.email, q.email).label("email"),
            func.coalesce(i.state, n.decision, q.decision).label("state"),
            case((invited, e.why), else_=func.coalesce(n.reason, q.reason)).label("reason"),
            case((invited, func.coalesce(e.at, i.updated_at)), else_=func.coalesce(q.opened_at, n.decided_at)).label(
                "since"
            ),
            i.invitation_id,
            i.m3ter_id,
            i.sent_at,
            i.accepted_at,
            i.expires_at,
            (n.decision + literal(":") + n.reason).label("decision"),
            n.decided_at,
            func.coalesce(n.start_date, q.start_date).label("start_date"),
            (q.decision + literal(":") + q.reason).label("open_question"),
            q.opened_at.label("open_since"),
        )
        .select_from(people)
        .outerjoin(newest, _same_person(newest, people))
        .outerjoin(invitations, _same_person(invitations, people))
        .outerjoin(changes, and_(e.org_id == i.org_id, e.invitation_id == i.invitation_id, e.place == 1))
        .outerjoin(questions, _same_person(questions, people))
    )


def _same_person(found: CTE, people: CTE) -> ColumnElement[bool]:
    f, p = found.c, people.c
    return and_(f.org_id == p.org_id, f.person_key == p.person_key, f.place == 1)


def _decided(t: PersonTables) -> CTE:
    """Return the decisions of sealed plans; a duplicate comes after the row that counts."""
    d = t.decision.c
    return (
        select(
            d.org_id,
            d.employee_id,
            d.email,
            d.email_key,
            d.decision,
            d.reason,
            d.start_date,
            d.decided_at,
            d.row_no,
            case((d.reason == "duplicate_in_batch", 1), else_=0).label("is_duplicate"),
        )
        .join(t.plan, t.plan.c.plan_id == d.plan_id)
        .where(t.plan.c.state == "sealed")
        .cte("decided")
    )


def _owners(decided: CTE) -> CTE:
    """Return whose an address is, by the newest decision that knows."""
    d = decided.c
    place = func.row_number().over(
        partition_by=(d.org_id, d.email_key), order_by=(d.decided_at.desc(), d.is_duplicate, d.row_no.desc())
    )
    known = (d.employee_id.is_not(None), d.email_key.is_not(None))
    return select(d.org_id, d.email_key, d.employee_id, place.label("place")).where(*known).cte("owners")


def _owner(owners: CTE, table: FromClause) -> ColumnElement[bool]:
    o = owners.c
    return and_(o.org_id == table.c.org_id, o.email_key == table.c.email_key, o.place == 1)


def _person_key(table: FromClause, owners: CTE) -> ColumnElement[str]:
    employee = func.coalesce(table.c.employee_id, owners.c.employee_id)
    return exactly(
        case((employee.is_not(None), literal("employee:") + employee), else_=literal("address:") + table.c.email_key)
    ).label("person_key")


def _numbered(key: ColumnElement[str], table: FromClause, *order: ColumnElement[Any]) -> ColumnElement[int]:
    return func.row_number().over(partition_by=(table.c.org_id, key.element), order_by=order).label("place")


def _newest_decisions(decided: CTE, owners: CTE) -> CTE:
    d = decided.c
    key = _person_key(decided, owners)
    place = _numbered(key, decided, d.decided_at.desc(), d.is_duplicate, d.row_no.desc())
    columns = (d.org_id, d.email, d.decision, d.reason, d.start_date, d.decided_at)
    employee = func.coalesce(d.employee_id, owners.c.employee_id).label("employee_id")
    return (
        select(*columns, employee, key, place)
        .select_from(decided)
        .outerjoin(owners, _owner(owners, decided))
        .where(or_(d.employee_id.is_not(None), d.email_key.is_not(None)))
        .cte("decisions")
    )


def _newest_invitations(t: PersonTables, owners: CTE) -> CTE:
    """Return invitations by person; a live one comes before those that are over."""
    i = t.invitation.c
    key = _person_key(t.invitation, owners)
    live = case((i.state.in_(state_values(LIVE_STATES)), 0), else_=1)
    place = _numbered(key, t.invitation, live, i.invitation_id.desc())
    columns = (i.org_id, i.invitation_id, i.email, i.state, i.m3ter_id, i.sent_at, i.accepted_at, i.expires_at)
    employee = func.coalesce(i.employee_id, owners.c.employee_id).label("employee_id")
    return (
        select(*columns, i.updated_at, employee, key, place)
        .select_from(t.invitation)
        .outerjoin(owners, _owner(owners, t.invitation))
        .cte("invitations")
    )


def _newest_events(t: PersonTables) -> CTE:
    e = t.event.c
    place = func.row_number().over(partition_by=(e.org_id, e.invitation_id), order_by=e.event_id.desc())
    return select(e.org_id, e.invitation_id, e.why, e.at, place.label("place")).cte("changes")


def _open_questions(t: PersonTables, owners: CTE) -> CTE:
    """Return open entries of the worklist by person; those whose row is gone come last, else the oldest first."""
    w = t.worklist.c
    key = _person_key(t.worklist, owners)
    gone = case((w.gone_at.is_(None), 0), else_=1)
    place = _numbered(key, t.worklist, gone, w.opened_at, w.item_id)
    employee = func.coalesce(w.employee_id, owners.c.employee_id).label("employee_id")
    return (
        select(w.org_id, w.email, w.decision, w.reason, w.start_date, w.opened_at, employee, key, place)
        .select_from(t.worklist)
        .outerjoin(owners, _owner(owners, t.worklist))
        .where(w.closed_at.is_(None))
        .cte("questions")
    )
