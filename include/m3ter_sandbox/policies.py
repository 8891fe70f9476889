"""Permission policies, and which user has which."""

from __future__ import annotations

import json
from collections.abc import Sequence

from m3ter_sandbox.bodies import BodyError, PolicyBody, Statement
from m3ter_sandbox.entries import Entries, RefusalError, check_version
from m3ter_sandbox.store import Row
from m3ter_sandbox.switches import Switches

__all__ = ["Policies", "stored_statements"]


def stored_statements(statements: Sequence[Statement], switches: Switches) -> str:
    """Return permission statements as the store keeps them.

    :raises RefusalError: an action or an effect that does not exist.
    """
    try:
        lower_only = switches.statement_case == "lower"
        return json.dumps([one.checked(lower_only=lower_only) for one in statements])
    except BodyError as error:
        raise RefusalError(400, str(error)) from None


class Policies:
    """The permission policies of the organisation."""

    def __init__(self, entries: Entries) -> None:
        self._entries, self._store, self._clock = entries, entries.store, entries.clock

    def create(self, body: PolicyBody, switches: Switches) -> Row:
        """Create a permission policy.

        :raises RefusalError: with a version, or (by switch) a name that is taken.
        """
        if body.version is not None:
            raise RefusalError(400, "version: is not valid on create")
        self._check_name(body.name, None, switches)
        policy_id = self._entries.new_id()
        row = self._entries.dates(self._clock.now_ms(), self._entries.service_user_id) | {"id": policy_id, "version": 1}
        row |= {"name": body.name, "managed": 0, "statements": stored_statements(body.permission_policy, switches)}
        with self._store as store:
            store.insert("policy", row)
        return self._entries.get("policy", policy_id)

    def _check_name(self, name: str, own_id: str | None, switches: Switches) -> None:
        if switches.duplicate_policy_names:
            return
        if self._store.one("SELECT 1 FROM policy WHERE name = ? AND id IS NOT ?", (name, own_id)):
            raise RefusalError(400, "name: a permission policy with this name exists already")

    def update(self, policy_id: str, body: PolicyBody, switches: Switches) -> Row:
        """Change a permission policy.

        :raises RefusalError: unknown, managed by m3ter, or another version than the current one.
        """
        policy = self._own_policy(policy_id)
        check_version(body.version, int(policy["version"]))
        self._check_name(body.name, policy_id, switches)
        self._store.run(
            "UPDATE policy SET version = version + 1, name = ?, statements = ?, dt_last_modified = ?,"
            " last_modified_by = ? WHERE id = ?",
            (
                body.name,
                stored_statements(body.permission_policy, switches),
                self._clock.now_ms(),
                self._entries.service_user_id,
                policy_id,
            ),
        )
        return self._entries.get("policy", policy_id)

    def _own_policy(self, policy_id: str) -> Row:
        policy = self._entries.get("policy", policy_id)
        if policy["managed"]:
            raise RefusalError(400, "A managed permission policy cannot be changed")
        return policy

    def delete(self, policy_id: str) -> Row:
        """Delete a permission policy and take it from its users.

        :raises RefusalError: unknown, or managed by m3ter.
        """
        policy = self._own_policy(policy_id)
        with self._store as store:
            store.run("DELETE FROM user_policy WHERE policy_id = ?", (policy_id,))
            store.run("DELETE FROM policy WHERE id = ?", (policy_id,))
        return policy

    def grant(self, user_id: str, policy_id: str, by: str) -> None:
        """Give a user a policy; one that it has stays."""
        self._store.run(
            "INSERT OR IGNORE INTO user_policy (id, user_id, policy_id, version, dt_created, created_by)"
            " VALUES (?, ?, ?, 1, ?, ?)",
            (self._entries.new_id(), user_id, policy_id, self._clock.now_ms(), by),
        )

    def add_to_user(self, policy_id: str, user_id: str) -> Row:
        """Give a user a policy; one that it has stays.

        :raises RefusalError: unknown policy or user.
        """
        self._entries.get("policy", policy_id)
        self._entries.get("user", user_id)
        with self._store:
            self.grant(user_id, policy_id, self._entries.service_user_id)
        return self._granted(policy_id, user_id)

    def remove_from_user(self, policy_id: str, user_id: str) -> Row:
        """Take a policy from a user.

        :raises RefusalError: the user does not have it.
        """
        self._entries.get("policy", policy_id)
        self._entries.get("user", user_id)
        granted = self._granted(policy_id, user_id)
        self._store.run("DELETE FROM user_policy WHERE id = ?", (granted["id"],))
        return granted

    def _granted(self, policy_id: str, user_id: str) -> Row:
        row = self._store.one("SELECT * FROM user_policy WHERE policy_id = ? AND user_id = ?", (policy_id, user_id))
        if row is None:
            raise RefusalError(404, "The user does not have this permission policy")
        return row

    def check(self, policies: list[str], switches: Switches) -> None:
        """Check the policies of an invitation.

        :raises RefusalError: one is unknown, or (by switch) the service user lacks it itself.
        """
        known = self._store.all(
            "SELECT id, name FROM policy WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(policies),)
        )
        if switches.check_policy_ids and len(known) < len(policies):
            raise RefusalError(400, "permissionPolicyIds: a permission policy with this id does not exist")
        lacks = [row for row in known if row["name"] not in switches.own_policies]
        if lacks and switches.grant_beyond_own_rights != "allow":
            if switches.grant_beyond_own_rights == "error_403":
                raise RefusalError(403)
            raise RefusalError(400, "permissionPolicyIds: you cannot grant permissions that you do not have")
