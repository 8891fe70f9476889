"""Hashes of the POSTs to come: of one request, and of a whole plan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.sealing import canonical, canonical_text, ordered_json
from m3ter_provider.models import InvitationRequest

#: As ledgers hold hashes of requests, which are compared from run to run.
_write_request = ordered_json(", ", ": ")


def hash_request(request: InvitationRequest) -> str:
    """Hash the body of a POST (SHA-256, hex)."""
    return hashlib.sha256(_write_request(request.to_json()).encode("ascii")).hexdigest()


class PlanFingerprint:
    """Hashes a plan (SHA-256, hex): everything that it will POST and where, id and version of every policy used.

    Rows that are not invited do not count, nor does the order of the rows. Of each request a hash is kept, 32 bytes.

    :param org_id: the organisation.
    """

    def __init__(self, org_id: str) -> None:
        self._org_id = org_id
        # By their first byte: each heap is sorted by itself, so that sorting takes no memory worth mention.
        self._heaps = [bytearray() for _ in range(256)]

    def add(self, employee_id: str | None, email_key: str | None, request: Mapping[str, Any]) -> None:
        """Add an invitation: employee, address key and the body of its POST."""
        self.add_written(employee_id, email_key, canonical(request))

    def add_written(self, employee_id: str | None, email_key: str | None, request: str) -> None:
        """Add the same, where the body is written already.

        :param request: as :func:`~m3ter_onboarding.ledger.sealing.canonical` writes it.
        """
        content = f"[{canonical_text(employee_id or '')},{canonical_text(email_key or '')},{request}]"
        one = hashlib.sha256(content.encode("ascii")).digest()
        self._heaps[one[0]] += one

    def finished(self, policies: Iterable[tuple[str, int | None]]) -> str:
        """Return the hash.

        :param policies: id and version of each policy that the requests ask for.
        """
        whole = hashlib.sha256(canonical((self._org_id, sorted(map(list, policies)))).encode("ascii"))
        for heap in self._heaps:
            for one in sorted(bytes(heap[start : start + 32]) for start in range(0, len(heap), 32)):
                whole.update(one)
        return whole.hexdigest()


def fingerprint(decisions: Iterable[Decision], policies: Iterable[M3terPolicy], *, org_id: str) -> str:
    """Hash a plan of these decisions.

    :param policies: the organisation's, as the plan saw them.
    """
    hashed, used = PlanFingerprint(org_id), set[str]()
    for decision in decisions:
        if decision.request is not None:
            hashed.add(decision.employee_id, decision.email_key, decision.request.to_json())
            used.update(decision.request.permission_policy_ids or ())
    return hashed.finished((policy.m3ter_id, policy.version) for policy in policies if policy.m3ter_id in used)


def hash_plan(
    requests: Iterable[tuple[str | None, str | None, Mapping[str, Any]]],
    policies: Iterable[tuple[str, int | None]],
    *,
    org_id: str,
) -> str:
    """Hash what a plan will POST.

    :param requests: employee, address key and body of each invitation.
    :param policies: id and version of each policy that they ask for.
    """
    hashed = PlanFingerprint(org_id)
    for request in requests:
        hashed.add(*request)
    return hashed.finished(policies)
