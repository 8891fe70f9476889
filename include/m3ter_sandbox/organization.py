"""What a m3ter organisation does: invite, accept, keep users and policies."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from m3ter_sandbox.bodies import BodyError, InvitationBody, PolicyBody, Statement, UserBody, stored_address
from m3ter_sandbox.clock import Clock, to_milliseconds
from m3ter_sandbox.paging import PageRequest
from m3ter_sandbox.store import Row, Store
from m3ter_sandbox.switches import Switches

__all__ = ["INVITATION_LIFE_MS", "Organization", "Page", "RefusalError", "email_key"]

DAY_MS = 86_400_000
INVITATION_LIFE_MS = 30 * DAY_MS
ListKind = Literal["invitation", "user", "policy"]

_MANAGED_POLICIES = {
    "Administrator": [{"effect": "ALLOW", "action": ["ALL"], "resource": ["*"]}],
    "Read Only": [{"effect": "ALLOW", "action": ["CONFIG_RETRIEVE"], "resource": ["*"]}],
}


class RefusalError(Exception):
    """M3ter does not do what was asked; nothing happened."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Page:
    """Entries of a list, and the last of them in list order where the list goes on."""

    rows: Sequence[Row]
    more_after: int | None
    more_is_empty: bool = False


def email_key(address: str) -> str:
    """Return what two spellings of one address share: for counting, not a rule of m3ter's."""
    return address.strip().casefold()


