"""Hashes of the POSTs to come: of one request, and of a whole plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_provider.models import InvitationRequest


def hash_request(request: InvitationRequest) -> str:
    """Hash the body of a POST (SHA-256, hex)."""
    return _sha256(request.to_json())


def fingerprint(decisions: Iterable[Decision], policies: Iterable[M3terPolicy], *, org_id: str) -> str:
    """Hash a plan (SHA-256, hex): everything that will be POSTed and where, id and version of every policy used.

    Rows that are not invited do not count, nor does the order of the rows.

    :param decisions: of one plan.
    :param policies: the organisation's, as the plan saw them.
    :param org_id: the organisation.
    """
    requests, used = list[tuple[str | None, str | None, Mapping[str, Any]]](), set[str]()
    for decision in decisions:
        if decision.request is not None:
            requests.append((decision.employee_id, decision.email_key, decision.request.to_json()))
            used.update(decision.request.permission_policy_ids or ())
    versions = [(policy.m3ter_id, policy.version) for policy in policies if policy.m3ter_id in used]
    return hash_plan(requests, versions, org_id=org_id)


def hash_plan(
    requests: Iterable[tuple[str | None, str | None, Mapping[str, Any]]],
    policies: Iterable[tuple[str, int | None]],
    *,
    org_id: str,
) -> str:
    """Hash what a plan will POST, as :func:`fingerprint` does.

    :param requests: employee, address key and body of each invitation.
    :param policies: id and version of each policy that they ask for.
    """
    ordered = sorted([employee or "", key or "", dict(request)] for employee, key, request in requests)
    return _sha256({"organisation": org_id, "requests": ordered, "policies": sorted(map(list, policies))})


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
