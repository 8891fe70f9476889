"""What people do in m3ter's own console, by m3ter's own API."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from m3ter_sandbox.testing import SandboxServer

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


_STATEMENTS = [{"effect": "allow", "action": ["config:retrieve"], "resource": ["config:*"]}]


class Console:
    """The console of an organisation."""

    def __init__(self, m3ter: SandboxServer) -> None:
        self._m3ter = m3ter

    def invite(self, email: str) -> None:
        """Invite somebody by hand."""
        self._m3ter.seed(invitations=[{"email": email, "invitingPrincipalId": "somebody", "createdBy": "somebody"}])

    def add_member(self, email: str) -> None:
        """Let somebody be a member."""
        self._m3ter.seed(users=[{"email": email}])

    def make_policy(self, name: str) -> None:
        """Make a permission policy."""
        self._m3ter.seed(policies=[{"name": name}])

    def change_policy(self, name: str, *, to: str | None = None) -> None:
        """Write a permission policy again: a new version, and perhaps another name."""
        found = self.policies(name)[0]
        content = {"name": to or name, "permissionPolicy": _STATEMENTS, "version": found["version"]}
        self.call("PUT", f"permissionpolicies/{found['id']}", content)

    def delete_policy(self, name: str) -> None:
        """Delete a permission policy."""
        self.call("DELETE", f"permissionpolicies/{self.policies(name)[0]['id']}")

    def policies(self, name: str) -> list[dict[str, Any]]:
        """Return the permission policies of a name."""
        found = self.call("GET", "permissionpolicies?pageSize=100")["data"]
        return [policy for policy in found if policy["name"] == name]

    def call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Make one call; *path* below the organisation."""
        m3ter = self._m3ter
        basic = base64.b64encode(f"{m3ter.access_key_id}:{m3ter.api_secret}".encode()).decode()
        token = self._request("POST", "/oauth/token", f"Basic {basic}", {"grant_type": "client_credentials"})
        organisation = f"/organizations/{m3ter.org_id}/{path}"
        return self._request(method, organisation, f"Bearer {token['access_token']}", content)

    def _request(self, method: str, path: str, authorization: str, content: Mapping[str, Any] | None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._m3ter.url}{path}", body, headers, method=method)
        with _DIRECT.open(request, timeout=10) as answer:
            return json.load(answer)
