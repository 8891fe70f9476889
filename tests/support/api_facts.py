"""What m3ter's API document says of the resources used here, in our own words: schemas of answers, rules of requests.

Written by hand from the document and m3ter's public pages, so that sandbox and tests do not check themselves.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


TEXT: Schema = {"type": "string"}


UUID: Schema = {
    "type": "string",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}


FLAG: Schema = {"type": "boolean"}


WHOLE: Schema = {"type": "integer"}


# As m3ter writes it; the document only says `format: date-time`.
INSTANT: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$"}


def entry(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """Return the schema of an entry: `id` is the only field that the document requires."""
    known: Schema = {
        "id": UUID,
        "version": WHOLE,
        "dtCreated": INSTANT,
        "dtLastModified": INSTANT,
        "createdBy": TEXT,
        "lastModifiedBy": TEXT,
    }
    return {"type": "object", "required": ["id", *required], "properties": {**known, **properties}}


def page(of: Schema) -> Schema:
    """Return the schema of a page of a list."""
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "array", "items": of}, "nextToken": TEXT},
        "additionalProperties": False,
    }


ACTIONS = [
    "ALL",
    *(f"CONFIG_{verb}" for verb in ("CREATE", "RETRIEVE", "UPDATE", "DELETE", "EXPORT")),
    "ANALYTICS_QUERY",
    *(f"MEASUREMENTS_{verb}" for verb in ("UPLOAD", "FILEUPLOAD", "RETRIEVE", "EXPORT")),
    "FORECAST_RETRIEVE",
    "HEALTHSCORES_RETRIEVE",
    "ANOMALIES_RETRIEVE",
    "EXPORTS_DOWNLOAD",
    "MARKETPLACE_USAGE_CREATE",
    "MARKETPLACE_USAGE_RETRIEVE",
    "AUDIT_RETRIEVE",
]


STATEMENT: Schema = {
    "type": "object",
    "required": ["action", "effect", "resource"],
    "properties": {
        "effect": {"enum": ["ALLOW", "DENY"]},
        "action": {"type": "array", "items": {"enum": ACTIONS}},
        "resource": {"type": "array", "minItems": 1, "items": TEXT},
    },
}


STATEMENTS: Schema = {"type": "array", "items": STATEMENT}


ERROR: Schema = {"type": "object", "required": ["message"], "properties": {"message": TEXT}}


TOKEN: Schema = {
    "type": "object",
    "required": ["access_token", "expires_in"],
    "properties": {
        "access_token": TEXT,
        "expires_in": WHOLE,
        "token_type": TEXT,
        "scope": {"type": ["string", "null"]},
    },
}


# The second argument: what the sandbox always fills in, beyond what the document requires.
INVITATION = entry(
    ("email", "firstName", "lastName", "dtExpiry", "accepted", "permissionPolicyIds"),
    email=TEXT,
    permissionPolicyIds={"type": "array", "items": TEXT},
    firstName=TEXT,
    lastName=TEXT,
    dtEndAccess=INSTANT,
    dtExpiry=INSTANT,
    invitingPrincipalId=TEXT,
    accepted=FLAG,
)


USER = entry(
    ("email",),
    firstName=TEXT,
    lastName=TEXT,
    contactNumber=TEXT,
    email=TEXT,
    organizations={"type": "array", "items": TEXT},
    firstAcceptedTermsAndConditions=INSTANT,
    lastAcceptedTermsAndConditions=INSTANT,
    supportUser=FLAG,
    permissionPolicy=STATEMENTS,
    dtEndAccess=INSTANT,
)


POLICY = entry(("name",), name=TEXT, permissionPolicy=STATEMENTS, managedPolicy=FLAG)


PRINCIPAL_PERMISSION = entry(
    ("permissionPolicyId", "principalId", "principalType"),
    permissionPolicyId=TEXT,
    principalId=TEXT,
    principalType={"enum": ["USER", "USERGROUP", "SERVICEUSER", "SUPPORTUSERS"]},
)


GROUP = entry(name=TEXT)


ME: Schema = {
    "type": "object",
    "properties": {
        "user": entry(),
        "serviceUser": entry(name=TEXT),
        "organization": entry(
            organizationName=TEXT,
            type={"enum": ["PRODUCTION", "SANDBOX"]},
            status={"enum": ["ACTIVE", "ARCHIVED"]},
        ),
    },
}


# Operation of the document: method, path, schema of the answer (None: no content).
OPERATIONS: dict[str, tuple[str, str, Schema | None]] = {
    "GenerateToken": ("POST", "/oauth/token", TOKEN),
    "ListOrgUserInvitations": ("GET", "/organizations/{orgId}/invitations", page(INVITATION)),
    "CreateOrgUserInvitation": ("POST", "/organizations/{orgId}/invitations", INVITATION),
    "GetOrgUserInvitation": ("GET", "/organizations/{orgId}/invitations/{id}", INVITATION),
    "ListOrgUsers": ("GET", "/organizations/{orgId}/users", page(USER)),
    "GetOrgUser": ("GET", "/organizations/{orgId}/users/{id}", USER),
    "PutOrgUser": ("PUT", "/organizations/{orgId}/users/{id}", USER),
    "GetMe": ("GET", "/organizations/{orgId}/users/me", ME),
    "GetOrgUserPermissions": ("GET", "/organizations/{orgId}/users/{id}/permissions", POLICY),
    "GetOrgUserGroups": ("GET", "/organizations/{orgId}/users/{id}/usergroups", GROUP),
    "AdminResendTempPass": ("PUT", "/organizations/{orgId}/users/{id}/password/resend", None),
    "ListPermissionPolicies": ("GET", "/organizations/{orgId}/permissionpolicies", page(POLICY)),
    "PostPermissionPolicy": ("POST", "/organizations/{orgId}/permissionpolicies", POLICY),
    "GetPermissionPolicy": ("GET", "/organizations/{orgId}/permissionpolicies/{id}", POLICY),
    "PutPermissionPolicy": ("PUT", "/organizations/{orgId}/permissionpolicies/{id}", POLICY),
    "DeletePermissionPolicy": ("DELETE", "/organizations/{orgId}/permissionpolicies/{id}", POLICY),
    "AddPermissionPolicyToUser": (
        "POST",
        "/organizations/{orgId}/permissionpolicies/{permissionPolicyId}/addtouser",
        PRINCIPAL_PERMISSION,
    ),
    "RemovePermissionPolicyFromUser": (
        "POST",
        "/organizations/{orgId}/permissionpolicies/{permissionPolicyId}/removefromuser",
        PRINCIPAL_PERMISSION,
    ),
}


# Largest pageSize by list.
PAGE_SIZES = {"invitations": 200, "users": 200, "permissionpolicies": 100}


REQUESTS_PER_SECOND = 50


REQUESTS_PER_FIVE_MINUTES = 20_000


TOKEN_LIFETIME_SECONDS = 18_000


INVITATION_LIFE_DAYS = 30
