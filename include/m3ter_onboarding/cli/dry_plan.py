"""What ``check --connect`` says of a run of now: its rows are read and decided about, and nothing is written."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from airflow.sdk import BaseHook
from sqlalchemy import create_engine

from m3ter_onboarding.config.names import dag_id_of
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.ledger import mirror
from m3ter_onboarding.ledger.database import LedgerDatabase, open_ledger
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.schema import prepare_tables, tables_version
from m3ter_onboarding.ledger.sealing import SealingKey
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION
from m3ter_onboarding.mirroring.m3ter_lists import take_snapshot
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.planning.decided_rows import PlanningRun, decide_rows
from m3ter_onboarding.planning.explanation import count_decisions
from m3ter_onboarding.planning.run_start import AirflowRun, earlier_runs
from m3ter_onboarding.source.window import Interval, resolve_window
from m3ter_provider import __version__
from m3ter_provider.connection import ConnectionSettings, connection_settings
from m3ter_provider.hooks.m3ter import M3terAsyncHook


def describe_run_of_now(config: OnboardingConfig, interval: Interval, now: datetime) -> str:
    """Return how many rows a run would read and what would be decided about them.

    m3ter is as the ledger knows it from its last complete read, or is read now where there was none.

    :param interval: that the run is for.
    :param now: aware.
    :raises SourceError: when the query cannot be run, or a row breaks its contract as a whole.
    :raises PlanError: when no plan could be made.
    :raises M3terError: when m3ter cannot be read.
    """
    settings = connection_settings(BaseHook.get_connection(config.m3ter_conn_id))
    run = AirflowRun(RunKey(dag_id_of(config.name), "check"), "manual", RunParameters())
    with _known(config, settings, now) as db:
        window = resolve_window(
            interval,
            earlier_runs(config, db, run, settings.org_id, now),
            look_back=config.look_back,
            max_age=config.max_age,
            now=now,
        )
        planning = PlanningRun(
            key=run.key,
            org_id=settings.org_id,
            window=window,
            parameters=run.parameters,
            seals=SealingKey.of_connection(settings),
            allowed_domains=tuple(settings.allowed_domains or ()),
        )
        full_at = mirror.read_state(db, settings.org_id).invitations_full_at
        with decide_rows(config, db, planning, mirror_full_at=full_at, now=now) as rows:
            counts = count_decisions(decision for part in rows.parts for decision in part)
    decided = "".join(f", {count} {name}" for name, count in counts.items())
    return (
        f"a run of now would read {window} and decide about {sum(counts.values())} rows{decided} (nothing was written)."
    )


@contextmanager
def _known(config: OnboardingConfig, settings: ConnectionSettings, now: datetime) -> Iterator[LedgerDatabase]:
    """Yield the ledger, or one for this moment only where it does not know m3ter yet."""
    with closing(open_ledger(config.ledger_conn_id, config.ledger_schema)) as ledger:
        if (
            tables_version(ledger) == SCHEMA_VERSION
            and mirror.read_state(ledger, settings.org_id).complete_ms is not None
        ):
            yield ledger
            return
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(LedgerDatabase(create_engine(f"sqlite:///{Path(folder) / 'ledger.db'}"))) as db,
    ):
        prepare_tables(db, create_tables=True, now=now, package_version=__version__)
        asyncio.run(read_m3ter(config, db))
        yield db


async def read_m3ter(config: OnboardingConfig, db: LedgerDatabase) -> None:
    """Mirror m3ter into a ledger."""
    async with M3terAsyncHook(config.m3ter_conn_id) as hook:
        org = MirroredOrganisation(
            m3ter=hook, db=db, settle_after=config.settle_after, full_snapshot_every=config.full_snapshot_every
        )
        await take_snapshot(org)
