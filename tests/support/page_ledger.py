"""A ledger of two organisations, each the work of one team's DAG, with people who have names of every kind."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.schema import prepare_tables

NOW = datetime.now(timezone.utc).replace(microsecond=0)


ORG_A, ORG_B = "org-of-team-a", "org-of-team-b"


DAG_A, DAG_B = "m3ter_onboarding__team_a", "m3ter_onboarding__team_b"


#: A DAG that no row is of, in the same ledger.
DAG_C = "m3ter_onboarding__team_c"


PLAN_BEFORE, PLAN, PLAN_B = "plan-before", "plan-now", "plan-of-b"


RUN_BEFORE, RUN = "scheduled__before", "manual__now+00:00"


#: Texts that somebody may have written into the warehouse; each must come back as it is.
HOSTILE = (
    "<script>alert(1)</script>@example.com",
    '=hyperlink("http://evil.example")@example.com',
    "'; drop table m3ter_invitation; --@example.com",
    "x\u202egnp.moc@example.com",
)


def empty(db: LedgerDatabase) -> None:
    """Take out everything but the tables."""
    with db.engine.begin() as connection:
        for table in db.tables.all():
            if table is not db.tables.schema_version:
                connection.execute(delete(table))


def fill_anew(db: LedgerDatabase) -> None:
    """Make the tables, with both organisations in them and nothing else.

    A file of SQLite is filled once and copied from then on: filling it takes longer than most tests.
    """
    file = db.engine.url.database if db.engine.dialect.name == "sqlite" else None
    filled = Path(f"{file}.filled")
    if file is not None and filled.exists():
        db.close()
        shutil.copyfile(filled, file)
        return
    prepare_tables(db, create_tables=True, now=NOW, package_version="0")
    empty(db)
    fill(db)
    if file is not None:
        db.close()
        shutil.copyfile(file, filled)


def fill(db: LedgerDatabase) -> None:
    """Put both organisations in."""
    t = db.tables
    with db.engine.begin() as connection:
        _runs(connection, t)
        _plans(connection, t)
        for dag_id, org_id in ((DAG_A, ORG_A), (DAG_B, ORG_B)):
            connection.execute(insert(t.admission).values(dag_id=dag_id, org_id=org_id, first_at=NOW, last_at=NOW))
        for number, (state, values) in enumerate(
            (
                ("sent", {"email": "ann@example.com", "employee_id": "1001", "m3ter_id": "inv-1"}),
                ("accepted", {"email": "ben@example.com", "employee_id": "1002"}),
                ("failed", {"email": "cem@example.com", "employee_id": "1003", "http_status": 400, "message": "=no"}),
                ("review", {"email": "dan@example.com", "employee_id": "1004"}),
                ("adopted", {"email": "eve@example.com", "origin": "found", "dag_id": None, "run_id": None}),
                ("expired", {"email": "fay@example.com", "employee_id": "1006"}),
                *(
                    ("sent", {"email": text, "employee_id": f"h{i}", "run_id": RUN_BEFORE})
                    for i, text in enumerate(HOSTILE)
                ),
            ),
            start=1,
        ):
            invite(connection, t, number, state=state, **values)
        invite(connection, t, 90, state="sent", email="zoe@b.example", org_id=ORG_B, dag_id=DAG_B, employee_id="2001")
        invite(connection, t, 91, state="adopted", email="yan@b.example", org_id=ORG_B, dag_id=None, origin="found")
        for invitation_id, from_state, to_state, why in (
            (1, None, "sending", "claimed"),
            (1, "sending", "sent", "answered"),
            (4, None, "sending", "claimed"),
            (4, "sending", "unknown", "no_answer"),
            (4, "unknown", "review", "unexplained_entry"),
        ):
            connection.execute(
                insert(t.event).values(
                    invitation_id=invitation_id,
                    org_id=ORG_A,
                    from_state=from_state,
                    to_state=to_state,
                    why=why,
                    plan_id=PLAN,
                    at=NOW,
                )
            )


def _runs(connection: Connection, t: Any) -> None:
    for dag_id, run_id, org_id, hours in (
        *((DAG_A, RUN_BEFORE, ORG_A, 30), (DAG_A, RUN, ORG_A, 6)),
        (DAG_B, "scheduled__b", ORG_B, 5),
    ):
        start = NOW - timedelta(hours=hours)
        connection.execute(
            insert(t.run).values(
                dag_id=dag_id,
                run_id=run_id,
                config_name=dag_id.rpartition("__")[2],
                org_id=org_id,
                run_type="manual",
                triggered_by="tester",
                mode="normal",
                interval_start=start - timedelta(days=1),
                interval_end=start,
                window_start=start - timedelta(days=4),
                window_end=start,
                config_hash="0" * 64,
                package_version="0",
                may_invite=True,
                started_at=start,
                finished_at=start + timedelta(minutes=2),
                outcome="success",
                counts={"rows": 3, "allow_invitations": True},
            )
        )


def _plans(connection: Connection, t: Any) -> None:
    rows: dict[str, list[tuple[str, str, str]]] = {
        PLAN_BEFORE: [("1001", "skip", "too_early"), ("1002", "skip", "already_member"), ("1009", "invite", "new")],
        PLAN: [
            *(("1001", "invite", "new"), ("1002", "skip", "already_member"), ("1003", "invite", "new")),
            *(("1005", "review", "email_changed"), ("1004", "invite", "new"), ("1006", "invalid", "email")),
        ],
        PLAN_B: [("2001", "invite", "new")],
    }
    for plan_id, run_id, dag_id, org_id, hours in (
        *((PLAN_BEFORE, RUN_BEFORE, DAG_A, ORG_A, 29), (PLAN, RUN, DAG_A, ORG_A, 5)),
        (PLAN_B, "scheduled__b", DAG_B, ORG_B, 4),
    ):
        decisions = rows[plan_id]
        names = [f"{verdict}:{reason}" for _, verdict, reason in decisions]
        connection.execute(
            insert(t.plan).values(
                plan_id=plan_id,
                dag_id=dag_id,
                run_id=run_id,
                seq=1,
                org_id=org_id,
                state="sealed",
                mode="normal",
                sendable=True,
                needs_approval=False,
                fingerprint="f" * 64,
                rows_read=len(decisions),
                invitations=sum(verdict == "invite" for _, verdict, _ in decisions),
                counts={name: names.count(name) for name in sorted(set(names))},
                policies=[{"id": "p1", "name": "Analyst", "version": 1}],
                window_start=NOW - timedelta(days=4),
                window_end=NOW,
                created_at=NOW - timedelta(hours=hours),
                sealed_at=NOW - timedelta(hours=hours),
            )
        )
        for row_no, (employee, verdict, reason) in enumerate(decisions, start=1):
            email = f"person-{employee}@example.com"
            connection.execute(
                insert(t.decision).values(
                    plan_id=plan_id,
                    row_no=row_no,
                    org_id=org_id,
                    employee_id=employee,
                    email=email,
                    email_key=email,
                    decision=verdict,
                    reason=reason,
                    detail=f"A sentence about {employee}.",
                    start_date=date(2030, 1, 1),
                    extra={"department": f"Team of {employee}"},
                    invitation_id=None,  # that of the row's own address
                    decided_at=NOW - timedelta(hours=hours),
                )
            )
            if verdict in ("review", "invalid"):
                ask(connection, t, plan_id, row_no, employee, verdict, reason)


def ask(
    connection: Connection, t: Any, plan_id: str, row_no: int, employee: str, *question: str, **values: Any
) -> None:
    """Put an open question of team A's DAG into the worklist."""
    decision, reason = question
    email, seen = f"person-{employee}@example.com", NOW - timedelta(hours=5)
    connection.execute(
        insert(t.worklist).values(
            {
                "org_id": ORG_A,
                "person_key": f"employee:{employee}",
                "employee_id": employee,
                "email": email,
                "email_key": email,
                "decision": decision,
                "reason": reason,
                "detail": f"A sentence about {employee}.",
                "opened_plan_id": plan_id,
                "plan_id": plan_id,
                "row_no": row_no,
                "dag_id": DAG_A,
                "config_name": "team_a",
                "window_start": NOW - timedelta(days=4),
                "window_end": NOW,
                "first_seen_at": seen,
                "opened_at": seen,
                "last_seen_at": seen,
                **values,
            }
        )
    )


