"""The dry run before a configuration's first e-mail, written into the ledger as its tasks leave it."""

from __future__ import annotations

import uuid
from datetime import datetime

from m3ter_onboarding.ledger import plans, runs
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.first_look import was_looked_at
from m3ter_onboarding.ledger.plans import PlanBeginning, PlanSeal
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sealing import SealingKey


def look_first(
    db: LedgerDatabase,
    config_name: str,
    org_id: str,
    at: datetime,
    *,
    mode: str = "dry_run",
    only_employee: str | None = None,
    sealed: bool = True,
) -> None:
    """Record a look at a configuration's plan that found nobody, unless there was one.

    :param at: UTC.
    :param sealed: whether the look came to its end.
    """
    if was_looked_at(db, config_name, org_id, "another", only_employee):
        return
    # A DAG of its own, so that it stands in no list of another.
    run, plan_id = RunKey(f"look_at__{config_name}"[:250], f"look-{uuid.uuid4()}"), str(uuid.uuid4())
    record = runs.RunRecord(
        config_name=config_name,
        org_id=org_id,
        run_type="manual",
        triggered_by="tester",
        mode=mode,
        only_employee=only_employee,
        interval_start=at,
        interval_end=at,
        window_start=at,
        window_end=at,
        config_hash="0" * 64,
        package_version="0",
        may_invite=False,
        started_at=at,
    )
    runs.record_run(db, run, record)
    plans.begin_plan(db, run, plan_id, PlanBeginning(org_id, mode, at, at, at))
    if not sealed:
        return
    seal = PlanSeal(
        fingerprint="0" * 64,
        rows_read=0,
        invitations=0,
        counts={},
        policies=[],
        sendable=False,
        not_sendable_because=f"it is a run with mode `{mode}`.",
        approval_because=[],
        no_approval_because=None,
        sealed_at=at,
        valid_for=at - at,
    )
    plans.seal_plan(db, plan_id, seal, SealingKey(b"a key of tests"))
