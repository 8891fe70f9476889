"""Decisions and invitations of people who start soon, written into a ledger by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import insert, select

from m3ter_onboarding.ledger.database import LedgerDatabase

ORG, DAG = "org-1", "m3ter_onboarding__test"
#: A window of the query, and the moment at which its plan was made.
END = datetime(2028, 2, 20, tzinfo=timezone.utc)


class StartingPeople:
    """One organisation's ledger.

    :param org_id: of the organisation.
    """

    def __init__(self, db: LedgerDatabase, org_id: str = ORG) -> None:
        self.db, self.org_id, self.plans, self.invitations = db, org_id, 0, 0

    def plan(
        self,
        *rows: dict[str, Any],
        end: datetime = END,
        days: int = 4,
        dag_id: str = DAG,
        only_employee: str | None = None,
        state: str = "sealed",
        run: bool = True,
    ) -> str:
        """Record a plan with its run, made at the end of its window.

        :param rows: decisions, with what differs from a row of employee ``e1`` who is to be invited.
        """
        self.plans += 1
        plan_id = f"plan-{self.org_id}-{self.plans}"
        window = {"window_start": end - timedelta(days=days), "window_end": end}
        mine = {"dag_id": dag_id, "run_id": plan_id, "org_id": self.org_id}
        with self.db.engine.begin() as connection:
            if run:
                self._run(connection, mine, window, end, only_employee)
            connection.execute(
                insert(self.db.tables.plan).values(
                    **mine,
                    **window,
                    plan_id=plan_id,
                    seq=1,
                    state=state,
                    mode="normal",
                    sendable=True,
                    needs_approval=False,
                    counts={},
                    policies=[],
                    created_at=end,
                )
            )
            for row_no, row in enumerate(rows, start=1):
                employee = row.get("employee_id", "e1")
                values = {
                    "employee_id": employee,
                    "email": f"{employee}@example.com",
                    "decision": "invite",
                    "reason": "new",
                    "start_date": None,
                    "decided_at": end,
                    **row,
                }
                connection.execute(
                    insert(self.db.tables.decision).values(
                        plan_id=plan_id, row_no=row_no, org_id=self.org_id, email_key=values["email"], **values
                    )
                )
        return plan_id

    def _run(
        self, connection: Any, mine: dict[str, Any], window: dict[str, Any], at: datetime, only_employee: str | None
    ) -> None:
        connection.execute(
            insert(self.db.tables.run).values(
                **mine,
                **window,
                config_name="test",
                run_type="scheduled",
                mode="normal",
                only_employee=only_employee,
                interval_start=window["window_start"],
                interval_end=window["window_end"],
                config_hash="0" * 64,
                package_version="0",
                may_invite=True,
                started_at=at,
                finished_at=at,
                outcome="success",
                counts={},
            )
        )

    def invite(self, employee: str | None = "e1", *, state: str = "sent", **values: Any) -> int:
        """Record an invitation, and return its id."""
        email = values.pop("email", f"{employee}@example.com")
        self.invitations += 1
        m3ter_id = values.pop("m3ter_id", f"m3ter-{self.org_id}-{self.invitations}")
        columns = {
            "org_id": self.org_id,
            "email": email,
            "email_key": email,
            "generation": 1,
            "employee_id": employee,
            "state": state,
            "origin": "claimed",
            "m3ter_id": m3ter_id,
            "dag_id": DAG,
            "sent_at": END,
            "created_at": END,
            "updated_at": END,
            **values,
        }
        with self.db.engine.begin() as connection:
            table = self.db.tables.invitation
            connection.execute(insert(table).values(columns))
            newest = select(table.c.invitation_id).order_by(table.c.invitation_id.desc()).limit(1)
            return int(connection.execute(newest).scalar_one())

    def rows(self, name: str, key: str) -> dict[Any, Any]:
        """Return the rows of a list by one of their columns."""
        table = self.db.tables.metadata.tables[name]
        with self.db.engine.connect() as connection:
            return {getattr(row, key): row for row in connection.execute(select(table).order_by(table.c.item_id))}


def people(first: date, count: int, **values: Any) -> Sequence[dict[str, Any]]:
    """Return rows of many employees who start on one day."""
    return [{"employee_id": f"p{n}", "start_date": first, **values} for n in range(count)]
