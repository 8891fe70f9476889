"""One organisation for tests: a local m3ter, a real warehouse with the ledger in it, and the steps of a run.

Time passes by moving the ledger's clock columns back (:meth:`World.pass_time`), never by sleeping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow.sdk import Connection
from sqlalchemy import (
    and_,
    delete,
    insert,
    select,
    text,
    update,
)

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode, RunParameters
from m3ter_onboarding.ledger import plans, runs
from m3ter_onboarding.ledger.claim_statements import ClaimRequest
from m3ter_onboarding.ledger.claims import begin_attempts, claim_chunk
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import sealed_request
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.ledger.sealing import SealingKey
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.mirroring.lost_answers import Settled, settle_before_planning, settle_due
from m3ter_onboarding.mirroring.m3ter_lists import take_snapshot
from m3ter_onboarding.mirroring.mirrored_organisation import LookResult, MirroredOrganisation
from m3ter_onboarding.planning.decided_rows import PlanningRun
from m3ter_onboarding.planning.fingerprint import hash_plan
from m3ter_onboarding.planning.sealed_plan import Planned, make_plan
from m3ter_onboarding.sending.lease import boot_clock
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_onboarding.sending.progress import Delivered
from m3ter_onboarding.sending.right_to_send import Caps, PlanToSend
from m3ter_onboarding.sending.sender import Sender
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_onboarding.source.window import Window
from m3ter_provider.connection import connection_settings
from m3ter_provider.hooks.m3ter import M3terAsyncHook
from m3ter_sandbox.testing import SandboxServer
from tests.support import ledger_rows
from tests.support.databases import airflow_connection_named, engine_of, sqlite_connection
from tests.support.hire_table import HIRES

QUERY = """
SELECT employee_id, email, first_name, last_name, permission_policies, start_date
FROM hires WHERE loaded_at >= :window_start AND loaded_at < :window_end ORDER BY employee_id
"""


DAY = datetime(2030, 1, 2, tzinfo=timezone.utc)


WINDOW = Window(DAY - timedelta(days=1), DAY)


HASTE = 50.0


def hasty_clock() -> float:
    """Return seconds on a clock that is fast."""
    return boot_clock() * HASTE


async def hasty_sleep(seconds: float) -> None:
    """Sleep by that clock."""
    await asyncio.sleep(seconds / HASTE)


@dataclass
class World:
    """One organisation and what belongs to it."""

    m3ter: SandboxServer
    db: LedgerDatabase
    warehouse_conn_id: str
    values: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    now: Callable[[], datetime] = utc_now
    query_text: str | None = None
    exclusions_text: str = ""
    job_query: str = ""

    # -- the warehouse ----------------------------------------------------------------------------------------------

    def hire(self, *employees: str, **columns: Any) -> list[str]:
        """Load rows, and return their addresses; that of employee ``e1`` is ``e1@example.com`` unless it is given."""
        rows = [
            {
                "employee_id": employee,
                "email": f"{employee.lower()}@example.com",
                "first_name": "Given",
                "last_name": "Family",
                "loaded_at": DAY - timedelta(hours=12),
                **columns,
            }
            for employee in employees
        ]
        with self.db.engine.begin() as connection:
            for row in rows:
                connection.execute(insert(HIRES), row)
        return [str(row["email"]) for row in rows]

    def correct(self, employee: str, **columns: Any) -> None:
        """Change an employee's row."""
        with self.db.engine.begin() as connection:
            connection.execute(update(HIRES).where(HIRES.c.employee_id == employee).values(**columns))

    # -- the steps of a run -----------------------------------------------------------------------------------------

    def config(self, **values: Any) -> OnboardingConfig:
        """Return the configuration with further values."""
        return OnboardingConfig.from_mapping(
            {
                "name": "test",
                "warehouse_conn_id": self.warehouse_conn_id,
                "query": "hires.sql",
                "settle_after": "1s",
                "max_age_days": 3000,
                **self.values,
                **values,
            },
            query_text=self.query_text or QUERY,
            exclusions_text=self.exclusions_text,
            job_query_text=self.job_query,
        )

    def connection(self, **extra: Any) -> Connection:
        """Return the Airflow connection to the sandbox."""
        values = {"timeout_seconds": 2, "requests_per_second": 500, **self.extra, **extra}
        return Connection.from_json(self.m3ter.airflow_connection(**values), conn_id="m3ter_default")

    def with_m3ter(self, work: Callable[[MirroredOrganisation], Awaitable[Any]], **extra: Any) -> Any:
        """Run *work* with an open hook in haste: 2 requests a second are 100, a second's wait is 20 ms."""
        config = self.config()

        async def main() -> Any:
            async with M3terAsyncHook(
                connection=self.connection(**extra), clock=hasty_clock, sleep=hasty_sleep
            ) as hook:
                return await work(
                    MirroredOrganisation(
                        m3ter=hook,
                        db=self.db,
                        settle_after=config.settle_after,
                        full_snapshot_every=config.full_snapshot_every,
                        now=self.now,
                    )
                )

        return asyncio.run(main())

    @property
    def seals(self) -> SealingKey:
        """The key of the seals, as the tasks make it."""
        return SealingKey.of_connection(connection_settings(self.connection()))

    def snapshot(self) -> LookResult:
        """Mirror m3ter, and settle what is due, as the task does."""

        async def work(org: MirroredOrganisation) -> LookResult:
            looked = await take_snapshot(org)
            await settle_due(org)
            return looked

        looked = self.with_m3ter(work)
        assert isinstance(looked, LookResult)
        return looked

    def settle(self) -> Settled:
        """Settle what is due."""
        settled = self.with_m3ter(settle_due)
        assert isinstance(settled, Settled)
        return settled

    def begin_run(self, run: RunKey, window: Window = WINDOW, **values: Any) -> None:
        """Record a run as the task ``snapshot`` does."""
        now = self.now()
        record = runs.RunRecord(
            config_name="test",
            org_id=self.m3ter.org_id,
            run_type="manual",
            triggered_by="tester",
            mode="normal",
            only_employee=None,
            interval_start=window.start,
            interval_end=window.end,
            window_start=window.start,
            window_end=window.end,
            config_hash="0" * 64,
            package_version="0",
            may_invite=True,
            started_at=now,
        )
        runs.record_run(self.db, run, replace(record, **values))

    def plan(
        self,
        run: RunKey | str = "run-1",
        *,
        window: Window = WINDOW,
        may_invite: bool = True,
        mode: Mode = Mode.NORMAL,
        only_employee: str | None = None,
        settles: bool = False,
        **values: Any,
    ) -> Planned:
        """Make a plan for a run.

        :param settles: wait for what is under way, as the task does.
        :param values: configuration.
        """
        return make_plan(
            self.config(**values),
            self.db,
            PlanningRun(
                key=run if isinstance(run, RunKey) else self.run(run),
                org_id=self.m3ter.org_id,
                window=window,
                parameters=RunParameters(mode=mode, only_employee=only_employee),
                seals=self.seals,
                plans_only_because=None if may_invite else "it is a test.",
            ),
            now=self.now(),
            settle=(lambda: self.with_m3ter(settle_before_planning)) if settles else None,
        )

    def run(self, run_id: str) -> RunKey:
        """Return the key of a run."""
        return RunKey("m3ter_onboarding__test", run_id)

    def send(
        self,
        plan: Planned,
        run: str = "run-1",
        *,
        caps: Caps | None = None,
        stop: Callable[[], Stop] = Stop,
        paused: Callable[[], str | None] = lambda: None,
        before: Callable[[Sender], None] | None = None,
        **extra: Any,
    ) -> Delivered:
        """Send a plan as the task does; *before* may take hold of the sender."""

        async def work(org: MirroredOrganisation) -> Delivered:
            sender = Sender(
                org=org,
                to_send=PlanToSend(self.run(run), plan.plan_id, caps or Caps()),
                stop=stop(),
                pause=PauseSwitch("test", read=paused),
            )
            if before is not None:
                before(sender)
            return await sender.send()

        delivered = self.with_m3ter(work, **extra)
        assert isinstance(delivered, Delivered)
        return delivered

    def whole_run(self, run: str = "run-1", **values: Any) -> Delivered:
        """Snapshot, plan, send."""
        self.snapshot()
        return self.send(self.plan(run, **values), run)

    # -- a sender that died -----------------------------------------------------------------------------------------

    def claim(
        self, plan: Planned, run: str = "run-1", *, begin: bool = True, lease_ms: int = 60_000, **caps: Any
    ) -> list[Any]:
        """Claim a plan's invitations and record that they begin, as a sender that then dies."""
        token = str(uuid4())
        wanted = ClaimRequest(
            run=self.run(run),
            plan_id=plan.plan_id,
            org_id=self.m3ter.org_id,
            token=token,
            lease_ms=lease_ms,
            size=500,
            now=self.now(),
            **caps,
        )
        claimed = claim_chunk(self.db, wanted)
        if begin:
            begin_attempts(
                self.db, token=token, invitation_ids=[c.invitation_id for c in claimed], plan_id=plan.plan_id
            )
        return claimed

    def arrive(self, email: str, **fields: Any) -> str:
        """Let m3ter hold an invitation that our service user made, as if a POST without an answer had arrived.

        :returns: m3ter's id of it.
        """
        mirror_org = self.db.tables.mirror_org
        with self.db.engine.connect() as connection:
            own = connection.execute(select(mirror_org.c.service_user_id)).scalar_one()
        entry = {"email": email, "invitingPrincipalId": own, "createdBy": own, **fields}
        return self.m3ter.seed(invitations=[entry])["invitations"][0]

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the ledger: every instant by the database's clock moves back."""
        with self.db.engine.begin() as connection:
            for table in self.db.tables.all():
                columns = [c for c in table.columns if c.name.endswith("_ms")]
                if columns:
                    connection.execute(update(table).values({c: c - int(seconds * 1000) for c in columns}))

    def approve(self, plan: Planned, run: str = "run-1") -> None:
        """Record that a person approved a plan."""
        shown = self.shown(plan.plan_id, plan.fingerprint)
        assert plans.record_approval(self.db, self.run(run), shown, self.seals, by="olga", at=self.now())

    def shown(self, plan_id: str, fingerprint: str) -> plans.ShownPlan:
        """Return the record that people were shown a plan."""
        return plans.ShownPlan(plan_id, fingerprint, self.seals.of_question(plan_id, fingerprint))

    def store_request(self, plan_id: str, employee: str, request: Mapping[str, Any]) -> None:
        """Replace a request of a plan and seal it anew, as if an older version of this package had planned it."""
        d, p, seals = self.db.tables.decision, self.db.tables.plan, self.seals
        invited = and_(d.c.plan_id == plan_id, d.c.decision == "invite")
        with self.db.engine.begin() as connection:
            connection.execute(update(d).where(invited, d.c.employee_id == employee).values(request=request))
            rows = connection.execute(select(d).where(invited)).all()
            for row in rows:
                seal = seals.of_request(sealed_request(row._mapping))
                connection.execute(update(d).where(invited, d.c.row_no == row.row_no).values(seal=seal))
            requests = [(row.employee_id, row.email_key, row.request) for row in rows]
            fingerprint = hash_plan(requests, [], org_id=self.m3ter.org_id)
            connection.execute(update(p).where(p.c.plan_id == plan_id).values(fingerprint=fingerprint))
        head = plans.read_plan(self.db, plan_id)
        assert head is not None
        with self.db.engine.begin() as connection:
            seal = seals.of_plan(plans.head_of(head))
            connection.execute(update(p).where(p.c.plan_id == plan_id).values(seal=seal))

    # -- what became of it ------------------------------------------------------------------------------------------

    def invitations(self) -> dict[str, dict[str, Any]]:
        """Return the ledger's newest row of each address key."""
        return ledger_rows.newest_invitations(self.db)

    def row(self, employee: str) -> dict[str, Any]:
        """Return the ledger's newest row of an employee's own address."""
        return self.invitations()[f"{employee.lower()}@example.com"]

    def states(self) -> dict[str, str]:
        """Return the ledger's state of each address key."""
        return ledger_rows.states(self.db)

    def state(self, employee: str) -> InvitationState:
        """Return the state of an employee's own address."""
        return InvitationState(self.states()[f"{employee.lower()}@example.com"])

    def events(self, employee: str) -> list[tuple[str | None, str, str]]:
        """Return an address's events: from, to, why."""
        row_id = self.row(employee)["invitation_id"]
        table = self.db.tables.event
        with self.db.engine.connect() as connection:
            rows = connection.execute(
                select(table.c.from_state, table.c.to_state, table.c.why)
                .where(table.c.invitation_id == row_id)
                .order_by(table.c.event_id)
            )
            return [tuple(row) for row in rows]

    def decisions(self, plan: Planned) -> dict[str, str]:
        """Return ``decision:reason`` by employee."""
        return ledger_rows.decisions(self.db, plan.plan_id)

    def outcome(self, run_id: str) -> str:
        """Return how a run of the tasks ended, by the ledger."""
        found = runs.read_run(self.db, RunKey("m3ter_onboarding__test", run_id))
        return "not begun" if found is None else found.outcome

    def emails(self) -> dict[str, int]:
        """Return how many e-mails m3ter sent to each address."""
        return self.m3ter.emails()

    def posts(self) -> int:
        """Return how many POSTs of invitations m3ter received."""
        return self.m3ter.posts()