def invite(connection: Connection, t: Any, invitation_id: int, *, email: str, state: str, **values: Any) -> None:
    """Put an invitation in."""
    connection.execute(
        insert(t.invitation).values(
            {
                "invitation_id": invitation_id,
                "org_id": ORG_A,
                "email": email,
                "email_key": email.lower(),
                "generation": 1,
                "state": state,
                "origin": "claimed",
                "dag_id": DAG_A,
                "run_id": RUN,
                "plan_id": PLAN,
                "row_no": 1,
                "sent_at": NOW - timedelta(hours=5) if state in ("sent", "accepted", "expired") else None,
                "expires_at": NOW + timedelta(days=20),
                "created_at": NOW - timedelta(hours=6),
                "updated_at": NOW - timedelta(minutes=invitation_id),
                **values,
            }
        )
    )


def failed_for(db: LedgerDatabase, dag_id: str, orgs: list[str]) -> None:
    """Record runs of a DAG that named these organisations, and failed before m3ter let them in."""
    t = db.tables.run
    with db.engine.begin() as connection:
        run = dict(connection.execute(select(t).where(t.c.run_id == RUN)).one()._mapping)
        failed = {**run, "dag_id": dag_id, "config_name": dag_id.rpartition("__")[2], "outcome": "failed"}
        connection.execute(insert(t), [{**failed, "org_id": org, "run_id": f"named-{org}"} for org in orgs])


