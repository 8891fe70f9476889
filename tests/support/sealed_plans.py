"""A sealed plan that no ledger holds, and invitations claimed for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from m3ter_onboarding.ledger.claims import Claimed
from m3ter_onboarding.ledger.plans import PlanRow
from m3ter_onboarding.ledger.sealing import SealedRequest, SealingKey
from m3ter_onboarding.sending.bound_plan import BoundPlan

SEALS = SealingKey(b"a key of tests")
_AT = datetime(2030, 1, 1, tzinfo=timezone.utc)

PLAN = PlanRow(
    plan_id="a plan",
    dag_id="a dag",
    run_id="a run",
    seq=1,
    state="sealed",
    org_id="an organisation",
    mode="normal",
    sendable=True,
    not_sendable_because=None,
    needs_approval=False,
    approval_because=(),
    approved=False,
    approved_by=None,
    approved_at=None,
    rejected_by=None,
    rejected_at=None,
    fingerprint="0" * 64,
    rows_read=1,
    invitations=1,
    counts={},
    policies=(),
    newest=True,
    expired=False,
    seconds_left=60.0,
    window_start=_AT,
    window_end=_AT,
    sealed_until=0,
    lasts_longer=False,
    seal=None,
    approval_seal=None,
)

BOUND = BoundPlan.of(PLAN, SEALS)


def claimed_for(number: int, request: Mapping[str, Any]) -> Claimed:
    """Return a claimed invitation of employee ``e<number>``, sealed as the plan's."""
    sealed = SealedRequest(
        plan_id=PLAN.plan_id,
        org_id=PLAN.org_id,
        row_no=number,
        reason="new",
        employee_id=f"e{number}",
        email_key=f"e{number}@example.com",
        request=request,
        request_hash="0" * 64,
    )
    return Claimed(number, sealed, SEALS.of_request(sealed))
