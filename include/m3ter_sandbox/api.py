"""M3ter's 18 operations: from a request to an answer, without a server and without waiting."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs, unquote

from pydantic import BaseModel

from m3ter_sandbox.answers import Answer, Writer, error, success
from m3ter_sandbox.bodies import (
    BodyError,
    InvitationBody,
    PolicyBody,
    PrincipalBody,
    TokenBody,
    UserBody,
    parse_body,
)
from m3ter_sandbox.entries import ListKind, RefusalError, email_key
from m3ter_sandbox.organization import Organization
from m3ter_sandbox.paging import PagingError, encode_next_token, read_page_request
from m3ter_sandbox.switches import Switches
from m3ter_sandbox.tokens import Tokens, basic_of, bearer_of

__all__ = ["Api", "Operation", "Request", "find_operation"]

MAX_BODY_BYTES = 1_048_576

Body = TypeVar("Body", bound=BaseModel)
Right = Literal["none", "read", "invite", "administer"]


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    name: str
    method: str
    path: str
    right: Right = "read"
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)))

    @property
    def kind(self) -> str:
        """Method and path as the journal counts them."""
        return f"{self.method} {self.path}"


_ORG = "/organizations/{orgId}"
_POLICY = f"{_ORG}/permissionpolicies"
# `users/me` stands before `users/{id}`: the first that fits wins.
OPERATIONS = (
    Operation("GenerateToken", "POST", "/oauth/token", "none"),
    Operation("CreateOrgUserInvitation", "POST", f"{_ORG}/invitations", "invite"),
    Operation("ListOrgUserInvitations", "GET", f"{_ORG}/invitations"),
    Operation("GetOrgUserInvitation", "GET", f"{_ORG}/invitations/{{id}}"),
    Operation("GetMe", "GET", f"{_ORG}/users/me", "none"),
    Operation("ListOrgUsers", "GET", f"{_ORG}/users"),
    Operation("GetOrgUser", "GET", f"{_ORG}/users/{{id}}"),
    Operation("PutOrgUser", "PUT", f"{_ORG}/users/{{id}}", "administer"),
    Operation("GetOrgUserPermissions", "GET", f"{_ORG}/users/{{id}}/permissions"),
    Operation("GetOrgUserGroups", "GET", f"{_ORG}/users/{{id}}/usergroups"),
    Operation("AdminResendTempPass", "PUT", f"{_ORG}/users/{{id}}/password/resend", "administer"),
    Operation("ListPermissionPolicies", "GET", _POLICY),
    Operation("PostPermissionPolicy", "POST", _POLICY, "administer"),
    Operation("GetPermissionPolicy", "GET", f"{_POLICY}/{{id}}"),
    Operation("PutPermissionPolicy", "PUT", f"{_POLICY}/{{id}}", "administer"),
    Operation("DeletePermissionPolicy", "DELETE", f"{_POLICY}/{{id}}", "administer"),
    Operation("AddPermissionPolicyToUser", "POST", f"{_POLICY}/{{permissionPolicyId}}/addtouser", "administer"),
    Operation(
        "RemovePermissionPolicyFromUser", "POST", f"{_POLICY}/{{permissionPolicyId}}/removefromuser", "administer"
    ),
)


def find_operation(method: str, path: str) -> tuple[Operation | None, dict[str, str]]:
    """Return the operation of a request and the parameters in its path.

    :param path: as it came, percent-encoded.
    """
    for operation in OPERATIONS:
        if operation.method == method and (found := operation.pattern.fullmatch(path)):
            return operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return None, {}


@dataclass(frozen=True)
class Request:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    source: str = "127.0.0.1"

    def values(self, name: str) -> list[str]:
        """Return all values of a query parameter, empty ones too."""
        return parse_qs(self.query, keep_blank_values=True).get(name, [])

    @property
    def bearer(self) -> str | None:
        """The access token, if there is one."""
        return bearer_of(self.headers.get("authorization", ""))

    @property
    def email(self) -> str | None:
        """The address in the body, trimmed and case-folded, if there is one: for faults that hit one person."""
        if b'"email"' not in self.body:
            return None
        try:
            value = json.loads(self.body)["email"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return email_key(value) if isinstance(value, str) else None


class Api:
    """Answers requests.

    :param switches: returns the switches as they are now.
    """

    def __init__(self, organization: Organization, tokens: Tokens, switches: Callable[[], Switches]) -> None:
        self._organization, self._tokens, self._switches = organization, tokens, switches
        self._calls: dict[str, Callable[[Request, dict[str, str], Switches], Answer]] = {
            "GenerateToken": self._token,
            "CreateOrgUserInvitation": self._create_invitation,
            "ListOrgUserInvitations": self._list_invitations,
            "GetOrgUserInvitation": self._get_invitation,
            "GetMe": self._me,
            "ListOrgUsers": self._list_users,
            "GetOrgUser": self._get_user,
            "PutOrgUser": self._put_user,
            "GetOrgUserPermissions": self._user_permissions,
            "GetOrgUserGroups": self._user_groups,
            "AdminResendTempPass": self._resend_password,
            "ListPermissionPolicies": self._list_policies,
            "PostPermissionPolicy": self._create_policy,
            "GetPermissionPolicy": self._get_policy,
            "PutPermissionPolicy": self._put_policy,
            "DeletePermissionPolicy": self._delete_policy,
            "AddPermissionPolicyToUser": self._add_to_user,
            "RemovePermissionPolicyFromUser": self._remove_from_user,
        }

    def answer(self, request: Request) -> Answer:
        """Answer one request, completely, now."""
        admitted = self.admit(request)
        return admitted if isinstance(admitted, Answer) else admitted()

    def admit(self, request: Request) -> Answer | Callable[[], Answer]:
        """Check path, token, organisation and rights; return what is left to do, or the answer of a refusal."""
        operation, parameters = find_operation(request.method, request.path)
        if operation is None:
            return error(404)
        refused = self._refused(operation, request, parameters, self._switches())
        return refused or partial(self._done, operation, request, parameters)

    def _done(self, operation: Operation, request: Request, parameters: dict[str, str]) -> Answer:
        try:
            return self._calls[operation.name](request, parameters, self._switches())
        except (BodyError, PagingError) as broken:
            return error(400, str(broken))
        except RefusalError as refusal:
            return error(refusal.status, refusal.message)

    def _refused(
        self, operation: Operation, request: Request, parameters: dict[str, str], switches: Switches
    ) -> Answer | None:
        if operation.name == "GenerateToken":
            return None
        uses, seconds = switches.token_good_for_requests, switches.token_ends_after_seconds
        if not self._tokens.use(request.bearer, uses=uses, seconds=seconds):
            return error(switches.token_error_status, "Unauthorized")
        if parameters["orgId"] != self._organization.org_id:
            return error(403)
        allowed = {
            "none": True,
            "read": switches.may_read and request.path.split("/")[3] not in switches.unreadable,
            "invite": switches.may_invite,
            "administer": switches.may_administer,
        }[operation.right]
        if not allowed:
            # The one operation for which the document names 401.
            return error(401 if operation.name == "AdminResendTempPass" else 403)
        return None

    @staticmethod
    def _json(request: Request) -> dict[str, object]:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            raise BodyError("Content-Type must be application/json")
        try:
            content = json.loads(request.body)
        except (ValueError, RecursionError):
            raise BodyError("The request body is not valid JSON") from None
        if not isinstance(content, dict):
            raise BodyError("The request body must be a JSON object")
        return content

    def _parsed(self, request: Request, model: type[Body]) -> Body:
        return parse_body(model, self._json(request))

    # Token -----------------------------------------------------------------------------------------------------

    def _token(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == "application/x-www-form-urlencoded":
            try:
                form = parse_qs(request.body.decode("ascii"), keep_blank_values=True)
            except ValueError:
                raise BodyError("The request body is not a form") from None
            parse_body(TokenBody, {name: values[0] for name, values in form.items()})
        else:
            self._parsed(request, TokenBody)
        if not self._tokens.accepts(basic_of(request.headers.get("authorization", ""))):
            return error(switches.wrong_secret_status, "Unauthorized")
        lifetime = switches.token_lifetime_seconds
        token = self._tokens.issue(lifetime, ends_old=switches.new_token_ends_old)
        content: dict[str, Any] = {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}
        if switches.absent_fields == "null":
            content["scope"] = None
        return success(content)

    # Invitations -----------------------------------------------------------------------------------------------

    def _create_invitation(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        content = self._json(request)
        address = content.get("email")
        if isinstance(address, str) and switches.email_stored_as.startswith("trimmed"):
            content["email"] = address.strip()
        row = self._organization.invitations.create(parse_body(InvitationBody, content), switches)
        return success(Writer(switches).invitation(row))

    def _list_invitations(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        return self._list(request, "invitation", 200, switches, Writer(switches).invitation)

    def _get_invitation(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        return success(Writer(switches).invitation(self._organization.entries.get("invitation", parameters["id"])))

    def _list(
        self,
        request: Request,
        kind: ListKind,
        largest: int,
        switches: Switches,
        write: Callable[[Any], dict[str, Any]],
    ) -> Answer:
        wanted = read_page_request(request.values, kind, largest, switches.default_page_size)
        ids = request.values("ids") if kind == "user" else []
        wanted_ids = [one for value in ids for one in value.split(",") if one]
        page = self._organization.entries.page(kind, wanted, switches, wanted_ids)
        following = None
        if page.more_after is not None:
            following = encode_next_token(kind, page.more_after, empty=page.more_is_empty)
        return success(Writer(switches).page([write(row) for row in page.rows], following))

    # Users -----------------------------------------------------------------------------------------------------

    def _me(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        writer, ours = Writer(switches), self._organization
        return success(
            {
                "serviceUser": writer.service_user(ours.entries.service_user_id, "Sandbox service user", ours.since_ms),
                "organization": writer.organization(ours.org_id, "Sandbox organization", ours.since_ms),
            }
        )

    def _list_users(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        writer, org_id = Writer(switches), self._organization.org_id
        return self._list(request, "user", 200, switches, lambda row: writer.user(row, org_id))

    def _user(self, row: Any, switches: Switches) -> Answer:
        return success(Writer(switches).user(row, self._organization.org_id))

    def _get_user(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        return self._user(self._organization.entries.get("user", parameters["id"]), switches)

    def _put_user(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        body = self._parsed(request, UserBody)
        return self._user(self._organization.users.update(parameters["id"], body, switches), switches)

    def _user_permissions(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        # The document's text promises a list, its schema one policy: this is both.
        read_page_request(request.values, "permissions", 200, switches.default_page_size)
        statements, policies = self._organization.users.permissions(parameters["id"])
        writer = Writer(switches)
        whole = {"id": parameters["id"], "version": 1, "name": "Permissions of the user"}
        whole |= {"permissionPolicy": statements, "managedPolicy": False}
        return success(whole | {"data": [writer.policy(row) for row in policies]})

    def _user_groups(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        # As above: the first group, and the list of all.
        read_page_request(request.values, "groups", 200, switches.default_page_size)
        writer = Writer(switches)
        groups = [writer.group(row) for row in self._organization.users.groups(parameters["id"])]
        first = groups[0] if groups else {"id": parameters["id"], "version": 1}
        return success(first | {"data": groups})

    def _resend_password(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        self._organization.users.resend_password(parameters["id"], switches)
        return Answer(200, b"")

    # Permission policies ---------------------------------------------------------------------------------------

    def _list_policies(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        return self._list(request, "policy", 100, switches, Writer(switches).policy)

    def _create_policy(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        body = self._parsed(request, PolicyBody)
        return success(Writer(switches).policy(self._organization.policies.create(body, switches)))

    def _get_policy(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        return success(Writer(switches).policy(self._organization.entries.get("policy", parameters["id"])))

    def _put_policy(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        body = self._parsed(request, PolicyBody)
        return success(Writer(switches).policy(self._organization.policies.update(parameters["id"], body, switches)))

    def _delete_policy(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        return success(Writer(switches).policy(self._organization.policies.delete(parameters["id"])))

    def _add_to_user(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        body = self._parsed(request, PrincipalBody)
        if body.version is not None:
            raise RefusalError(400, "version: is not valid on create")
        row = self._organization.policies.add_to_user(parameters["permissionPolicyId"], body.principal_id)
        return success(Writer(switches).principal_permission(row))

    def _remove_from_user(self, request: Request, parameters: dict[str, str], switches: Switches) -> Answer:
        body = self._parsed(request, PrincipalBody)
        row = self._organization.policies.remove_from_user(parameters["permissionPolicyId"], body.principal_id)
        return success(Writer(switches).principal_permission(row))