def worked_for(db: LedgerDatabase, orgs: list[str]) -> None:
    """Let team A's DAG have worked for these organisations too."""
    with db.engine.begin() as connection:
        run = dict(connection.execute(select(db.tables.run).where(db.tables.run.c.run_id == RUN)).one()._mapping)
        connection.execute(
            insert(db.tables.run),
            [{**run, "org_id": org, "run_id": f"of-{org}", "started_at": NOW - timedelta(days=40)} for org in orgs],
        )
        connection.execute(
            insert(db.tables.admission),
            [{"dag_id": DAG_A, "org_id": org, "first_at": NOW, "last_at": NOW} for org in orgs],
        )


def crowd(db: LedgerDatabase, many: int, states: tuple[str, ...] = ("sent",)) -> None:
    """Put so many more people in, all at the same instant: p0000@example.com and so on."""
    with db.engine.begin() as connection:
        connection.execute(
            insert(db.tables.invitation),
            [
                {
                    "invitation_id": 10_000 + number,
                    "org_id": ORG_A,
                    "email": f"p{number:04}@example.com",
                    "email_key": f"p{number:04}@example.com",
                    "generation": 1,
                    "state": states[number % len(states)],
                    "origin": "claimed",
                    "dag_id": DAG_A,
                    "run_id": RUN,
                    "created_at": NOW,
                    "updated_at": NOW,
                }
                for number in range(many)
            ],
        )


def more_configurations(ledger: LedgerDatabase, many: int) -> list[str]:
    """Copy what team A has to so many DAGs, each with an organisation of its own."""
    t, dag_ids = ledger.tables, [f"m3ter_onboarding__o{number}" for number in range(many)]
    with ledger.engine.begin() as connection:
        for table in (t.run, t.plan, t.decision, t.admission, t.invitation, t.worklist):
            mine = table.c.org_id == ORG_A if table is t.decision else table.c.dag_id == DAG_A
            rows = [dict(row._mapping) for row in connection.execute(select(table).where(mine))]
            copies = [_of_another(row, number, dag_id) for number, dag_id in enumerate(dag_ids) for row in rows]
            connection.execute(insert(table), copies)
    return dag_ids


def _of_another(row: Mapping[str, Any], number: int, dag_id: str) -> dict[str, Any]:
    other: dict[str, Any] = {**row, "org_id": f"org-{number}"}
    if "dag_id" in row:
        other["dag_id"] = dag_id
    for name in ("invitation_id", "item_id"):
        if row.get(name) is not None:
            other[name] = row[name] + 1000 * (number + 1)
    if row.get("plan_id") is not None:
        other["plan_id"] = f"{row['plan_id']}-{number}"
    return other


def find(db: LedgerDatabase, *emails: str, **values: Any) -> None:
    """Let the access review have found something about these people."""
    row = {
        "org_id": ORG_A,
        "finding": "no_job",
        "in_m3ter": "access without an end",
        "wanted": "no access: no job",
        "first_seen_at": NOW - timedelta(days=2),
        "last_seen_at": NOW,
        **values,
    }
    with db.engine.begin() as connection:
        rows = [{**row, "m3ter_id": f"u-{email}"[:100], "email": email, "email_key": email} for email in emails]
        connection.execute(insert(db.tables.access_review), rows)
