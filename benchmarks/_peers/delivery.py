"""The whole way of an invitation: planned, claimed, committed, POSTed, committed; by the application's own parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import BaseHook, Connection
from sqlalchemy import insert

from benchmarks._organisation import QUERY, WAREHOUSE
from benchmarks._peers.work import ORG_ID, Work
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.ledger.database import LedgerDatabase, open_ledger
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.ledger.sealing import SealingKey
from m3ter_onboarding.mirroring.m3ter_lists import take_snapshot
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.planning.decided_rows import PlanningRun
from m3ter_onboarding.planning.sealed_plan import make_plan
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_onboarding.sending.right_to_send import Caps, PlanToSend
from m3ter_onboarding.sending.sender import Sender
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_onboarding.source.window import Window
from m3ter_provider.connection import connection_settings
from m3ter_provider.hooks.m3ter import M3terAsyncHook
from tests.support.hire_table import HIRES

#: Of the window that is planned.
END = datetime(2030, 1, 2, tzinfo=timezone.utc)
_RUN = RunKey("m3ter_onboarding__bench", "run")
#: What has no answer is looked up so soon; two minutes without a benchmark.
_SETTLE_AFTER = "1s"


def plan(work: Work) -> dict[str, Any]:
    """Load the warehouse, mirror m3ter and make a plan for everybody; return its id."""
    config = _config()
    with closing(open_ledger(WAREHOUSE)) as db:
        HIRES.create(db.engine)
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
        db.write(lambda connection: connection.execute(insert(HIRES), rows_of(work)), doing="loading")

        asyncio.run(_mirror(db, config))
        run = PlanningRun(
            key=_RUN,
            org_id=ORG_ID,
            window=Window(END - timedelta(days=1), END),
            parameters=RunParameters(),
            seals=SealingKey.of_connection(
                connection_settings(Connection.from_json(work.connection(), conn_id="m3ter_default"))
            ),
        )
        planned = make_plan(config, db, run, now=utc_now())
    if planned.invitations != work.people:
        raise RuntimeError(f"{planned.invitations} invitations were planned, of {work.people}")
    return {"plan_id": planned.plan_id}


def snapshot() -> Callable[[], None]:
    """Return the reading of m3ter, as the task ``snapshot`` does it; where there is no ledger yet it is made before."""
    config = _config()
    BaseHook.get_connection("m3ter_default")
    with closing(open_ledger(WAREHOUSE)) as db:
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")

    def read() -> None:
        with closing(open_ledger(WAREHOUSE)) as db:
            asyncio.run(_mirror(db, config))

    return read


async def _mirror(db: LedgerDatabase, config: OnboardingConfig) -> None:
    async with M3terAsyncHook() as hook:
        await take_snapshot(_organisation(hook, db, config))


def rows_of(work: Work) -> list[dict[str, Any]]:
    """Return the warehouse's rows."""
    common = {"first_name": "New", "last_name": "Hire", "start_date": "2029-12-01"}
    loaded = {"loaded_at": END - timedelta(hours=12)}
    return [
        {"employee_id": f"E{number:06}", "email": email, **common, **loaded}
        for number, email in enumerate(work.emails())
    ]


def sender(work: Work) -> Callable[[], None]:
    """Return the sending of a plan, as the task ``send`` does it."""
    config = _config()
    # A task has read connections before, and with them imported what reads them.
    BaseHook.get_connection("m3ter_default")
    open_ledger(WAREHOUSE).close()

    async def send() -> None:
        with closing(await asyncio.to_thread(open_ledger, WAREHOUSE)) as db:
            async with M3terAsyncHook() as hook:
                sender = Sender(
                    org=_organisation(hook, db, config),
                    to_send=PlanToSend(_RUN, work.plan_id, Caps()),
                    stop=Stop(),
                    pause=PauseSwitch("bench", read=lambda: None),
                )
                await sender.send()

    return lambda: asyncio.run(send())


def _config() -> OnboardingConfig:
    values = {"name": "bench", "warehouse_conn_id": WAREHOUSE, "query": "hires.sql", "max_age_days": 3000}
    return OnboardingConfig.from_mapping(
        {**values, "settle_after": _SETTLE_AFTER, "max_invitations": None}, query_text=QUERY
    )


def _organisation(hook: M3terAsyncHook, db: LedgerDatabase, config: OnboardingConfig) -> MirroredOrganisation:
    return MirroredOrganisation(
        m3ter=hook, db=db, settle_after=config.settle_after, full_snapshot_every=config.full_snapshot_every
    )
