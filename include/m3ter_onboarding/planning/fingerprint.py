"""Hashes of the POSTs to come: of one request, and of a whole plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
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


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
