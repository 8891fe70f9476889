"""A ledger of one DAG with something for every list of the page: open questions, people who start soon, findings."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.schema import prepare_tables
from tests.support.page_ledger import DAG_A, NOW, ORG_A, PLAN, ask, crowd, fill, find

QUESTIONS = 60
PEOPLE = 130


def fill_work(db: LedgerDatabase, dag_id: str) -> None:
    """Put everything in, as the work of this DAG."""
    prepare_tables(db, create_tables=True, now=NOW, package_version="0")
    fill(db)
    crowd(db, PEOPLE)
    find(db, "left@example.com", "maximiliane-alexandra.von-und-zu-hohenstein-wittelsbach@example.com")
    t = db.tables
    with db.engine.begin() as connection:
        for number in range(QUESTIONS):
            ask(connection, t, PLAN, 100 + number, f"q{number}", "skip", "excluded")
        for table in t.all():
            if "dag_id" in table.c:
                connection.execute(update(table).where(table.c.dag_id == DAG_A).values(dag_id=dag_id))
    people_start(db, dag_id)


def people_start(db: LedgerDatabase, dag_id: str) -> None:
    """Let four people start in the next days; two of them are not invited yet. Two invitations are to be chased."""
    t = db.tables
    day_one = {"org_id": ORG_A, "dag_id": "d", "config_name": "c", "time_zone": "UTC", "starts_within_days": 14}
    with db.engine.begin() as connection:
        connection.execute(insert(t.day_one_pass).values(**day_one, first_at=NOW, last_at=NOW))
        for number, standing in enumerate(("not_invited", "not_invited", "pending", "accepted")):
            connection.execute(
                insert(t.day_one).values(
                    org_id=ORG_A,
                    person_key=f"employee:{number}",
                    employee_id=str(number),
                    email=f"person-{number}@example.com",
                    start_date=(NOW + timedelta(days=1 + number)).date(),
                    standing=standing,
                    standing_since=NOW,
                    decision="invite",
                    reason="new",
                    plan_id=PLAN,
                    row_no=1,
                    dag_id=dag_id,
                    first_seen_at=NOW,
                    last_seen_at=NOW,
                )
            )
        i = t.invitation.c
        sent = select(i.invitation_id, i.email, i.employee_id).where(i.org_id == ORG_A, i.state == "sent")
        for row in connection.execute(sent.order_by(i.invitation_id).limit(2)).all():
            connection.execute(
                insert(t.chase).values(
                    **row._mapping,
                    org_id=ORG_A,
                    email_key=row.email,
                    dag_id=dag_id,
                    why="expires",
                    expires_at=NOW + timedelta(days=2),
                    first_seen_at=NOW,
                    last_seen_at=NOW,
                )
            )
