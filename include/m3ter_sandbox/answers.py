"""Answers in the schemas of m3ter's document."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from m3ter_sandbox.clock import to_iso
from m3ter_sandbox.store import Row
from m3ter_sandbox.switches import Switches

__all__ = ["Answer", "Writer", "error", "success"]

_PRECISION_MS = {"milliseconds": 1, "seconds": 1000, "minutes": 60_000}


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    @property
    def succeeded(self) -> bool:
        """Whether m3ter did what was asked."""
        return 200 <= self.status < 300


def success(content: object) -> Answer:
    """Answer 200 with JSON."""
    return Answer(200, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def error(status: int, message: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    """Answer an error in the document's shape: ``{"message": "…"}``."""
    if message is None:
        try:
            message = HTTPStatus(status).phrase
        except ValueError:
            message = f"Status {status}"
    return Answer(status, json.dumps({"message": message}, ensure_ascii=False).encode(), dict(headers or {}))


class Writer:
    """Writes entries as the document's schemas and the switches say."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._precision = _PRECISION_MS[switches.date_precision]

    def _date(self, milliseconds: int | None) -> str | None:
        return None if milliseconds is None else to_iso(milliseconds, self._precision)

    def _entry(self, fields: dict[str, Any]) -> dict[str, Any]:
        switches = self._switches
        if switches.absent_fields == "omitted":
            fields = {name: value for name, value in fields.items() if value is not None}
        for name in switches.omit_fields:
            fields.pop(name, None)
        if switches.unknown_fields:
            fields["fieldOfTomorrow"] = {"unknown": [1, None, "ä"]}
        return fields

    def invitation(self, row: Row) -> dict[str, Any]:
        """Write an invitation (``OrgUserInvitationResponse``)."""
        return self._entry(
            {
                "id": row["id"],
                "version": row["version"],
                "email": row["email"],
                "permissionPolicyIds": json.loads(row["permission_policy_ids"]),
                "firstName": row["first_name"],
                "lastName": row["last_name"],
                "dtEndAccess": self._date(row["dt_end_access"]),
                "dtExpiry": self._date(row["dt_expiry"]),
                "invitingPrincipalId": row["inviting_principal_id"],
                "accepted": bool(row["accepted"]),
                "dtCreated": self._date(row["dt_created"]),
                "dtLastModified": self._date(row["dt_last_modified"]),
                "createdBy": row["created_by"],
                "lastModifiedBy": row["last_modified_by"],
            }
        )

    def user(self, row: Row, org_id: str) -> dict[str, Any]:
        """Write a user (``OrgUserResponse``)."""
        return self._entry(
            {
                "id": row["id"],
                "version": row["version"],
                "firstName": row["first_name"],
                "lastName": row["last_name"],
                "contactNumber": row["contact_number"],
                "email": row["email"],
                "organizations": [org_id],
                "firstAcceptedTermsAndConditions": self._date(row["dt_terms"]),
                "lastAcceptedTermsAndConditions": self._date(row["dt_terms"]),
                "supportUser": bool(row["support_user"]),
                "permissionPolicy": json.loads(row["permission_policy"]),
                "dtEndAccess": self._date(row["dt_end_access"]),
                "dtCreated": self._date(row["dt_created"]),
                "dtLastModified": self._date(row["dt_last_modified"]),
                "createdBy": row["created_by"],
                "lastModifiedBy": row["last_modified_by"],
            }
        )

    def policy(self, row: Row) -> dict[str, Any]:
        """Write a permission policy (``PermissionPolicyResponse``)."""
        return self._entry(
            {
                "id": row["id"],
                "version": row["version"],
                "name": row["name"],
                "permissionPolicy": json.loads(row["statements"]),
                "managedPolicy": bool(row["managed"]),
                "dtCreated": self._date(row["dt_created"]),
                "dtLastModified": self._date(row["dt_last_modified"]),
                "createdBy": row["created_by"],
                "lastModifiedBy": row["last_modified_by"],
            }
        )

    def principal_permission(self, row: Row) -> dict[str, Any]:
        """Write that a user has a policy (``PrincipalPermissionResponse``)."""
        return self._entry(
            {
                "id": row["id"],
                "version": row["version"],
                "permissionPolicyId": row["policy_id"],
                "principalId": row["user_id"],
                "principalType": "USER",
                "dtCreated": self._date(row["dt_created"]),
                "dtLastModified": self._date(row["dt_created"]),
                "createdBy": row["created_by"],
                "lastModifiedBy": row["created_by"],
            }
        )

    def group(self, row: Row) -> dict[str, Any]:
        """Write a group (``ResourceGroupResponse``)."""
        return self._entry(
            {
                "id": row["id"],
                "version": 1,
                "name": row["name"],
                "dtCreated": self._date(row["dt_created"]),
                "dtLastModified": self._date(row["dt_created"]),
            }
        )

    def service_user(self, service_user_id: str, name: str, since: int) -> dict[str, Any]:
        """Write the service user (``ServiceUserResponse``)."""
        date = self._date(since)
        return {"id": service_user_id, "version": 1, "name": name, "dtCreated": date, "dtLastModified": date}

    def organization(self, org_id: str, name: str, since: int) -> dict[str, Any]:
        """Write the organisation (``OrganizationResponse``)."""
        date = self._date(since)
        return {
            "id": org_id,
            "version": 1,
            "orgId": org_id,
            "organizationName": name,
            "shortName": "sandbox",
            "type": "SANDBOX",
            "status": "ACTIVE",
            "dtCreated": date,
            "dtLastModified": date,
        }

    def page(self, entries: list[dict[str, Any]], next_token: str | None) -> dict[str, Any]:
        """Write a page of a list."""
        content: dict[str, Any] = {"data": entries}
        if next_token is not None:
            content["nextToken"] = next_token
        elif self._switches.end_of_list != "omitted":
            content["nextToken"] = None if self._switches.end_of_list == "null" else ""
        return content