@dataclass(frozen=True)
class WorldDatabase:
    """A database with the warehouse and the ledger in it, for one world after the other.

    :param conn_id: its Airflow connection.
    """

    db: LedgerDatabase
    conn_id: str

    def world(self, m3ter: SandboxServer, **values: Any) -> World:
        """Return an empty world.

        :param values: configuration.
        """
        with self.db.engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                left = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()
                assert not left, f"a test left triggers behind, which change what later ones see: {left}"
            connection.execute(delete(HIRES))
            for table in self.db.tables.all():
                if table is not self.db.tables.schema_version:
                    connection.execute(delete(table))
        return World(m3ter=m3ter, db=self.db, warehouse_conn_id=self.conn_id, values=values)


@contextmanager
def world_database_on(url: str, airflow_connection: str) -> Iterator[WorldDatabase]:
    """Prepare an empty database for worlds.

    :param airflow_connection: the database as an Airflow connection (JSON).
    """
    with airflow_connection_named(airflow_connection) as conn_id:
        db = LedgerDatabase(engine_of(url), name=conn_id, write_patience=5.0)
        HIRES.create(db.engine, checkfirst=True)
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
        try:
            yield WorldDatabase(db, conn_id)
        finally:
            db.close()


@contextmanager
def world_database_on_sqlite(path: Path) -> Iterator[WorldDatabase]:
    """Prepare a SQLite file for worlds."""
    with world_database_on(f"sqlite:///{path}", sqlite_connection(path)) as database:
        yield database


def run_sql(world: World, statement: str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] = ()) -> None:
    """Run SQL on the world's database, for what only a test would do."""
    with world.db.engine.begin() as connection:
        connection.execute(text(statement), parameters or {})
