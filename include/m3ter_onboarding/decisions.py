"""What was decided about one row, what exactly will be POSTed, and how it came to that."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from m3ter_onboarding.known import M3terPolicy
from m3ter_onboarding.privacy import mask_employee_id
from m3ter_provider.models import InvitationRequest

Verdict = Literal["invite", "skip", "invalid", "review"]


@dataclass(frozen=True)
class Decision:
    """What happens with one row of the query. Its ``repr`` names nobody.

    :param email: as the warehouse has it; ``request.email`` is what m3ter gets.
    :param request: only with ``invite``: complete, as it will be POSTed.
    :param request_hash: of ``request``; the same from run to run while nothing changes.
    :param detail: why, a sentence without personal data.
    :param invitation_id: the ledger's row that the decision rests on.
    """

    row_no: int
    decision: Verdict
    reason: str
    employee_id: str | None = field(repr=False)
    email: str | None = field(repr=False)
    email_key: str | None = field(repr=False)
    request: InvitationRequest | None = field(default=None, repr=False)
    request_hash: str | None = None
    detail: str | None = None
    start_date: date | None = None
    invitation_id: int | None = None

    @property
    def name(self) -> str:
        """Decision and reason: ``invite:new``, ``skip:already_member``, …"""
        return f"{self.decision}:{self.reason}"


def hash_request(request: InvitationRequest) -> str:
    """Hash what will be POSTed (SHA-256, hex)."""
    return _sha256(request.to_json())


def fingerprint(decisions: Iterable[Decision], policies: Iterable[M3terPolicy], *, org_id: str) -> str:
    """Hash a plan (SHA-256, hex): everything that will be POSTed and where, id and version of every policy used.

    What is not sent does not count, nor does the order of the rows.

    :param decisions: of one plan.
    :param policies: the organisation's, as the plan saw them.
    :param org_id: the organisation.
    """
    invitations = [decision for decision in decisions if decision.request is not None]
    requests = sorted(
        [decision.employee_id or "", decision.email_key or "", decision.request.to_json()]
        for decision in invitations
        if decision.request is not None
    )
    used = {
        policy_id
        for decision in invitations
        if decision.request is not None
        for policy_id in decision.request.permission_policy_ids or ()
    }
    versions = sorted([policy.m3ter_id, policy.version] for policy in policies if policy.m3ter_id in used)
    return _sha256({"organisation": org_id, "requests": requests, "policies": versions})


def count_decisions(decisions: Iterable[Decision]) -> dict[str, int]:
    """Count decisions by name, sorted by it: ``{"invite:new": 3, …}``."""
    return dict(sorted(Counter(decision.name for decision in decisions).items()))


# The step of the plan at which a decision of this reason is made; what is not here is made while matching.
_MADE_AT = {
    "policy": "policy",
    "policy_not_allowed": "policy",
    "refused_before": "policy",
}


def explain(decision: Decision, policy_names: Mapping[str, str] | None = None, *, sendable: bool = True) -> list[str]:
    """Tell how one row came to its decision: select, validate, match, policy, decide, act; without personal data.

    :param decision: of the row.
    :param policy_names: of permission policies, by id.
    :param sendable: whether the plan may be sent at all.
    """
    made_at = _MADE_AT.get(decision.reason, "validate" if decision.decision == "invalid" else "match")
    if decision.decision == "invite":
        made_at = "decide"
    detail = decision.detail or "nothing stands against it."
    steps = {"validate": "the row keeps the contract.", "match": "nothing in ledger or m3ter stands against it."}
    if decision.decision == "invite" and decision.reason != "new":
        steps["match"] = detail
    policies = decision.request.permission_policy_ids if decision.request else None
    named = [(policy_names or {}).get(policy, policy) for policy in policies or ()]
    steps["policy"] = f"gets {len(named)}: {', '.join(named)}." if named else "gets none."
    lines = [f"select: row {decision.row_no}, employee {mask_employee_id(decision.employee_id)}."]
    for step, passed in steps.items():
        lines.append(f"{step}: {detail if step == made_at else passed}")
        if step == made_at:
            break
    lines.append(f"decide: {decision.name}.")
    act = "nothing is sent."
    if decision.decision == "invite":
        act = (
            "to be invited by the task send, if this plan may be sent." if sendable else "nothing, this run plans only."
        )
    lines.append(f"act: {act}")
    return lines


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