class Organization:
    """One organisation and its service user.

    :param seed: makes ids repeatable; None for random ones.
    """

    def __init__(self, store: Store, clock: Clock, org_id: str, seed: int | None = None) -> None:
        self._store, self._clock, self.org_id = store, clock, org_id
        self._random = random.Random(seed)  # noqa: S311 - ids, no secrets
        self.service_user_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"m3ter-sandbox:{org_id}:service-user"))
        self.since_ms = clock.now_ms()

    def found(self) -> None:
        """Bring a new organisation into being: its managed policies. A known one stays as it is."""
        since = self._store.setting("since")
        if since is not None:
            self.since_ms = since
            return
        self.since_ms = self._clock.now_ms()
        with self._store as store:
            store.keep_setting("since", self.since_ms)
            for name, statements in _MANAGED_POLICIES.items():
                policy_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"m3ter-sandbox:{self.org_id}:policy:{name}"))
                row = self._dates(self.since_ms, None) | {"id": policy_id, "version": 1, "name": name}
                store.insert("policy", row | {"managed": 1, "statements": json.dumps(statements)})

    def new_id(self) -> str:
        """Return a new UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    @staticmethod
    def _dates(now: int, by: str | None) -> dict[str, Any]:
        return {"dt_created": now, "dt_last_modified": now, "created_by": by, "last_modified_by": by}

    # Lists -----------------------------------------------------------------------------------------------------

    def page(self, kind: ListKind, wanted: PageRequest, switches: Switches, ids: Sequence[str] = ()) -> Page:
        """Return one page of a list.

        :param ids: only these, where given.
        """
        if wanted.empty:
            return Page((), wanted.after)
        newest_first = switches.list_order != "oldest_first"
        where, values = self._visible(kind, switches)
        if ids:
            where.append(f"id IN ({', '.join('?' * len(ids))})")
            values.extend(ids)
        if wanted.after is not None:
            where.append("seq < ?" if newest_first else "seq > ?")
            values.append(wanted.after)
        order = "DESC" if newest_first else "ASC"
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        sql = f"SELECT * FROM {kind} {condition} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - our own names
        rows = self._store.all(sql, [*values, wanted.size + 1])
        more = len(rows) > wanted.size
        rows = rows[: wanted.size]
        last = int(rows[-1]["seq"]) if more else None
        if switches.list_order == "unstable":
            self._random.shuffle(rows)
        return Page(rows, last, more_is_empty=switches.sparse_pages)

    def _visible(self, kind: ListKind, switches: Switches) -> tuple[list[str], list[object]]:
        where: list[str] = []
        values: list[object] = []
        lag = {"invitation": switches.list_lag_seconds, "user": switches.user_list_lag_seconds}.get(kind, 0)
        if lag:
            where.append("stored_at <= ?")
            values.append(self._clock.now_ms() - int(lag * 1000))
        if kind == "invitation":
            if not switches.keep_accepted:
                where.append("NOT accepted")
            if not switches.keep_expired:
                where.append("(accepted OR dt_expiry > ?)")
                values.append(self._clock.now_ms())
        return where, values

    def get(self, kind: ListKind, entry_id: str) -> Row:
        """Return one entry.

        :raises RefusalError: 404.
        """
        row = self._store.one(f"SELECT * FROM {kind} WHERE id = ?", (entry_id,))  # noqa: S608 - our own names
        if row is None:
            raise RefusalError(404)
        return row

    # Invitations -----------------------------------------------------------------------------------------------

    def invite(self, body: InvitationBody, switches: Switches) -> Row:
        """Create an invitation and send its e-mail, or do what the switches say instead.

        :raises RefusalError: what was asked is not allowed; no e-mail was sent.
        """
        policies = list(dict.fromkeys(body.permission_policy_ids or ()))
        self._check_policies(policies, switches)
        address = stored_address(body.email, switches.email_stored_as)
        now = self._clock.now_ms()
        member = self._member(address, now, switches)
        if member and switches.existing_member != "email":
            status = 409 if switches.existing_member == "error_409" else 400
            raise RefusalError(status, f"A user with the email {address} is already in this organization")
        if switches.contact_number_required and not body.contact_number and not member:
            raise RefusalError(400, "contactNumber: must not be empty")
        expiry = to_milliseconds(body.dt_expiry) if body.dt_expiry else now + INVITATION_LIFE_MS
        end_access = to_milliseconds(body.dt_end_access) if body.dt_end_access else None
        fields = {
            "first_name": body.first_name,
            "last_name": body.last_name,
            "contact_number": body.contact_number,
            "m3ter_user": body.m3ter_user,
            "permission_policy_ids": json.dumps(policies),
            "dt_end_access": end_access,
            "dt_expiry": expiry,
        }
        pending = self._pending(address, now)
        if pending and switches.pending_invitation.startswith("error"):
            status = 409 if switches.pending_invitation == "error_409" else 400
            raise RefusalError(status, f"An invitation for {address} is already pending")
        with self._store as store:
            if pending and switches.pending_invitation.startswith("update"):
                invitation_id = str(pending["id"])
                names = ", ".join(f"{name} = ?" for name in fields)
                store.run(
                    f"UPDATE invitation SET {names}, version = version + 1, dt_last_modified = ?,"  # noqa: S608
                    " last_modified_by = ? WHERE id = ?",
                    [*fields.values(), now, self.service_user_id, invitation_id],
                )
            else:
                invitation_id = self.new_id()
                identity: dict[str, Any] = {
                    "id": invitation_id,
                    "version": 1,
                    "email": address,
                    "email_key": email_key(address),
                }
                own = {"inviting_principal_id": self.service_user_id, "accepted": 0, "stored_at": now}
                store.insert("invitation", identity | fields | own | self._dates(now, self.service_user_id))
            if not (pending and switches.pending_invitation == "update"):
                self._send("invitation", body.email, body.first_name, invitation_id=invitation_id)
        return self.get("invitation", invitation_id)

    def _check_policies(self, policies: list[str], switches: Switches) -> None:
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

    def _pending(self, address: str, now: int) -> Row | None:
        return self._store.one(
            "SELECT * FROM invitation WHERE email_key = ? AND NOT accepted AND dt_expiry > ? ORDER BY seq DESC",
            (email_key(address), now),
        )

    def has_access(self, user: Row, now: int, switches: Switches) -> bool:
        """Tell whether a user may still work in the organisation at an instant."""
        end = user["dt_end_access"]
        if end is None:
            return True
        if switches.end_access_inclusive:
            end = (end // DAY_MS + 1) * DAY_MS
        return bool(now < end)

    def _member(self, address: str, now: int, switches: Switches) -> Row | None:
        rows = self._store.all("SELECT * FROM user WHERE email_key = ? ORDER BY seq", (email_key(address),))
        return next((row for row in rows if self.has_access(row, now, switches)), None)

    def _send(
        self, kind: str, address: str, name: str, *, invitation_id: str | None = None, user_id: str | None = None
    ) -> None:
        subject = {
            "invitation": "You have been invited to m3ter",
            "temporary_password": "Your temporary m3ter password",
        }[kind]
        row: dict[str, Any] = {"id": self.new_id(), "kind": kind, "address": address, "name": name}
        row |= {"address_key": email_key(address), "subject": subject, "sent_at": self._clock.now_ms()}
        self._store.insert("email", row | {"invitation_id": invitation_id, "user_id": user_id})

    def accept(self, invitation_id: str) -> Row:
        """Accept an invitation as its receiver does, and become a user.

        :raises RefusalError: unknown (404), expired (400) or accepted already (409).
        """
        invitation = self.get("invitation", invitation_id)
        now = self._clock.now_ms()
        if invitation["accepted"]:
            raise RefusalError(409, "This invitation has been accepted already")
        if invitation["dt_expiry"] <= now:
            raise RefusalError(400, "This invitation has expired")
        policies: list[str] = json.loads(invitation["permission_policy_ids"])
        with self._store as store:
            user = store.one("SELECT id FROM user WHERE email_key = ?", (invitation["email_key"],))
            user_id = str(user["id"]) if user else self.new_id()
            if user is None:
                copied = ("email", "email_key", "first_name", "last_name", "contact_number", "dt_end_access")
                row = {name: invitation[name] for name in copied} | self._dates(now, user_id)
                row |= {"id": user_id, "version": 1, "support_user": 0, "dt_terms": now}
                store.insert("user", row | {"permission_policy": "[]", "stored_at": now})
            else:
                store.run(
                    "UPDATE user SET dt_end_access = ?, dt_last_modified = ?, version = version + 1 WHERE id = ?",
                    (invitation["dt_end_access"], now, user_id),
                )
            for policy_id in policies:
                self._grant(user_id, policy_id, str(invitation["created_by"]))
            store.run(
                "UPDATE invitation SET accepted = 1, version = version + 1, dt_last_modified = ?,"
                " last_modified_by = ? WHERE id = ?",
                (now, user_id, invitation_id),
            )
        return self.get("user", user_id)

    def newest_open(self, address: str) -> Row:
        """Return the newest invitation to an address that is not accepted, case ignored.

        :raises RefusalError: 404.
        """
        row = self._store.one(
            "SELECT i.* FROM invitation i WHERE NOT i.accepted AND (i.email_key = ?1 OR i.id IN"
            " (SELECT invitation_id FROM email WHERE address_key = ?1)) ORDER BY i.seq DESC",
            (email_key(address),),
        )
        if row is None:
            raise RefusalError(404, "There is no open invitation to this address")
        return row

    def expire(self, address: str) -> int:
        """End all open invitations to an address now; return how many."""
        now = self._clock.now_ms()
        return self._store.run(
            "UPDATE invitation SET dt_expiry = ? WHERE NOT accepted AND dt_expiry > ? AND (email_key = ? OR id IN"
            " (SELECT invitation_id FROM email WHERE address_key = ?))",
            (now - 1000, now, email_key(address), email_key(address)),
        )

    # Users -----------------------------------------------------------------------------------------------------

    def update_user(self, user_id: str, body: UserBody, switches: Switches) -> Row:
        """Change a user's access.

        :raises RefusalError: unknown user, or another version than the current one.
        """
        user = self.get("user", user_id)
        self._check_version(body.version, int(user["version"]))
        statements = user["permission_policy"]
        if body.permission_policy is not None:
            statements = _statements(body.permission_policy, switches)
        end_access = to_milliseconds(body.dt_end_access) if body.dt_end_access else None
        self._store.run(
            "UPDATE user SET version = version + 1, permission_policy = ?, dt_end_access = ?,"
            " dt_last_modified = ?, last_modified_by = ? WHERE id = ?",
            (statements, end_access, self._clock.now_ms(), self.service_user_id, user_id),
        )
        return self.get("user", user_id)

    @staticmethod
    def _check_version(given: int | None, current: int) -> None:
        if given is None:
            raise RefusalError(400, "version: is required for an update")
        if given != current:
            raise RefusalError(400, "version: does not match the existing version")

    def permissions(self, user_id: str) -> tuple[list[dict[str, Any]], list[Row]]:
        """Return all statements that hold for a user, and the policies given to it."""
        user = self.get("user", user_id)
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
        self.get("user", user_id)
        return self._store.all("SELECT * FROM user_group WHERE user_id = ? ORDER BY seq", (user_id,))

    def resend_password(self, user_id: str, switches: Switches) -> None:
        """Send a user a temporary password once more.

        :raises RefusalError: unknown user (404), or one without access (400).
        """
        user = self.get("user", user_id)
        if not self.has_access(user, self._clock.now_ms(), switches):
            raise RefusalError(400, "User in improper state.")
        with self._store:
            self._send("temporary_password", user["email"], user["first_name"] or "", user_id=user_id)

    # Permission policies ---------------------------------------------------------------------------------------

    def create_policy(self, body: PolicyBody, switches: Switches) -> Row:
        """Create a permission policy.

        :raises RefusalError: with a version, or (by switch) a name that is taken.
        """
        if body.version is not None:
            raise RefusalError(400, "version: is not valid on create")
        self._check_name(body.name, None, switches)
        policy_id = self.new_id()
        row = self._dates(self._clock.now_ms(), self.service_user_id) | {"id": policy_id, "version": 1}
        row |= {"name": body.name, "managed": 0, "statements": _statements(body.permission_policy, switches)}
        with self._store as store:
            store.insert("policy", row)
        return self.get("policy", policy_id)

    def _check_name(self, name: str, own_id: str | None, switches: Switches) -> None:
        if switches.duplicate_policy_names:
            return
        if self._store.one("SELECT 1 FROM policy WHERE name = ? AND id IS NOT ?", (name, own_id)):
            raise RefusalError(400, "name: a permission policy with this name exists already")

    def update_policy(self, policy_id: str, body: PolicyBody, switches: Switches) -> Row:
        """Change a permission policy.

        :raises RefusalError: unknown, managed by m3ter, or another version than the current one.
        """
        policy = self._own_policy(policy_id)
        self._check_version(body.version, int(policy["version"]))
        self._check_name(body.name, policy_id, switches)
        self._store.run(
            "UPDATE policy SET version = version + 1, name = ?, statements = ?, dt_last_modified = ?,"
            " last_modified_by = ? WHERE id = ?",
            (
                body.name,
                _statements(body.permission_policy, switches),
                self._clock.now_ms(),
                self.service_user_id,
                policy_id,
            ),
        )
        return self.get("policy", policy_id)

    def _own_policy(self, policy_id: str) -> Row:
        policy = self.get("policy", policy_id)
        if policy["managed"]:
            raise RefusalError(400, "A managed permission policy cannot be changed")
        return policy

    def delete_policy(self, policy_id: str) -> Row:
        """Delete a permission policy and take it from its users.

        :raises RefusalError: unknown, or managed by m3ter.
        """
        policy = self._own_policy(policy_id)
        with self._store as store:
            store.run("DELETE FROM user_policy WHERE policy_id = ?", (policy_id,))
            store.run("DELETE FROM policy WHERE id = ?", (policy_id,))
        return policy

    def _grant(self, user_id: str, policy_id: str, by: str) -> None:
        self._store.run(
            "INSERT OR IGNORE INTO user_policy (id, user_id, policy_id, version, dt_created, created_by)"
            " VALUES (?, ?, ?, 1, ?, ?)",
            (self.new_id(), user_id, policy_id, self._clock.now_ms(), by),
        )

    def add_policy_to_user(self, policy_id: str, user_id: str) -> Row:
        """Give a user a policy; one that it has stays.

        :raises RefusalError: unknown policy or user.
        """
        self.get("policy", policy_id)
        self.get("user", user_id)
        with self._store:
            self._grant(user_id, policy_id, self.service_user_id)
        return self._granted(policy_id, user_id)

    def remove_policy_from_user(self, policy_id: str, user_id: str) -> Row:
        """Take a policy from a user.

        :raises RefusalError: the user does not have it.
        """
        self.get("policy", policy_id)
        self.get("user", user_id)
        granted = self._granted(policy_id, user_id)
        self._store.run("DELETE FROM user_policy WHERE id = ?", (granted["id"],))
        return granted

    def _granted(self, policy_id: str, user_id: str) -> Row:
        row = self._store.one("SELECT * FROM user_policy WHERE policy_id = ? AND user_id = ?", (policy_id, user_id))
        if row is None:
            raise RefusalError(404, "The user does not have this permission policy")
        return row

    # For the control API ---------------------------------------------------------------------------------------

    def emails(self, kind: str = "invitation") -> dict[str, int]:
        """Return how many e-mails were sent to each address, case ignored."""
        rows = self._store.all(
            "SELECT address_key, count(*) AS sent FROM email WHERE kind = ? GROUP BY address_key ORDER BY 1", (kind,)
        )
        return {row["address_key"]: row["sent"] for row in rows}

    def mailbox(self) -> list[Row]:
        """Return every e-mail, oldest first, each with what became of its invitation."""
        return self._store.all(
            "SELECT e.*, i.accepted, i.dt_expiry FROM email e LEFT JOIN invitation i ON i.id = e.invitation_id"
            " ORDER BY e.seq"
        )

    def totals(self) -> dict[str, int]:
        """Return how many entries there are of each kind."""
        tables = {"invitations": "invitation", "users": "user", "policies": "policy", "emails": "email"}
        return {
            name: self._store.count(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
            for name, table in tables.items()
        }


def _statements(statements: Sequence[Statement], switches: Switches) -> str:
    try:
        lower_only = switches.statement_case == "lower"
        return json.dumps([one.checked(lower_only=lower_only) for one in statements])
    except BodyError as error:
        raise RefusalError(400, str(error)) from None
