"""How one row came to its decision, step by step, for the log of a run about one employee."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.privacy import mask_employee_id


def count_decisions(decisions: Iterable[Decision]) -> dict[str, int]:
    """Count decisions by name, sorted by it: ``{"invite:new": 3, …}``."""
    return dict(sorted(Counter(decision.name for decision in decisions).items()))


# The step of the plan at which a decision of this reason is made; all others are made while matching.
_MADE_AT = {
    "policy": "policy",
    "policy_not_allowed": "policy",
    "refused_before": "policy",
}


def explain(decision: Decision, policy_names: Mapping[str, str] | None = None, *, sendable: bool = True) -> list[str]:
    """Return how one row came to its decision, without personal data.

    A line a step: select, validate, match, policy, decide, act.

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
