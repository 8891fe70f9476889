"""Users of the organisation."""

from __future__ import annotations

import json
from typing import Any

from m3ter_sandbox.bodies import UserBody
from m3ter_sandbox.clock import to_milliseconds
from m3ter_sandbox.entries import Entries, RefusalError, check_version, email_key
from m3ter_sandbox.mailbox import Mailbox
from m3ter_sandbox.policies import stored_statements
from m3ter_sandbox.store import Row
from m3ter_sandbox.switches import Switches

__all__ = ["Users"]

DAY_MS = 86_400_000


class Users:
    """The users of the organisation."""

    def __init__(self, entries: Entries, mailbox: Mailbox) -> None:
        self._entries, self._store, self._clock = entries, entries.store, entries.clock
        self._mailbox = mailbox

    def has_access(self, user: Row, now: int, switches: Switches) -> bool:
        """Return whether a user may still work in the organisation at an instant."""
        end = user["dt_end_access"]
        if end is None:
            return True
        if switches.end_access_inclusive:
            end = (end // DAY_MS + 1) * DAY_MS
        return bool(now < end)

    def member(self, address: str, now: int, switches: Switches) -> Row | None:
        """Return the user with an address that has access at an instant (milliseconds since the epoch)."""
        rows = self._store.all("SELECT * FROM user WHERE email_key = ? ORDER BY seq", (email_key(address),))
        return next((row for row in rows if self.has_access(row, now, switches)), None)

    def update(self, user_id: str, body: UserBody, switches: Switches) -> Row:
        """Change a user's access: what is absent stays, a null end of access makes it permanent.

        :raises RefusalError: unknown user, or another version than the current one.
        """
        user = self._entries.get("user", user_id)
        check_version(body.version, int(user["version"]))
        statements = user["permission_policy"]
        if body.permission_policy is not None:
            statements = stored_statements(body.permission_policy, switches)
        end_access = user["dt_end_access"]
        if "dt_end_access" in body.model_fields_set:
            end_access = to_milliseconds(body.dt_end_access) if body.dt_end_access else None
        self._store.run(
            "UPDATE user SET version = version + 1, permission_policy = ?, dt_end_access = ?,"
            " dt_last_modified = ?, last_modified_by = ? WHERE id = ?",
            (statements, end_access, self._clock.now_ms(), self._entries.service_user_id, user_id),
        )
        return self._entries.get("user", user_id)

    def permissions(self, user_id: str) -> tuple[list[dict[str, Any]], list[Row]]:
        """Return all statements that hold for a user, and the policies given to it."""
        user = self._entries.get("user", user_id)
        policies = self._store.all(
            "SELECT p.* FROM policy p JOIN user_policy g ON g.policy_id = p.id WHERE g.user_id = ? ORDER BY g.seq",
            (user_id,),
        )
        statements: list[dict[str, Any]] = json.loads(user["permission_policy"])
        for policy in policies:
            statements.extend(json.loads(policy["statements"]))
        return statements, policies

    def groups(self, user_id: str) -> list[Row]:
        """Return the groups of a user."""
        self._entries.get("user", user_id)
        return self._store.all("SELECT * FROM user_group WHERE user_id = ? ORDER BY seq", (user_id,))

    def resend_password(self, user_id: str, switches: Switches) -> None:
        """Send a user a temporary password once more.

        :raises RefusalError: unknown user (404), or one without access (400).
        """
        user = self._entries.get("user", user_id)
        if not self.has_access(user, self._clock.now_ms(), switches):
            raise RefusalError(400, "User in improper state.")
        with self._store:
            self._mailbox.send("temporary_password", user["email"], user["first_name"] or "", user_id=user_id)
